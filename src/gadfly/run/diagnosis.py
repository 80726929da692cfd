"""The health of a whole improvement: checkpoints, critics, costs, contests with controls, and warnings."""

from collections.abc import Mapping, Sequence

from gadfly.errors import InputError
from gadfly.metrics.correction import correction
from gadfly.metrics.critic_growth import f1_difference, gain_difference
from gadfly.metrics.detection import detection
from gadfly.metrics.intervals import paired_difference
from gadfly.metrics.measurement import Measurement
from gadfly.run.checkup import Chart, charts, examined
from gadfly.run.health import ArmHealth, CheckpointHealth, Compared, Contest, CriticHealth, Health
from gadfly.run.improvement import Arm, Checkpoint, CriticCheck, Improvement, Phase, PhaseCost
from gadfly.run.verdicts import answer, cautions, notes, verdict, warned_of

PHASES: tuple[Phase, ...] = ("generation", "feedback", "training", "evaluation")


def measure(improvement: Improvement) -> Health:
    """Every figure of a loop's report. Equal evidence gives equal figures.

    Raises:
        InputError: critics of one arm were tried on different answers.
    """
    known = charts(improvement)
    base, checkpoints = examined(improvement, known)
    arms: list[ArmHealth] = []
    for arm in improvement.arms:
        contests: tuple[Contest, ...] = ()
        if arm in improvement.loops:
            contests = tuple(_contest(improvement, known, arm, control) for control in improvement.controls)
        arms.append(_arm(improvement, arm, checkpoints[arm.name], contests))
    arms = [arm.model_copy(update={"verdict": verdict(arm, base)}) for arm in arms]
    k = improvement.base.evaluation.k
    return Health(
        benchmark=improvement.benchmark,
        model=improvement.model,
        problems=len(improvement.problems),
        k=k,
        base=base,
        arms=tuple(arms),
        answer=answer(arms, base),
        warned=tuple(one for arm in arms for one in warned_of(arm, base)),
        warnings=(*improvement.warnings, *cautions(arms, base, len(improvement.problems))),
        notes=tuple(notes(improvement)),
    )


def _arm(
    improvement: Improvement, arm: Arm, checkpoints: Sequence[CheckpointHealth], contests: tuple[Contest, ...]
) -> ArmHealth:
    return ArmHealth(
        name=arm.name,
        kind=arm.kind,
        checkpoints=tuple(checkpoints),
        final=None if arm.final is None else arm.final.name,
        phases=_by_phase(arm.costs),
        costs=arm.costs,
        critics=critics_health(arm.critics, improvement.seed),
        contests=contests,
        notes=arm.notes,
    )


def _by_phase(costs: Sequence[PhaseCost]) -> tuple[PhaseCost, ...]:
    """The sum of each phase over the rounds; phases that took nothing are left out."""
    found: list[PhaseCost] = []
    for phase in PHASES:
        of_phase = [cost for cost in costs if cost.phase == phase]
        if of_phase:
            found.append(
                PhaseCost(
                    round=max(cost.round for cost in of_phase),
                    phase=phase,
                    tokens=sum(cost.tokens for cost in of_phase),
                    seconds=sum(cost.seconds for cost in of_phase),
                    calls=sum(cost.calls for cost in of_phase),
                    rows=sum(cost.rows for cost in of_phase),
                    steps=sum(cost.steps for cost in of_phase),
                    oracle=sum(cost.oracle for cost in of_phase),
                )
            )
    return tuple(found)


def _contest(improvement: Improvement, known: Mapping[int, Chart], loop: Arm, control: Arm) -> Contest:
    mine, theirs = (_final(improvement, known, arm).right for arm in (loop, control))
    places: dict[str, list[int]] = {}
    for place, name in enumerate(improvement.families):
        places.setdefault(name or "other", []).append(place)

    def difference(at: Sequence[int]) -> Measurement:
        return paired_difference([mine[i] for i in at], [theirs[i] for i in at], seed=improvement.seed)

    seconds = [
        sum(cost.seconds for cost in arm.costs if cost.phase != "evaluation") for arm in (loop, control)
    ]
    return Contest(
        control=control.name,
        kind=control.kind,
        difference=difference(range(len(mine))),
        families={name: difference(at) for name, at in places.items()} if len(places) > 1 else {},
        time=seconds[1] / seconds[0] if all(seconds) else None,
    )


def _final(improvement: Improvement, known: Mapping[int, Chart], arm: Arm) -> Chart:
    """What an arm ends with; the base where it kept nothing."""
    final: Checkpoint = arm.final or improvement.base
    return known[id(final)]


def critics_health(checks: Sequence[CriticCheck], seed: int) -> tuple[CriticHealth, ...]:
    """Critics on the same answers; each but the first with its difference to the first.

    Raises:
        InputError: one has nothing to be measured by, or they were tried on different answers.
    """
    found: list[CriticHealth] = []
    for check in checks:
        first = checks[0] if check is not checks[0] else None
        f1 = gain = flips = None
        if check.judged:
            own = detection(check.judged, seed=seed).f1
            since = f1_difference(check.judged, first.judged, seed=seed) if first and first.judged else None
            f1 = None if own is None else Compared(found=own, base=since)
        if check.corrected:
            one = correction(check.corrected, seed=seed)
            known = first is not None and bool(first.corrected)
            since = gain_difference(check.corrected, first.corrected, seed=seed) if first and known else None
            gain, flips = Compared(found=one.gain, base=since), one.flips
        if f1 is None and gain is None:
            raise InputError(
                f"the critic {check.critic!r} of round {check.round} has nothing to be measured by"
            )
        saw = any(one.saw_reference for one in (*check.judged, *check.corrected))
        found.append(
            CriticHealth(
                round=check.round,
                critic=check.critic,
                detection_f1=f1,
                correction_gain=gain,
                flips=flips,
                saw_reference=saw,
            )
        )
    return tuple(found)
