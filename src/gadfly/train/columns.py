"""The columns of an exported file: TRL's documented formats, with lineage and authors beside them.

TRL's own names are `prompt`, `completion`, `chosen`, `rejected`, `label`, `messages`, and for steps
`completions` and `labels`; its trainers leave the other columns alone. There is no column `margin`:
TRL's reward loss would take it into account unasked, so a preference's is called `strength`.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Mapping
from typing import Any, TypeAlias

import pyarrow as pa

from gadfly.prompts import Prompt
from gadfly.train.rows import (
    CRITIQUE,
    AnyRow,
    Correction,
    CritiqueRow,
    JudgedRow,
    Preference,
    PromptCompletion,
    RankedList,
    RowKind,
    Stepwise,
    Turn,
    Unpaired,
    VectorReward,
    Weighted,
)

Cells: TypeAlias = dict[str, Any]

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_CHAT = pa.list_(_MESSAGE)
_NAMES = pa.list_(pa.string())
_LINEAGE = pa.struct(
    [
        ("rollouts", _NAMES),
        ("problem", pa.string()),
        ("benchmark", pa.string()),
        ("policy", pa.string()),
        ("author", pa.string()),
        ("saw_reference", pa.bool_()),
        ("oracle", pa.bool_()),
    ]
)
_WEIGHT = ("weight", pa.float64())
_TRAINED: Mapping[RowKind, list[tuple[str, Any]]] = {
    "prompt-completion": [("prompt", _CHAT), ("completion", _CHAT), _WEIGHT],
    "preference": [
        ("prompt", _CHAT),
        ("chosen", _CHAT),
        ("rejected", _CHAT),
        ("strength", pa.float64()),
        _WEIGHT,
    ],
    "unpaired": [("prompt", _CHAT), ("completion", _CHAT), ("label", pa.bool_()), _WEIGHT],
    "ranking": [
        ("prompt", _CHAT),
        ("completions", pa.list_(_CHAT)),
        ("tiers", pa.list_(pa.list_(pa.int32()))),
        ("strength", pa.float64()),
    ],
    "stepwise": [("prompt", pa.string()), ("completions", _NAMES), ("labels", pa.list_(pa.bool_()))],
    "critique": [
        ("prompt", _CHAT),
        ("completion", _CHAT),
        ("verdict", pa.string()),
        ("first_wrong_step", pa.int32()),
        _WEIGHT,
    ],
    "judged": [
        ("prompt", _CHAT),
        ("completion", _CHAT),
        ("judgement", _CHAT),
        ("satisfactory", pa.bool_()),
    ],
    "correction": [("messages", _CHAT), ("before", pa.float64()), ("after", pa.float64()), _WEIGHT],
    "weighted": [
        ("prompt", _CHAT),
        ("completion", _CHAT),
        (
            "spans",
            pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("weight", pa.float64())])),
        ),
        ("token_ids", pa.list_(pa.int64())),
        ("token_weights", pa.list_(pa.float64())),
    ],
    "vector-reward": [
        ("prompt", _CHAT),
        ("completion", _CHAT),
        ("rewards", pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))),
    ],
}
_AUTHORED: Mapping[RowKind, tuple[str, ...]] = {
    "prompt-completion": ("prompt", "completion"),
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired": ("prompt", "completion"),
    "ranking": ("prompt", "completions"),
    "stepwise": ("completions",),
    "critique": ("prompt", "completion"),
    "judged": ("prompt", "completion", "judgement"),
    "correction": ("messages",),
    "weighted": ("prompt", "completion"),
    "vector-reward": ("prompt", "completion"),
}


def schema(kind: RowKind) -> pa.Schema:  # pyright: ignore[reportUnknownParameterType]
    """The Parquet columns of a kind of row, as a `pyarrow.Schema`."""
    authors = pa.struct([(name, _NAMES) for name in _AUTHORED[kind]])
    return pa.schema(
        [("id", pa.string()), *_TRAINED[kind], ("authors", authors), ("lineage", _LINEAGE)],
        metadata={"gadfly.kind": kind},
    )


def cells(row: AnyRow, *, critique_prompt: Prompt = CRITIQUE) -> Cells:
    """One row as plain values by column. What was visible at labelling only has no column.

    Raises:
        InputError: the critique prompt has other slots than `problem` and `answer`.
    """
    found, authors = _cells(row, critique_prompt)
    lineage = row.lineage
    return {
        "id": row.id,
        **found,
        "authors": authors,
        "lineage": {
            "rollouts": list(lineage.rollouts),
            "problem": lineage.problem,
            "benchmark": lineage.benchmark,
            "policy": lineage.policy,
            "author": lineage.author,
            "saw_reference": lineage.saw_reference,
            "oracle": lineage.oracle,
        },
    }


def _cells(row: AnyRow, critique_prompt: Prompt) -> tuple[Cells, Cells]:
    """What is trained on, and who wrote each turn of it."""
    if isinstance(row, Stepwise):
        steps = {
            "prompt": "\n\n".join(turn.content for turn in row.prompt),
            "completions": list(row.completions),
            "labels": list(row.labels),
        }
        return steps, {"completions": [row.author] * len(row.completions)}
    if isinstance(row, Correction):
        turns = row.prompt + row.turns
        talk = {"messages": _chat(turns), "before": row.before, "after": row.after, "weight": row.weight}
        return talk, {"messages": _authors(turns)}
    if isinstance(row, CritiqueRow):
        return _critique(row, critique_prompt)
    if isinstance(row, RankedList):
        ranked = {
            "prompt": _chat(row.prompt),
            "completions": [_chat((turn,)) for turn in row.completions],
            "tiers": [list(tier) for tier in row.tiers],
            "strength": row.strength,
        }
        return ranked, {"prompt": _authors(row.prompt), "completions": _authors(row.completions)}
    if isinstance(row, Preference):
        pair = {
            "prompt": _chat(row.prompt),
            "chosen": _chat(row.chosen),
            "rejected": _chat(row.rejected),
            "strength": row.strength,
            "weight": row.weight,
        }
        named = {"chosen": _authors(row.chosen), "rejected": _authors(row.rejected)}
        return pair, {"prompt": _authors(row.prompt), **named}
    if isinstance(row, JudgedRow):
        judged = {
            "prompt": _chat(row.prompt),
            "completion": _chat((row.completion,)),
            "judgement": _chat((row.judgement,)),
            "satisfactory": row.satisfactory,
        }
        by = {"completion": [row.completion.author], "judgement": [row.judgement.author]}
        return judged, {"prompt": _authors(row.prompt), **by}
    return _single(row)


def _single(row: PromptCompletion | Unpaired | Weighted | VectorReward) -> tuple[Cells, Cells]:
    """The kinds with one completion."""
    said = row.said
    found: Cells = {"prompt": _chat(row.prompt), "completion": _chat(said)}
    match row:
        case PromptCompletion():
            found["weight"] = row.weight
        case Unpaired():
            found |= {"label": row.label, "weight": row.weight}
        case Weighted():
            found |= {
                "spans": [span.model_dump() for span in row.spans],
                "token_ids": list(row.token_ids),
                "token_weights": list(row.token_weights),
            }
        case VectorReward():
            found["rewards"] = [{"name": name, "value": row.rewards[name]} for name in sorted(row.rewards)]
    return found, {"prompt": _authors(row.prompt), "completion": _authors(said)}


def _critique(row: CritiqueRow, prompt: Prompt) -> tuple[Cells, Cells]:
    problem = "\n\n".join(turn.content for turn in row.prompt)
    asked = prompt.render({"problem": problem, "answer": row.answer.content})
    found: Cells = {
        "prompt": [{"role": message.role, "content": message.content} for message in asked],
        "completion": [{"role": "assistant", "content": row.critique.content}],
        "verdict": row.verdict,
        "first_wrong_step": row.first_wrong_step,
        "weight": row.weight,
    }
    # The prompt holds words of both: the problem's, and the answer's.
    both = f"{row.prompt[-1].author}+{row.answer.author}"
    return found, {"prompt": [both] * len(asked), "completion": [row.critique.author]}


def _chat(turns: tuple[Turn, ...]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _authors(turns: tuple[Turn, ...]) -> list[str]:
    return [turn.author for turn in turns]
