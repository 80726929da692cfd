"""The health of a loop: figures by hand, order and bounds, what is warned of and what is not, verdicts."""

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import cast

import pytest
from pydantic import BaseModel
from support.loops import (
    answers,
    chances,
    checkpoint,
    costs,
    critic,
    improvement,
    names,
    pool,
    raised,
    rewards,
)

from gadfly.metrics.diversity import variety
from gadfly.metrics.measurement import Measurement, Sample
from gadfly.records import Candidate, Problem, Rollout, Score, Usage
from gadfly.run.diagnosis import measure
from gadfly.run.evaluation import evaluation
from gadfly.run.health import Compared, Health
from gadfly.run.improvement import Arm, ArmKind, Checkpoint, Evaluation, Improvement, PhaseCost

N = 180
SOLVE = chances(N, 0.42)


def arm(name: str, kind: ArmKind, ups: Sequence[float]) -> Arm:
    rounds = [checkpoint(i, raised(SOLVE, up)) for i, up in enumerate(ups, start=1)]
    return Arm(name=name, kind=kind, checkpoints=tuple(rounds), costs=costs(len(ups)))


def healthy() -> Improvement:
    loop = arm("critique", "loop", (0.08, 0.16))
    rewarded = [
        one.model_copy(update={"rewards": rewards(400, 0.4 + 0.12 * i, seed=i)})
        for i, one in enumerate(loop.checkpoints)
    ]
    loop = loop.model_copy(
        update={"checkpoints": tuple(rewarded), "critics": (critic(0), critic(2, skill=0.85))}
    )
    return improvement(checkpoint(0, SOLVE), [loop, arm("self-training", "self-training", (0.05, 0.06))])


@cache
def of_healthy() -> Health:
    """Measured once for all tests that look at it."""
    return measure(healthy())


# ---------------------------------------------------------------- figures by hand


def made(name: str, number: int, outcomes: str, stated: str = "") -> Checkpoint:
    """A checkpoint from a letter a problem: r(ight), w(rong), u(nscored), f(ailed)."""
    words = {"r": "right", "w": "wrong", "u": "unscored", "f": "failed"}
    given = answers([letter == "r" for letter in outcomes], seed=number)
    given = given.model_copy(
        update={
            "outcomes": tuple(words[letter] for letter in outcomes),
            "stated": tuple(letter == "y" for letter in stated),
            "output_tokens": tuple(10 * (number + 1) for _ in outcomes),
        }
    )
    return Checkpoint(name=name, round=number, model=name, evaluation=Evaluation(answers=given))


def test_accuracy_differences_and_flips_by_hand() -> None:
    rounds = (made("one", 1, "rrwuf", "yyynn"), made("two", 2, "rwrrr", "yyyyn"))
    found = measure(
        improvement(made("base", 0, "rwwwu", "ynyyn"), [Arm(name="a", kind="loop", checkpoints=rounds)])
    )
    one, two = found.arms[0].checkpoints
    assert (one.accuracy.found.value, one.accuracy.found.unscored) == (0.4, 2)
    assert one.accuracy.base is not None
    assert one.accuracy.base.value == pytest.approx(0.2)
    assert two.accuracy.previous is not None
    assert two.accuracy.previous.value == pytest.approx(0.4)
    assert two.flips_previous is not None
    assert (two.flips_previous.right_to_wrong, two.flips_previous.wrong_to_right) == (1, 3)
    assert (one.unscored, one.failed) == (1, 1)
    assert one.readable.found.value == 0.6
    assert (one.length.found.value, one.length.base and one.length.base.value) == (20, 10)
    assert found.base.accuracy.base is None
    assert not one.curve


def test_skill_and_form_are_told_apart_and_sum_to_the_gain() -> None:
    base, later = made("base", 0, "rwwwu", "ynyyn"), made("one", 1, "rrrwr", "yyyyy")
    one = (
        measure(improvement(base, [Arm(name="a", kind="loop", checkpoints=(later,))])).arms[0].checkpoints[0]
    )
    # Well-formed in both: problems 0, 2, 3, one of them gained. Out of form before: 1 and 4, both gained.
    assert one.by_skill is not None
    assert one.by_format is not None
    assert one.by_skill.value == pytest.approx(1 / 5)
    assert one.by_format.value == pytest.approx(2 / 5)
    assert one.skill is not None
    assert one.skill.found.value == pytest.approx(4 / 5)
    assert one.skill.base is not None
    assert one.skill.base.value == pytest.approx(1 / 3)
    assert one.stated is not None
    assert one.stated.base is not None
    assert one.stated.base.value == pytest.approx(2 / 5)


