"""What critics are worth, as measured, and how much their reports weigh for it.

A vote weighted by log(p / (1 - p)) is right most often where critics err independently and each is right
with chance p (Nitzan and Paroush 1982, "Optimal decision rules in uncertain dichotomous choice
situations"). Where a critic's chance of finding a fault and of raising a false alarm differ, `evidence`
weighs both (Chair and Varshney 1986, "Optimal data fusion in multiple sensor detection systems").
"""

from collections.abc import Sequence
from math import exp, log
from typing import Literal, TypeAlias

from gadfly.errors import InputError, ParseError
from gadfly.parsing.steps import cut_steps
from gadfly.primitives.critique import Target, said
from gadfly.primitives.pooling import Group, Pooled, Same, match_units, merged, pool, same_words, split_units
from gadfly.records import Critique, Finding, Record, Verdict
from gadfly.trace import primitive

Rule: TypeAlias = Literal["skill", "evidence", "equal"]
"""How critics are weighed: by their share of right verdicts, by both their rates of error, or not at all."""


class Skill(Record):
    """What a critic did on answers whose label was known."""

    right: int
    """Readable verdicts that were right."""
    judged: int
    """Readable verdicts."""
    detection: float
    """Share of the wrong answers that it called incorrect."""
    false_alarm: float
    """Share of the right answers that it called incorrect."""
    located: float | None = None
    """Share of the wrong answers whose first wrong step it named; None: not measured."""


def log_odds(accuracy: float, *, floor: float = 0.01) -> float:
    """The weight of a critic that is right with this chance: 0 at one half, negative below it.

    The accuracy is kept within `floor` of 0 and 1, or one lucky critic would outvote all others.

    Raises:
        InputError: the accuracy is no share, or the floor outside 0 to 0.5.
    """
    if not 0 <= accuracy <= 1 or not 0 < floor < 0.5:
        raise InputError(f"accuracy {accuracy} and floor {floor}: need 0 to 1, and above 0 and below 0.5")
    kept = min(max(accuracy, floor), 1 - floor)
    return log(kept / (1 - kept))


def skill_weights(right: Sequence[int], judged: Sequence[int]) -> tuple[float, ...]:
    """Log-odds weights of critics from how many of their judgements were right.

    Counts are smoothed by one right and one wrong judgement (Laplace), so a critic measured on little
    weighs little. One below chance gets 0: its errors may change sign on other items.

    Raises:
        InputError: a count does not fit, or the sequences differ in length.
    """
    if len(right) != len(judged) or any(not 0 <= r <= n for r, n in zip(right, judged, strict=False)):
        raise InputError(f"{list(right)} right of {list(judged)} judged cannot be")
    return tuple(
        max(0.0, log_odds((r + 1) / (n + 2), floor=1e-6)) for r, n in zip(right, judged, strict=True)
    )


def evidence(reported: bool, detection: float, false_alarm: float, *, floor: float = 0.01) -> float:
    """The log-likelihood ratio of a fault, given whether a critic reported it.

    The critic reports a share `detection` of the faults there are and `false_alarm` of those that are
    not. Summed over independent critics, with the log-odds of the base rate, it is the log-odds of the fault.

    Raises:
        InputError: a rate is no share.
    """
    if not (0 <= detection <= 1 and 0 <= false_alarm <= 1):
        raise InputError(f"detection {detection} and false alarm {false_alarm} must be 0 to 1")
    hit, alarm = (min(max(rate, floor), 1 - floor) for rate in (detection, false_alarm))
    return log(hit / alarm) if reported else log((1 - hit) / (1 - alarm))


def skills_for(rule: Rule, skills: Sequence[Skill], *, critics: int, alike: bool) -> tuple[Skill, ...]:
    """The skills, one a critic; where all critics are `alike`, one stands for each of them.

    Raises:
        InputError: the rule needs skills and they do not fit, or it needs none and there are some.
    """
    given = tuple(skills) * critics if alike and len(skills) == 1 else tuple(skills)
    if critics < 1 or len(given) != (0 if rule == "equal" else critics):
        raise InputError(
            f"the rule is {rule!r}, with {critics} critics and {len(skills)} measured skills: 'skill' and "
            "'evidence' need one skill for each critic, in their order; 'equal' takes none"
        )
    return given


