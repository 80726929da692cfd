"""What the figures of a loop say, in sentences: verdicts, warnings, cautions, and how figures were made."""

from collections.abc import Iterator, Mapping, Sequence

from gadfly.metrics.measurement import Measurement
from gadfly.run.health import ArmHealth, CheckpointHealth, Compared, Contest, Sign, Warned
from gadfly.run.improvement import Improvement
from gadfly.run.wording import FEW, MANY, between, points

COVERAGE_FALL = 0.02
"""A fall of pass@N below the base's whose interval lies wholly beyond this is warned of as lost coverage."""
DIVERSITY_FALL = 0.2
"""Likewise for the share of distinct texts, distinct-2 and 1 - Self-BLEU."""
REPETITION_RISE = 0.1
"""Likewise, upwards, for seq-rep-4."""
LONGER = 2.0
"""From this multiple of the base's length on, answers are warned of as long."""
UNEQUAL_TIME = 0.8
"""A control that took less than this share of the loop's time was not given the same chance."""


# ---------------------------------------------------------------- verdicts


def verdict(arm: ArmHealth, base: CheckpointHealth) -> tuple[str, ...]:
    """An arm's final checkpoint against the base and, for a loop, each control, one sentence each.

    Models that no loop made are each compared with the base.
    """
    if arm.kind == "models":
        return tuple(_models(arm, base))
    last = arm.last
    if last is None or last.accuracy.base is None:
        return (f"{arm.name} kept no checkpoint: it ends where it began, with the base.",)
    said = [_against_base(arm.name, last, last.accuracy.base, base)]
    said += [_against_control(arm, contest) for contest in arm.contests]
    if arm.kind != "inference-only":
        said += [*_sharpening(last), *_format(last)]
    said += _critic(arm)
    return tuple(said)


def answer(arms: Sequence[ArmHealth], base: CheckpointHealth) -> str:
    """Did it help? The first two things that the verdicts of the loops say."""
    loops = [arm for arm in arms if arm.kind in ("loop", "models")]
    said: list[str] = []
    for arm in loops or arms:
        contests = len(arm.contests) if arm.last is not None else 0
        said += verdict(arm, base)[: len(arm.checkpoints) if arm.kind == "models" else 1 + contests]
    return " ".join(said)


def _models(arm: ArmHealth, base: CheckpointHealth) -> Iterator[str]:
    for one in arm.checkpoints:
        if one.accuracy.base is not None:
            yield _against_base(one.name, one, one.accuracy.base, base)
    for one in arm.checkpoints:
        yield from (f"{one.name}: {line}" for line in (*_sharpening(one), *_format(one)))


def _against_base(name: str, last: CheckpointHealth, found: Measurement, base: CheckpointHealth) -> str:
    than = "the base" if base.name == "base" else base.name
    moved = f"{_percent(base.accuracy.found)} to {_percent(last.accuracy.found)}, {between(found)}"
    said = f"{_capital(name)} {_beats(found)} {than}: {moved}"
    by_family = {one.name: one.accuracy.base for one in last.families if one.accuracy.base is not None}
    return said + _in_families(by_family) + "."


def _against_control(arm: ArmHealth, contest: Contest) -> str:
    kind = {"self-training": "self-training without feedback", "inference-only": "inference alone"}
    what = f"the control {contest.control} ({kind.get(contest.kind, contest.kind)})"
    said = f"{_capital(arm.name)} {_beats(contest.difference)} {what}: {between(contest.difference)}"
    said += _in_families(contest.families)
    if contest.time is not None and contest.time < UNEQUAL_TIME:
        said += f"; that control had {contest.time:.0%} of its time"
    return said + "."


def _beats(found: Measurement) -> str:
    if found.low > 0:
        return "beats"
    return "loses to" if found.high < 0 else "cannot be told apart from"


def _in_families(found: Mapping[str, Measurement]) -> str:
    if not found:
        return ""
    better = [f"{name} ({points(one.value)})" for name, one in found.items() if one.low > 0]
    worse = [f"{name} ({points(one.value)})" for name, one in found.items() if one.high < 0]
    same = [name for name, one in found.items() if not one.excludes(0)]
    parts = [
        f"{words} {_listed(names)}"
        for words, names in (("better in", better), ("worse in", worse), ("not told apart in", same))
        if names
    ]
    return "; " + ", ".join(parts)


