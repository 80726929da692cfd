"""A judge's report as one HTML page that needs no network and runs no script.

Everything a model or a benchmark wrote is escaped; the page's policy loads nothing at all.
"""

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from gadfly.errors import InputError
from gadfly.prompts import clean
from gadfly.run.judge_report import Example, JudgeReport, Part, Section
from gadfly.run.judge_table import ORACLE, figure_text, headline, measured

NAME = "judge.html"
LONGEST = 4000
"""Characters of one text; the rest is in the run folder."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_judge_page(reports: Sequence[JudgeReport], out: Path, *, picture: Path | None = None) -> Path:
    """Write `judge.html` into a folder.

    Raises:
        InputError: the disk refuses.
    """
    path = out / NAME
    try:
        image = None if picture is None else picture.read_bytes()
        path.write_text(judge_page(reports, picture=image), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def judge_page(reports: Sequence[JudgeReport], *, picture: bytes | None = None) -> str:
    """The page's HTML."""
    style = files("gadfly.run").joinpath("report.css").read_text(encoding="utf-8")
    title = escape(" and ".join(report.judge for report in reports))
    shown = "" if picture is None else _picture(picture)
    body = "\n".join(_report(report) for report in reports)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: var(--raised); padding: 8px 12px; }}
figure img {{ max-width: 100%; }}
.scroll {{ margin: 0 0 20px; }}
.example {{ border-top: 1px solid var(--grid); padding: 6px 0; }}
.example summary {{ cursor: pointer; }}</style></head>
<body><header><p class="eyebrow">gadfly judge</p></header><main>{shown}
{body}
</main></body></html>
"""


def _picture(png: bytes) -> str:
    data = base64.b64encode(png).decode()
    about = "Confusion, both orders together, and reliability of the judge"
    return f'<figure><img alt="{about}" src="data:image/png;base64,{data}"></figure>'


def _report(report: JudgeReport) -> str:
    parts = [f"<h1>{_text(headline(report))}</h1>"]
    lines = list(report.warnings)
    if report.oracle:
        lines.insert(0, f"{ORACLE}: {report.oracle:,} of {report.rows:,} judgements saw the reference.")
    if lines:
        parts.append('<ul class="warnings">' + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>")
    parts += [_section(section, oracle=bool(report.oracle)) for section in report.sections]
    if report.confusion:
        parts.append(_confusion(report))
    if len(report.parts) > 1:
        parts.append(_subsets(report.parts))
    if report.reasons:
        rows = [(reason, f"{count:,}") for reason, count in report.reasons.items()]
        parts.append("<h2>Unscored</h2>" + _table(("reason", "judgements"), rows))
    if report.examples:
        parts.append("<h2>Examples of failures</h2>" + "".join(map(_example, report.examples)))
    parts += [f'<p class="muted">{_text(line)}</p>' for line in report.notes]
    return "\n".join(parts)


def _section(section: Section, *, oracle: bool) -> str:
    mark = f" ({ORACLE})" if oracle else ""
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
    return _table((f"{section.title}{mark}", "value [95 %]", "n", "unscored", ""), rows)


def _confusion(report: JudgeReport) -> str:
    said = list(dict.fromkeys(label for row in report.confusion.values() for label in row))
    rows = [(gold, *(f"{row.get(label, 0):,}" for label in said)) for gold, row in report.confusion.items()]
    return _table(("people say, the judge says", *(label or "unscored" for label in said)), rows)


def _subsets(parts: Sequence[Part]) -> str:
    rows = [
        (part.name or "–", measured(part.accuracy), f"{part.accuracy.n:,}", f"{part.accuracy.unscored:,}")
        for part in parts
    ]
    return _table(("subset", "right % [95 %]", "n", "unscored"), rows)


def _example(example: Example) -> str:
    said = f"people say {example.gold or 'nothing'}, the judge says {example.said or 'nothing'}"
    inside = [("problem", example.problem)]
    inside += [(f"answer {place}", words) for place, words in enumerate(example.answers, start=1)]
    inside += [("the judge", example.words)]
    texts = "".join(f"<h3>{name}</h3><pre>{_text(words)}</pre>" for name, words in inside if words)
    title = f"{example.kind}: {example.item} ({said})"
    return f"<details class='example'><summary>{_text(title)}</summary>{texts}</details>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(words: str) -> str:
    cut = words if len(words) <= LONGEST else f"{words[:LONGEST]}\n[the rest is in the run folder]"
    return escape(clean(cut))
