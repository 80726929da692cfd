"""From rows of judgements to the report of a judge."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from gadfly.errors import InputError
from gadfly.metrics.agreement import agreement
from gadfly.metrics.clustering import share
from gadfly.metrics.detection import detection
from gadfly.metrics.intervals import mean_interval
from gadfly.metrics.judged import Judged
from gadfly.metrics.measurement import Measurement
from gadfly.records import Critique, Ranking, Rollout, Score, Usage
from gadfly.run.judge_report import Example, JudgeFigure, JudgeKind, JudgeReport, Part, Section
from gadfly.run.judge_sections import biases, calibration, macro_figures, marks, pairs, places, steps
from gadfly.run.judging import judged
from gadfly.run.store import read_rollouts

EXAMPLES = 5
"""Examples kept of each kind of failure."""
MANY = 0.1
"""From this share on, unscored judgements are worth a warning of their own."""
FEW = 50
"""Below this many items, bootstrap intervals are too narrow."""
PARTS = 60
"""Subsets shown at most."""
_LABELS: dict[JudgeKind, frozenset[str]] = {
    "verdict": frozenset({"correct", "incorrect", "unsure"}),
    "pair": frozenset({"first", "second", "tie"}),
}


def measure_run(
    run: Path,
    *,
    benchmark: str,
    judge: str,
    model: str = "",
    notes: Sequence[str] = (),
    threshold: float = 0.5,
    seed: int = 0,
) -> JudgeReport:
    """The report of a judge's run folder.

    Raises:
        InputError: the folder holds no judge's run.
    """
    rows: list[Judged] = []
    examples: list[Example] = []
    kept: Counter[str] = Counter()
    usage: list[Usage] = []
    for rollout in read_rollouts(run):
        row = judged(rollout, judge=judge, threshold=threshold)
        rows.append(row)
        usage.append(rollout.usage)
        for kind in failures(row):
            kept[kind] += 1
            if kept[kind] <= EXAMPLES:
                examples.append(_example(kind, row, rollout))
    if not rows:
        raise InputError(f"{run} holds no judgement yet")
    report = measure(rows, benchmark=benchmark, judge=judge, model=model, seed=seed)
    spent = Usage.total(usage)
    return report.model_copy(
        update={
            "failures": dict(kept),
            "examples": tuple(examples),
            "usage": spent,
            "sections": (*report.sections, _cost(rows, spent)),
            "notes": (*report.notes, *notes),
        }
    )


def measure(
    rows: Sequence[Judged],
    *,
    benchmark: str,
    judge: str,
    model: str = "",
    kind: JudgeKind | None = None,
    seed: int = 0,
) -> JudgeReport:
    """The report of one judge's rows, wherever they are from.

    Raises:
        InputError: there is no row.
    """
    if not rows:
        raise InputError(f"{judge} has no judgement on {benchmark}")
    kind = kind or kind_of(rows)
    labelled = [row for row in rows if (row.gold_score if kind == "mark" else row.gold) is not None]
    kept, examples = _bare_examples([row for row in rows if kind != "mark" or row.score is None])
    report = JudgeReport(
        benchmark=benchmark,
        judge=judge,
        model=model,
        kind=kind,
        rows=len(rows),
        items=len({row.item for row in rows}),
        labelled=len(labelled),
        unscored=sum(unscored(row, kind) for row in rows),
        reasons=_reasons([row for row in rows if unscored(row, kind)]),
        oracle=sum(row.saw_reference for row in rows),
        sections=tuple(section for section in _sections(rows, labelled, kind, seed) if section.figures),
        confusion={} if kind == "mark" else _confusion(labelled),
        places=places(rows) if kind == "pair" else {},
        parts=() if kind == "mark" else _parts(labelled),
        failures=kept,
        examples=tuple(examples),
    )
    calibrated, bins = calibration(labelled, kind, seed=seed)
    biased = biases(rows, labelled, kind, own=_names(judge, model), seed=seed)
    sections = (*report.sections, *(one for one in (biased, calibrated) if one.figures))
    report = report.model_copy(update={"sections": sections, "reliability": bins})
    return report.model_copy(
        update={"warnings": tuple(_warnings(report, rows)), "notes": tuple(_notes(kind))}
    )


def kind_of(rows: Sequence[Judged]) -> JudgeKind:
    """What the labels are of: pairs, verdicts on one answer, or other classes."""
    labels = {label for row in rows for label in (row.gold, row.said) if label is not None}
    for kind, words in _LABELS.items():
        if labels <= words:
            return kind
    return "class"


def unscored(row: Judged, kind: JudgeKind) -> bool:
    """Whether nothing can be read of a judgement."""
    return (row.score if kind == "mark" else row.said) is None


def failures(row: Judged) -> list[str]:
    """Which kinds of failure a judgement shows."""
    found: list[str] = []
    if row.said is None:
        found.append("unreadable")
    elif row.gold is not None and row.gold != row.said:
        kinds = {("incorrect", "correct"): "missed error", ("correct", "incorrect"): "false alarm"}
        found.append(kinds.get((row.gold, row.said), f"says {row.said} for {row.gold}"))
    elif row.stepwise and row.gold == "incorrect" and row.step != row.gold_step:
        found.append("right verdict, wrong step")
    return found


def _reasons(rows: Sequence[Judged]) -> dict[str, int]:
    unread = Counter(row.why[:200] or "no reason given" for row in rows)
    return dict(unread.most_common(20))


# ---------------------------------------------------------------- figures


def _sections(
    rows: Sequence[Judged], labelled: Sequence[Judged], kind: JudgeKind, seed: int
) -> list[Section]:
    if kind == "pair":
        return [*pairs(rows, labelled, seed=seed), marks(rows, seed=seed)]
    if kind == "mark":
        return [marks(rows, seed=seed)]
    if not labelled:
        return [_shares(rows), marks(rows, seed=seed)]
    skill = _detection(labelled, seed) if kind == "verdict" else _classes(labelled, seed)
    return [skill, steps(labelled, seed=seed), marks(rows, seed=seed)]


def _detection(rows: Sequence[Judged], seed: int) -> Section:
    found = detection(rows, seed=seed)
    wrong = found.positives / max(1, found.n)
    base = max(wrong, 1 - wrong)
    kappa = agreement(rows, unreadable="wrong", seed=seed).kappa
    chance = "0 is chance"
    one_sided = "" if 0 < wrong < 1 else "no answer is right" if wrong else "no answer is wrong"
    return Section(
        title="Skill",
        figures=(
            JudgeFigure(name="verdicts right", found=found.accuracy, why=f"a constant: {100 * base:.1f} %"),
            _precision(rows, found.precision),
            JudgeFigure(name="recall of wrong answers", found=found.recall, why=one_sided),
            JudgeFigure(name="F1", found=found.f1, why=one_sided),
            JudgeFigure(name="AUROC", found=found.auroc, unit="number", why=one_sided or "0.5 is chance"),
            JudgeFigure(name="Matthews correlation", found=found.mcc, unit="number", why=one_sided or chance),
            JudgeFigure(name="Cohen's kappa", found=kappa, unit="number", why=one_sided or chance),
            JudgeFigure(name="says correct", found=found.acceptance, why=f"{100 * (1 - wrong):.1f} % are"),
        ),
    )


def _precision(rows: Sequence[Judged], found: Measurement) -> JudgeFigure:
    claimed = any(row.said == "incorrect" for row in rows)
    why = "of those called wrong" if claimed else "it calls no answer wrong"
    return JudgeFigure(name="precision on wrong answers", found=found if claimed else None, why=why)


def _names(judge: str, model: str) -> list[str]:
    """What the authors of answers may call this judge: its name, its model, the model without its server."""
    bare = model.partition(":")[2].partition("@")[0].partition("?")[0]
    return [name for name in (judge, model, bare, bare.rpartition("/")[2]) if name]


def _classes(rows: Sequence[Judged], seed: int) -> Section:
    found = agreement(rows, unreadable="wrong", seed=seed)
    common = Counter(row.gold for row in rows).most_common(1)[0][1] / len(rows)
    return Section(
        title="Skill",
        figures=(
            JudgeFigure(name="labels right", found=found.raw, why=f"a constant: {100 * common:.1f} %"),
            JudgeFigure(name="Cohen's kappa", found=found.kappa, unit="number", why="0 is chance"),
            *macro_figures(rows, seed=seed),
        ),
    )


def _shares(rows: Sequence[Judged]) -> Section:
    """Where nobody said anything to compare with: how often the judge says what."""
    readable = [row for row in rows if row.said is not None]
    clusters = [row.cluster for row in readable]
    labels = sorted({row.said for row in readable if row.said is not None})
    return Section(
        title="What it says",
        figures=tuple(
            JudgeFigure(name=f"says {label}", found=share([row.said == label for row in readable], clusters))
            for label in labels
        ),
    )


def _cost(rows: Sequence[Judged], usage: Usage) -> Section:
    calls = usage.calls / len(rows)
    tokens = [float(row.tokens) for row in rows]
    dollars = "unknown" if usage.cost is None else f"{usage.cost:.4f}"
    counted = f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"
    said = f"{calls:.1f} calls a judgement; in all {counted}, {dollars} dollars"
    found = mean_interval(tokens, clusters=[row.cluster for row in rows])
    figure = JudgeFigure(name="tokens a judgement", found=found, unit="number", why=said)
    return Section(title="Cost", figures=(figure,))


def _confusion(rows: Sequence[Judged]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in sorted(rows, key=lambda row: row.gold or ""):
        of = found.setdefault(row.gold or "", {})
        of[row.said or ""] = of.get(row.said or "", 0) + 1
    every = {label for row in found.values() for label in row} | set(found)
    labels = sorted(every, key=lambda label: (not label, label))
    return {gold: {label: row.get(label, 0) for label in labels} for gold, row in found.items()}


def _parts(rows: Sequence[Judged]) -> tuple[Part, ...]:
    names = sorted({row.subset for row in rows})
    if len(names) < 2:
        return ()
    parts: list[Part] = []
    for name in names[:PARTS]:
        mine = [row for row in rows if row.subset == name]
        right = share([row.right is True for row in mine], [row.cluster for row in mine])
        unscored = sum(row.said is None for row in mine)
        parts.append(Part(name=name, accuracy=right.model_copy(update={"unscored": unscored})))
    return tuple(parts)


# ---------------------------------------------------------------- words


def _bare_examples(rows: Sequence[Judged]) -> tuple[dict[str, int], list[Example]]:
    """How often each kind of failure occurs, and the first few of each."""
    found: list[Example] = []
    kept: Counter[str] = Counter()
    for row in rows:
        for kind in failures(row):
            kept[kind] += 1
            if kept[kind] <= EXAMPLES:
                found.append(
                    Example(kind=kind, item=row.item, gold=row.gold or "", said=row.said or "", words=row.why)
                )
    return dict(kept), found


def _example(kind: str, row: Judged, rollout: Rollout) -> Example:
    words: Callable[[Critique | Score | Ranking | None], str] = lambda said: (  # noqa: E731
        "" if said is None else said.text if isinstance(said, Critique) else said.explanation
    )
    return Example(
        kind=kind,
        item=row.item + (" (swapped)" if row.swapped else ""),
        gold=_stepped(row.gold, row.gold_step),
        said=_stepped(row.said, row.step) or row.why,
        problem=rollout.problem.text,
        answers=tuple(one.text for one in rollout.case.candidates) if rollout.case else (),
        words=words(rollout.judgement),
    )


def _stepped(label: str | None, step: int | None) -> str:
    return (label or "") + ("" if step is None else f", step {step + 1}")


def _warnings(report: JudgeReport, rows: Sequence[Judged]) -> list[str]:
    found: list[str] = []
    said = Counter(row.said for row in rows if row.said is not None)
    if len(said) == 1 and sum(said.values()) > 1 and len({row.gold for row in rows} - {None}) != 1:
        found.append(f"it says {next(iter(said))!r} of everything: its figures are those of a constant")
    if report.unscored >= MANY * report.rows:
        found.append(f"{100 * report.unscored / report.rows:.0f} % of its judgements cannot be read")
    if report.items < FEW:
        found.append(f"only {report.items} items: the intervals are too narrow")
    if not report.labelled:
        found.append("nobody said what is right, so nothing here is skill")
    return found


def _notes(kind: JudgeKind) -> list[str]:
    if kind == "mark":
        return ["A mark that cannot be read is left out of the correlations."]
    if kind == "pair":
        return ["An unreadable judgement counts as wrong; a tie is right only where people call it one."]
    return ["An unreadable verdict counts as not right, and detects nothing."]
