"""Self-improvement: loops and their controls from one base, evaluated alike, as one `Improvement`.

    OUT/base/                      the base model on the held-out problems
    OUT/arms/NAME/costs.json       what each phase took
    OUT/arms/NAME/round-N/         a round: run folders, rows, trainings, and its evaluation
    OUT/improvement.json           the result

Rounds go on from the newest checkpoint that was kept. Which one that is, and when to stop, is decided on
validation problems of their own, never on the held-out ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from pydantic import Field, JsonValue

from gadfly.errors import InputError
from gadfly.primitives.answering import Answering
from gadfly.protocols import Model, Solver
from gadfly.records import Problem, Record, Sampling
from gadfly.run.evaluation import families_of
from gadfly.run.improvement import Arm, Checkpoint, CriticCheck, Improvement
from gadfly.run.manifest import describe, package_version, portable
from gadfly.run.store import read_rollouts
from gadfly.train.criticising import critic_check
from gadfly.train.evaluating import Exam
from gadfly.train.ledger import Ledger, run_cost
from gadfly.train.round import ACTOR, Round, Tools
from gadfly.train.voting import VotingControl
from gadfly.train.weights import Weights

CRITIC = "critic"
OnPhase: TypeAlias = Callable[[str], None]


class Loop(Protocol):
    """A published way to improve a model by what it says itself: one call is one round."""

    async def __call__(self, round: Round, /) -> None:
        """Generate, give feedback, filter, write rows and train, by the round's verbs."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A loop with a stage before its first round, such as a warm-up or the training of a critic."""

    async def prepare(self, round: Round, /) -> None:
        """The stage; its round is number 0."""
        ...


@runtime_checkable
class TrainsCritic(Protocol):
    """A loop with a critic: what it is worth is measured before and after."""

    def correcting(self, actor: Model, critic: Model, sampling: Sampling, /) -> Solver:
        """Draft by the actor, critique by the critic, rewrite by the actor unless the critic accepts."""
        ...


