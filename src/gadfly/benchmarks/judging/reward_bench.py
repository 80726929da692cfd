"""RewardBench: prompts with a chosen and a rejected answer.

Lambert et al., 2024, arXiv:2403.13787. Split `filtered` (2,985) or `raw` on the hub, or its rows as a
file: prompt, chosen, chosen_model, rejected, rejected_model, subset, id. Upstream always names the chosen
answer first; here the order is drawn from the case's id, so that no place is always the better.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Upstream
from gadfly.benchmarks.judging.cases import (
    FIRST,
    HUB_OPTIONS,
    SECOND,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
    shuffled,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold, content_digest

_DOWNLOAD = "https://huggingface.co/datasets/allenai/reward-bench"

ABOUT = About(
    name="reward-bench",
    summary="tell the chosen answer from the rejected one, in 23 subsets (2,985)",
    licence="ODC-BY",
    citation="Lambert et al., 2024, arXiv:2403.13787",
    example="reward-bench:filtered.jsonl",
    needs=f"the rows of {_DOWNLOAD} as JSONL, or the package datasets and 'reward-bench:hub'",
    options=HUB_OPTIONS,
)
_UPSTREAM = Upstream(
    title="RewardBench",
    download=_DOWNLOAD,
    hub=Hub(path="allenai/reward-bench", splits=("filtered",)),
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The pairs of the file or folder `target`, or of the hub's copy.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        subset, prompt = row.text("subset"), row.text("prompt")
        name = f"reward-bench-{subset}-{row.text('id')}"
        texts = [row.text("chosen"), row.text("rejected")]
        models = [row.maybe("chosen_model"), row.maybe("rejected_model")]
        order = shuffled(name, 2)
        answers = candidates_of([texts[place] for place in order], [models[place] for place in order])
        problem = problem_of(name, prompt, subset=subset, group=content_digest(prompt)[:16])
        yield problem, Case(candidates=answers, gold=Gold(tiers=FIRST if order[0] == 0 else SECOND))
