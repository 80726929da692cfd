"""MR-GSM8K: solutions of grade-school problems and their variants, with first wrong step and reason.

Zeng et al., 2023, arXiv:2312.17080. One JSON list, `dataset/MR-GSM8k.json`, or the same rows as JSONL.
Upstream counts steps from 1 ("N/A" where none is wrong); records count from 0. The field
`model_output_steps` is a list, a list written out as text (as in the hub's CSV), or a text whose lines are
the steps; correctness is "correct" or "wrong".
Upstream's description names no field with the author; `model` or `sampled_model` is taken where present.
"""

import ast
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
from gadfly.records import Case, Finding, Gold

_DOWNLOAD = "https://github.com/dvlab-research/MR-GSM8K/raw/main/dataset/MR-GSM8K.json"
_STEP = "model_output_solution_first_error_step"
_RIGHT = "model_output_solution_correctness"
_REASON = "model_output_solution_first_error_reason"

ABOUT = About(
    name="mr-gsm8k",
    summary="judge solutions of grade-school problems, with first wrong step and reason (3,000)",
    licence="MIT",
    citation="Zeng et al., 2023, arXiv:2312.17080",
    example="mr-gsm8k:MR-GSM8K.json",
    needs=f"the file ({_DOWNLOAD})",
    options=SHARED_OPTIONS,
)
_UPSTREAM = Upstream(title="MR-GSM8K", download=_DOWNLOAD, files=("MR-GSM8*.json",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The solutions of the file or folder `target`; the subset is the question's type.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        said = row.text(_RIGHT).strip().lower()
        if said not in ("correct", "wrong", "incorrect"):
            raise row.wrong(_RIGHT, "correct or wrong", said)
        steps = _steps(row)
        right = said == "correct"
        number = row.text(_STEP).strip().lower().removeprefix("step").strip() if row.has(_STEP) else ""
        wrong = int(number) - 1 if not right and number.isdigit() else None
        if wrong is not None and not 0 <= wrong < len(steps):
            wrong = None
        reason = row.maybe(_REASON).strip()
        noted = not right and reason.lower() not in ("", "n/a")
        name = row.text("uuid")
        problem = problem_of(
            f"mr-gsm8k-{name}",
            row.text("question"),
            subset=row.maybe("question_type"),
            group=name,
            reference=row.maybe("ground_truth_answer"),
            privileged={
                "solution": row.maybe("ground_truth_solution"),
                "answer_correctness": row.maybe("model_output_answer_correctness"),
            },
        )
        gold = Gold(
            verdict=verdict_of(right),
            stepwise=right or wrong is not None,
            wrong_step=wrong,
            critique=reason if noted else None,
            findings=(Finding(text=reason, step=wrong),) if noted else (),
        )
        yield problem, Case(candidates=(stepped(steps, row.maybe("model", "sampled_model")),), gold=gold)


def _steps(row: Fields) -> list[str]:
    steps = row.texts("model_output_steps")
    if len(steps) > 1:
        return steps
    text = "".join(steps).strip()
    if not text.startswith("["):
        return [line for line in text.splitlines() if line.strip()]
    try:
        listed: object = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return [text]
    inner = Fields(
        title=row.title, where=row.where, source=row.source, index=row.index, row={"steps": listed}
    )
    return inner.texts("steps")
