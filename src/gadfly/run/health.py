"""The health of a self-improvement loop: every figure of its report, as closed records.

`gadfly.run.checkup` makes them of an `Improvement`.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import Field

from gadfly.errors import InputError
from gadfly.metrics.measurement import Flips, Measurement
from gadfly.metrics.overoptimisation import RewardTruth, Rise
from gadfly.metrics.verification import VerificationGap
from gadfly.records import Record, Text
from gadfly.run.comparison import VotePoint
from gadfly.run.improvement import ArmKind, PhaseCost, Standing

HEALTH = "health.json"

Sign: TypeAlias = Literal["over-optimisation", "collapse", "less diverse", "coverage", "worse", "forgetting",
                          "repetition", "length"]  # fmt: skip
"""What a warning is about."""


class Compared(Record):
    """A figure of a checkpoint, and its paired differences."""

    found: Measurement
    base: Measurement | None = None
    """Less the base's, problem by problem; None for the base itself."""
    previous: Measurement | None = None
    """Less that of the checkpoint it was trained from."""


class FamilyHealth(Record):
    """One family of problems."""

    name: Text
    n: int
    accuracy: Compared


class BinHealth(Record):
    """Problems that the base finds about as hard: mean accuracy of samples."""

    name: str
    n: int
    accuracy: Compared


class RewardHealth(Record):
    """Reward against gold at one checkpoint."""

    source: Literal["held out", "training"]
    """Whose answers: the pool's, or those that were rewarded in training."""
    truth: RewardTruth
    rise: Rise | None = None
    """Since the first checkpoint that has rewards; None for that one."""


class Warned(Record):
    """A sign that something went wrong, with the figures that say so."""

    sign: Sign
    where: Text
    """Arm and checkpoint."""
    text: Text


class CheckpointHealth(Record):
    """All figures of one checkpoint."""

    name: Text
    round: int
    model: Text
    standing: Standing = "kept"
    accuracy: Compared
    """Of one answer a problem; Wilson's interval; unscored and failed are not right."""
    families: tuple[FamilyHealth, ...] = ()
    flips_base: Flips | None = None
    flips_previous: Flips | None = None
    readable: Compared
    """Share of answers that the scorer could read."""
    stated: Compared | None = None
    """Share of answers in the form that was asked for; None: nobody looked."""
    skill: Compared | None = None
    """Right among well-formed answers; its differences are over problems where both answers are well-formed.
    None where no answer is."""
    by_skill: Measurement | None = None
    """The part of the accuracy gained over the base on problems where both answers are well-formed."""
    by_format: Measurement | None = None
    """The rest of it: where one of the two is not. The two parts sum to the whole."""
    length: Compared
    """Output tokens of an answer."""
    curve: tuple[VotePoint, ...] = ()
    """maj@k (`accuracy`) and pass@k (`passed`) for k = 1..N, without bias; empty where there is no pool."""
    passed: Compared | None = None
    """pass@N: coverage."""
    majority: Compared | None = None
    """maj@N."""
    sampled: Compared | None = None
    """Mean accuracy of a sample."""
    diversity: Mapping[str, Compared] = Field(default_factory=dict[str, Compared])
    difficulty: tuple[BinHealth, ...] = ()
    reward: RewardHealth | None = None
    gap: VerificationGap | None = None
    """What choosing the half of a problem's samples that the reward likes best adds to their accuracy."""
    untouched: Mapping[str, Compared] = Field(default_factory=dict[str, Compared])
    oracle: int = 0
    """Evaluation answers that something which had seen the reference helped to shape."""
    unscored: int = 0
    failed: int = 0
    notes: tuple[Text, ...] = ()


class CriticHealth(Record):
    """A critic before training or after a round."""

    round: int
    critic: Text
    detection_f1: Compared | None = None
    """At finding wrong answers."""
    correction_gain: Compared | None = None
    """Accuracy after correction less before; `base` is the difference to the critic before training."""
    flips: Flips | None = None
    """What its critiques did to answers."""
    saw_reference: bool = False


class Contest(Record):
    """The loop's final checkpoint against a control's, on the same problems."""

    control: Text
    kind: ArmKind
    difference: Measurement
    families: Mapping[str, Measurement]
    time: float | None = None
    """The control's seconds over the loop's, evaluation left out; None where a ledger is missing."""


class ArmHealth(Record):
    """A loop or a control."""

    name: Text
    kind: ArmKind
    checkpoints: tuple[CheckpointHealth, ...]
    """After the base, in order."""
    final: Text | None
    """Name of the last checkpoint that was kept; None: it fell back to the base."""
    phases: tuple[PhaseCost, ...] = ()
    """Costs by phase, all rounds together."""
    costs: tuple[PhaseCost, ...] = ()
    """Costs by round and phase."""
    critics: tuple[CriticHealth, ...] = ()
    contests: tuple[Contest, ...] = ()
    """Against each control; empty for a control."""
    verdict: tuple[Text, ...] = ()
    """In plain words."""
    notes: tuple[Text, ...] = ()

    @property
    def seconds(self) -> float:
        """Wall time, evaluation left out."""
        return sum(cost.seconds for cost in self.phases if cost.phase != "evaluation")

    @property
    def oracle(self) -> int:
        """Rows that were made by something which had seen the reference."""
        return sum(cost.oracle for cost in self.phases)

    @property
    def last(self) -> CheckpointHealth | None:
        """The final checkpoint."""
        return next((one for one in self.checkpoints if one.name == self.final), None)


class Health(Record):
    """What a loop came to."""

    version: Literal[1] = 1
    benchmark: Text
    model: Text
    problems: int
    k: int
    """Samples a problem behind pass@k and maj@k; 0: none were drawn."""
    base: CheckpointHealth
    arms: tuple[ArmHealth, ...]
    answer: Text
    """Did it help? In words."""
    warned: tuple[Warned, ...] = ()
    warnings: tuple[Text, ...] = ()
    """What a reader must know before trusting the figures."""
    notes: tuple[Text, ...] = ()
    """How the figures were made."""

    def arm(self, name: str) -> ArmHealth:
        """One arm.

        Raises:
            InputError: there is none of this name.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise InputError(f"no arm {name!r}; there are {', '.join(arm.name for arm in self.arms)}")

    def signs(self) -> frozenset[Sign]:
        """What was warned of."""
        return frozenset(warned.sign for warned in self.warned)
