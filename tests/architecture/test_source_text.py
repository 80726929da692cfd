"""What files must not say: paths of one machine, and words about how they came to be."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".jsonl",
    ".json",
    ".html",
    ".css",
    ".js",
    ".yml",
    ".yaml",
    ".cfg",
    ".jinja",
    "",
}
SKIPPED = {
    ".git",
    ".venv",
    "node_modules",
    "__pycache__",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    "dist",
}
MACHINES = re.compile(r"(?<![\w.~<>*-])/(?:work|root|tmp|home|mnt|opt|Users)(?=/\w)")
"""An absolute path into a machine's own folders."""
OUTSIDE = re.compile(r"\.\./shared\b|\b(?:DESIGN|STYLE|TRAINING|BRIEF)\.md\b")
"""What stands beside the checkout and is not part of it."""
WORDS = re.compile(
    r"\b(?:the brief says|another worker|fellow workers?|as instructed|the lead asked)\b",
    re.IGNORECASE,
)


def tracked() -> list[Path]:
    """Files that git knows or would take; without git, every file that looks like ours."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in paths if path.is_file() and path.suffix in SUFFIXES)


def test_there_are_files_to_read() -> None:
    assert {"pyproject.toml", "runner.py"} <= {path.name for path in tracked()}


@pytest.mark.parametrize(
    ("pattern", "folders"),
    [
        (MACHINES, ("src", "docs", "bench", "")),
        (OUTSIDE, ("src", "docs", "")),
        (WORDS, ("src", "docs", "bench", "tests", "")),
    ],
    ids=["paths of a machine", "files beside the checkout", "words of a workplace"],
)
def test_no_file_mentions(pattern: re.Pattern[str], folders: tuple[str, ...]) -> None:
    found: list[str] = []
    for path in tracked():
        inside = path.relative_to(ROOT)
        folder = inside.parts[0] if len(inside.parts) > 1 else ""
        if folder not in folders or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{inside}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("open('/tmp/x')", True),
        ("see /home/ada/notes", True),
        ("src/tmp/x", False),
        ("GET https://host/root/x", False),
        ("the /tmp folder", False),
        ("~/work/x", False),
    ],
)
def test_the_pattern_knows_a_machine_path_from_others(line: str, bad: bool) -> None:
    assert bool(MACHINES.search(line)) is bad
