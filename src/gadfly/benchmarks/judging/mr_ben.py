"""MR-Ben: solutions in six subjects, with the first wrong step, why it is wrong and how to mend it.

Zeng et al., 2024, arXiv:2406.13975. Upstream is one JSON per subject, an object from question id to a
list of solutions; the solutions alone, as lines or as a list, are read as well. Upstream counts steps
from 1 ("N/A" where none is wrong); records count from 0. Where the answer is code, a step is a line
of it and upstream quotes the wrong line: the first line equal to the quotation, white space at both
ends aside, is taken. A step that the solution does not have stays unlabelled, the verdict stands.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    SHARED_OPTIONS,
    Pairs,
    RowCases,
    problem_of,
    read_cases,
    stepped,
    verdict_of,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Candidate, Case, Finding, Gold

_DOWNLOAD = "https://github.com/dvlab-research/Mr-Ben"
_NONE = ("", "n/a")

ABOUT = About(
    name="mr-ben",
    summary="judge solutions in six subjects, with first wrong step and reason",
    licence="MIT",
    citation="Zeng et al., 2024, arXiv:2406.13975",
    example="mr-ben:Mr-Ben/data",
    needs=f"the folder data of the repository ({_DOWNLOAD}), or one of its files",
    options=SHARED_OPTIONS,
)
_UPSTREAM = Upstream(
    title="MR-Ben",
    download=_DOWNLOAD,
    files=tuple(
        f"{subject}.json" for subject in ("biology", "chemistry", "coding", "math", "medicine", "physics")
    ),
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The solutions of the file or folder `target`.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        question = row.text("Question_UUID")
        model = row.text("Sampled_Model")
        said = row.text("Model_Solution_Correctness").strip().lower()
        if said not in ("correct", "incorrect"):
            raise row.wrong("Model_Solution_Correctness", "correct or incorrect", said)
        answer = _answer(row, model)
        wrong = None if said == "correct" else _wrong(row, answer.steps)
        subject = row.maybe("subject") or row.source
        prompt = "\n".join(filter(None, (row.text("Question"), row.maybe("Options"))))
        analysis = row.maybe("Ground_Truth_Analysis")
        problem = problem_of(
            f"mr-ben-{question}-{model}",
            prompt,
            subset=subject,
            group=question,
            reference=row.maybe("Ground_Truth_Answer_Modified") or row.maybe("Ground_Truth_Answer"),
            privileged={"analysis": analysis} if analysis else {},
        )
        reasons = _said(row, "Model_Solution_Error_Reason") if said == "incorrect" else []
        mends = _said(row, "Model_Solution_Rectified_First_Error_Step") if said == "incorrect" else []
        gold = Gold(
            verdict=verdict_of(said == "correct"),
            stepwise=said == "correct" or wrong is not None,
            wrong_step=wrong,
            critique=reasons[0] if reasons else None,
            findings=tuple(
                Finding(text=reason, step=wrong, suggestion=mends[place] if place < len(mends) else None)
                for place, reason in enumerate(reasons)
            ),
        )
        yield problem, Case(candidates=(answer,), gold=gold)


def _answer(row: Fields, model: str) -> Candidate:
    if isinstance(row.raw("Model_Solution_Steps"), str):
        return stepped(row.text("Model_Solution_Steps").splitlines(), model)
    return stepped(row.texts("Model_Solution_Steps"), model)


def _wrong(row: Fields, steps: tuple[str, ...]) -> int | None:
    said = row.maybe("Model_Solution_First_Error_Step")
    if isinstance(row.raw("Model_Solution_Steps"), str):
        line = said.strip()
        return next((place for place, step in enumerate(steps) if line and step.strip() == line), None)
    if not said.strip().isdigit():
        return None
    step = int(said) - 1
    return step if 0 <= step < len(steps) else None


def _said(row: Fields, field: str) -> list[str]:
    texts = row.texts(field) if row.has(field) else []
    return [text.strip() for text in texts if text.strip().lower() not in _NONE]
