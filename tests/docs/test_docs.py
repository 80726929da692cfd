"""Every page runs: its Python, its command lines, and what it says they print.

A fenced block is run in its page's order, in one empty folder for each page:

    python             in a fresh namespace; a name after the word also saves it as a file
    console            each line `$ gadfly ...`; lines below it are its output
    text               what the Python block above it prints
    jsonl NAME         is written to that file

`norun` leaves a block alone, `volatile` does not compare its output. The models of the pages are played
by a double. `recipes.md` and `papers.md` are made from the recipes themselves:
`python tests/docs/test_docs.py` writes them anew.
"""

import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

from support.commands import gadfly, multiply  # noqa: E402

from gadfly.models import load as models  # noqa: E402
from gadfly.models.scripted import Scripted  # noqa: E402
from gadfly.protocols import Model  # noqa: E402
from gadfly.recipes.load import RecipeEntry, list_recipes  # noqa: E402
from gadfly.recipes.systems import list_systems  # noqa: E402
from gadfly.records import Rollout  # noqa: E402
from gadfly.run.judging import returns  # noqa: E402
from gadfly.run.manifest import Manifest  # noqa: E402

DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            language=found[1],
            words=tuple(found[2].split()),
            text=found[3],
            line=text.count("\n", 0, found.start()) + 1,
        )
        for found in _BLOCK.finditer(text)
    ]


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = models.load_backend

    def played(spec: str) -> Model:
        if spec.startswith("scripted"):
            return real(spec)
        return Scripted.from_function(multiply, id=spec)

    monkeypatch.setattr(models, "load_backend", played)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_does_what_it_shows(page: Path) -> None:
    blocks = blocks_of(page)
    for place, block in enumerate(blocks):
        if "norun" in block.words:
            continue
        where = f"{page.name}, line {block.line}"
        below = blocks[place + 1] if place + 1 < len(blocks) else None
        if block.language == "jsonl" and block.words:
            Path(block.words[0]).write_text(block.text)
        elif block.language == "python":
            if block.words and block.words[0].endswith(".py"):
                Path(block.words[0]).write_text(block.text)
            printed = run_python(block, where)
            if below and below.language == "text" and not volatile(page, below):
                assert printed == below.text, where
        elif block.language == "console":
            run_console(block, where, compare=not volatile(page, block))


def volatile(page: Path, block: Block) -> bool:
    """README shows what a real model said; a double says something else."""
    return "volatile" in block.words or page.name == "README.md"


