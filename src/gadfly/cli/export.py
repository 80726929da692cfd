"""`gadfly export`: what runs came to, as a file to train on."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from gadfly.cli.exporting import USUAL_KEEPING, Keeping, write_rows
from gadfly.cli.flags import flag
from gadfly.cli.output import application
from gadfly.errors import InputError
from gadfly.train import conditioned, from_critiques, from_rewrites, from_rollouts
from gadfly.train.export import check_target
from gadfly.train.rows import AnyRow
from gadfly.train.sources import Oracle, read_runs

Kind: TypeAlias = Literal[
    "prompt-completion",
    "preference",
    "ranked-preference",
    "revision",
    "unpaired",
    "ranking",
    "stepwise",
    "critique",
    "judged",
    "correction",
    "vector-reward",
    "leti",
    "hindsight",
    "quality-tokens",
]

export = application(
    "export",
    "gadfly export runs/best-of-n-families-embedded --kind preference --out pairs.parquet",
    "gadfly export runs/direct-* --kind prompt-completion --out good.jsonl --against gsm8k:test.jsonl",
    "gadfly export runs/self-refine-families-embedded --kind correction --out corrections.parquet",
    "gadfly export runs/judge-pairwise-llmbar --kind ranked-preference --out ranked.parquet",
    "gadfly export runs/judge-step-verdicts --kind stepwise --out steps.parquet --oracle drop",
    summary="Write what runs came to as rows to train on, in TRL's formats: Parquet or JSON lines.\n\n"
    "FILE.manifest.json says what is in the file and what was left out and why, FILE.card.md says it in "
    "words. References and a judge's explanations are never written. The same command on the same runs "
    "leaves a finished file as it is.",
)


@export.default
def export_runs(
    *runs: Annotated[str, Parameter(help="Run folders, of solvers or judges.")],
    kind: Annotated[
        Kind,
        flag(
            "What rows: answers to imitate, right against wrong of one problem (preference), a judge's "
            "order (ranking, ranked-preference), last answer against first draft (revision), answers under "
            "words that say how good they are (leti, hindsight, quality-tokens), ..."
        ),
    ],
    out: Annotated[str, flag("The file to write: .parquet or .jsonl.")],
    keeping: Keeping = USUAL_KEEPING,
    as_json: Annotated[bool, flag("Print the manifest as JSON.", "--json", show_default=False)] = False,
) -> None:
    """Write rows; `gadfly export --help` says how."""
    if not runs:
        raise InputError("which runs? Give one run folder or more: gadfly export runs/NAME --kind ...")
    file, folders = Path(out).expanduser(), [Path(run).expanduser() for run in runs]
    check_target(file)
    request = keeping.request({"kind": kind}, folders)
    make = _MAKERS[kind]
    write_rows(lambda d: make(folders, keeping.oracle, d), file, request, keeping, as_json=as_json)


def _leti(folders: list[Path], oracle: Oracle, dropped: Counter[str]) -> Iterator[AnyRow]:
    """Answers with what critics said of them; of runs without critics, with their mark alone."""
    judged = from_critiques.judged_answers(read_runs(*folders), oracle=oracle, dropped=dropped)
    first = next(judged, None)
    if first is not None:
        return conditioned.leti(chain([first], judged), dropped=dropped)
    return conditioned.leti(
        from_rollouts.unpaired(read_runs(*folders), oracle=oracle, dropped=dropped), dropped=dropped
    )


Maker: TypeAlias = Callable[[list[Path], Oracle, Counter[str]], Iterator[AnyRow]]
_MAKERS: dict[Kind, Maker] = {
    "prompt-completion": lambda f, o, d: from_rollouts.prompt_completions(read_runs(*f), oracle=o, dropped=d),
    "preference": lambda f, o, d: from_rollouts.preferences(read_runs(*f), oracle=o, dropped=d),
    "ranked-preference": lambda f, o, d: from_rollouts.ranked_preferences(
        from_rollouts.rankings(read_runs(*f), judges_only=False, oracle=o, dropped=d), dropped=d
    ),
    "revision": lambda f, o, d: from_rewrites.revisions(read_runs(*f), oracle=o, dropped=d),
    "unpaired": lambda f, o, d: from_rollouts.unpaired(read_runs(*f), oracle=o, dropped=d),
    "ranking": lambda f, o, d: from_rollouts.rankings(read_runs(*f), judges_only=False, oracle=o, dropped=d),
    "stepwise": lambda f, o, d: from_critiques.stepwise(read_runs(*f), oracle=o, dropped=d),
    "critique": lambda f, o, d: from_critiques.critiques(read_runs(*f), oracle=o, dropped=d),
    "judged": lambda f, o, d: from_critiques.judged_answers(read_runs(*f), oracle=o, dropped=d),
    "correction": lambda f, o, d: from_rewrites.corrections(read_runs(*f), oracle=o, dropped=d),
    "vector-reward": lambda f, o, d: from_rollouts.vector_rewards(read_runs(*f), oracle=o, dropped=d),
    "leti": _leti,
    "hindsight": lambda f, o, d: conditioned.chain_of_hindsight(
        from_rollouts.preferences(read_runs(*f), oracle=o, dropped=d)
    ),
    "quality-tokens": lambda f, o, d: iter(
        conditioned.quality_tokens(from_rollouts.unpaired(read_runs(*f), oracle=o, dropped=d), dropped=d)
    ),
}
