"""RewardBench 2: the best of four answers, and questions with several right answers (subset Ties).

Malik et al., 2025, arXiv:2506.01937. Split `test` on the hub, or its rows as a file: id, prompt, chosen
and rejected (lists), subset, models. The chosen answers are one tier, the rejected ones another: best of
four has one chosen. Upstream names the chosen first; here the order is drawn from the case's id. In
Ties, an id such as `tied:7` shares its question with `ref:7`; both are of one group. `models` is taken for
the authors, chosen first, only where it has one entry an answer.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Upstream
from gadfly.benchmarks.judging.cases import (
    HUB_OPTIONS,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
    shuffled,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold

_DOWNLOAD = "https://huggingface.co/datasets/allenai/reward-bench-2"

ABOUT = About(
    name="reward-bench-2",
    summary="find the best of four answers; questions with several right answers (1,865)",
    licence="ODC-BY",
    citation="Malik et al., 2025, arXiv:2506.01937",
    example="reward-bench-2:test.jsonl",
    needs=f"the rows of {_DOWNLOAD} as JSONL, or the package datasets and 'reward-bench-2:hub'",
    options=HUB_OPTIONS,
)
_UPSTREAM = Upstream(
    title="RewardBench 2", download=_DOWNLOAD, hub=Hub(path="allenai/reward-bench-2", splits=("test",))
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The questions of the file or folder `target`, or of the hub's copy.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        subset, upstream = row.text("subset"), row.text("id")
        chosen, rejected = row.texts("chosen"), row.texts("rejected")
        if not chosen or not rejected:
            raise row.wrong("rejected" if chosen else "chosen", "a list of answers", [])
        texts = [*chosen, *rejected]
        models = row.texts("models") if row.has("models") else []
        authors = models if len(models) == len(texts) else [""] * len(texts)
        name = f"reward-bench-2-{subset}-{upstream}"
        order = shuffled(name, len(texts))
        answers = candidates_of([texts[place] for place in order], [authors[place] for place in order])
        best = tuple(now for now, place in enumerate(order) if place < len(chosen))
        rest = tuple(now for now, place in enumerate(order) if place >= len(chosen))
        group = f"reward-bench-2-{subset}-{upstream.rpartition(':')[2]}"
        problem = problem_of(name, row.text("prompt"), subset=subset, group=group)
        yield problem, Case(candidates=answers, gold=Gold(tiers=(best, rest)))
