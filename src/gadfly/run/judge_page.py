"""A judge's report as one HTML page that needs no network and runs no script.

Everything a model or a benchmark wrote is escaped; the page's policy loads nothing at all.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from gadfly.errors import InputError
from gadfly.prompts import clean
from gadfly.run.grid import Grid
from gadfly.run.judge_report import Example, JudgeReport, Part, Section
from gadfly.run.judge_table import ORACLE, figure_text, headline, measured

NAME = "judge.html"
LONGEST = 4000
"""Characters of one text; the rest is in the run folder."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_judge_page(
    reports: Sequence[JudgeReport],
    out: Path,
    *,
    pictures: Mapping[str, Path],
    overview: Path | None = None,
    grids: Sequence[Grid] = (),
) -> Path:
    """Write `judge.html` into a folder.

    Args:
        reports: Of the judges.
        out: The folder.
        pictures: Of single judges, by name.
        overview: A picture of all of them.
        grids: Tables that compare them.

    Raises:
        InputError: the disk refuses.
    """
    path = out / NAME
    try:
        images = {judge: picture.read_bytes() for judge, picture in pictures.items()}
        whole = None if overview is None else overview.read_bytes()
        page = judge_page(reports, pictures=images, overview=whole, grids=grids)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def judge_page(
    reports: Sequence[JudgeReport],
    *,
    pictures: Mapping[str, bytes],
    overview: bytes | None = None,
    grids: Sequence[Grid] = (),
) -> str:
    """The page's HTML; the arguments as in `write_judge_page`, pictures as PNG."""
    style = files("gadfly.run").joinpath("report.css").read_text(encoding="utf-8")
    title = escape(" and ".join(report.judge for report in reports))
    shown = "" if overview is None else _picture(overview, "Share right of each judge, with its interval")
    shown += "\n".join(map(_grid, grids))
    body = "\n".join(_report(report, pictures.get(report.judge)) for report in reports)
    command = "gadfly critics" if grids else "gadfly judge"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: var(--raised); padding: 8px 12px; }}
figure img {{ max-width: 100%; }}
.scroll {{ margin: 0 0 20px; }}
td:first-child {{ white-space: normal; overflow-wrap: anywhere; min-width: 12em; }}
td.why {{ text-align: left; white-space: normal; min-width: 16em; color: var(--muted); }}
.example {{ border-top: 1px solid var(--grid); padding: 6px 0; }}
.example summary {{ cursor: pointer; }}</style></head>
<body><header><p class="eyebrow">{command}</p></header><main>{shown}
{body}
</main></body></html>
"""


def _grid(grid: Grid) -> str:
    title = f"<h2>{_text(grid.title)}</h2>" if grid.title else ""
    headings = [heading.replace("-\n", "").replace("\n", " ") for heading in grid.headings]
    return title + _table(headings, grid.rows)


def _picture(png: bytes, about: str = "Confusion, both orders together, and reliability of the judge") -> str:
    data = base64.b64encode(png).decode()
    return f'<figure><img alt="{about}" src="data:image/png;base64,{data}"></figure>'


def _report(report: JudgeReport, picture: bytes | None) -> str:
    parts = [f"<h1>{_text(headline(report))}</h1>", "" if picture is None else _picture(picture)]
    lines = list(report.warnings)
    if report.oracle:
        lines.insert(0, f"{ORACLE}: {report.oracle:,} of {report.rows:,} judgements saw the reference.")
    if lines:
        parts.append('<ul class="warnings">' + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>")
    mark = f" ({ORACLE})" if report.oracle else ""
    parts += [_section(section, mark) for section in report.sections]
    if report.confusion:
        parts.append(_confusion(report, mark))
    if len(report.parts) > 1:
        parts.append(_subsets(report.parts, mark))
    if report.reasons:
        rows = [(reason, f"{count:,}") for reason, count in report.reasons.items()]
        parts.append("<h2>Unscored</h2>" + _table(("reason", "judgements"), rows))
    if report.examples:
        counts = [(kind, f"{count:,}") for kind, count in report.failures.items()]
        parts.append("<h2>Failures</h2>" + _table(("kind", "judgements"), counts))
        parts.append("".join(map(_example, report.examples)))
    parts += [f'<p class="muted">{_text(line)}</p>' for line in report.notes]
    return "\n".join(parts)


def _section(section: Section, mark: str) -> str:
    rows = [
        (
            figure.name,
            figure_text(figure) + (" %" if figure.unit == "share" and figure.found is not None else ""),
            "" if figure.found is None else f"{figure.found.n:,}",
            "" if figure.found is None else f"{figure.found.unscored:,}",
            figure.why,
        )
        for figure in section.figures
    ]
    return _table((f"{section.title}{mark}", "value [95 %]", "n", "unscored", ""), rows, why=True)


def _confusion(report: JudgeReport, mark: str) -> str:
    said = list(dict.fromkeys(label for row in report.confusion.values() for label in row))
    rows = [(gold, *(f"{row.get(label, 0):,}" for label in said)) for gold, row in report.confusion.items()]
    return _table((f"people say, the judge says{mark}", *(label or "unscored" for label in said)), rows)


def _subsets(parts: Sequence[Part], mark: str) -> str:
    rows = [
        (part.name or "–", measured(part.accuracy), f"{part.accuracy.n:,}", f"{part.accuracy.unscored:,}")
        for part in parts
    ]
    return _table((f"subset{mark}", "right % [95 %]", "n", "unscored"), rows)


def _example(example: Example) -> str:
    inside = [("problem", example.problem)]
    inside += [(f"answer {place}", words) for place, words in enumerate(example.answers, start=1)]
    inside += [("the judge", example.words)]
    texts = "".join(f"<h3>{name}</h3><pre>{_text(words)}</pre>" for name, words in inside if words)
    title = f"{example.kind}, item {example.item}: {example.said_beside_gold}"
    return f"<details class='example'><summary>{_text(title)}</summary>{texts}</details>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, why: bool = False) -> str:
    """A table; with `why` the last column is running text."""
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    kinds = ["<td>"] * len(headings)
    if why:
        kinds[-1] = '<td class="why">'
    body = "".join(
        "<tr>" + "".join(f"{td}{_text(cell)}</td>" for td, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(words: str) -> str:
    cut = words if len(words) <= LONGEST else f"{words[:LONGEST]}\n[the rest is in the run folder]"
    return escape(clean(cut))
