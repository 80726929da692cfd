"""Exported files: whole or not there, in TRL's columns, and without what only the labeller saw."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import importlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from gadfly.cli.errors import guarded
from gadfly.errors import InputError
from gadfly.prompts import Prompt
from gadfly.records import Candidate, Problem, Score
from gadfly.run import run_sync
from gadfly.scorers.text import Numeric
from gadfly.train.cards import card, write_card
from gadfly.train.decontaminate import Decontaminator
from gadfly.train.dedupe import Deduper
from gadfly.train.export import export_rows
from gadfly.train.manifest import Request, manifest_file, read_export_manifest
from gadfly.train.rows import (
    AnyRow,
    Correction,
    CritiqueRow,
    JudgedRow,
    LabellingOnly,
    Lineage,
    Preference,
    PromptCompletion,
    RankedList,
    Span,
    Stepwise,
    Turn,
    Unpaired,
    VectorReward,
    Weighted,
)

SECRET = "SECRETREFERENCE"
SEEN = LabellingOnly(
    reference=f"{SECRET} one",
    hints=(f"{SECRET} two",),
    principles=(f"{SECRET} three",),
    rubric=f"{SECRET} four",
    explanation=f"{SECRET} five",
    privileged={"checker": f"{SECRET} six"},
)
FROM = Lineage(
    rollouts=("r1",), problem="p1", benchmark="sixes", policy="small", author="exact", saw_reference=True
)
ASKED = (Turn(role="user", content="What is 6 * 7?", author="problem"),)
GOOD = Turn(role="assistant", content="Answer: 42, ünïcode \u2713", author="small")
BAD = Turn(role="assistant", content="Answer: 48", author="other")
WORDS = Turn(role="user", content="It is not 48.", author="critic")

ROWS: dict[str, AnyRow] = {
    "prompt-completion": PromptCompletion(
        prompt=ASKED, completion=(GOOD,), lineage=FROM, labelling_only=SEEN
    ),
    "preference": Preference(
        prompt=ASKED, chosen=(GOOD,), rejected=(BAD,), strength=1.0, lineage=FROM, labelling_only=SEEN
    ),
    "unpaired": Unpaired(prompt=ASKED, completion=(BAD,), label=False, lineage=FROM, labelling_only=SEEN),
    "ranking": RankedList(
        prompt=ASKED, completions=(BAD, GOOD), tiers=((1,), (0,)), lineage=FROM, labelling_only=SEEN
    ),
    "stepwise": Stepwise(
        prompt=ASKED, completions=("a\n", "b"), labels=(True, False), author="small", labelling_only=SEEN
    ),
    "critique": CritiqueRow(
        prompt=ASKED, answer=BAD, critique=WORDS, verdict="incorrect", lineage=FROM, labelling_only=SEEN
    ),
    "judged": JudgedRow(
        prompt=ASKED, completion=BAD, judgement=WORDS, satisfactory=False, lineage=FROM, labelling_only=SEEN
    ),
    "correction": Correction(prompt=ASKED, turns=(BAD, WORDS, GOOD), after=1.0, labelling_only=SEEN),
    "weighted": Weighted(
        prompt=ASKED, completion=BAD, spans=(Span(start=0, end=6, weight=-0.5),), labelling_only=SEEN
    ),
    "vector-reward": VectorReward(
        prompt=ASKED, completion=(GOOD,), rewards={"exact": 1.0, "length": None}, labelling_only=SEEN
    ),
}
TRL = {
    "prompt-completion": {"prompt", "completion"},
    "preference": {"prompt", "chosen", "rejected"},
    "unpaired": {"prompt", "completion", "label"},
    "stepwise": {"prompt", "completions", "labels"},
    "critique": {"prompt", "completion"},
    "correction": {"messages"},
}
"""TRL's documented columns for each kind that it knows."""


def many(count: int) -> Iterator[PromptCompletion]:
    for k in range(count):
        said = Turn(role="assistant", content=f"It is {k * 7}.", author="small")
        asked = Turn(role="user", content=f"What is {k} * 7?", author="problem")
        yield PromptCompletion(prompt=(asked,), completion=(said,), lineage=Lineage(problem=f"p{k}"))


