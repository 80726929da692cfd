"""What a self-improvement loop left to be judged by: one closed record, the evidence behind every figure.

`Improvement` holds outcomes, samples, rewards and costs; `gadfly.run.health` makes the figures of them.
Vectors have one entry a problem, in the order of `Improvement.problems`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import Field, ValidationError, model_validator

from gadfly.errors import InputError
from gadfly.metrics.answers import Outcome
from gadfly.metrics.correction import Corrected
from gadfly.metrics.diversity import Variety
from gadfly.metrics.judged import Judged
from gadfly.metrics.measurement import Sample
from gadfly.metrics.overoptimisation import Rewarded
from gadfly.records import Record, Text

IMPROVEMENT = "improvement.json"

ArmKind: TypeAlias = Literal["loop", "self-training", "inference-only", "models"]
"""What is tried; the two controls: training without feedback, and spending the same on inference alone;
or models that no loop of ours made."""
Phase: TypeAlias = Literal["generation", "feedback", "training", "evaluation"]
Standing: TypeAlias = Literal["kept", "rolled back"]


class Answers(Record):
    """One answer a problem: greedy or, for a control of inference alone, what its method chose."""

    outcomes: tuple[Outcome, ...]
    tokens: tuple[int, ...]
    """Input and output tokens."""
    output_tokens: tuple[int, ...]
    stated: tuple[bool, ...] = ()
    """Whether the final answer stands in the form that was asked for; empty: nobody looked."""
    repetition: tuple[float | None, ...] = ()
    """seq-rep-4 of each text; None where it is too short; empty: nobody looked."""
    texts: tuple[Text, ...] = ()
    """What was answered, long texts cut; empty: not kept."""
    oracle: int = 0
    """Answers that something which had seen the reference helped to shape."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        n = len(self.outcomes)
        for name in ("tokens", "output_tokens", "stated", "repetition", "texts"):
            size = len(getattr(self, name))
            if size != n and (size or name in ("tokens", "output_tokens")):
                raise ValueError(f"{name} has {size} entries for {n} outcomes")
        return self

    @property
    def right(self) -> tuple[bool, ...]:
        """Unscored and failed answers are not right."""
        return tuple(outcome == "right" for outcome in self.outcomes)


class Evaluation(Record):
    """A model on the held-out problems: one answer a problem, and k sampled ones."""

    answers: Answers
    pool: tuple[tuple[Sample, ...], ...] = ()
    """k samples a problem; empty: none were drawn."""
    variety: tuple[Variety, ...] = ()
    """Of the pool's texts, one entry a problem; empty where there is no pool."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        n = len(self.answers.outcomes)
        for name, vector in (("pool", self.pool), ("variety", self.variety)):
            if vector and len(vector) != n:
                raise ValueError(f"{name} has {len(vector)} rows for {n} problems")
        if len({len(row) for row in self.pool}) > 1:
            raise ValueError("the problems of a pool differ in their number of samples")
        return self

    @property
    def k(self) -> int:
        """Samples a problem."""
        return len(self.pool[0]) if self.pool else 0


class Checkpoint(Record):
    """A model at the end of a round, evaluated."""

    name: Text
    round: int = Field(ge=0)
    """0 is the base."""
    model: Text
    """The model's id: it names the weights."""
    evaluation: Evaluation
    standing: Standing = "kept"
    rewards: tuple[Rewarded, ...] = ()
    """Answers that this round's training rewarded, or a sample of them: not only those that were kept."""
    untouched: Mapping[str, Answers] = Field(default_factory=dict[str, Answers])
    """Answers on benchmarks that were not trained on, by name; see `Improvement.untouched`."""
    notes: tuple[Text, ...] = ()


class PhaseCost(Record):
    """What one phase of one round took."""

    round: int = Field(ge=0)
    """Whose checkpoint it led to; 0: before the first, such as a warm-up or the evaluation of the base."""
    phase: Phase
    tokens: int = Field(default=0, ge=0)
    """Input and output; in training, tokens that a gradient was taken on, every epoch counted."""
    seconds: float = Field(default=0.0, ge=0)
    """Wall time."""
    calls: int = Field(default=0, ge=0)
    """Of a model."""
    rows: int = Field(default=0, ge=0)
    """Made, judged, trained on or evaluated, by phase."""
    steps: int = Field(default=0, ge=0)
    """Of the optimiser."""
    oracle: int = Field(default=0, ge=0)
    """Rows that were made by something which had seen the reference."""


class CriticCheck(Record):
    """A critic on held-out answers, before training (round 0) or after a round."""

    round: int = Field(ge=0)
    critic: Text
    """The model's id."""
    judged: tuple[Judged, ...] = ()
    """Verdicts, `correct` or `incorrect`, on answers of known truth."""
    corrected: tuple[Corrected, ...] = ()
    """Answers before and after its critiques."""


