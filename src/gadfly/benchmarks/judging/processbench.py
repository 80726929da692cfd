"""ProcessBench: solutions of mathematical problems with the place of their first error.

Zheng et al., 2024, arXiv:2412.06559. Four splits on the hub (gsm8k, math, olympiadbench, omnimath), or
one JSON or JSONL a split. Upstream counts `label` from 0, as records do; -1 says that no step is wrong.
The verdict follows the steps; with `verdict=answer` it is upstream's `final_answer_correct`.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Upstream
from gadfly.benchmarks.judging.cases import (
    HUB_OPTIONS,
    Pairs,
    RowCases,
    one_of,
    problem_of,
    read_cases,
    stepped,
    verdict_of,
    wrong_step_of,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold

_SPLITS = ("gsm8k", "math", "olympiadbench", "omnimath")
_DOWNLOAD = "https://huggingface.co/datasets/Qwen/ProcessBench"

ABOUT = About(
    name="processbench",
    summary="find the first error in solutions of mathematical problems (3,400)",
    licence="Apache-2.0",
    citation="Zheng et al., 2024, arXiv:2412.06559",
    example="processbench:gsm8k.json",
    needs=f"a file or the folder of {_DOWNLOAD}, or the package datasets and 'processbench:hub'",
    options={**HUB_OPTIONS, "verdict": "what the verdict says: steps (default) or answer"},
)
_UPSTREAM = Upstream(
    title="ProcessBench",
    download=_DOWNLOAD,
    files=tuple(f"{split}.{form}" for split in _SPLITS for form in ("json", "jsonl")),
    hub=Hub(path="Qwen/ProcessBench", splits=_SPLITS),
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The solutions of the file or folder `target`, or of the hub's copy.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    about = one_of(options, "verdict", ("steps", "answer"))
    for row in rows:
        steps = row.texts("steps")
        label = row.whole("label")
        wrong = None if label == -1 else wrong_step_of(row, "label", label, len(steps))
        reached = row.truth("final_answer_correct") if row.has("final_answer_correct") else None
        right = row.truth("final_answer_correct") if about == "answer" else wrong is None
        name = row.text("id")
        problem = problem_of(
            f"processbench-{name}",
            row.text("problem"),
            subset=name.rpartition("-")[0] or row.source,
            privileged={} if reached is None else {"final_answer_correct": reached},
        )
        gold = Gold(verdict=verdict_of(right), stepwise=True, wrong_step=wrong)
        answer = stepped(steps, row.maybe("generator"), join="\n\n")
        yield problem, Case(candidates=(answer,), gold=gold)
