"""Parts of a judge's report: pairs and places, length and authors, wrong steps, marks, calibration."""

from collections import Counter
from collections.abc import Iterator, Sequence

from gadfly.errors import InputError
from gadfly.metrics import pairs as pair_metrics
from gadfly.metrics.agreement import agreement
from gadfly.metrics.bias import length_bias, length_slope, self_preference
from gadfly.metrics.calibration import (
    Forecasts,
    brier,
    calibration_error,
    confidence_gaps,
    forecasts,
    reliability,
)
from gadfly.metrics.clustering import share
from gadfly.metrics.judged import Judged
from gadfly.metrics.macro import macro
from gadfly.metrics.measurement import Measurement
from gadfly.metrics.ranks import rank_agreement
from gadfly.metrics.selective import risk_coverage, selective_accuracy
from gadfly.metrics.steps import first_wrong_step
from gadfly.run.judge_report import JudgeFigure, JudgeKind, ReliabilityBin, Section

CLASSES = 50
"""Labels beyond which they are no classes to take a mean over."""
COVERAGE = 0.8
"""Share of cases that a selective judge answers."""
_OTHER = {"first": "second", "second": "first"}
_ORDERS: tuple[tuple[str, pair_metrics.Orders, str], ...] = (
    ("pairs right, mean of both orders", "mean", ""),
    ("right in both orders", "both", "a coin: 25 %"),
    ("right by the sum of both orders", "sum", "contradiction counts as wrong"),
    ("right in the given order", "plain", "a coin: 50 %"),
    ("right in the other order", "swapped", "a coin: 50 %"),
)


# ---------------------------------------------------------------- pairs


def pairs(rows: Sequence[Judged], labelled: Sequence[Judged], *, seed: int) -> list[Section]:
    """Skill on pairs, and what the order of the answers does."""
    return [
        Section(title="Skill", figures=tuple(_pair_skill(rows, labelled, seed))),
        Section(title="Order of the answers", figures=tuple(_order(rows, seed))),
    ]


def _pair_skill(rows: Sequence[Judged], labelled: Sequence[Judged], seed: int) -> Iterator[JudgeFigure]:
    plain = [row for row in rows if not row.swapped]
    for label in ("first", "second"):
        said = [float(row.said == label) for row in plain if row.said is not None]
        if said and not labelled:
            shown = pair_metrics.accuracy(
                [row.model_copy(update={"gold": label}) for row in plain],
                orders="plain",
                unreadable="left out",
            )
            yield JudgeFigure(name=f"prefers the {label}", found=shown)
    if not labelled:
        return
    both = any(row.swapped for row in labelled) and any(not row.swapped for row in labelled)
    common = Counter(row.gold for row in labelled).most_common(1)[0][1] / len(labelled)
    if both:
        for name, orders, why in _ORDERS:
            found = pair_metrics.accuracy(labelled, orders=orders, seed=seed)
            yield JudgeFigure(name=name, found=found, why=why or f"a constant: {100 * common:.1f} %")
    else:
        orders = "swapped" if labelled[0].swapped else "plain"
        found = pair_metrics.accuracy(labelled, orders=orders, seed=seed)
        yield JudgeFigure(name="pairs right", found=found, why=f"a constant: {100 * common:.1f} %")
    kappa = agreement(labelled, unreadable="wrong", seed=seed).kappa
    yield JudgeFigure(name="Cohen's kappa", found=kappa, unit="number", why="0 is chance")
    if any(row.gold == "tie" for row in labelled):
        yield from macro_figures(labelled, seed=seed)


def macro_figures(rows: Sequence[Judged], *, seed: int) -> Iterator[JudgeFigure]:
    """Precision, recall and F1 with every class alike; nothing where there are too many to be classes."""
    if len({row.gold for row in rows}) > CLASSES:
        return
    found = macro(rows, seed=seed)
    named = f"mean over {', '.join(found.classes)}" if len(found.classes) < 4 else ""
    yield JudgeFigure(name="macro precision", found=found.precision, why=named)
    yield JudgeFigure(name="macro recall", found=found.recall)
    yield JudgeFigure(name="macro F1", found=found.f1)


