"""From the evidence of a loop to the figures of each checkpoint, paired with the base and with its parent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from gadfly.metrics.answers import Outcome, accuracy_of, flips
from gadfly.metrics.difficulty import difficulty, halves, members, solve_rates
from gadfly.metrics.intervals import Floats, mean_interval, paired_difference
from gadfly.metrics.measurement import Flips, Measurement, Sample
from gadfly.metrics.overoptimisation import Rewarded, reward_truth, rise
from gadfly.metrics.proportions import wilson
from gadfly.metrics.verification import VerificationGap, verification_gap
from gadfly.run.analysis import Pool, pool_of, voting_points
from gadfly.run.health import BinHealth, CheckpointHealth, Compared, FamilyHealth, RewardHealth
from gadfly.run.improvement import Answers, Checkpoint, Improvement, before

Vector: TypeAlias = Sequence[float | None]
"""One figure a problem; None: it has none."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A checkpoint with its vectors, made once and paired often."""

    checkpoint: Checkpoint
    seed: int

    @property
    def answers(self) -> Answers:
        """Its one answer a problem."""
        return self.checkpoint.evaluation.answers

    @cached_property
    def right(self) -> list[float]:
        """1 where the answer is right."""
        return [float(one) for one in self.answers.right]

    @cached_property
    def readable(self) -> list[float]:
        """1 where the scorer could read the answer."""
        return [float(one in ("right", "wrong")) for one in self.answers.outcomes]

    @cached_property
    def formed(self) -> list[bool]:
        """Whether an answer is in the form that was asked for or, where nobody looked, readable."""
        read = (bool(one) for one in self.readable)
        stated = self.answers.stated or (True,) * len(self.right)
        return [one and form for one, form in zip(read, stated, strict=True)]

    @cached_property
    def pool(self) -> Pool | None:
        """Its samples with their curves."""
        samples = self.checkpoint.evaluation.pool
        return pool_of(samples) if samples else None

    @cached_property
    def rewarded(self) -> tuple[Rewarded, ...]:
        """Held-out samples with a reward where there are any, else the answers of training."""
        held = self.held_out_rewards
        return held or tuple(
            one for one in self.checkpoint.rewards if one.proxy is not None and one.gold is not None
        )

    @cached_property
    def held_out_rewards(self) -> tuple[Rewarded, ...]:
        """The pool's samples that have both a score and a truth."""
        return tuple(
            Rewarded(problem=str(place), proxy=one.score, gold=one.right)
            for place, row in enumerate(self.checkpoint.evaluation.pool)
            for one in row
            if one.score is not None and one.right is not None
        )

    def diversity(self) -> dict[str, Vector]:
        """The figures of diversity, problem by problem."""
        evaluation = self.checkpoint.evaluation
        found: dict[str, Vector] = {}
        if evaluation.pool:
            found["distinct answers"] = [_distinct(row) for row in evaluation.pool]
        if evaluation.variety:
            texts = [one.distinct / one.texts if one.texts else None for one in evaluation.variety]
            found["distinct texts"] = texts
            found["distinct-2"] = [one.distinct_2 for one in evaluation.variety]
            found["self-BLEU"] = [one.self_bleu for one in evaluation.variety]
            found["repetition"] = [one.repetition for one in evaluation.variety]
        return {name: values for name, values in found.items() if any(one is not None for one in values)}


