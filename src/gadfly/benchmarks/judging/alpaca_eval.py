"""AlpacaEval: pairs of answers to instructions, compared by people or by a model.

Li, Dubois et al., 2023-24; Dubois et al., arXiv:2305.14387 (the human votes) and 2404.04475. A list of
annotations: `annotations.json` of one judge, or `alpaca_farm_human_crossannotations.json` with several
votes a pair. Fields: instruction, output_1, output_2, generator_1 and generator_2 (not in the human file,
whose authors stay unknown), preference: from 1 (the first is better) to 2 (the second), 1.5 or 0 a draw, null
no vote. Votes on the same two answers make one case; `votes=each` makes a case of each. Its value is the
mean preference from 1 (all for the first) to -1. Nobody's vote: unlabelled.
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
from gadfly.records import Case, Gold, Problem, content_digest

_DOWNLOAD = "https://huggingface.co/datasets/tatsu-lab/alpaca_eval"

ABOUT = About(
    name="alpaca-eval",
    summary="compare two answers to an instruction as people, or a judge, did",
    licence="CC BY-NC 4.0",
    citation="Li et al., 2023, github.com/tatsu-lab/alpaca_eval; Dubois et al., 2023, arXiv:2305.14387",
    example="alpaca-eval:alpaca_farm_human_crossannotations.json",
    needs=f"a file of annotations, such as alpaca_farm_human_crossannotations.json of {_DOWNLOAD}",
    options={
        **SHARED_OPTIONS,
        "votes": "majority of a pair's votes (default), or each vote a case",
        "even": "what an even split is: tie (default) or unlabelled",
    },
)
_UPSTREAM = Upstream(title="AlpacaEval", download=_DOWNLOAD, files=("*annotations.json",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The pairs of the file or folder `target`; the subset is the instruction's data set.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    even = one_of(options, "even", ("tie", "unlabelled"))
    if one_of(options, "votes", ("majority", "each")) == "each":
        for row in rows:
            yield _case([row], even)
        return
    pairs: dict[tuple[str, ...], list[Fields]] = {}
    for row in rows:
        pairs.setdefault(_key(row), []).append(row)
    for votes in pairs.values():
        yield _case(votes, even)


def _key(row: Fields) -> tuple[str, ...]:
    return (row.text("instruction"), row.maybe("input"), row.text("output_1"), row.text("output_2"))


def _case(rows: list[Fields], even: str) -> tuple[Problem, Case]:
    row = rows[0]
    key = _key(row)
    prompt = "\n\n".join(filter(None, key[:2]))
    marks = [mark for mark in map(_preference, rows) if mark is not None]
    labels = ["tie" if mark == 0 else "first" if mark > 0 else "second" for mark in marks]
    winner = majority(labels, even=even)
    authors = [row.maybe("generator_1"), row.maybe("generator_2")]
    problem = problem_of(
        f"alpaca-eval-{content_digest([*key, *authors])[:16]}",
        prompt,
        subset=row.maybe("dataset"),
        group=content_digest(prompt)[:16],
        privileged={"votes": [*labels]},
    )
    gold = Gold(tiers=PAIR[winner] if winner else (), value=sum(marks) / len(marks) if marks else None)
    return problem, Case(
        candidates=candidates_of([row.text("output_1"), row.text("output_2")], authors), gold=gold
    )


def _preference(row: Fields) -> float | None:
    """1: wholly for the first answer; -1: wholly for the second; None: no vote."""
    if "preference" not in row.row:
        row.raw("preference")
    if not row.has("preference"):
        return None
    mark = row.number("preference")
    if mark == 0:
        return 0.0
    if not 1 <= mark <= 2:
        raise row.wrong("preference", "0 or from 1 to 2", mark)
    return 3 - 2 * mark