def _order(rows: Sequence[Judged], seed: int) -> Iterator[JudgeFigure]:
    if any(row.said is not None for row in rows):
        yield JudgeFigure(name="ties", found=pair_metrics.tie_rate(rows, seed=seed))
    if any(row.said in _OTHER for row in rows):
        bias = pair_metrics.position_bias(rows, seed=seed)
        yield JudgeFigure(name="prefers what is shown first", found=bias.first_place, why="50 % is fair")
        if any(row.swapped for row in rows):
            found = pair_metrics.swap_agreement(rows, seed=seed)
            yield JudgeFigure(name="both orders agree", found=found, why="unreadable counts as disagreement")
        if bias.beyond_half is not None:
            why = f"+50: always the first; among the {bias.contradicting} pairs that contradict themselves"
            yield JudgeFigure(name="for the first place", found=bias.beyond_half, why=why)


def biases(
    rows: Sequence[Judged], labelled: Sequence[Judged], kind: JudgeKind, *, own: Sequence[str], seed: int
) -> Section:
    """What length does to the judge, and whether it wrote the answer; empty where neither is known.

    Args:
        rows: All judgements.
        labelled: Those with something that people said.
        kind: What is judged.
        own: Names by which authors may call the judge, the likeliest first.
        seed: Of the bootstrap.
    """
    figures: list[JudgeFigure] = []
    if kind == "pair":
        figures = [*_longer(rows, labelled, seed), *_authored(labelled, own, seed)]
    elif kind == "verdict" and len({row.lengths for row in labelled if row.said and row.lengths}) > 1:
        figures = [_slope(length_slope([row for row in labelled if row.lengths]), "correct")]
    return Section(title="Length and authors", figures=tuple(figures))


def _longer(rows: Sequence[Judged], labelled: Sequence[Judged], seed: int) -> Iterator[JudgeFigure]:
    uneven = [row for row in rows if row.said and len(set(row.lengths)) == 2]
    if not uneven:
        return
    worths = [0.5 if row.said == "tie" else float(row.said == _longer_of(row)) for row in uneven]
    found = share(worths, [row.cluster for row in uneven], seed=seed)
    yield JudgeFigure(name="prefers the longer answer", found=found, why="a tie counts half")
    if any(row.said and len(set(row.lengths)) == 2 for row in labelled):
        bias = length_bias(labelled, seed=seed)
        yield JudgeFigure(name="more than people do", found=bias.excess, why="points; 0 is fair")
        yield _slope(bias.slope, "first")


def _slope(found: Measurement | None, label: str) -> JudgeFigure:
    why = f"log odds of '{label}' for e times the length; 0 is fair" if found else "no finite slope fits"
    return JudgeFigure(name="slope over length", found=found, unit="number", why=why)


def _longer_of(row: Judged) -> str:
    return "first" if row.lengths[0] > row.lengths[1] else "second"


def _authored(labelled: Sequence[Judged], own: Sequence[str], seed: int) -> Iterator[JudgeFigure]:
    name = next((name for name in own if any(row.authors.count(name) == 1 for row in labelled)), None)
    mine = [row for row in labelled if row.said and len(row.authors) == 2 and row.authors.count(name) == 1]
    if name is None or not mine:
        return
    found = self_preference(mine, own={row.judge: name for row in mine}, seed=seed)
    why = f"points for its own answer ({name}); 0 is fair"
    yield JudgeFigure(name="prefers its own more than people do", found=found.excess, why=why)
    if found.undue is not None:
        yield JudgeFigure(name="its own where people prefer the other", found=found.undue)


def places(rows: Sequence[Judged]) -> dict[str, int]:
    """What the judgements of both orders were together, by how often."""
    by_item: dict[str, dict[bool, str | None]] = {}
    for row in rows:
        by_item.setdefault(row.item, {})[row.swapped] = row.said
    found: Counter[str] = Counter()
    for said in by_item.values():
        if len(said) == 2:
            found[_together(said[False], said[True])] += 1
    order = (
        "same answer",
        "always the first shown",
        "always the second shown",
        "a tie in one order",
        "both ties",
    )
    return {name: found[name] for name in (*order, "unreadable") if found[name]}


