"""A loop's report as one HTML page that needs no network and runs no script.

Everything a model or a benchmark wrote is escaped; the page's policy loads nothing at all.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from gadfly.errors import InputError
from gadfly.prompts import clean
from gadfly.run.health import Health
from gadfly.run.health_figures import ABOUT
from gadfly.run.health_sheets import Sheet, sheets
from gadfly.run.health_table import PICTURES, headline, more_said
from gadfly.run.improvement import Answers, Arm, Improvement

NAME = "report.html"
LONGEST = 3000
"""Characters of one text."""
EXAMPLES = 6
"""Answers of each kind of change that the page shows for an arm."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_CHANGES = (("wrong", "right"), ("right", "wrong"))


def write_health_page(
    improvement: Improvement, health: Health, out: Path, *, pictures: Sequence[Path] = ()
) -> Path:
    """Write `report.html` into a folder.

    Raises:
        InputError: the disk refuses.
    """
    path = out / NAME
    try:
        images = {picture.stem: picture.read_bytes() for picture in pictures}
        path.write_text(health_page(improvement, health, pictures=images), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def health_page(
    improvement: Improvement, health: Health, *, pictures: Mapping[str, bytes] | None = None
) -> str:
    """The page's HTML; `pictures` are PNGs by name, as `ABOUT` names them."""
    style = files("gadfly.run").joinpath("report.css").read_text(encoding="utf-8")
    shown = pictures or {}
    body = "\n".join((*_tables(health, shown), *_arms(health), *_changes(improvement), *_notes(health)))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(f"Improvement of {health.model}")}</title><style>{style}
figure img {{ max-width: 100%; height: auto; border-radius: 6px; }}
.scroll {{ margin: 0 0 20px; }}
thead th {{ white-space: normal; }}
.example {{ border-top: 1px solid var(--grid); padding: 6px 0; }}
.example summary {{ cursor: pointer; }}</style></head>
<body><header><p class="eyebrow">Did the loop make the model better?</p>
<h1>{_text(health.answer)}</h1>
<p class="muted">{_text(headline(health))}</p>{_warnings(health)}</header><main>
{body}
</main></body></html>
"""


def _warnings(health: Health) -> str:
    lines = [*health.warnings, *(f"{one.where}: {one.sign}: {one.text}" for one in health.warned)]
    if not lines:
        return '<p class="muted">No sign of collapse, over-optimisation or forgetting was found.</p>'
    return '<ul class="warnings">' + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"


def _tables(health: Health, pictures: Mapping[str, bytes]) -> Iterator[str]:
    for sheet in sheets(health):
        yield f"<h2>{_text(sheet.title)}</h2>"
        name = PICTURES.get(sheet.title, "")
        if name in pictures:
            data = base64.b64encode(pictures[name]).decode()
            yield f'<figure><img alt="{escape(ABOUT[name])}" src="data:image/png;base64,{data}"></figure>'
        if sheet.about:
            yield f'<p class="muted">{_text(sheet.about)}</p>'
        yield _table(sheet)


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th>{_text(heading)}</th>" for heading in sheet.headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in sheet.rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _arms(health: Health) -> Iterator[str]:
    """What the answer at the top leaves out."""
    yield "<h2>In words</h2><ul>"
    for arm in health.arms:
        yield "".join(f"<li>{_text(line)}</li>" for line in more_said(health, arm))
        notes = [*arm.notes, *(note for one in arm.checkpoints for note in one.notes)]
        yield "".join(f'<li class="muted">{_text(f"{arm.name}: {note}")}</li>' for note in notes)
    yield "</ul>"


def _changes(improvement: Improvement) -> Iterator[str]:
    """A few answers that the final checkpoint mended or broke, where texts were kept."""
    base = improvement.base.evaluation.answers
    for arm in improvement.arms:
        final = arm.final
        if final is None or not base.texts or not final.evaluation.answers.texts:
            continue
        yield f"<h2>{_text(f'Answers that changed: {arm.name}')}</h2>"
        for before, after in _CHANGES:
            yield from _examples(improvement, arm, final.evaluation.answers, (before, after))


def _examples(improvement: Improvement, arm: Arm, answers: Answers, change: tuple[str, str]) -> Iterator[str]:
    base = improvement.base.evaluation.answers
    pairs = zip(base.right, answers.right, strict=True)
    wanted = (change[0] == "right", change[1] == "right")
    places = [place for place, pair in enumerate(pairs) if pair == wanted]
    yield f"<h3>{change[0]} to {change[1]}: {len(places)}</h3>"
    for place in places[:EXAMPLES]:
        inside = [("problem", improvement.prompts[place])] if improvement.prompts else []
        inside += [("base", base.texts[place]), (arm.name, answers.texts[place])]
        texts = "".join(f"<h3>{_text(name)}</h3><pre>{_text(words)}</pre>" for name, words in inside)
        title = f"{improvement.problems[place]}: {base.outcomes[place]} to {answers.outcomes[place]}"
        yield f"<details class='example'><summary>{_text(title)}</summary>{texts}</details>"


def _notes(health: Health) -> Iterator[str]:
    yield "<h2>How the figures were made</h2><ul class='muted'>"
    yield "".join(f"<li>{_text(note)}</li>" for note in health.notes)
    yield "</ul>"


def _text(words: str) -> str:
    cut = words if len(words) <= LONGEST else f"{words[:LONGEST]}\n[the rest is in the run folder]"
    return escape(clean(cut))