@dataclass(frozen=True, kw_only=True)
class Examination:
    """One checkpoint beside the base and the checkpoint it was trained from."""

    own: Chart
    base: Chart | None
    previous: Chart | None
    rewarded: Chart | None
    """The first checkpoint of the arm that has rewards."""
    families: Mapping[str, list[int]]
    bins: Mapping[str, list[int]]

    def health(self) -> CheckpointHealth:
        """All its figures."""
        own, answers = self.own.checkpoint, self.own.answers
        stated = self._compared(lambda chart: [float(one) for one in chart.answers.stated], share=True)
        skill, by_skill, by_format = self._skill()
        return CheckpointHealth(
            name=own.name,
            round=own.round,
            model=own.model,
            standing=own.standing,
            accuracy=self._accuracy(),
            families=self._families(),
            flips_base=self._flips(self.base),
            flips_previous=self._flips(self.previous),
            readable=_given(self._compared(lambda chart: chart.readable, share=True)),
            stated=stated,
            skill=skill,
            by_skill=by_skill,
            by_format=by_format,
            length=_given(self._compared(lambda chart: chart.answers.output_tokens)),
            curve=() if self.own.pool is None else voting_points(self.own.pool, seed=self.own.seed),
            passed=self._column(lambda pool: pool.passed),
            majority=self._column(lambda pool: pool.by_tokens.accuracy),
            sampled=self._compared(
                lambda chart: [] if chart.pool is None else solve_rates(chart.pool.samples).tolist()
            ),
            diversity=self._diversity(),
            difficulty=self._difficulty(),
            reward=self._reward(),
            gap=_gap(self.own),
            untouched=self._untouched(),
            oracle=answers.oracle,
            unscored=answers.outcomes.count("unscored"),
            failed=answers.outcomes.count("failed"),
            notes=own.notes,
        )

    def _compared(
        self, vector: Callable[[Chart], Vector], *, share: bool = False, places: Sequence[int] | None = None
    ) -> Compared | None:
        """A figure that is a mean over problems; None where no problem has it."""
        mine = _taken(vector(self.own), places)
        known = [one for one in mine if one is not None]
        if not known:
            return None
        found = wilson(round(sum(known)), len(known)) if share else mean_interval(known, seed=self.own.seed)
        found = found.model_copy(update={"n": len(mine), "unscored": len(mine) - len(known)})

        def less(other: Chart | None) -> Measurement | None:
            return None if other is None else self._difference(mine, _taken(vector(other), places))

        return Compared(found=found, base=less(self.base), previous=less(self.previous))

    def _difference(self, mine: Vector, theirs: Vector) -> Measurement | None:
        """Over the problems where both have the figure."""
        if len(mine) != len(theirs):
            return None
        pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
        if not pairs:
            return None
        found = paired_difference([a for a, _ in pairs], [b for _, b in pairs], seed=self.own.seed)
        return found.model_copy(update={"n": len(mine), "unscored": len(mine) - len(pairs)})

    def _accuracy(self, places: Sequence[int] | None = None) -> Compared:
        found = _given(self._compared(lambda chart: chart.right, share=True, places=places))
        outcomes = self.own.answers.outcomes
        listed: Sequence[Outcome] = outcomes if places is None else [outcomes[place] for place in places]
        return found.model_copy(update={"found": accuracy_of(listed)})

    def _families(self) -> tuple[FamilyHealth, ...]:
        return tuple(
            FamilyHealth(name=name, n=len(places), accuracy=self._accuracy(places))
            for name, places in self.families.items()
        )

    def _flips(self, other: Chart | None) -> Flips | None:
        if other is None:
            return None
        return flips(_by_place(other.answers), _by_place(self.own.answers))

    def _skill(self) -> tuple[Compared | None, Measurement | None, Measurement | None]:
        """Right among well-formed answers, and the gain over the base taken apart into skill and format."""
        skill = self._compared(
            lambda chart: [r if f else None for r, f in zip(chart.right, chart.formed, strict=True)],
            share=True,
        )
        if self.base is None:
            return skill, None, None
        gained = np.array(self.own.right) - np.array(self.base.right)
        both = np.array(self.own.formed) & np.array(self.base.formed)
        by_skill, by_format = (mean_interval(gained * part, seed=self.own.seed) for part in (both, ~both))
        return skill, by_skill, by_format

    def _column(self, curve: Callable[[Pool], Floats]) -> Compared | None:
        """pass@N or maj@N; a difference is taken at the largest k that both pools have."""
        mine = self.own.pool
        if mine is None:
            return None
        values = curve(mine)

        def less(other: Chart | None) -> Measurement | None:
            if other is None or other.pool is None:
                return None
            theirs = curve(other.pool)
            at = min(values.shape[1], theirs.shape[1]) - 1
            return paired_difference(values[:, at], theirs[:, at], seed=self.own.seed)

        found = mean_interval(values[:, -1], seed=self.own.seed)
        return Compared(found=found, base=less(self.base), previous=less(self.previous))

    def _diversity(self) -> dict[str, Compared]:
        names = self.own.diversity()
        found = {name: self._compared(lambda chart, n=name: chart.diversity().get(n, [])) for name in names}
        return {name: one for name, one in found.items() if one is not None}

    def _difficulty(self) -> tuple[BinHealth, ...]:
        """Accuracy of samples by the base's bins, the base's own from samples that chose no bin."""

        def rates(chart: Chart) -> Vector:
            if chart.pool is None:
                return []
            samples = chart.pool.samples
            unused = halves(samples)[1] if chart.checkpoint.round == 0 else samples
            return solve_rates(unused).tolist()

        if self.own.pool is None:
            return ()
        found = ((name, self._compared(rates, places=places)) for name, places in self.bins.items())
        return tuple(
            BinHealth(name=name, n=len(self.bins[name]), accuracy=one)
            for name, one in found
            if one is not None
        )

    def _reward(self) -> RewardHealth | None:
        rows, first = self.own.rewarded, self.rewarded
        if not rows or first is None:
            return None
        held_out = bool(self.own.held_out_rewards)
        later = first is not self.own and bool(first.held_out_rewards) == held_out
        return RewardHealth(
            source="held out" if held_out else "training",
            truth=reward_truth(rows, seed=self.own.seed),
            rise=rise(rows, first.rewarded, seed=self.own.seed) if later else None,
        )

    def _untouched(self) -> dict[str, Compared]:
        made: dict[str, Compared] = {}
        for name, answers in self.own.checkpoint.untouched.items():

            def vector(chart: Chart, name: str = name) -> Vector:
                known = chart.checkpoint.untouched.get(name)
                return [] if known is None else [float(one) for one in known.right]

            one = _given(self._compared(vector, share=True))
            made[name] = one.model_copy(update={"found": accuracy_of(answers.outcomes)})
        return made


