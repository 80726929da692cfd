"""CriticBench (Lan et al.), later named CriticEval: feedback, comparison and feedback on feedback.

Lan et al., 2024, arXiv:2402.13764. A folder of JSON lists, such as `obj_test_data`; which task a row is
of is told by its fields, as upstream's evaluation reads them:

- feedback: question, generation, feedback_score (1 to 7) and, where people wrote one, feedback. The
  case's value is the score, its critique the feedback.
- comparison: question, and under `obj` or `sub` (or beside it) generation_a, generation_b, preference
  (ending in A or B; C is a tie) and, where people wrote one, feedback.
- feedback on feedback: question, generation, feedback or generated_feedback, and meta_feedback_score.
  The critique is what is judged; its value is the score.

Subsets are named after the task: `feedback/translate`, `comparison/chat`, `meta-feedback/qa`. The data
files could not be looked into when this was written, only the code that reads them.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    PAIR,
    SHARED_OPTIONS,
    UNKNOWN,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Critique, Gold, Problem, content_digest

_DOWNLOAD = "https://huggingface.co/datasets/opencompass/CriticBench"
_WORDS = ("meta_feedback_singlewise_", "_feedback_correction", "_comp_feedback", "_feedback")
_BEST = {"A": "first", "B": "second", "C": "tie"}

ABOUT = About(
    name="criticbench-lan",
    summary="mark answers, compare two, and mark feedback, in nine tasks (CriticEval of Lan et al.)",
    licence="Apache-2.0",
    citation="Lan et al., 2024, arXiv:2402.13764",
    example="criticbench-lan:criticbench_v1.3/obj_test_data",
    needs=f"the folder of {_DOWNLOAD}",
    options=SHARED_OPTIONS,
)
_UPSTREAM = Upstream(title="CriticBench (Lan et al.)", download=_DOWNLOAD, files=("**/*feedback*.json",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The cases of the file or folder `target`.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        if row.has("meta_feedback_score"):
            yield _meta(row)
        elif row.has("obj", "sub", "generation_a"):
            yield _comparison(row)
        else:
            yield _feedback(row)


def _feedback(row: Fields) -> tuple[Problem, Case]:
    gold = Gold(value=row.number("feedback_score"), critique=row.maybe("feedback") or None)
    answers = candidates_of([row.text("generation")], [_author(row)])
    return _problem(row, "feedback"), Case(candidates=answers, gold=gold)


def _comparison(row: Fields) -> tuple[Problem, Case]:
    inner = row.inside("obj", "sub") if row.has("obj", "sub") else row
    answers = candidates_of([inner.text("generation_a"), inner.text("generation_b")])
    tiers: tuple[tuple[int, ...], ...] = ()
    if inner.has("preference"):
        best = _BEST.get(inner.text("preference").strip()[-1:].upper())
        if best is None:
            raise inner.wrong("preference", "A, B or C", inner.raw("preference"))
        tiers = PAIR[best]
    gold = Gold(tiers=tiers, critique=inner.maybe("feedback") or None)
    return _problem(row, "comparison"), Case(candidates=answers, gold=gold)


def _meta(row: Fields) -> tuple[Problem, Case]:
    answers = candidates_of([row.text("generation")], [_author(row)])
    words = row.text("generated_feedback", "feedback")
    critique = Critique(target=answers[0].id, text=words, author=row.maybe("feedback_model") or UNKNOWN)
    gold = Gold(value=row.number("meta_feedback_score"))
    return _problem(row, "meta-feedback"), Case(candidates=answers, critique=critique, gold=gold)


def _author(row: Fields) -> str:
    return row.maybe("llm_name", "generation_model", "model")


def _problem(row: Fields, task: str) -> Problem:
    domain = row.source.rpartition("/")[2]
    for word in _WORDS:
        domain = domain.replace(word, "")
    question = row.text("question")
    parts = (question, row.maybe("article"), row.maybe("unit_test"))
    return problem_of(
        f"criticbench-lan-{row.source}-{row.index:04d}",
        "\n\n".join(filter(None, parts)),
        subset=f"{task}/{domain}",
        group=content_digest(question)[:16],
    )
