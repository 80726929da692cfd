"""RealCritic: solutions to criticise, judged by whether the critique leads to a right answer.

Tang et al., 2025, arXiv:2501.14492. The folder `data/mix_data` (or `wrong_data`, `random`) holds one
`test.jsonl` a task. Fields: idx, question, gt, gt_cot ("None" where there is none), reasoning (a text or
a list of one), model, previous_score (whether the reasoning reaches the right answer, in a list of one).
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    SHARED_OPTIONS,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
    verdict_of,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold

_DOWNLOAD = "https://github.com/tangzhy/RealCritic"

ABOUT = About(
    name="realcritic",
    summary="criticise solutions so that they get right (8 tasks of mathematics and science)",
    licence="not stated upstream",
    citation="Tang et al., 2025, arXiv:2501.14492",
    example="realcritic:RealCritic/data/mix_data",
    needs=f"the folder data/mix_data of the repository ({_DOWNLOAD})",
    options=SHARED_OPTIONS,
)
_UPSTREAM = Upstream(title="RealCritic", download=_DOWNLOAD, files=("test.jsonl", "*/test.jsonl"))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The solutions of the file or folder `target`; the subset is the task's folder.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        subset = row.maybe("dataset", "task") or row.source.partition("/")[0]
        name = f"realcritic-{subset}-{row.text('idx')}"
        worked = row.maybe("gt_cot")
        problem = problem_of(
            name,
            row.text("question"),
            subset=subset,
            reference=row.text("gt"),
            privileged={} if worked in ("", "None") else {"solution": worked},
        )
        answers = candidates_of(["\n\n".join(row.texts("reasoning"))], [row.maybe("model")])
        gold = Gold(verdict=verdict_of(row.truth("previous_score")))
        yield problem, Case(candidates=answers, gold=gold)
