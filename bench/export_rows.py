"""Peak memory and speed of exporting a million synthetic rows, and reading them back.

    python bench/export_rows.py
    python bench/export_rows.py --rows 100000 --format jsonl --near 0.8 --against 2000

Rows are preference pairs of a few hundred characters, made as they are asked for. The export runs in a
process of its own; so does the reading with `datasets`, where it is installed. Prints a line of JSON for
each: peak resident megabytes, seconds, rows a second, megabytes on disk. A tenth as many rows come first
(unless --once), which shows whether memory grows with the rows.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from gadfly.records import Problem
from gadfly.train.decontaminate import Decontaminator
from gadfly.train.dedupe import Deduper
from gadfly.train.export import export_rows
from gadfly.train.rows import PROBLEM, LabellingOnly, Lineage, Preference, Turn

VOCABULARY = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in "bdgklmnprst"]


def rows(count: int) -> Iterator[Preference]:
    random = Random(0)
    for k in range(count):
        words = random.choices(VOCABULARY, k=60)
        asked = Turn(role="user", content=f"({k}) {' '.join(words[:25])}?", author=PROBLEM)
        chosen = Turn(role="assistant", content=f"{' '.join(words[25:45])}. Answer: {k}", author="model-a")
        rejected = Turn(
            role="assistant", content=f"{' '.join(words[45:])}. Answer: {k + 1}", author="model-b"
        )
        yield Preference(
            prompt=(asked,),
            chosen=(chosen,),
            rejected=(rejected,),
            strength=1.0,
            lineage=Lineage(
                rollouts=(f"{k:016x}", f"{k + count:016x}"),
                problem=f"p{k}",
                benchmark="synthetic",
                policy="model-a",
                author="numeric",
                saw_reference=True,
            ),
            labelling_only=LabellingOnly(reference=str(k), explanation=f"expected {k}"),
        )


def evaluation(count: int) -> Iterator[Problem]:
    random = Random(1)
    for k in range(count):
        yield Problem(id=f"e{k}", prompt=f"{' '.join(random.choices(VOCABULARY, k=30))} {k}?")


def peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def write(file: Path, count: int, near: float, against: int, exact: bool) -> None:
    before, start, cpu = peak(), time.monotonic(), time.process_time()
    deduper = Deduper(near=near or None) if near or exact else None
    screen = Decontaminator({"evaluation": evaluation(against)}) if against else None
    manifest = export_rows(rows(count), file, deduper=deduper, screen=screen)
    seconds = time.monotonic() - start
    report = {
        "wrote": manifest.rows,
        "dedupe": "near" if near else "exact" if exact else "off",
        "against": against,
        "seconds": round(seconds, 1),
        "rows_per_second": round(manifest.rows / seconds),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mb": peak(),
        "imports_mb": before,
        "file_mb": round(manifest.bytes / 2**20, 1),
    }
    print(json.dumps(report), flush=True)


def read(file: Path) -> None:
    try:
        loader: Any = importlib.import_module("datasets").Dataset
    except ImportError:
        print(json.dumps({"read": "datasets is not installed"}))
        return
    start = time.monotonic()
    load = loader.from_parquet if file.suffix == ".parquet" else loader.from_json
    found = load(str(file), cache_dir=str(file.parent / "cache"))
    last = found[len(found) - 1]
    report = {
        "read": len(found),
        "seconds": round(time.monotonic() - start, 1),
        "peak_mb": peak(),
        "columns": found.column_names,
        "last_chosen": last["chosen"][0]["content"][-20:],
    }
    print(json.dumps(report), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("parquet", "jsonl"), default="parquet")
    parser.add_argument("--exact", action="store_true", help="drop equal rows")
    parser.add_argument("--near", type=float, default=0.0, help="drop near duplicates too; 0: do not")
    parser.add_argument("--against", type=int, default=0, help="evaluation problems to hold the rows against")
    parser.add_argument("--once", action="store_true", help="only the whole number of rows")
    parser.add_argument("--child", nargs=2, metavar=("PART", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        part, file = given.child[0], Path(given.child[1])
        if part == "read":
            read(file)
        else:
            write(file, given.rows, given.near, given.against, given.exact)
        return
    for count in [given.rows] if given.once else [given.rows // 10, given.rows]:
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/rows.{given.format}"
            flags = ["--rows", str(count), "--near", str(given.near), "--against", str(given.against)]
            for part in ("write", "read"):
                command = [sys.executable, __file__, *flags, *(["--exact"] if given.exact else [])]
                subprocess.run([*command, "--child", part, file], check=True)


if __name__ == "__main__":
    main()