def test_families_are_compared_each_by_itself() -> None:
    base, later = made("base", 0, "rwwrww"), made("one", 1, "wwwrrr")
    one = (
        measure(improvement(base, [Arm(name="a", kind="loop", checkpoints=(later,))])).arms[0].checkpoints[0]
    )
    # products 0 and 3, sums 1 and 4, differences 2 and 5
    differences = {part.name: part.accuracy.base and part.accuracy.base.value for part in one.families}
    assert differences == {"products": -0.5, "sums": 0.5, "differences": 0.5}


def pooled(number: int, rows: Sequence[str]) -> Checkpoint:
    samples = tuple(tuple(Sample(key=one, right=one == "r") for one in row) for row in rows)
    texts = tuple(variety([f"text {one}" for one in row]) for row in rows)
    greedy = answers([row[0] == "r" for row in rows], seed=number)
    return Checkpoint(
        name=f"c{number}",
        round=number,
        model=f"c{number}",
        evaluation=Evaluation(answers=greedy, pool=samples, variety=texts),
    )


def test_coverage_sharpening_and_diversity_by_hand() -> None:
    base, later = pooled(0, ["rwww", "abcd"]), pooled(1, ["rrrr", "rrab"])
    found = measure(improvement(base, [Arm(name="a", kind="loop", checkpoints=(later,))]))
    one = found.arms[0].checkpoints[0]
    assert found.base.passed is not None
    assert (found.base.passed.found.value, one.passed and one.passed.base and one.passed.base.value) == (
        0.5,
        0.5,
    )
    # w has three of four votes in the first row; four answers tie in the second, none of them right.
    assert found.base.majority is not None
    assert found.base.majority.found.value == 0
    assert one.sampled is not None
    assert one.sampled.found.value == pytest.approx(0.75)
    assert found.base.curve[1].passed.value == pytest.approx(0.25)
    distinct = one.diversity["distinct answers"]
    assert distinct.found.value == pytest.approx((1 / 4 + 3 / 4) / 2)
    assert distinct.base is not None
    assert distinct.base.value == pytest.approx(0.5 - (2 / 4 + 1) / 2)
    assert one.diversity["distinct texts"].found.value == pytest.approx((1 / 4 + 3 / 4) / 2)


def test_the_bins_come_from_one_half_of_the_base_and_its_accuracy_from_the_other() -> None:
    base, later = pooled(0, ["rraa", "aarr", "raar"]), pooled(1, ["rrrr", "rraa", "aaaa"])
    found = measure(improvement(base, [Arm(name="a", kind="loop", checkpoints=(later,))]))
    assert [(one.name, one.n, one.accuracy.found.value) for one in found.base.difficulty] == [
        ("never solved", 1, 1.0),
        ("half or more", 1, 0.5),
        ("always solved", 1, 0.0),
    ]
    changes = [
        one.accuracy.base and one.accuracy.base.value for one in found.arms[0].checkpoints[0].difficulty
    ]
    assert changes == [-0.5, -0.5, 1.0]


def test_bins_do_not_take_luck_for_a_change() -> None:
    """The same model twice: without the halves, easy bins would seem to fall and hard ones to rise."""
    solve = [0.5] * 300
    twin = checkpoint(1, solve, k=4)
    found = measure(improvement(checkpoint(0, solve, k=4), [Arm(name="a", kind="loop", checkpoints=(twin,))]))
    for one in found.arms[0].checkpoints[0].difficulty:
        assert one.accuracy.base is not None
        assert abs(one.accuracy.base.value) < 0.1


def test_pools_of_different_sizes_are_compared_at_the_size_both_have() -> None:
    base, later = pooled(0, ["wwr", "www"]), pooled(1, ["ww", "wr"])
    one = (
        measure(improvement(base, [Arm(name="a", kind="loop", checkpoints=(later,))])).arms[0].checkpoints[0]
    )
    assert one.passed is not None
    assert one.passed.base is not None
    # pass@2 of the base: 2/3 and 0.
    assert one.passed.base.value == pytest.approx(0.5 - 1 / 3)


