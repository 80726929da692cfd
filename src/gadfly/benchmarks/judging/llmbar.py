"""LLMBar: pairs in which one output follows the instruction and the other does not.

Zeng et al., 2023, arXiv:2310.07641. The folder `Dataset` holds a `dataset.json` for each subset, whose
name is its path (`LLMBar/Natural`); one file with a field `subset` is read as well. `label` is 1 or 2.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    PAIR,
    SHARED_OPTIONS,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold

_DOWNLOAD = "https://github.com/princeton-nlp/LLMBar"
_BEST = {1: "first", 2: "second"}

ABOUT = About(
    name="llmbar",
    summary="tell which of two outputs follows the instruction (419, with case studies 1,200)",
    licence="MIT (Processed: of FairEval, LLMEval^2 and MT-Bench)",
    citation="Zeng et al., 2023, arXiv:2310.07641",
    example="llmbar:LLMBar/Dataset",
    needs=f"the folder Dataset of the repository ({_DOWNLOAD})",
    options=SHARED_OPTIONS,
)
_UPSTREAM = Upstream(title="LLMBar", download=_DOWNLOAD, files=("**/dataset.json",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The pairs of the file or folder `target`.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        best = _BEST.get(row.whole("label"))
        if best is None:
            raise row.wrong("label", "1 or 2", row.raw("label"))
        subset = row.maybe("subset") or _subset(row.source)
        number = row.whole("idx") if row.has("idx") else row.index
        problem = problem_of(f"llmbar-{subset}-{number:04d}", row.text("input"), subset=subset)
        answers = candidates_of([row.text("output_1"), row.text("output_2")])
        yield problem, Case(candidates=answers, gold=Gold(tiers=PAIR[best]))


def _subset(source: str) -> str:
    """`LLMBar/Natural` of `Dataset/LLMBar/Natural/dataset`."""
    return source.removeprefix("Dataset/").removesuffix("dataset").strip("/") or "LLMBar"
