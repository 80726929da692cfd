"""CriticBench (Lin et al.): answers to 15 data sets, each labelled right or wrong.

Lin, Gou et al., 2024, arXiv:2402.14809; not the CriticBench of Lan et al. One split, `test`, on the hub.
Fields: id, question, answer (one or several right answers), response, response_label (whether the
response is right), question_source (the subset), question_type. The author of a response is taken from
`response_source`, `model` or `response_model` where one is there.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Upstream
from gadfly.benchmarks.judging.cases import (
    HUB_OPTIONS,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
    verdict_of,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold, content_digest

_DOWNLOAD = "https://huggingface.co/datasets/llm-agents/CriticBench"

ABOUT = About(
    name="criticbench-lin",
    summary="tell right answers from wrong ones, in five kinds of task (CriticBench of Lin et al.)",
    licence="MIT (the questions: their data sets')",
    citation="Lin et al., 2024, arXiv:2402.14809",
    example="criticbench-lin:test.jsonl",
    needs=f"the file of {_DOWNLOAD}, or the package datasets and 'criticbench-lin:hub'",
    options=HUB_OPTIONS,
)
_UPSTREAM = Upstream(
    title="CriticBench (Lin et al.)", download=_DOWNLOAD, hub=Hub(path="llm-agents/CriticBench")
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The answers of the file or folder `target`, or of the hub's copy.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        question = row.text("question")
        problem = problem_of(
            f"criticbench-lin-{row.text('id')}",
            question,
            subset=row.text("question_source"),
            group=content_digest(question)[:16],
            reference=_reference(row),
            privileged={"question_type": row.maybe("question_type")},
        )
        answers = candidates_of(
            [row.text("response")], [row.maybe("response_source", "model", "response_model")]
        )
        gold = Gold(verdict=verdict_of(row.truth("response_label")))
        yield problem, Case(candidates=answers, gold=gold)


def _reference(row: Fields) -> str:
    """The right answer; several are given one below the other."""
    value = row.raw("answer") if row.has("answer") else ""
    return "\n".join(map(str, cast(list[object], value))) if isinstance(value, list) else str(value)