def _sharpening(last: CheckpointHealth) -> Iterator[str]:
    """Whether the model reaches more, or is only surer of what it reached before."""
    greedy, passed = last.accuracy.base, None if last.passed is None else last.passed.base
    if greedy is None or passed is None or not last.curve:
        return
    k = last.curve[-1].k
    if passed.low > 0:
        yield f"Coverage grew: pass@{k} {between(passed)}; problems came into reach that were not."
    elif passed.high < 0:
        yield f"Coverage fell: pass@{k} {between(passed)}; problems went out of reach."
    elif greedy.low > 0:
        yield (
            f"This is sharpening: one answer got better, and pass@{k} did not measurably ({between(passed)})."
        )


def _format(last: CheckpointHealth) -> Iterator[str]:
    """How much of a gain is form: what was gained on problems that one of the two answered out of form."""
    if last.accuracy.base is None or last.by_skill is None or last.by_format is None:
        return
    if last.accuracy.base.excludes(0):
        read = last.readable.found.value
        yield (
            f"Of the difference to the base, {between(last.by_skill)} are from problems that both answered "
            f"in the form asked for, and {between(last.by_format)} from the others, where skill and form "
            f"cannot be told apart for certain; the scorer could read {100 * read:.0f} % of the answers."
        )


def _critic(arm: ArmHealth) -> Iterator[str]:
    if len(arm.critics) < 2:
        return
    first, last = arm.critics[0], arm.critics[-1]
    for name, before, after in (
        ("detection F1", first.detection_f1, last.detection_f1),
        ("correction gain", first.correction_gain, last.correction_gain),
    ):
        if before is None or after is None or after.base is None:
            continue
        rose = (
            "rose" if after.base.low > 0 else "fell" if after.base.high < 0 else "did not change measurably"
        )
        yield (
            f"The critic's {name} {rose}: {_value(before)} to {_value(after)}, {between(after.base)} "
            "on the same answers."
        )


# ---------------------------------------------------------------- warnings


def warned_of(arm: ArmHealth, base: CheckpointHealth) -> Iterator[Warned]:
    """What went wrong, checkpoint by checkpoint. Nothing of an arm that trains nothing."""
    if arm.kind == "inference-only":
        return
    for one in arm.checkpoints:
        signs = (*_over_optimised(one), *_collapsed(one), *_worse(one, base))
        for sign, text in signs:
            yield Warned(sign=sign, where=_where(arm, one), text=text)


def _where(arm: ArmHealth, one: CheckpointHealth) -> str:
    """The arm and the checkpoint; loops name theirs after the arm already, and models have no arm."""
    known = arm.kind == "models" or one.name.startswith(arm.name)
    return one.name if known else f"{arm.name}, {one.name}"


def _over_optimised(one: CheckpointHealth) -> Iterator[tuple[Sign, str]]:
    rise = None if one.reward is None else one.reward.rise
    if one.reward is not None and rise is not None and rise.over_optimised:
        known = one.reward.truth.correlation
        with_truth = "" if known is None else f"; reward and truth correlate at {known.value:.2f}"
        yield (
            "over-optimisation",
            f"the reward rose ({_number(rise.proxy)}) and the truth did not measurably "
            f"({_number(rise.gold)}), on answers {_source(one.reward.source)}{with_truth}. "
            "The reward is gamed, or spent.",
        )


def _collapsed(one: CheckpointHealth) -> Iterator[tuple[Sign, str]]:
    passed = None if one.passed is None else one.passed.base
    covers = passed is not None and passed.high < -COVERAGE_FALL
    if covers and passed is not None:
        yield "coverage", f"pass@{one.curve[-1].k} fell: {between(passed)}."
    alike = [
        f"{name} {_number(found.base)}"
        for name, found in one.diversity.items()
        if found.base is not None and _less_diverse(name, found.base)
    ]
    if alike:
        sign: Sign = "collapse" if covers else "less diverse"
        end = "and coverage with them" if covers else "although coverage holds"
        yield sign, f"samples of one problem became much more alike ({', '.join(alike)}), {end}."
    repeated = one.diversity.get("repetition")
    if repeated is not None and repeated.base is not None and repeated.base.low > REPETITION_RISE:
        yield "repetition", f"answers repeat themselves more: seq-rep-4 {_number(repeated.base)}."


