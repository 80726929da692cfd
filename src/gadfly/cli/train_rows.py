"""Trainings on written rows: `gadfly train sft|dpo|... ROWS`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gadfly.cli.flags import RUNNING, flag
from gadfly.cli.opening import folder, stopped
from gadfly.cli.recipe_command import settings_command
from gadfly.cli.teaching import COURSE, OBJECTIVE, USUAL_TEACHING, Teaching
from gadfly.cli.train_command import OUT, TrainCommand, about
from gadfly.cli.train_report import TrainProgress, report
from gadfly.errors import InputError
from gadfly.recipes.fields import FieldEntry, read_fields, read_value
from gadfly.train.lessons import ObjectiveEntry, list_objectives
from gadfly.train.reading import read_rows
from gadfly.train.rows import AnyRow
from gadfly.train.training import LocalTrainer

Rows = Annotated[str, Parameter(group=RUNNING, help="Files of rows: .parquet or .jsonl.")]


def row_commands() -> Iterator[TrainCommand]:
    """A command for every objective that learns from rows.

    Raises:
        InputError: torch is not installed.
    """
    for entry in list_objectives():
        yield TrainCommand(
            name=entry.name,
            run=settings_command(
                _fields(entry), partial(_work, entry), about=about(entry.name, entry.about), group=OBJECTIVE
            ),
            examples=(
                f"gadfly train {entry.name} rows.parquet --out runs/{entry.name}",
                f"gadfly train {entry.name} rows.jsonl --model model.gguf --holdout 0.1 --steps 200",
                f"accelerate launch -m gadfly train {entry.name} rows.parquet --model ./model --full",
            ),
        )


def _fields(entry: ObjectiveEntry) -> list[FieldEntry]:
    return [
        replace(field, default=entry.settings.get(field.name, field.default))
        for field in read_fields(entry.kind)
        if field.name.partition(".")[0] in entry.open
    ]


def _work(
    entry: ObjectiveEntry,
    settings: Mapping[str, str],
    *rows: Rows,
    out: OUT = None,
    epochs: Annotated[
        float, Parameter(group=COURSE, help="Passes over the rows, where no --steps are given.")
    ] = 3.0,
    holdout: Annotated[
        float,
        Parameter(group=COURSE, help="Share of the problems whose rows are looked at and not learned from."),
    ] = 0.0,
    teaching: Teaching = USUAL_TEACHING,
    as_json: Annotated[bool, flag("Print the result as JSON.", "--json", show_default=False)] = False,
) -> None:
    files = [Path(file).expanduser() for file in rows]
    if not files:
        raise InputError(f"which rows? gadfly train {entry.name} ROWS.parquet; `gadfly export` writes some")
    fields = {field.name: field for field in _fields(entry)}
    given = {name: read_value(fields[name], text) for name, text in settings.items()}
    objective = entry.build(_required(entry, fields, given))
    start, plan, tuning = teaching.start, teaching.plan(epochs=epochs), teaching.tuning()
    place = folder(out, "train", entry.name, files[0].stem, teaching.model)
    every: list[AnyRow] = [row for file in files for row in read_rows(file)]
    with TrainProgress(entry.name) as progress:
        trainer = LocalTrainer(tuning=tuning, device=teaching.device, holdout=holdout, on_step=progress)
        try:
            trained = trainer.learn(start, every, objective, plan, place)
        except KeyboardInterrupt:
            raise stopped(place) from None
    use = f"gadfly compare --model {teaching.spec},{trained.weights.model}"
    if objective.needs_head:
        use = f"The head is in {place / 'model'}: gadfly.train.reward_scorer.HeadScorer reads it as a scorer"
    report(place, use=use, as_json=as_json)


def _required(
    entry: ObjectiveEntry, fields: Mapping[str, FieldEntry], given: Mapping[str, object]
) -> Mapping[str, object]:
    for field in fields.values():
        if field.required and field.name not in given:
            raise InputError(f"{entry.name} needs {field.flag}: {field.doc or field.type}")
    return given