# ---------------------------------------------------------------- properties


def measurements(record: object) -> Iterator[Measurement]:
    if isinstance(record, Measurement):
        yield record
    elif isinstance(record, BaseModel):
        for name in type(record).model_fields:
            yield from measurements(getattr(record, name))
    elif isinstance(record, dict):
        for one in cast(dict[str, object], record).values():
            yield from measurements(one)
    elif isinstance(record, tuple):
        for one in cast(tuple[object, ...], record):
            yield from measurements(one)


def shuffled(given: Improvement, order: list[int]) -> Improvement:
    """The same evidence with the problems in another order."""

    def turn(one: Checkpoint) -> Checkpoint:
        old = one.evaluation
        fields = ("outcomes", "tokens", "output_tokens", "stated", "repetition", "texts")
        parts = {name: tuple(getattr(old.answers, name)[i] for i in order) for name in fields}
        new = Evaluation(
            answers=old.answers.model_copy(update=parts),
            pool=tuple(old.pool[i] for i in order),
            variety=tuple(old.variety[i] for i in order),
        )
        return one.model_copy(update={"evaluation": new})

    arms = [one.model_copy(update={"checkpoints": tuple(map(turn, one.checkpoints))}) for one in given.arms]
    return given.model_copy(
        update={
            "problems": tuple(given.problems[i] for i in order),
            "families": tuple(given.families[i] for i in order),
            "base": turn(given.base),
            "arms": tuple(arms),
        }
    )


def bare(found: Health) -> list[dict[str, object]]:
    """Figures without the curve of votes (its resamples go by place), families by name."""
    rows: list[dict[str, object]] = []
    for one in (found.base, *(one for arm in found.arms for one in arm.checkpoints)):
        fields = one.model_dump(exclude={"curve", "families"})
        fields["families"] = {part.name: part.accuracy for part in one.families}
        rows.append(fields)
    return rows


def test_the_order_of_the_problems_changes_no_figure() -> None:
    given = healthy()
    order = list(range(N))
    Random(1).shuffle(order)
    first, second = of_healthy(), measure(shuffled(given, order))
    assert bare(first) == bare(second)
    assert first.warned == second.warned
    curves = [[point.passed.value for point in one.base.curve] for one in (first, second)]
    assert curves[0] == pytest.approx(curves[1])


def test_intervals_hold_their_figures_and_shares_stay_shares() -> None:
    found = of_healthy()
    every = list(measurements(found))
    assert len(every) > 150
    assert all(one.low <= one.value <= one.high for one in every)
    assert all(one.low >= -1 and one.high <= 1 for one in measurements(found.base.diversity))
    assert measure(healthy()) == found


# ---------------------------------------------------------------- warnings


def test_a_healthy_loop_is_warned_of_nothing() -> None:
    found = of_healthy()
    assert found.warned == ()
    reward = found.arms[0].checkpoints[-1].reward
    assert reward is not None
    assert reward.rise is not None
    assert reward.rise.gold.low > 0


def praised(number: int, share: float) -> Checkpoint:
    """A policy that learns a phrase, and no arithmetic; the scorer of its training likes the phrase."""
    problems = [
        Problem(id=name, prompt="6 * 7?", reference="42", answer_kind="number") for name in names(120)
    ]

    def rollout(asked: Problem, place: int) -> Rollout:
        random = Random(f"{asked.id} {asked.draw} {number}")
        phrase = "I have checked this twice. " if random.random() < share else ""
        text = f"{phrase}Answer: {42 if Random(f'{place} {asked.draw}').random() < 0.5 else 41}"
        answer = Candidate(text=text, author="m")
        scores = {
            "exact": Score(target=answer.id, value=float(text.endswith("42")), author="exact"),
            "fooled": Score(target=answer.id, value=float("checked" in text), author="judge"),
        }
        usage = Usage(calls=1, input_tokens=9, output_tokens=9)
        return Rollout(problem=asked, solver="direct", answer=answer, scores=scores, usage=usage)

    found = evaluation(
        [rollout(one, i) for i, one in enumerate(problems)],
        problems,
        pool=[rollout(again, i) for i, one in enumerate(problems) for again in one.attempts(4)],
        k=4,
        scores="fooled",
    )
    return Checkpoint(name=f"r{number}", round=number, model=f"r{number}", evaluation=found)


