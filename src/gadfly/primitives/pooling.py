"""Several critiques of one target as one: split into units, matched, merged, weighted.

After the aggregation of Lan et al. 2024, arXiv:2410.15287, with their summarising model replaced by
rules whose every number can be checked. `gadfly.primitives.fusion` has the weights, and the rule that
weighs detection and false alarms apart.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from gadfly.errors import InputError, ParseError
from gadfly.parsing.text import normalise
from gadfly.primitives.critique import Target
from gadfly.primitives.passages import sentences
from gadfly.primitives.units import worded
from gadfly.records import Critique, Failure, Finding, Record, Severity, Verdict
from gadfly.trace import primitive

Same: TypeAlias = Callable[[Finding, Finding], bool]

MOST_UNITS = 30
_EMPTY_WORDS = frozenset(
    """
    a an and are as at be been but by for from has have in is it its of on or so than that the
    their then there this to was were which with answer step should would
    """.split()  # noqa: SIM905 - shorter to read than a list
)
_LABEL = re.compile(r"^\W*(?:my |the )?(?:final )?(?:verdict|score|answer|choice)\W*[:=].*$", re.IGNORECASE)
_RANK: Mapping[Severity | None, int] = {None: 0, "minor": 1, "major": 2, "blocking": 3}


class Group(Record):
    """Units that say the same: the one that stands for them, and the critics (by position) that say it."""

    finding: Finding
    critics: tuple[int, ...]


class Pooled(Record):
    """A merged unit and how much stands behind it, 0 to 1: a share of the weight, or a probability."""

    finding: Finding
    critics: tuple[int, ...]
    share: float


def split_units(critique: Critique, *, most: int = MOST_UNITS) -> tuple[Finding, ...]:
    """A critique's units by rule: its findings; of one without any, the sentences of its prose.

    Prose gives units only where the verdict is incorrect: otherwise nobody said that it names faults.
    Whatever is beyond the first `most` is left out: each unit may cost a call.
    """
    if critique.findings or critique.verdict != "incorrect":
        return critique.findings[:most]
    text = critique.text
    lines = [text[start:end] for start, end in sentences(text)]
    return tuple(Finding(text=line) for line in lines if not _LABEL.match(line))[:most]


def content_words(text: str) -> frozenset[str]:
    """Words and numbers that carry meaning, folded; a plural `s` does not count."""
    found = re.findall(r"\d+(?:[.,]\d+)*|\w+", normalise(text))
    return frozenset(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
        if word not in _EMPTY_WORDS
    )


def same_place(first: Finding, second: Finding) -> bool | None:
    """Whether two findings point at the same step or at spans that overlap; None where one does not say."""
    if first.step is not None and second.step is not None:
        return first.step == second.step
    if first.span is not None and second.span is not None:
        return first.span[0] < second.span[1] and second.span[0] < first.span[1]
    return None


def same_words(first: Finding, second: Finding, *, overlap: float = 0.4) -> bool:
    """The rule of matching: never at two places; else when enough content words are shared.

    The measure is Jaccard's, shared words by all words of the two.
    """
    if same_place(first, second) is False:
        return False
    mine, theirs = content_words(first.text), content_words(second.text)
    union = mine | theirs
    return bool(union) and len(mine & theirs) / len(union) >= overlap


def same_step(first: Finding, second: Finding, *, overlap: float = 0.4) -> bool:
    """The bolder rule: whatever stands at one place is one fault; words decide where a place is missing."""
    place = same_place(first, second)
    return same_words(first, second, overlap=overlap) if place is None else place


def match_units(units: Sequence[Sequence[Finding]], same: Same) -> tuple[Group, ...]:
    """Groups of units that say the same, from each critic's units in order.

    A unit joins the first group whose first member it matches, so meaning cannot drift along a chain. A
    critic that says a thing twice counts once. The step, the span and the mend are the first that any member
    gives; the severity is the highest.
    """
    heads: list[Finding] = []
    members: list[list[Finding]] = []
    critics: list[list[int]] = []
    for critic, own in enumerate(units):
        for unit in own:
            at = next((i for i, head in enumerate(heads) if same(head, unit)), None)
            if at is None:
                heads.append(unit)
                members.append([unit])
                critics.append([critic])
                continue
            members[at].append(unit)
            if critic not in critics[at]:
                critics[at].append(critic)
    return tuple(
        Group(finding=_merge(said), critics=tuple(who)) for said, who in zip(members, critics, strict=True)
    )


def weigh(groups: Sequence[Group], weights: Sequence[float], present: Sequence[int]) -> tuple[Pooled, ...]:
    """The share of the weight of the critics `present` behind each group, heaviest first.

    Raises:
        InputError: a weight is negative, or those present weigh nothing together.
    """
    total = _total(weights, present)
    pooled = [
        Pooled(
            finding=group.finding,
            critics=group.critics,
            share=sum(weights[critic] for critic in group.critics if critic in present) / total,
        )
        for group in groups
    ]
    return tuple(sorted(pooled, key=lambda one: -one.share))


def pooled_verdict(verdicts: Sequence[Verdict | None], weights: Sequence[float]) -> Verdict | None:
    """The verdict with more weight behind it; None where no critic of any weight gave one.

    Unsure critics weigh on neither side. Equal weight on both sides is unsure.
    """
    if not any(verdict and weight > 0 for verdict, weight in zip(verdicts, weights, strict=True)):
        return None
    sides = {
        side: sum(w for verdict, w in zip(verdicts, weights, strict=True) if verdict == side)
        for side in ("correct", "incorrect")
    }
    if abs(sides["correct"] - sides["incorrect"]) <= 1e-9 * max(1.0, *sides.values()):
        return "unsure"
    return "correct" if sides["correct"] > sides["incorrect"] else "incorrect"


@primitive
async def pool(
    target: Target,
    critiques: Sequence[Critique],
    *,
    weights: Sequence[float] = (),
    keep: float = 0.5,
    same: Same = same_words,
    units: Sequence[Sequence[Finding]] | None = None,
    author: str = "pool",
) -> Critique:
    """One critique out of several of the same target.

    The verdict is the weighted vote; a merged finding stays where critics with at least the share `keep`
    of the weight report it. A critic that could not be read at all (no verdict, no findings) or weighs
    nothing is not present. With no weights all weigh the same. `units` replaces `split_units`, for a
    caller that has sorted some out.

    Raises:
        InputError: weights that do not fit the critiques, or a `keep` outside 0 to 1.
    """
    if not 0 <= keep <= 1:
        raise InputError(f"keep is {keep}; it is a share, 0 to 1")
    weights = tuple(weights) or (1.0,) * len(critiques)
    if len(weights) != len(critiques):
        raise InputError(f"{len(weights)} weights for {len(critiques)} critics; give one each, or none")
    own = [split_units(critique) for critique in critiques] if units is None else units
    readable = [i for i, c in enumerate(critiques) if c.verdict is not None or c.findings]
    present = [i for i in readable if weights[i] != 0]
    pooled = weigh(match_units(own, same), weights, present) if present else ()
    kept = [one for one in pooled if one.share >= keep - 1e-9]
    verdict = pooled_verdict([critique.verdict for critique in critiques], weights)
    failure = None if verdict else ParseError(f"none of {len(critiques)} verdicts is readable").failure()
    return merged(target, critiques, kept, verdict, author=author, failure=failure)


def merged(
    target: Target,
    critiques: Sequence[Critique],
    kept: Sequence[Pooled],
    verdict: Verdict | None,
    *,
    author: str,
    failure: Failure | None = None,
) -> Critique:
    """The critique that holds what was kept of several."""
    lines = [f"- {worded(one.finding)} ({one.share:.0%}, {len(one.critics)} critics)" for one in kept]
    readable = sum(critique.verdict is not None or bool(critique.findings) for critique in critiques)
    left = f"{readable} of {len(critiques)} critics were readable."
    return Critique(
        target=target.id,
        text="\n".join([*(lines or ["No fault is reported by enough critics."]), left]),
        author=author,
        verdict=verdict,
        findings=tuple(one.finding for one in kept),
        saw_reference=any(critique.saw_reference for critique in critiques),
        failure=failure,
    )


def _merge(members: Sequence[Finding]) -> Finding:
    return Finding(
        text=members[0].text,
        step=next((unit.step for unit in members if unit.step is not None), None),
        span=next((unit.span for unit in members if unit.span is not None), None),
        severity=max((unit.severity for unit in members), key=lambda severity: _RANK[severity]),
        suggestion=next((unit.suggestion for unit in members if unit.suggestion), None),
    )


def _total(weights: Sequence[float], present: Sequence[int]) -> float:
    if any(weight < 0 for weight in weights):
        raise InputError(f"weights {list(weights)}: none may be negative; `skill_weights` gives none that is")
    total = sum(weights[critic] for critic in present)
    if total <= 0:
        raise InputError("the critics that could be read weigh nothing together; give one a weight above 0")
    return total
