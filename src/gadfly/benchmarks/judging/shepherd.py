"""Shepherd: answers with the feedback that people wrote on them.

Wang et al., 2023, arXiv:2308.04592. Either of upstream's files: `human_data_for_model.jsonl` (id,
question, answer, feedback) or `human_data_raw.jsonl` (the labelling jobs); a file with question, answer,
feedback, errors, justified and relevant is read as well. The gold critique is the feedback; the findings
are the errors people described, where the file has them; the value is the mark, 1 to 5, for an answer
that is correct and relevant. Nobody said outright that an answer is wrong, so there is no verdict.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from pydantic import JsonValue

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    SHARED_OPTIONS,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Finding, Gold

_DOWNLOAD = "https://github.com/facebookresearch/Shepherd (folder data)"
_ERRORS, _JUSTIFIED, _RELEVANT = "CLASSIFICATION_JOB_0", "CLASSIFICATION_JOB", "CLASSIFICATION_JOB_1"

ABOUT = About(
    name="shepherd",
    summary="answers with the feedback and the errors that people wrote (1,317)",
    licence="CC BY-NC 4.0",
    citation="Wang et al., 2023, arXiv:2308.04592",
    example="shepherd:human_data_for_model.jsonl",
    needs=f"a file of {_DOWNLOAD}",
    options=SHARED_OPTIONS,
)
_UPSTREAM = Upstream(title="Shepherd", download=_DOWNLOAD, files=("human_data_raw.jsonl",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The answers of the file or folder `target`.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        meta = row.inside("metadata") if row.has("metadata") else None
        raw = row.inside("latestLabel").inside("jsonResponse") if row.has("latestLabel") else None
        errors = _named_errors(raw) if raw else _listed_errors(row)
        marks = {"justified": _mark(row, raw, "justified", _JUSTIFIED)}
        marks["relevant"] = _mark(row, raw, "relevant", _RELEVANT)
        feedback = row.maybe("feedback") or "\n".join(text for _, text in errors)
        if not feedback and raw is None:
            row.raw("feedback")
        question = meta.text("context") if raw and meta else row.text("question")
        answer = meta.text("output_candidate") if raw and meta else row.text("answer")
        problem = problem_of(
            f"shepherd-{row.text('id')}",
            question,
            subset=row.maybe("dataset"),
            reference=meta.maybe("output_correct") if meta else "",
            privileged=cast(dict[str, JsonValue], {"error_types": [kind for kind, _ in errors], **marks}),
        )
        gold = Gold(
            value=marks["relevant"],
            critique=feedback or None,
            findings=tuple(Finding(text=text) for _, text in errors),
        )
        yield problem, Case(candidates=candidates_of([answer]), gold=gold)


def _listed_errors(row: Fields) -> list[tuple[str, str]]:
    return [(one.text("type"), one.text("text")) for one in row.each("errors")] if row.has("errors") else []


def _named_errors(raw: Fields) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for category in _categories(raw, _ERRORS):
        children = category.inside("children") if category.has("children") else None
        for name in children.row if children else ():
            assert children is not None
            text = children.inside(name).maybe("text") if isinstance(children.row[name], dict) else ""
            if text:
                found.append((category.text("name"), text))
    return found


def _mark(row: Fields, raw: Fields | None, field: str, job: str) -> float | None:
    """The mark that begins a label such as `4_MOSTLY_RELEVANT`."""
    said = (
        row.maybe(field) or next((c.text("name") for c in _categories(raw, job)), "")
        if raw
        else row.maybe(field)
    )
    return float(said[0]) if said[:1].isdigit() else None


def _categories(raw: Fields | None, job: str) -> list[Fields]:
    if raw is None or not raw.has(job):
        return []
    return raw.inside(job).each("categories") if raw.inside(job).has("categories") else []