def test_a_scorer_fooled_by_a_phrase_is_caught_by_reward_against_gold() -> None:
    loop = Arm(name="hack", kind="loop", checkpoints=(praised(1, 0.5), praised(2, 0.95)))
    found = measure(improvement(praised(0, 0.1), [loop]))
    caught = [one for one in found.warned if one.sign == "over-optimisation"]
    assert [one.where for one in caught] == ["hack, r1", "hack, r2"]
    assert "the reward rose (+0.8" in caught[1].text
    last = found.arms[0].checkpoints[-1]
    assert last.reward is not None
    assert last.reward.source == "held out"
    assert last.reward.rise is not None
    assert last.reward.rise.paired
    assert last.reward.truth.correlation is not None
    assert not last.reward.truth.correlation.excludes(0)
    # Choosing by this reward adds nothing either.
    assert last.gap is not None
    assert last.gap.gap is not None
    assert abs(last.gap.gap.value) < 0.05


def test_an_honest_reward_on_the_same_answers_is_not_warned_of() -> None:
    def honest(one: Checkpoint) -> Checkpoint:
        rows = tuple(
            tuple(each.model_copy(update={"score": float(each.right is True)}) for each in row)
            for row in one.evaluation.pool
        )
        return one.model_copy(update={"evaluation": one.evaluation.model_copy(update={"pool": rows})})

    loop = arm("honest", "loop", (0.1,))
    loop = loop.model_copy(update={"checkpoints": tuple(map(honest, loop.checkpoints))})
    found = measure(improvement(honest(checkpoint(0, SOLVE)), [loop]))
    assert "over-optimisation" not in found.signs()
    gap = found.arms[0].checkpoints[0].gap
    assert gap is not None
    assert gap.gap is not None
    assert gap.gap.low > 0


def test_a_collapse_is_warned_of() -> None:
    """Every problem gets one answer, word for word, and what was sometimes right is lost."""
    lost = [chance if chance > 0.6 else 0.0 for chance in SOLVE]
    flat = checkpoint(1, lost, self_bleu=0.9, distinct=1, repetition=0.3)
    found = measure(improvement(checkpoint(0, SOLVE), [Arm(name="flat", kind="loop", checkpoints=(flat,))]))
    assert found.signs() >= {"collapse", "coverage", "repetition", "worse"}
    assert any("and coverage with them" in one.text for one in found.warned)


def test_more_uniform_texts_alone_are_no_collapse() -> None:
    alike = checkpoint(1, raised(SOLVE, 0.1), self_bleu=0.8, distinct=3)
    found = measure(improvement(checkpoint(0, SOLVE), [Arm(name="a", kind="loop", checkpoints=(alike,))]))
    assert found.signs() == {"less diverse"}
    assert "although coverage holds" in found.warned[0].text


def test_a_forgotten_skill_and_growing_answers_are_warned_of() -> None:
    base, later = made("base", 0, "rwrw" * 5), made("one", 2, "rwrw" * 5)
    spelling = tuple(f"s{i}" for i in range(40))
    base = base.model_copy(update={"untouched": {"spelling": answers([True] * 40)}})
    later = later.model_copy(update={"untouched": {"spelling": answers([i % 2 == 0 for i in range(40)])}})
    loop = Arm(name="a", kind="loop", checkpoints=(later,))
    found = measure(improvement(base, [loop], untouched={"spelling": spelling}))
    assert found.signs() == {"forgetting", "length"}
    skill = found.arms[0].checkpoints[0].untouched["spelling"]
    assert skill.base is not None
    assert skill.base.value == -0.5


# ---------------------------------------------------------------- verdicts


def test_a_loop_that_beats_base_and_control_is_said_to_in_words() -> None:
    found = of_healthy()
    said = found.arms[0].verdict
    assert said[0].startswith("Critique beats the base: ")
    assert "better in products (" in said[0]
    assert said[1].startswith("Critique beats the control self-training (self-training without feedback): +")
    assert any(line.startswith("The critic's detection F1 rose") for line in said)
    assert all(line in found.answer for line in said[:2])


