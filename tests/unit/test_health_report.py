"""The report of a loop: page, Markdown, terminal and pictures, on made-up loops."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.loops import chances, checkpoint, costs, critic, improvement, raised, rewards

from gadfly.errors import InputError
from gadfly.run.diagnosis import measure
from gadfly.run.health import Health
from gadfly.run.health_figures import ABOUT, draw_health
from gadfly.run.health_page import EXAMPLES, health_page
from gadfly.run.health_publish import publish_improvement
from gadfly.run.health_sheets import sheets
from gadfly.run.health_table import markdown, print_health
from gadfly.run.improvement import Arm, Improvement, PhaseCost, read_improvement

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)> | `x` ](http://evil) \u202e\u0007 é"


@cache
def loop() -> Improvement:
    solve = chances(60, 0.45)
    rounds = [
        checkpoint(i, raised(solve, 0.1 * i), k=4).model_copy(update={"rewards": rewards(60, 0.5, seed=i)})
        for i in (1, 2)
    ]
    rounds[0] = rounds[0].model_copy(update={"standing": "rolled back", "notes": (HOSTILE,)})
    base = checkpoint(0, solve, k=4)
    texts = tuple(f"{HOSTILE} {i}" for i in range(60))
    heard = base.evaluation.answers.model_copy(update={"texts": texts})
    base = base.model_copy(update={"evaluation": base.evaluation.model_copy(update={"answers": heard})})
    vote = Arm(
        name="self-consistency",
        kind="inference-only",
        checkpoints=(checkpoint(1, raised(solve, 0.05), k=0),),
        costs=(PhaseCost(round=1, phase="generation", seconds=900, tokens=5000),),
    )
    made = Arm(
        name=f"star {HOSTILE[:20]}",
        kind="loop",
        checkpoints=tuple(rounds),
        costs=costs(2),
        critics=(critic(0), critic(2)),
    )
    return improvement(base, [made, vote]).model_copy(update={"benchmark": HOSTILE})


@cache
def health() -> Health:
    return measure(loop())


class Reader(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_page_holds_every_table_and_says_the_answer_first() -> None:
    seen = read(health_page(loop(), health()))
    titles = [sheet.title for sheet in sheets(health())]
    assert titles == [
        "Loops and controls", "Accuracy by round", "Families", "Coverage and sharpening", "The critic",
        "Reward against gold", "Diversity", "Difficulty tail", "Cost",
    ]  # fmt: skip
    assert all(title in seen.text for title in titles)
    assert seen.text.index("beats" if "beats" in health().answer else "base") < seen.text.index(titles[0])
    assert "ORACLE" in seen.text
    assert "right to wrong" in seen.text
    assert "(rolled back)" in seen.text


def test_what_models_wrote_is_text_on_the_page_and_nothing_else() -> None:
    page = health_page(loop(), health(), pictures={"accuracy": b"png"})
    seen = read(page)
    assert "script" not in seen.tags
    assert seen.tags.count("img") == 1
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert all(
        value is None or not value.startswith("http")
        for name, value in seen.attributes
        if name in ("src", "href")
    )
    assert "default-src 'none'" in page
    assert "<script>alert(1)</script>" in seen.text
    assert "\u202e" not in page
    assert "\u0007" not in page


def test_answers_that_changed_can_be_read_beside_the_base() -> None:
    page = health_page(loop(), health())
    base, final = loop().base.evaluation.answers, loop().arms[0].checkpoints[1].evaluation.answers
    gained = [i for i, (a, b) in enumerate(zip(base.right, final.right, strict=True)) if b and not a]
    assert f"wrong to right: {len(gained)}" in page
    shown = gained[:EXAMPLES]
    assert all(f"{loop().problems[i]}: " in page for i in shown)
    assert f"{loop().problems[gained[-1]]}: " not in page or len(gained) <= EXAMPLES


def test_the_markdown_has_whole_tables_and_no_markup_of_others() -> None:
    text = markdown(health())
    assert "<" not in text.replace("&lt;", "")
    assert "](http" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in rows if "vs previous" in line or "star" in line}
    assert widths
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert "![Coverage and sharpening by round](coverage.png)" in text
    assert "![" not in markdown(health(), pictures=False)


def shown(width: int) -> str:
    console = Console(width=width, file=StringIO(), highlight=False, markup=False, emoji=False)
    print_health(health(), console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_the_tables_that_matter_in_a_hundred_columns() -> None:
    printed = shown(100)
    assert max(map(len, printed.splitlines())) <= 100
    for title in ("Loops and controls", "Accuracy by round", "Coverage and sharpening", "The critic", "Cost"):
        assert title in printed
    assert "Diversity" not in printed
    final = health().arms[0].checkpoints[1]
    assert f"{100 * final.accuracy.found.value:.1f} [" in printed
    assert " ".join(health().answer.split()[:6]) in " ".join(printed.split())


def test_all_pictures_are_drawn_where_there_is_evidence_for_them() -> None:
    assert list(draw_health(health())) == list(ABOUT)


def test_without_pools_rewards_and_ledgers_accuracy_alone_is_drawn() -> None:
    solve = chances(20, 0.5)
    bare = Arm(name="a", kind="loop", checkpoints=(checkpoint(1, solve, k=0),))
    found = measure(improvement(checkpoint(0, solve, k=0), [bare]))
    assert list(draw_health(found)) == ["accuracy"]
    assert [sheet.title for sheet in sheets(found)] == ["Loops and controls", "Accuracy by round", "Families"]


def test_publishing_leaves_records_pictures_page_and_markdown(tmp_path: Path) -> None:
    written = publish_improvement(loop(), tmp_path / "report", health=health())
    assert [path.name for path in written] == [
        "improvement.json", "health.json", *(f"{name}.png" for name in ABOUT), "report.html", "report.md",
    ]  # fmt: skip
    assert sorted(written) == sorted((tmp_path / "report").iterdir())
    assert read_improvement(written[0].read_bytes()) == loop()
    assert Health.model_validate_json(written[1].read_bytes()) == health()
    assert json.loads(written[1].read_text())["answer"] == health().answer
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written if path.suffix == ".png")
    assert read(written[-2].read_text()).tags.count("img") == len(ABOUT)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"cannot write .*improvement\.json"):
        publish_improvement(loop(), tmp_path / "file", health=health())