def read(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return pq.read_table(file).to_pylist()


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
@pytest.mark.parametrize("kind", ROWS)
def test_every_kind_is_written_in_its_columns_without_what_only_the_labeller_saw(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / f"rows.{suffix}"
    row = ROWS[kind]
    manifest = export_rows([row, row.model_copy(update={"lineage": Lineage()})], file)
    write_card(manifest, file)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"rows.{suffix}",
        f"rows.{suffix}.card.md",
        f"rows.{suffix}.manifest.json",
    ]
    for path in tmp_path.iterdir():
        assert SECRET.encode() not in path.read_bytes()
    (first, _) = read(file)
    assert TRL.get(kind, set[str]()) <= set(first) == set(manifest.columns)
    assert first["id"] == row.id
    assert first["lineage"]["rollouts"] == list(row.lineage.rollouts)
    assert (manifest.kind, manifest.rows) == (kind, 2)


def test_what_is_hidden_is_hidden_in_plain_parquet_too(tmp_path: Path) -> None:
    """Compression could hide a text from a search of the bytes: every value is looked at."""
    for kind, row in ROWS.items():
        export_rows([row], tmp_path / f"{kind}.parquet")
        assert SECRET not in json.dumps(read(tmp_path / f"{kind}.parquet"))


def test_turns_keep_their_authors_beside_them(tmp_path: Path) -> None:
    export_rows([ROWS["correction"]], tmp_path / "c.jsonl")
    (row,) = read(tmp_path / "c.jsonl")
    assert row["authors"]["messages"] == ["problem", "other", "critic", "small"]
    assert [message["role"] for message in row["messages"]] == ["user", "assistant", "user", "assistant"]
    assert row["messages"][-1]["content"] == GOOD.content


def test_a_critics_prompt_shows_problem_and_answer_fenced(tmp_path: Path) -> None:
    export_rows([ROWS["critique"]], tmp_path / "c.jsonl")
    (row,) = read(tmp_path / "c.jsonl")
    assert "<answer>\nAnswer: 48\n</answer>" in row["prompt"][0]["content"]
    assert row["completion"] == [{"role": "assistant", "content": "It is not 48."}]
    mine = Prompt(name="mine", user="{{ problem }} / {{ answer }}")
    export_rows([ROWS["critique"]], tmp_path / "mine.jsonl", critique_prompt=mine)
    assert read(tmp_path / "mine.jsonl")[0]["prompt"][0]["content"] == "What is 6 * 7? / Answer: 48"


@pytest.mark.parametrize("kind", TRL)
def test_the_file_loads_in_datasets_with_trls_columns(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    loader: Any = importlib.import_module("datasets").Dataset
    export_rows([ROWS[kind]], tmp_path / "a.parquet")
    export_rows([ROWS[kind]], tmp_path / "a.jsonl")
    cache = str(tmp_path / "cache")
    parquet = loader.from_parquet(str(tmp_path / "a.parquet"), cache_dir=cache)
    lines = loader.from_json(str(tmp_path / "a.jsonl"), cache_dir=cache)
    assert TRL[kind] <= set(parquet.column_names)
    assert {name: parquet[0][name] for name in TRL[kind]} == {name: lines[0][name] for name in TRL[kind]}
    chats = TRL[kind] - {"label", "labels", "completions"} if kind != "stepwise" else set[str]()
    for name in chats:
        assert {key for message in parquet[0][name] for key in message} == {"role", "content"}


def test_many_rows_are_many_row_groups_and_come_back_in_order(tmp_path: Path) -> None:
    file = tmp_path / "many.parquet"
    counted: list[int] = []
    manifest = export_rows(many(9000), file, on_row=counted.append)
    assert pq.ParquetFile(file).metadata.num_row_groups == 3
    assert [row["completion"][0]["content"] for row in read(file)] == [f"It is {k * 7}." for k in range(9000)]
    assert counted[-1] == manifest.rows == manifest.problems == 9000
    assert manifest.prompt_lengths.least == len("What is 0 * 7?")
    assert manifest.prompt_lengths.median == pytest.approx(len("What is 4500 * 7?"), rel=0.02)


def test_both_formats_hold_the_same_rows(tmp_path: Path) -> None:
    one = export_rows(many(20), tmp_path / "a.parquet")
    other = export_rows(many(20), tmp_path / "a.jsonl")
    assert one.content == other.content
    assert one.sha256 != other.sha256
    table = [{**row, "authors": row["authors"]} for row in read(tmp_path / "a.parquet")]
    assert table == read(tmp_path / "a.jsonl")


def test_the_same_again_changes_nothing_and_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    first = export_rows(many(20), file)
    before = file.read_bytes()
    assert export_rows(many(20), file) == first
    with pytest.raises(InputError, match="holds something else"):
        export_rows(many(21), file)
    assert file.read_bytes() == before
    assert read_export_manifest(file) == first


def test_a_finished_export_of_the_same_request_reads_no_row_again(tmp_path: Path) -> None:
    file, request = tmp_path / "a.jsonl", Request(options={"kind": "x"}, runs={"run": "ab"})
    first = export_rows(many(5), file, request=request)

    def unread() -> Iterator[AnyRow]:
        raise AssertionError("a row was read")
        yield

    assert export_rows(unread(), file, request=request) == first
    noted = export_rows(unread(), file, request=request.model_copy(update={"licences": ("mine",)}))
    assert read_export_manifest(file) == noted
    assert noted.request.licences == ("mine",)
    with pytest.raises(InputError, match="from other runs"):
        export_rows(unread(), file, request=request.model_copy(update={"runs": {"run": "cd"}}))
    with pytest.raises(InputError, match="kind was 'x' and now is 'y'"):
        export_rows(unread(), file, request=Request(options={"kind": "y"}, runs={"run": "ab"}))
    file.write_text("meddled", encoding="utf-8")
    with pytest.raises(InputError, match="has been changed since"):
        export_rows(unread(), file, request=request)


def test_a_crash_before_the_manifest_is_mended_by_the_same_export(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    first = export_rows(many(20), file)
    manifest_file(file).unlink()
    assert export_rows(many(20), file) == first
    assert read_export_manifest(file) == first


def test_rows_of_two_kinds_and_no_rows_are_errors_that_leave_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    with pytest.raises(InputError, match=r"row 2 .* is a unpaired row, and those before it are preference"):
        export_rows([ROWS["preference"], ROWS["unpaired"]], file)
    with pytest.raises(InputError, match=r"no rows to write to .*: 3 unscored"):
        export_rows([], file, dropped=Counter({"unscored": 3}))
    with pytest.raises(InputError, match=r"has to end in \.parquet or \.jsonl"):
        export_rows([ROWS["preference"]], tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[AnyRow]:
        yield from many(10_000)
        raise InputError("the run is broken")

    with pytest.raises(InputError, match="the run is broken"):
        export_rows(breaking(), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


CHILD = """
import resource, sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from gadfly.errors import InputError
from gadfly.train.export import export_rows
from train_rows_of_the_test import many

def rows():
    for count, row in enumerate(many(20_000)):
        if count == 10_000 and {wait}:
            print("half", flush=True)
            time.sleep(60)
        yield row

if not {wait}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    export_rows(rows(), Path(sys.argv[1]))
except InputError as error:
    print(error)
"""


def child(tmp_path: Path, file: Path, *, wait: bool) -> "subprocess.Popen[str]":
    place = tmp_path / "code"
    place.mkdir()
    (place / "train_rows_of_the_test.py").write_text(Path(__file__).read_text(encoding="utf-8"))
    code = CHILD.format(paths=[str(place)], wait=wait)
    return subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_kill_in_the_middle_leaves_no_half_file_and_the_next_export_is_whole(
    suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / "out" / f"a.{suffix}"
    with child(tmp_path, file, wait=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        partial = file.with_name(f".{file.name}.partial")
        assert partial.stat().st_size > 0
        with pytest.raises(InputError, match="another process is writing"):
            export_rows(many(5), file)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not file.exists()
    assert not manifest_file(file).exists()
    manifest = export_rows(many(20_000), file)
    assert manifest.rows == len(read(file)) == 20_000
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, manifest_file(file).name]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_full_disk_is_said_and_leaves_nothing(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / "out" / f"a.{suffix}"
    with child(tmp_path, file, wait=False) as process:
        said, _ = process.communicate(timeout=60)
    assert "no space left to write" in said
    assert list(file.parent.iterdir()) == []


def test_the_card_says_what_is_in_the_file_and_what_is_not(tmp_path: Path) -> None:
    planted = Problem(id="planted-7", prompt="What is 3 * 7?")
    rows = [
        *many(8),
        *many(2),
        *(row.model_copy(update={"lineage": Lineage(oracle=True)}) for row in many(1)),
    ]
    manifest = export_rows(
        rows,
        tmp_path / "a.jsonl",
        request=Request(options={"kind": "x"}, licences=("answers: <b>Apache-2.0</b>",)),
        deduper=Deduper(),
        screen=Decontaminator({"exam": [planted]}),
        dropped=Counter(unscored=4),
    )
    text = card(manifest)
    assert "7 rows: prompts with one completion" in text
    assert "| small | 7 | " in text
    assert "3 repeated an earlier one" in text
    assert "- exam: planted-7: 1 rows" in text
    assert "| unscored | 4 |" in text
    assert "0 (0.0%) of the rows hold text that was shaped" in text
    assert r"answers: \<b\>Apache-2.0\</b\>" in text
    assert SECRET not in text


def test_oracle_rows_are_counted(tmp_path: Path) -> None:
    marked = [row.model_copy(update={"lineage": Lineage(oracle=True)}) for row in many(1)]
    manifest = export_rows([*list(many(4))[1:], *marked], tmp_path / "a.jsonl")
    assert manifest.oracle == 1
    assert "1 (25.0%) of the rows hold text" in card(manifest)


def gadfly_export(*words: str) -> tuple[int, str, str]:
    from gadfly.cli.export import export

    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = guarded(
            lambda: export(list(words), exit_on_error=False, print_error=False, result_action="return_value")
        )
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    """Two runs on the same problems, one right and one wrong."""
    problems = [Problem(id=f"p{k}", prompt=f"What is {k} * 7?", reference=str(7 * k)) for k in range(6)]
    (tmp_path / "problems.jsonl").write_text(
        "".join(
            json.dumps({"id": p.id, "prompt": p.prompt, "reference": p.reference}) + "\n"
            for p in problems[:2]
        )
    )

    async def right(problem: Problem, /) -> Candidate:
        return Candidate(text=f"Answer: {7 * int(problem.id[1:])}", author="good")

    async def wrong(problem: Problem, /) -> Candidate:
        return Candidate(text="Answer: 1", author="bad")

    for name, solver in (("right", right), ("wrong", wrong)):
        scorers = {"exact": Numeric()}
        run_sync(solver, problems, out=tmp_path / name, scorers=scorers, benchmark="sevens")
    return str(tmp_path / "right"), str(tmp_path / "wrong")


def test_the_command_writes_pairs_and_says_what_it_left_out(tmp_path: Path, runs: tuple[str, str]) -> None:
    file = tmp_path / "pairs.parquet"
    words = (*runs, "--kind", "preference", "--out", str(file), "--against", str(tmp_path / "problems.jsonl"))
    code, out, err = gadfly_export(*words)
    assert code == 0, err
    assert out.split() == [str(file), f"{file}.card.md"]
    assert "2 rows gave evaluation problems away" in err
    assert "p0 (1)" in err
    rows = read(file)
    assert len(rows) == 4
    assert {row["lineage"]["benchmark"] for row in rows} == {"sevens"}
    assert all(row["chosen"][0]["content"] != "Answer: 1" for row in rows)
    before = file.stat().st_mtime_ns
    code, _, err = gadfly_export(*words)
    assert code == 0
    assert "left as it is" in err
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("leti", "Quality: good", "Quality: bad"),
        ("hindsight", "Give a good answer.", "Give a bad answer."),
        ("quality-tokens", "Quality: 3 of 3", "Quality: 1 of 3"),
    ],
)
def test_the_command_puts_words_for_quality_before_good_and_bad_answers(
    tmp_path: Path, runs: tuple[str, str], kind: str, good: str, bad: str
) -> None:
    file = tmp_path / "told.jsonl"
    code, _, err = gadfly_export(*runs, "--kind", kind, "--out", str(file))
    assert code == 0, err
    seen: dict[str, set[str]] = {good: set(), bad: set()}
    for line in file.read_text().splitlines():
        row = json.loads(line)
        turns = row["messages"] if kind == "hindsight" else [*row["prompt"], *row["completion"]]
        words = turns[0]["content"].split("\n")[0]
        seen[words].add(turns[1]["content"])
    assert len(seen[good]) == 6
    assert "Answer: 1" not in seen[good]
    assert seen[bad] == {"Answer: 1"}


def test_the_command_names_what_is_wrong(tmp_path: Path, runs: tuple[str, str]) -> None:
    out = str(tmp_path / "a.jsonl")
    for words, said in (
        ((), "which runs?"),
        ((str(tmp_path / "nowhere"),), "is no run folder"),
        ((runs[1],), "no rows to write to"),
        ((runs[0], "--near", "7"), "--near 7.0 is no overlap"),
    ):
        code, _, err = gadfly_export(*words, "--kind", "prompt-completion", "--out", out)
        assert (code, said in err) == (1, True), err
    code, _, err = gadfly_export(runs[0], "--kind", "letters", "--out", out)
    assert code == 2
    assert not Path(out).exists()


def test_the_commands_help_has_examples() -> None:
    _, out, _ = gadfly_export("--help")
    assert "Examples" in out
    assert "--kind preference --out pairs.parquet" in " ".join(out.split())


def test_a_score_may_explain_itself_with_the_reference_and_the_file_does_not(tmp_path: Path) -> None:
    async def tell(problem: Problem, candidate: Candidate, /) -> Score:
        return Score(target=candidate.id, value=1.0, author="t", explanation=SECRET, saw_reference=True)

    async def solve(problem: Problem, /) -> Candidate:
        return Candidate(text="Answer: 42", author="m")

    problem = Problem(id="p", prompt="What is 6 * 7?", reference=SECRET, privileged={"hint": SECRET})
    run_sync(solve, [problem], out=tmp_path / "run", scorers={"tell": tell})
    code, _, err = gadfly_export(
        str(tmp_path / "run"), "--kind", "prompt-completion", "--out", str(tmp_path / "a.jsonl")
    )
    assert code == 0, err
    for path in tmp_path.glob("a.jsonl*"):
        assert SECRET not in path.read_text(encoding="utf-8")