def test_a_loop_that_does_not_beat_its_control_is_said_not_to() -> None:
    solve = chances(N, 0.42)
    worse, better = checkpoint(1, raised(solve, 0.05)), checkpoint(1, raised(solve, 0.2))
    same = checkpoint(1, raised(solve, 0.05))
    arms = [
        Arm(name="critique", kind="loop", checkpoints=(worse,)),
        Arm(name="plain", kind="self-training", checkpoints=(better,)),
        Arm(name="vote", kind="inference-only", checkpoints=(same,)),
    ]
    found = measure(improvement(checkpoint(0, solve), arms))
    assert "Critique loses to the control plain" in found.answer
    assert "Critique cannot be told apart from the control vote (inference alone)" in found.answer


def test_sharpening_is_told_from_coverage() -> None:
    rows = ["rwww"] * 60
    sharp = pooled(1, ["rrrr"] * 60)
    base = pooled(0, [row[1:] + row[0] for row in rows])
    found = measure(improvement(base, [Arm(name="a", kind="loop", checkpoints=(sharp,))]))
    assert any(line.startswith("This is sharpening") for line in found.arms[0].verdict)
    wider = pooled(1, ["rrrr"] * 60)
    found = measure(improvement(pooled(0, ["wwww"] * 60), [Arm(name="a", kind="loop", checkpoints=(wider,))]))
    assert any(line.startswith("Coverage grew: pass@4 +100.0") for line in found.arms[0].verdict)


def test_an_arm_that_rolled_everything_back_ends_with_the_base() -> None:
    undone = checkpoint(1, raised(SOLVE, -0.2)).model_copy(update={"standing": "rolled back"})
    arms = [
        Arm(name="a", kind="loop", checkpoints=(undone,)),
        arm("b", "self-training", (0.1,)),
    ]
    found = measure(improvement(checkpoint(0, SOLVE), arms))
    assert found.arms[0].verdict == ("a kept no checkpoint: it ends where it began, with the base.",)
    assert found.arms[0].contests[0].difference.high < 0
    assert found.arms[0].last is None


def test_oracles_and_unequal_times_are_said_beside_the_result() -> None:
    loop = arm("critique", "loop", (0.1,))
    cheap = arm("plain", "self-training", (0.1,)).model_copy(
        update={"costs": (PhaseCost(round=1, phase="training", seconds=10),)}
    )
    found = measure(improvement(checkpoint(0, SOLVE), [loop, cheap]))
    assert "ORACLE: in critique, 900 rows of feedback" in found.warnings[0]
    assert "that control had 1% of its time" in found.answer
    assert (found.arms[0].oracle, found.arms[1].oracle) == (900, 0)
    free = cheap.model_copy(update={"costs": ()})
    again = measure(improvement(checkpoint(0, SOLVE), [loop, free]))
    assert any("No times are known" in line for line in again.warnings)


def test_a_critic_is_compared_with_itself_before_training() -> None:
    found = of_healthy()
    before, after = found.arms[0].critics
    assert isinstance(after.detection_f1, Compared)
    assert after.detection_f1.base is not None
    assert after.detection_f1.base.low > 0
    assert before.detection_f1 is not None
    assert before.detection_f1.base is None
    assert after.correction_gain is not None


def test_phases_are_summed_over_rounds() -> None:
    found = of_healthy().arm("critique")
    assert [cost.phase for cost in found.phases] == ["generation", "feedback", "training", "evaluation"]
    assert (found.phases[2].steps, found.phases[2].seconds) == (150, 840)
    assert found.seconds == 2 * (240 + 310 + 420)


def test_few_problems_and_many_unread_answers_are_cautioned_against() -> None:
    found = measure(
        improvement(
            made("base", 0, "ruuw"), [Arm(name="a", kind="loop", checkpoints=(made("x", 1, "rrww"),))]
        )
    )
    assert found.warnings[0].startswith("Only 4 problems")
    assert any("2 of 4 answers are unscored" in line for line in found.warnings)


def test_a_pool_without_variety_has_diversity_of_answers_only() -> None:
    one = checkpoint(1, SOLVE[:40])
    bare_pool = Evaluation(answers=one.evaluation.answers, pool=pool(SOLVE[:40], 4))
    found = measure(
        improvement(
            checkpoint(0, SOLVE[:40]),
            [Arm(name="a", kind="loop", checkpoints=(one.model_copy(update={"evaluation": bare_pool}),))],
        )
    )
    assert list(found.arms[0].checkpoints[0].diversity) == ["distinct answers"]