def run_python(block: Block, where: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(block.text, where, "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def run_console(block: Block, where: str, *, compare: bool) -> None:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        words = shlex.split(command, comments=True)
        if words[0] != "gadfly":
            continue
        ended = gadfly(*words[1:])
        assert ended.code == 0, f"{where}: {command}: {ended.err}"
        if compare and expected.strip():
            assert ended.out.strip() == expected.strip(), f"{where}: {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_index_leads_to_every_page() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(_LINK.findall(text))
    assert linked == {page.name for page in DOCS} - {"index.md"}


def test_the_run_folder_page_names_every_field() -> None:
    text = (ROOT / "docs" / "run-folder.md").read_text(encoding="utf-8")
    for name in (*Manifest.model_fields, *Rollout.model_fields):
        assert f"`{name}`" in text, name


def test_pages_of_recipes_and_papers_are_what_the_recipes_say() -> None:
    for name, text in made_pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, (
            f"docs/{name} is not what the recipes say; write it anew with `python tests/docs/test_docs.py`"
        )


def made_pages() -> dict[str, str]:
    """The pages that follow from the recipes."""
    return {
        "recipes.md": recipes_page(),
        "judges.md": judges_page(),
        "collectors.md": collectors_page(),
        "loops.md": loops_page(),
        "papers.md": papers_page(),
    }


def recipes_page() -> str:
    entries = [entry for entry in list_recipes() if entry.room == "solve"]
    head = [
        "# Recipes",
        f"The {len(entries)} methods, from their own files. `gadfly run NAME --help` lists a recipe's "
        "settings, and `gadfly compare --recipes NAME,NAME` measures it. *Differs* says where a recipe "
        "departs from its paper.",
    ]
    return "\n\n".join([*head, *(_recipe(entry) for entry in entries)]) + "\n"


def judges_page() -> str:
    entries = [entry for entry in list_recipes() if entry.room == "judge"]
    head = [
        "# Judges",
        f"The {len(entries)} methods that judge, from their own files. `gadfly judge BENCHMARK --judge NAME` "
        "measures one, `gadfly critics BENCHMARK --judges NAME,NAME` several. *Differs* says where a judge "
        "departs from its paper.",
    ]
    return "\n\n".join([*head, *(_recipe(entry) for entry in entries)]) + "\n"


def collectors_page() -> str:
    entries = [entry for entry in list_recipes() if entry.room == "collect"]
    head = [
        "# Collectors",
        f"The {len(entries)} methods that make training rows, from their own files. `gadfly collect NAME "
        "--out FILE` runs one, keeps the run, and writes the rows that follow from it; "
        "[rows](training-rows.md) says "
        "what they hold. Each answers problems as well, so `gadfly compare` takes it. *Differs* says where a "
        "collector departs from its paper.",
    ]
    return "\n\n".join([*head, *(_recipe(entry) for entry in entries)]) + "\n"


def loops_page() -> str:
    entries = [entry for entry in list_recipes() if entry.room == "improve"]
    head = [
        "# Loops",
        f"The {len(entries)} loops that train a model on what it says itself, from their own files. `gadfly "
        "improve NAME` runs one beside its controls; [improving a model](improving.md) says how, and how to "
        "read what comes out. *Differs* says where a loop departs from its paper.",
    ]
    return "\n\n".join([*head, *(_recipe(entry) for entry in entries)]) + "\n"


GIVES = {"critique": "words with a verdict", "score": "a mark", "ranking": "an order of answers"}


def _recipe(entry: RecipeEntry) -> str:
    settings = ", ".join(
        f"`{field.flag}`" + (f" ({field.shown_default})" if field.shown_default else "")
        for field in entry.fields
        if not field.name.startswith(("sampling.", "plan.", "critic_plan.")) and field.name != "model"
    )
    parts = [f"## {entry.name}", entry.summary, entry.citation]
    if entry.citation and entry.differs:
        parts.append(f"*Differs:* {entry.differs}")
    if settings:
        parts.append(f"Settings: {settings}.")
    if entry.room == "judge":
        parts.append(f"Gives {GIVES[returns(entry.recipe)]}.")
    elif entry.room == "collect":
        kinds = " | ".join(
            choice for field in entry.fields if field.name == "view" for choice in field.choices
        )
        parts.append(f"Views: {kinds}." if kinds else "")
    elif entry.room == "improve":
        parts.append(f"```console norun\n$ gadfly improve {entry.name} --rounds 2\n```")
    else:
        parts.append(f"```console\n$ gadfly run {entry.name} --on families:products --limit 2\n```")
    return "\n\n".join(part for part in parts if part)


ROOM_PAGES = {
    "solve": "recipes.md",
    "judge": "judges.md",
    "collect": "collectors.md",
    "improve": "loops.md",
}


def papers_page() -> str:
    systems = list_systems()
    running = [system for system in systems if system.status == "running"]
    planned = sum(system.status == "planned" for system in systems)
    outside = sum(system.status == "outside" for system in systems)
    page = {one.name: ROOM_PAGES[one.room] for one in list_recipes()}
    rows: list[str] = []
    for system in running:
        links = ", ".join(f"[{name}]({page[name]}#{name})" for name in system.recipes)
        rows.append(f"| {system.id} | {system.title} | {links} |")
    return "\n".join(
        [
            "# Papers",
            "",
            f"Gadfly keeps a catalogue of {len(systems)} published systems of the field. {len(running)} of "
            "them have a recipe here that does what they describe, or the part of it that its entry in "
            "[recipes](recipes.md), [judges](judges.md), [collectors](collectors.md) or [loops](loops.md) "
            f"names; {planned} are planned, and {outside} are outside of what it is for (they are not about "
            "text models). `gadfly systems` lists them all.",
            "",
            "| id | system | recipe |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    for made, words in made_pages().items():
        (ROOT / "docs" / made).write_text(words, encoding="utf-8")
        print(f"docs/{made}")