class Settings(Record):
    """How an improvement is run, whatever the loop."""

    benchmark: str = "problems"
    model: str = "model"
    rounds: int = Field(default=2, ge=1)
    per_round: int = Field(default=200, ge=1)
    """Problems to learn from in each round; once all were used they come again, as other draws."""
    tolerance: float = Field(default=0.05, ge=0)
    """By how much validation accuracy may fall below the best before a round is rolled back."""
    patience: int = Field(default=2, ge=1)
    """Rounds rolled back in a row after which an arm stops."""
    most_rounds: int = Field(default=8, ge=1)
    """Of a control that goes on until it has spent what the loop spent."""
    votes: int = Field(default=256, ge=1)
    """Most samples a problem of the voting control."""
    critic_problems: int = Field(default=300, ge=0)
    """Held-out problems that critics are measured on."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Course:
    """One arm: a loop, or a control that is given the same wall time as the first loop."""

    name: str
    loop: Loop | None
    """None: voting with the base model, and no training."""
    control: bool = False


@dataclass(frozen=True, kw_only=True)
class Improving:
    """Everything that an improvement is made with."""

    settings: Settings
    tools: Tools
    exam: Exam
    base: Weights
    problems: Sequence[Problem]
    """To learn from."""
    validation: Sequence[Problem]
    out: Path
    on_phase: OnPhase = lambda phase: None

    async def __call__(self, courses: Sequence[Course], *, warnings: Sequence[str] = ()) -> Improvement:
        """Run every arm and evaluate it, going on where an earlier session stopped.

        Raises:
            InputError: there are too few problems, or as the loops and trainings raise it.
        """
        self._check(courses)
        self.on_phase("base: evaluation")
        shared = Ledger(self.out / "base")
        base = await self.exam.sit(
            self.out / "base", self.base.model, self.tools, name="base", round=0, ledger=shared
        )
        arms: list[Arm] = []
        spent = 0.0
        for course in courses:
            place = self.out / "arms" / course.name
            ledger = Ledger(place)
            if course.loop is None:
                self.on_phase(f"{course.name}: votes")
                control = VotingControl(
                    exam=self.exam, tools=self.tools, base=self.base, most=self.settings.votes
                )
                arms.append(await control(course.name, place, ledger, spent))
                continue
            arms.append(await self._rounds(course, place, ledger, spent if course.control else None))
            spent = spent or ledger.seconds
        held = self.exam.problems
        return Improvement(
            package=package_version(),
            benchmark=portable(self.settings.benchmark),
            model=portable(self.settings.model),
            problems=tuple(problem.id for problem in held),
            families=families_of(held),
            base=base,
            arms=tuple(arms),
            prompts=tuple(problem.text for problem in held),
            untouched={
                name: tuple(problem.id for problem in other.problems)
                for name, other in self.exam.untouched.items()
            },
            seed=self.settings.seed,
            warnings=tuple(warnings),
            settings=_flat({course.name: describe(course.loop) for course in courses if course.loop}),
        )

    def _check(self, courses: Sequence[Course]) -> None:
        names = [course.name for course in courses]
        if len(set(names)) < len(names):
            raise InputError(f"two arms have one name: {', '.join(names)}")
        if not courses or courses[0].control or courses[0].loop is None:
            raise InputError("the first arm has to be a loop: controls get the time that it took")
        if len(self.problems) < 1 or not self.exam.problems:
            raise InputError("there are no problems to learn from, or none held out")

    async def _rounds(self, course: Course, place: Path, ledger: Ledger, budget: float | None) -> Arm:
        assert course.loop is not None
        kept: dict[str, Weights] = {}
        notes: list[str] = []
        if isinstance(course.loop, Prepares):
            self.on_phase(f"{course.name}: preparation")
            first = self._round(0, place, kept, ledger)
            await course.loop.prepare(first)
            kept, notes = first.current, first.notes
        critics = await self._critics(course, place, kept, ledger)
        best = await self._validated(place / "round-0", kept.get(ACTOR, self.base), ledger, 0)
        checkpoints: list[Checkpoint] = []
        worse = 0
        for index in range(1, self._most(budget) + 1):
            if budget is not None and not self._affordable(place, index, ledger, budget):
                break
            self.on_phase(f"{course.name}: round {index}")
            now = self._round(index, place, dict(kept), ledger)
            await course.loop(now)
            checkpoint = await self._examined(course, now)
            score = await self._validated(now.path, now.weights(), ledger, index)
            fell = score < best - self.settings.tolerance
            worse = worse + 1 if fell else 0
            if fell:
                now.note(f"rolled back: validation accuracy {score:.3f} after {best:.3f}")
            else:
                kept, best = now.current, max(best, score)
            standing = "rolled back" if fell else "kept"
            checkpoints.append(
                checkpoint.model_copy(update={"standing": standing, "notes": tuple(now.notes)})
            )
            if worse >= self.settings.patience:
                notes.append(f"stopped early: {worse} rounds in a row were rolled back")
                break
        return Arm(
            name=course.name,
            kind="self-training" if course.control else "loop",
            checkpoints=tuple(checkpoints),
            costs=ledger.costs,
            critics=critics,
            notes=tuple(notes),
        )

    def _most(self, budget: float | None) -> int:
        return self.settings.rounds if budget is None else self.settings.most_rounds

    def _affordable(self, place: Path, index: int, ledger: Ledger, budget: float) -> bool:
        """Whether a control still has the time for a round like its last one; decided once, and kept."""
        spent = ledger.seconds
        each = spent / max(1, index - 1)
        now = self._round(index, place, {}, ledger)
        return bool(now.remember("affordable", index == 1 or spent + 0.5 * each < budget))

    def _round(self, index: int, place: Path, weights: dict[str, Weights], ledger: Ledger) -> Round:
        return Round(
            index=index,
            path=place / f"round-{index}",
            problems=self._share(index),
            base=self.base,
            current=weights,
            tools=self.tools,
            ledger=ledger,
        )

    def _share(self, index: int) -> list[Problem]:
        """A round's problems: the next ones in order. A problem that comes again is another draw."""
        size, every = self.settings.per_round, len(self.problems)
        if index == 0:
            return list(self.problems[: min(size, every)])
        places = range((index - 1) * size, index * size)
        return [
            self.problems[at % every].again(at // every) for at in (places if size < every else range(every))
        ]

    async def _examined(self, course: Course, now: Round) -> Checkpoint:
        self.on_phase(f"{course.name}: evaluation of round {now.index}")
        return await self.exam.sit(
            now.path / "held-out",
            now.weights().model,
            self.tools,
            name=f"{course.name}, round {now.index}",
            round=now.index,
            ledger=now.ledger,
        )

    async def _validated(self, path: Path, weights: Weights, ledger: Ledger, index: int) -> float:
        """Greedy accuracy on the validation problems; 0 where there are none, so that all is kept."""
        if not self.validation:
            return 0.0
        solver = Answering(model=self.tools.engines(weights.model), sampling=self.exam.greedy)
        summary = await self.tools.run(solver, self.validation, out=path / "validation")
        ledger.keep(f"{index}/validation", run_cost(index, "evaluation", summary))
        marks = [rollout.value == 1.0 for rollout in read_rollouts(path / "validation")]
        return sum(marks) / len(marks)

    async def _critics(
        self, course: Course, place: Path, kept: Mapping[str, Weights], ledger: Ledger
    ) -> tuple[CriticCheck, ...]:
        """The untrained critic and the trained one, on the same drafts, with the same reviser."""
        if (
            not isinstance(course.loop, TrainsCritic)
            or CRITIC not in kept
            or not self.settings.critic_problems
        ):
            return ()
        problems = list(self.exam.problems[: self.settings.critic_problems])
        named = {problem.id: problem for problem in problems}
        scorer = next(iter(self.tools.scorers.values()))
        actor = self.tools.engines(kept.get(ACTOR, self.base).model)
        found: list[CriticCheck] = []
        for index, weights in enumerate((self.base, kept[CRITIC])):
            self.on_phase(
                f"{course.name}: {'untrained' if index == 0 else 'trained'} critic on held-out answers"
            )
            critic = self.tools.engines(weights.model)
            solver = course.loop.correcting(actor, critic, self.exam.sampled)
            path = place / "round-0" / f"critic-{index}"
            summary = await self.tools.run(solver, problems, out=path)
            ledger.keep(f"0/critic-{index}", run_cost(0, "evaluation", summary))
            rollouts = list(read_rollouts(path))
            found.append(await critic_check(rollouts, scorer, named, round=index, critic=critic.id))
        return tuple(found)


def _flat(settings: Mapping[str, JsonValue]) -> dict[str, str | int | float]:
    """Nested settings with dotted names; a record holds no nesting."""
    found: dict[str, str | int | float] = {}

    def walk(name: str, value: JsonValue) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else key, inner)
        elif isinstance(value, str | int | float):
            found[name] = value

    walk("", dict(settings))
    return found
