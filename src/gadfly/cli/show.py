"""`gadfly show`: one rollout as a tree, or the tables of a comparison or of a loop."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from gadfly.cli.output import AsJson, application, console, print_json
from gadfly.errors import InputError
from gadfly.run.compare import COMPARISON
from gadfly.run.comparison import read_comparison
from gadfly.run.diagnosis import measure
from gadfly.run.health_table import print_health
from gadfly.run.improvement import IMPROVEMENT, read_improvement
from gadfly.run.manifest import Manifest, read_manifest
from gadfly.run.show import find, render
from gadfly.run.table import print_comparison

show = application(
    "show",
    "gadfly show runs/self-refine-families-embedded",
    "gadfly show runs/self-refine-families-embedded products-1-0004 --full",
    "gadfly show runs/self-refine-families-embedded --improved",
    "gadfly show runs/compare-families-embedded",
)
_KINDS = ("wrong", "unscored", "failed", "improved")


def _kind(help: str) -> Parameter:
    return Parameter(negative="", show_default=False, help=help)


@show.default
def show_rollout(
    run: Annotated[
        str, Parameter(help="A run's folder, its rollouts.jsonl, or the folder of a comparison or loop.")
    ],
    rollout: Annotated[str | None, Parameter(help="A problem's id, or a row counted from 1.")] = None,
    /,
    *,
    wrong: Annotated[bool, _kind("The first answer that is wrong.")] = False,
    unscored: Annotated[bool, _kind("The first that has no score.")] = False,
    failed: Annotated[bool, _kind("The first rollout without an answer.")] = False,
    improved: Annotated[bool, _kind("The first that a revision made right.")] = False,
    full: Annotated[bool, _kind("Long texts whole.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one rollout as a tree: answers, critiques, revisions as diffs, votes, scores, cost."""
    given = zip(_KINDS, (wrong, unscored, failed, improved), strict=True)
    wanted = [kind for kind, asked in given if asked] + ([rollout] if rollout is not None else [])
    if len(wanted) > 1:
        raise InputError(f"one rollout at a time: {' and '.join(wanted)} are asked for")
    path = Path(run).expanduser()
    if not wanted and (path / COMPARISON).is_file():
        _comparison(path, as_json)
        return
    if not wanted and (path / IMPROVEMENT).is_file():
        _improvement(path / IMPROVEMENT, as_json)
        return
    found = find(path, wanted[0] if wanted else None)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    screen = console()
    if not wanted:
        screen.print(_headline(read_manifest(path)))
    screen.print(render(found, full=full))


def _comparison(path: Path, as_json: bool) -> None:
    file = path / COMPARISON
    try:
        comparison = read_comparison(file.read_bytes(), where=str(file))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    if as_json:
        print_json(comparison.model_dump(mode="json"))
        return
    screen = console()
    print_comparison(comparison, screen)
    methods = sorted(folder.name for folder in (path / "methods").glob("*/"))
    if methods:
        screen.print(Text(f"gadfly show {path}/methods/{methods[-1]}", "dim"))


def _improvement(file: Path, as_json: bool) -> None:
    try:
        health = measure(read_improvement(file.read_bytes(), where=str(file)))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    if as_json:
        print_json(health.model_dump(mode="json"))
    else:
        print_health(health, console())


def _headline(manifest: Manifest) -> Text:
    """Which run this is, before its first rollout."""
    words = [manifest.solver]
    if manifest.benchmark:
        words.append(f"on {manifest.benchmark}")
    summary = manifest.summary
    if summary is not None:
        words.append(f"{summary.rollouts} rollouts, {summary.failed} failed")
        words += [
            f"{name} {'no score' if score.mean is None else f'{score.mean:.3f}'} ({score.unscored} unscored)"
            for name, score in summary.scores.items()
        ]
    return Text("; ".join(words) + "; the first:", "dim")