class Arm(Record):
    """A loop or a control: its checkpoints after the base, and what they took."""

    name: Text
    kind: ArmKind
    checkpoints: tuple[Checkpoint, ...]
    """In order of rounds, the base left out: all arms share it."""
    costs: tuple[PhaseCost, ...] = ()
    critics: tuple[CriticCheck, ...] = ()
    """In order of rounds."""
    notes: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        rounds = [checkpoint.round for checkpoint in self.checkpoints]
        if not rounds or rounds != sorted(set(rounds)) or rounds[0] < 1:
            raise ValueError(f"arm {self.name!r}: rounds count upwards from 1, not {rounds}")
        return self

    @property
    def final(self) -> Checkpoint | None:
        """What the arm ends with: the last checkpoint that was kept; None: it fell back to the base."""
        return next((one for one in reversed(self.checkpoints) if one.standing == "kept"), None)


class Improvement(Record):
    """A base model, what loops and controls made of it, and how all of them do on the same problems."""

    version: Literal[1] = 1
    package: str
    benchmark: Text
    """What was held out."""
    model: Text
    """The base model, as the user names it."""
    problems: tuple[Text, ...]
    families: tuple[Text, ...]
    """One a problem; all the same where there are none."""
    base: Checkpoint
    arms: tuple[Arm, ...]
    prompts: tuple[Text, ...] = ()
    """One a problem, for reading; empty: not kept."""
    untouched: Mapping[str, tuple[Text, ...]] = Field(default_factory=dict[str, tuple[Text, ...]])
    """Problems of each benchmark that was not trained on, by its name."""
    seed: int = 0
    """Of the loop and of the bootstrap."""
    warnings: tuple[Text, ...] = ()
    settings: Mapping[str, str | int | float] = Field(default_factory=dict[str, str | int | float])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        n = len(self.problems)
        if n < 1 or len(set(self.problems)) < n:
            raise ValueError("problems need an id each, of their own")
        if len(self.families) != n or (self.prompts and len(self.prompts) != n):
            raise ValueError(f"families and prompts have one entry for each of {n} problems")
        if self.base.round != 0 or not self.arms:
            raise ValueError("the base is round 0, and there is at least one arm")
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise ValueError("two arms have one name")
        for checkpoint in (self.base, *(one for arm in self.arms for one in arm.checkpoints)):
            if len(checkpoint.evaluation.answers.outcomes) != n:
                raise ValueError(f"{checkpoint.name} is not evaluated on the {n} problems")
            for name, answers in checkpoint.untouched.items():
                if len(answers.outcomes) != len(self.untouched.get(name, ())):
                    raise ValueError(f"{checkpoint.name}: the answers on {name} do not fit its problems")
        return self

    def path(self, arm: Arm) -> tuple[Checkpoint, ...]:
        """The base, and the arm's checkpoints after it."""
        return (self.base, *arm.checkpoints)

    def arm(self, name: str) -> Arm:
        """One arm.

        Raises:
            InputError: there is none of this name.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise InputError(f"no arm {name!r}; there are {', '.join(arm.name for arm in self.arms)}")

    @property
    def loops(self) -> tuple[Arm, ...]:
        """The arms that are not controls."""
        return tuple(arm for arm in self.arms if arm.kind in ("loop", "models"))

    @property
    def controls(self) -> tuple[Arm, ...]:
        """What the loops are measured against."""
        return tuple(arm for arm in self.arms if arm.kind in ("self-training", "inference-only"))


def before(path: Sequence[Checkpoint], index: int) -> Checkpoint:
    """What checkpoint `index` of a path was trained from: the last one before it that was kept."""
    return next(one for one in reversed(path[:index]) if one.standing == "kept" or one.round == 0)


def write_improvement(improvement: Improvement, out: Path) -> Path:
    """Write `improvement.json`, so that a reader sees the old one or the new one, whole.

    Raises:
        InputError: the disk refuses.
    """
    return write_record(improvement, out / IMPROVEMENT)


def write_record(record: Record, path: Path) -> Path:
    """Write a record as JSON, in one move.

    Raises:
        InputError: the disk refuses.
    """
    fresh = path.with_name(f"{path.name}.tmp")
    # Defaults are left out, or most of the file would be them; the version is one and stays.
    fields = {"version": 1} | record.model_dump(mode="json", exclude_defaults=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(fields, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def read_improvement(text: str | bytes, *, where: str = IMPROVEMENT) -> Improvement:
    """An improvement from its JSON.

    Raises:
        InputError: it is not one this version can read.
    """
    try:
        return Improvement.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{where} is not an improvement this version can read: {place} {first['msg']}"
        ) from None