def _together(plain: str | None, swapped: str | None) -> str:
    if plain is None or swapped is None:
        return "unreadable"
    if plain == swapped:
        return "both ties" if plain == "tie" else "same answer"
    if "tie" in (plain, swapped):
        return "a tie in one order"
    return "always the first shown" if plain == "first" else "always the second shown"


# ---------------------------------------------------------------- steps, marks, calibration


def steps(rows: Sequence[Judged], *, seed: int) -> Section:
    """How often the first wrong step is found."""
    located = [row for row in rows if row.stepwise]
    if not located:
        return Section(title="First wrong step", figures=())
    found = first_wrong_step(located, seed=seed)
    return Section(
        title="First wrong step",
        figures=(
            JudgeFigure(name="found, or rightly none", found=found.accuracy),
            JudgeFigure(name="found in wrong solutions", found=found.on_wrong, why="exactly that step"),
            JudgeFigure(name="none called in right solutions", found=found.on_right),
            JudgeFigure(name="F1 of the two", found=found.f1, why="as ProcessBench has it"),
        ),
    )


def marks(rows: Sequence[Judged], *, seed: int) -> Section:
    """How the judge's numbers go with people's."""
    if sum(row.score is not None and row.gold_score is not None for row in rows) < 3:
        return Section(title="Marks", figures=())
    found = rank_agreement(rows, seed=seed)
    return Section(
        title="Marks",
        figures=tuple(
            JudgeFigure(name=name, found=one, unit="number", why="" if one else "one of both is constant")
            for name, one in (
                ("Spearman with people's marks", found.spearman),
                ("Kendall's tau-b", found.kendall),
            )
        ),
    )


def calibration(
    rows: Sequence[Judged], kind: JudgeKind, *, seed: int
) -> tuple[Section, tuple[ReliabilityBin, ...]]:
    """Whether confidence means what it says; empty where the judge gives none."""
    found = _forecasts(rows, kind)
    if found is None:
        return Section(title="Calibration", figures=()), ()
    gaps = confidence_gaps(found, confident=COVERAGE, unconfident=1 - COVERAGE)
    chosen = selective_accuracy(found, COVERAGE, seed=seed)
    section = Section(
        title="Calibration",
        figures=(
            JudgeFigure(
                name="expected calibration error", found=calibration_error(found, seed=seed), why="10 bins"
            ),
            JudgeFigure(
                name="Brier score", found=brier(found, seed=seed).score, unit="number", why="0 is perfect"
            ),
            JudgeFigure(
                name="risk over coverage (AURC)", found=risk_coverage(found, seed=seed).area, unit="number"
            ),
            JudgeFigure(
                name=f"right at {100 * COVERAGE:.0f} % coverage",
                found=chosen.accuracy,
                why=f"confidence of {chosen.threshold:.2f} and more",
            ),
            JudgeFigure(name="confident and wrong", found=gaps.overconfident, why=f"above {COVERAGE}"),
            JudgeFigure(
                name="unconfident and right", found=gaps.underconfident, why=f"below {1 - COVERAGE:.1f}"
            ),
        ),
    )
    bins = tuple(ReliabilityBin(confidence=one.confidence, share=one.accuracy) for one in reliability(found))
    return section, bins


def _forecasts(rows: Sequence[Judged], kind: JudgeKind) -> Forecasts | None:
    if kind in ("class", "mark"):
        return None
    lowest = -1.0 if kind == "pair" else 0.0
    scores = [row.score for row in rows if row.score is not None]
    # Numbers beyond the scale are no confidence, and hard verdicts are none either.
    if not all(lowest <= score <= 1 for score in scores) or len(set(scores)) < 3:
        return None
    try:
        return forecasts([row for row in rows if row.gold not in ("unsure", None)], about="verdict")
    except InputError:
        return None