def _less_diverse(name: str, found: Measurement) -> bool:
    """Distinct answers do not count: they become fewer wherever accuracy rises."""
    if name == "self-BLEU":
        return found.low > DIVERSITY_FALL
    return name in ("distinct texts", "distinct-2") and found.high < -DIVERSITY_FALL


def _worse(one: CheckpointHealth, base: CheckpointHealth) -> Iterator[tuple[Sign, str]]:
    previous, flips = one.accuracy.previous, one.flips_previous
    if previous is not None and previous.high < 0 and flips is not None:
        yield (
            "worse",
            f"it is worse than the one it follows: {between(previous)}, "
            f"{flips.right_to_wrong} answers right to wrong and {flips.wrong_to_right} wrong to right.",
        )
    for name, found in one.untouched.items():
        if found.base is not None and found.base.high < 0:
            yield "forgetting", f"{name}, which was not trained on, fell: {between(found.base)}."
    length, before = one.length.found.value, base.length.found.value
    if before > 0 and length > LONGER * before:
        yield "length", f"answers are {length / before:.1f} times as long as the base's."


# ---------------------------------------------------------------- cautions and notes


def cautions(arms: Sequence[ArmHealth], base: CheckpointHealth, problems: int) -> Iterator[str]:
    """What a reader must know before trusting the figures."""
    if problems < FEW:
        yield f"Only {problems} problems: intervals from fewer than {FEW} are too narrow."
    for arm in arms:
        if arm.oracle:
            phases = _listed([f"{one.oracle:,} rows of {one.phase}" for one in arm.phases if one.oracle])
            yield f"ORACLE: in {arm.name}, {phases} were made by something that had seen the reference."
        seen = [one.name for one in arm.checkpoints if one.oracle]
        if seen:
            yield f"ORACLE: what had seen the reference shaped answers of {arm.name}, {_listed(seen)}."
        if any(one.saw_reference for one in arm.critics):
            yield f"ORACLE: a critic of {arm.name} was measured with the reference in sight."
        for contest in arm.contests:
            if contest.time is None:
                yield f"No times are known to compare {arm.name} with the control {contest.control}."
    for name, one in (
        (base.name, base),
        *((_where(arm, one), one) for arm in arms for one in arm.checkpoints),
    ):
        lost = one.unscored + one.failed
        if lost >= MANY * problems:
            yield f"{name}: {lost} of {problems} answers are unscored or failed, and count as not right."


def notes(improvement: Improvement) -> Iterator[str]:
    """How the figures were made, one sentence each."""
    yield "Accuracy is of one answer a problem, over all problems: unscored and failed ones are not right."
    yield (
        "Intervals are 95 %: Wilson for shares, bootstrap over problems for all else; every difference is "
        "paired, problem by problem. They are unadjusted: the more there are, the likelier one excludes zero "
        "by chance."
    )
    if improvement.base.evaluation.k:
        yield (
            f"pass@k and maj@k are estimated without bias from {improvement.base.evaluation.k} samples a "
            "problem. Bins of difficulty come from one half of the base's samples, and its accuracy in them "
            "from the other half."
        )
    if any(arm.kind != "models" for arm in improvement.arms):
        yield (
            "An arm's final checkpoint is the last that was kept. If that was decided on these problems, "
            "its figures are a little too good."
        )


# ---------------------------------------------------------------- words


def _source(source: str) -> str:
    return "to held-out problems" if source == "held out" else "of training"


def _percent(found: Measurement) -> str:
    return f"{100 * found.value:.1f} %"


def _value(found: Compared) -> str:
    one = found.found
    return f"{100 * one.value:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"


def _number(found: Measurement | None) -> str:
    if found is None:
        return "–"
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]".replace("-", "\u2212")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
