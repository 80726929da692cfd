"""JudgeBench: pairs of answers by one model to hard questions, one right and one wrong.

Tan et al., 2024, arXiv:2410.12784. One JSONL for each model that answered; `label` is "A>B" or "B>A".
The hub's card says MIT, the code's repository states no licence.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Upstream
from gadfly.benchmarks.judging.cases import (
    HUB_OPTIONS,
    PAIR,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold

_DOWNLOAD = "https://github.com/ScalerLab/JudgeBench (folder data)"
_BEST = {"A>B": "first", "B>A": "second", "A=B": "tie"}

ABOUT = About(
    name="judgebench",
    summary="tell the right answer from the wrong one, in pairs by one strong model (620)",
    licence="MIT by the hub's card; not stated in the repository",
    citation="Tan et al., 2024, arXiv:2410.12784",
    example="judgebench:JudgeBench/data",
    needs=f"a file of {_DOWNLOAD}, or the package datasets and 'judgebench:hub'",
    options=HUB_OPTIONS,
)
_UPSTREAM = Upstream(
    title="JudgeBench",
    download=_DOWNLOAD,
    files=("dataset=judgebench*.jsonl",),
    hub=Hub(path="ScalerLab/JudgeBench", splits=("gpt", "claude")),
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The pairs of the file or folder `target`, or of the hub's copy; the subset is the source.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        best = _BEST.get(row.text("label"))
        if best is None:
            raise row.wrong("label", " or ".join(_BEST), row.raw("label"))
        subset = row.text("source")
        problem = problem_of(
            f"judgebench-{row.text('pair_id')}",
            row.text("question"),
            subset=subset,
            group=f"{subset}-{row.maybe('original_id')}" if row.has("original_id") else "",
        )
        model = row.maybe("response_model")
        answers = candidates_of([row.text("response_A"), row.text("response_B")], [model, model])
        yield problem, Case(candidates=answers, gold=Gold(tiers=PAIR[best]))
