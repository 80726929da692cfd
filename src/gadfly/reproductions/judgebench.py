"""JudgeBench: judges of pairs with one objectively right answer (arXiv:2410.12784).

The accuracies of the paper's tables on pairs of GPT-4o answers (Tables 2 and 3), from the decisions
that each judge made in both orders.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from gadfly.metrics.judged import Judged
from gadfly.metrics.pairs import accuracy
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

COLUMNS = ("knowledge", "reasoning", "math", "coding", "overall")
TWO_DECIMALS = 0.005
PAIRS = "gpt-4o-2024-05-13"
"""Whose answers the printed numbers are about."""
PRINTED: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("vanilla", "gpt-4o-2024-05-13"): (44.16, 47.96, 66.07, 61.90, 50.86),
    ("arena_hard", "gpt-4o-2024-05-13"): (50.65, 54.08, 75.00, 59.52, 56.57),
    ("arena_hard", "gpt-4o-mini-2024-07-18"): (48.05, 43.88, 69.64, 45.24, 50.00),
    ("arena_hard", "o1-preview-2024-09-12"): (66.23, 79.59, 85.71, 85.71, 75.43),
    ("arena_hard", "o1-mini-2024-09-12"): (58.44, 62.24, 82.14, 78.57, 65.71),
    ("arena_hard", "claude-3-5-sonnet-20240620"): (62.34, 66.33, 66.07, 64.29, 64.29),
    ("arena_hard", "claude-3-haiku-20240307"): (35.06, 34.69, 33.93, 21.43, 33.14),
    ("arena_hard", "Meta-Llama-3.1-405B-Instruct"): (55.84, 54.08, 69.64, 50.00, 56.86),
    ("reward_model", "Skywork-Reward-Gemma-2-27B"): (59.74, 66.33, 83.93, 50.00, 64.29),
    ("reward_model", "Skywork-Reward-Llama-3.1-8B"): (59.09, 64.29, 76.79, 50.00, 62.29),
    ("reward_model", "internlm2-20b-reward"): (62.34, 69.39, 66.07, 50.00, 63.43),
    ("reward_model", "internlm2-7b-reward"): (56.49, 61.22, 71.43, 50.00, 59.43),
    ("reward_model", "GRM-Gemma-2B-rewardmodel-ft"): (62.99, 53.06, 64.29, 54.76, 59.43),
}
"""Per cent right by judge prompt and judge model (without its organisation), Tables 2 and 3."""

Decision: TypeAlias = Literal["A>B", "B>A", "A=B"]
_SAID = {"A>B": "first", "B>A": "second", "A=B": "tie"}
_FLIPPED = {"A>B": "second", "B>A": "first", "A=B": "tie"}
_KINDS = (
    ("mmlu-pro", "knowledge"),
    ("livebench-reasoning", "reasoning"),
    ("livebench-math", "math"),
    ("livecodebench", "coding"),
)


class _Judgement(BaseModel):
    decision: Decision | None


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")

    pair_id: str
    response_model: str
    source: str
    label: Decision
    judge: str
    judge_model: str
    judgments: list[_Judgement | None] = Field(min_length=2, max_length=2)


def checks(folder: Path) -> Iterator[Check | Note]:
    """Five columns a run: per cent of the pairs that are right."""
    runs: dict[tuple[str, str, str], list[Judged]] = {}
    for row in read_typed(folder / "judgments.jsonl.gz", _Row):
        runs.setdefault((row.judge, row.judge_model, row.response_model), []).extend(_rows(row))
    unread = sum(row.said is None for run in runs.values() for row in run)
    for (judge, model, responses), run in runs.items():
        name = f"{judge}, {model}, pairs of {responses}"
        printed = PRINTED.get((judge, _plain(model))) if responses == PAIRS else None
        ours = {column: _accuracy(run, column) for column in COLUMNS}
        if printed is None:
            found = " ".join(f"{ours[column]:.2f}" for column in COLUMNS if ours[column] is not None)
            yield Note(text=f"{name}: no printed number; ours, per cent right: {found}")
            continue
        for column, value in zip(COLUMNS, printed, strict=True):
            yield Check(what=f"{name}: {column}", published=value, ours=ours[column], tolerance=TWO_DECIMALS)
    yield Note(text=f"{unread} decisions could not be read; they cast no vote")


def _plain(model: str) -> str:
    """A judge's name without the organisation that its file name begins with, or a served variant."""
    name = model.replace("/", "_")
    for known in (model for _, model in PRINTED):
        if name in (known, f"{known}-Turbo") or name.endswith((f"_{known}", f"_{known}-Turbo")):
            return known
    return model


def _accuracy(run: list[Judged], column: str) -> float | None:
    chosen = [row for row in run if column in (row.subset, "overall")]
    if not chosen:
        return None
    return 100 * accuracy(chosen, orders="sum", unreadable="wrong", ties="wrong").value


def _rows(row: _Row) -> list[Judged]:
    """Both decisions; the second was made with the answers in the other order."""
    kind = next((kind for prefix, kind in _KINDS if row.source.startswith(prefix)), row.source)
    decisions = [one.decision if one else None for one in row.judgments]
    return [
        Judged(
            item=row.pair_id,
            judge=f"{row.judge} {row.judge_model}",
            gold=_SAID[row.label],
            said=None if decision is None else names[decision],
            why="" if decision else "no decision in the judge's text",
            swapped=swapped,
            subset=kind,
        )
        for decision, swapped, names in zip(decisions, (False, True), (_SAID, _FLIPPED), strict=True)
    ]


REPRODUCTION = Reproduction(
    name="judgebench",
    summary="Accuracy of judges and reward models on pairs with one objectively right answer.",
    citation="Tan et al. 2024, JudgeBench, arXiv:2410.12784, Tables 2 and 3",
    licence="none stated for the judgements",
    conventions=(
        'metrics.pairs.accuracy(orders="sum", unreadable="wrong", ties="wrong")',
        "printed with two decimals",
    ),
    checks=checks,
)
