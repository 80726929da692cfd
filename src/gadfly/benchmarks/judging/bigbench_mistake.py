"""BIG-Bench Mistake: chains of thought with the place of their first logical mistake.

Tyen et al., 2023, arXiv:2311.08516. Upstream is one JSONL per task, whose name is the subset; one file
with a field `task` is read as well. Upstream counts `mistake_index` from 0, as records do; null says
that no step is wrong. The verdict follows the steps; with `verdict=answer` it says whether the final
answer equals the target, which some chains with a mistake still reach.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    SHARED_OPTIONS,
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

_AUTHOR = "PaLM 2-L (Unicorn)"
_DOWNLOAD = "https://github.com/WHGTyen/BIG-Bench-Mistake"

ABOUT = About(
    name="bigbench-mistake",
    summary="find the first wrong step in chains of thought (5 tasks, 2,186 chains)",
    licence="Apache-2.0",
    citation="Tyen et al., 2023, arXiv:2311.08516",
    example="bigbench-mistake:BIG-Bench-Mistake",
    needs=f"the repository ({_DOWNLOAD}), or one of its JSONL files",
    options={**SHARED_OPTIONS, "verdict": "what the verdict says: steps (default) or answer"},
)
_UPSTREAM = Upstream(title="BIG-Bench Mistake", download=_DOWNLOAD, files=("*.jsonl",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The chains of the file or folder `target`.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    about = one_of(options, "verdict", ("steps", "answer"))
    counts: dict[str, int] = {}
    for row in rows:
        task = row.maybe("task") or row.source
        number = counts[task] = counts.get(task, -1) + 1
        steps = row.texts("steps")
        mistake = row.whole("mistake_index") if row.has("mistake_index") else None
        if mistake is not None:
            mistake = wrong_step_of(row, "mistake_index", mistake, len(steps))
        target = row.text("target")
        reached = row.maybe("answer").strip() == target.strip()
        right = reached if about == "answer" else mistake is None
        name = f"bigbench-mistake-{task}-{number:04d}"
        problem = problem_of(
            name,
            row.text("input"),
            subset=task,
            reference=target,
            privileged={"final_answer_correct": reached},
        )
        gold = Gold(verdict=verdict_of(right), stepwise=True, wrong_step=mistake)
        yield problem, Case(candidates=(stepped(steps, _AUTHOR),), gold=gold)
