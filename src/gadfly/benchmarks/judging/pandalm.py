"""PandaLM: pairs of answers to instructions, compared by three people.

Wang et al., 2023, arXiv:2306.05087. The list `testset-v1.json`: instruction, input (NaN where there is
none), response1, response2, cmp_key (the two models, joined by "_") and annotator1 to annotator3, each 1,
2 or 0 for a tie. Gold is the majority; three different votes are what `even` says.
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
    majority,
    one_of,
    problem_of,
    read_cases,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold, content_digest

_DOWNLOAD = "https://github.com/WeOpenML/PandaLM/raw/main/data/testset-v1.json"
_VOTES = {0: "tie", 1: "first", 2: "second"}

ABOUT = About(
    name="pandalm",
    summary="compare two answers as three people did, ties included (999)",
    licence="Apache-2.0",
    citation="Wang et al., 2023, arXiv:2306.05087",
    example="pandalm:testset-v1.json",
    needs=f"the file ({_DOWNLOAD})",
    options={**SHARED_OPTIONS, "even": "what three different votes are: tie (default) or unlabelled"},
)
_UPSTREAM = Upstream(title="PandaLM", download=_DOWNLOAD, files=("testset-v1.json",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The pairs of the file or folder `target`; the subset is the pair of models.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    even = one_of(options, "even", ("tie", "unlabelled"))
    for row in rows:
        votes = [_vote(row, f"annotator{number}") for number in (1, 2, 3)]
        models = row.maybe("cmp_key")
        prompt = "\n\n".join(filter(None, (row.text("instruction"), row.maybe("input").strip())))
        problem = problem_of(
            f"pandalm-{row.whole('idx'):04d}",
            prompt,
            subset=models,
            group=content_digest(prompt)[:16],
            privileged={"votes": [*votes]},
        )
        answers = candidates_of([row.text("response1"), row.text("response2")], models.split("_"))
        winner = majority(votes, even=even)
        yield problem, Case(candidates=answers, gold=Gold(tiers=PAIR[winner] if winner else ()))


def _vote(row: Fields, field: str) -> str:
    vote = _VOTES.get(row.whole(field))
    if vote is None:
        raise row.wrong(field, "0, 1 or 2", row.raw(field))
    return vote