async def fuse(
    target: Target,
    critiques: Sequence[Critique],
    units: Sequence[Sequence[Finding]],
    *,
    rule: Rule,
    skills: Sequence[Skill] = (),
    base_rate: float = 0.5,
    keep: float = 0.5,
    same: Same = same_words,
) -> Critique:
    """One critique out of several by the rule named, as one step: `pool` or `pool_by_evidence`."""
    if rule == "evidence":
        return await pool_by_evidence(
            target, critiques, skills, base_rate=base_rate, keep=keep, same=same, units=units
        )
    weights = skill_weights([one.right for one in skills], [one.judged for one in skills])
    return await pool(target, critiques, weights=weights, keep=keep, same=same, units=units)


@primitive
async def pool_by_evidence(
    target: Target,
    critiques: Sequence[Critique],
    skills: Sequence[Skill],
    *,
    base_rate: float = 0.5,
    keep: float = 0.5,
    same: Same = same_words,
    units: Sequence[Sequence[Finding]] | None = None,
    author: str = "pool",
) -> Critique:
    """One critique out of several: the likeliest story decides.

    Either nothing is wrong, or one place is (equally likely each); critics err independently, and a
    false alarm is as likely at each place. The places are the target's steps, or its lines, and no fewer
    than the points reported. The verdict is incorrect where all places together are likelier than none;
    points stay, the likeliest first, whose probability is at least `keep`, and the likeliest in any case.
    A critic that rejects without a point speaks for no place more than for others; one that is unsure or
    unreadable is not heard.

    Raises:
        InputError: not one skill for each critique, or a share outside 0 to 1.
    """
    if len(skills) != len(critiques) or not 0 <= keep <= 1 or not 0 < base_rate < 1:
        raise InputError(
            f"{len(skills)} skills for {len(critiques)} critics, keep {keep}, base rate {base_rate}: give "
            "one skill each, a keep of 0 to 1 and a base rate between them"
        )
    own = [split_units(critique) for critique in critiques] if units is None else units
    heard = [i for i, c in enumerate(critiques) if c.verdict in ("correct", "incorrect")]
    if not heard:
        failure = ParseError(f"none of {len(critiques)} verdicts is readable").failure()
        return merged(target, critiques, (), None, author=author, failure=failure)
    groups = match_units([own[i] if i in heard else () for i in range(len(critiques))], same)
    steps = getattr(target, "steps", ()) or cut_steps(said(target))
    places = max(len(steps), len(groups), 1)
    prior = log(base_rate / (1 - base_rate)) - log(places)
    vague = {i for i in heard if critiques[i].verdict == "incorrect" and not split_units(critiques[i])}

    def found(group: Group | None) -> float:
        """The odds of a fault at a place against none at all, as a logarithm."""
        says = ((i, i in vague, group is not None and i in group.critics) for i in heard)
        return prior + sum(_heard(skills[i], reported, places, vague=bare) for i, bare, reported in says)

    logs = [found(group) for group in groups]
    odds = sum(exp(one) for one in logs) + (places - len(groups)) * exp(found(None))
    verdict: Verdict = "incorrect" if odds > 1 + 1e-9 else "correct" if odds < 1 - 1e-9 else "unsure"
    pooled = sorted(
        (
            Pooled(finding=group.finding, critics=group.critics, share=1 / (1 + exp(-one)))
            for group, one in zip(groups, logs, strict=True)
        ),
        key=lambda one: -one.share,
    )
    if verdict == "correct":
        pooled = []
    kept = [one for place, one in enumerate(pooled) if place == 0 or one.share >= keep]
    return merged(target, critiques, kept, verdict, author=author)


def _heard(skill: Skill, reported: bool, places: int, *, vague: bool) -> float:
    """What one critic says of one place."""
    if vague:
        return evidence(True, skill.detection, skill.false_alarm)
    hit = skill.detection if skill.located is None else skill.located
    return evidence(reported, hit, 1 - (1 - skill.false_alarm) ** (1 / places))