def charts(improvement: Improvement) -> dict[int, Chart]:
    """A chart for every checkpoint, by its identity: the base's serves all arms."""
    every = [improvement.base, *(one for arm in improvement.arms for one in arm.checkpoints)]
    return {id(one): Chart(checkpoint=one, seed=improvement.seed) for one in every}


def examined(
    improvement: Improvement, known: Mapping[int, Chart]
) -> tuple[CheckpointHealth, dict[str, tuple[CheckpointHealth, ...]]]:
    """The figures of the base, and of every arm's checkpoints by the arm's name."""
    families = _families(improvement.families)
    bins: dict[str, list[int]] = {}
    if improvement.base.evaluation.k > 1:
        bins = members(difficulty(halves(improvement.base.evaluation.pool)[0]))
    base = known[id(improvement.base)]

    def examine(own: Chart, path: Sequence[Checkpoint]) -> CheckpointHealth:
        place = next(i for i, one in enumerate(path) if one is own.checkpoint)
        rewarded = (known[id(one)] for one in path)
        return Examination(
            own=own,
            base=base if place else None,
            previous=known[id(before(path, place))] if place else None,
            rewarded=next((chart for chart in rewarded if chart.rewarded), None),
            families=families,
            bins=bins,
        ).health()

    arms = {
        arm.name: tuple(examine(known[id(one)], improvement.path(arm)) for one in arm.checkpoints)
        for arm in improvement.arms
    }
    return examine(base, [improvement.base]), arms


def _families(names: Sequence[str]) -> dict[str, list[int]]:
    """Places of each family's problems; none where all problems are of one."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(name or "other", []).append(place)
    return found if len(found) > 1 else {}


def _distinct(row: Sequence[Sample]) -> float | None:
    """Different final answers over samples that have one."""
    keys = [one.key for one in row if one.key is not None]
    return len(set(keys)) / len(keys) if keys else None


def _gap(chart: Chart) -> VerificationGap | None:
    if not any(one.score is not None for row in chart.checkpoint.evaluation.pool for one in row):
        return None
    return verification_gap(
        chart.checkpoint.evaluation.pool, choice="top share", at=0.5, seed=chart.seed
    )  # fmt: skip


def _by_place(answers: Answers) -> dict[str, Outcome]:
    return {str(place): one for place, one in enumerate(answers.outcomes)}


def _taken(values: Vector, places: Sequence[int] | None) -> Vector:
    return values if places is None or not values else [values[place] for place in places]


def _given(found: Compared | None) -> Compared:
    """Where every problem has the figure."""
    assert found is not None
    return found
