"""`gadfly judge`, `gadfly critics` and `gadfly reproduce` end to end."""

import io
import json
from collections.abc import Generator
from pathlib import Path

import pytest
from support.commands import gadfly, serving

from gadfly.reproductions.check import Check
from gadfly.reproductions.load import find_reproduction, list_reproductions

VERDICTS = ("--map", "item=id,judge=who,gold=label,said=verdict,subset=part")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GADFLY_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model() -> Generator[str]:
    with serving() as spec:
        yield spec


def verdicts(path: str, size: int = 30) -> None:
    rows = [
        {
            "id": number,
            "who": who,
            "label": "correct" if number % 3 else "incorrect",
            "verdict": ("correct" if (number + shift) % 3 else "incorrect") if number != 7 else "hm",
            "part": "ab"[number % 2],
        }
        for who, shift in (("ann", 0), ("bob", 1))
        for number in range(size)
    ]
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def pairs(path: str) -> None:
    rows = [
        {"q": f"What is {n} times 3?", "a": f"Answer: {3 * n}", "b": "Answer: 1", "best": "AB"[n % 2]}
        for n in range(6)
    ]
    for row in rows[1::2]:
        row["a"], row["b"] = row["b"], row["a"]
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_file_of_judgements_is_measured_without_a_model() -> None:
    verdicts("v.jsonl")
    ended = gadfly("judge", "v.jsonl", *VERDICTS, "--out", "out")
    assert ended.code == 0, ended.err
    assert "ann on v.jsonl" in ended.out
    assert "bob on v.jsonl" in ended.out
    assert "not a label: 'hm'" in ended.out
    assert {path.name for path in Path("out").iterdir()} == {
        *("judge.json", "judge.png", "judge-2.png", "judge.html"),
    }
    reports = json.loads(Path("out/judge.json").read_text())
    assert [report["unscored"] for report in reports] == [1, 1]


def test_judges_of_a_file_are_put_side_by_side() -> None:
    verdicts("v.jsonl")
    ended = gadfly("critics", "v.jsonl", *VERDICTS, "--out", "out")
    assert ended.code == 0, ended.err
    assert "against ann" in ended.out
    assert "kappa between judges" in ended.out
    found = json.loads(Path("out/critics.json").read_text())
    (difference,) = found["differences"]
    assert (difference["judge"], difference["baseline"]) == ("bob", "ann")
    assert difference["right"]["high"] < 0


def test_a_judge_is_run_on_a_file_of_pairs_in_both_orders(model: str) -> None:
    pairs("p.jsonl")
    columns = ("--map", "problem=q,first=a,second=b,gold=best")
    words = ("judge", "p.jsonl", *columns, "--judge", "pairwise", "--model", model, "--out", "out")
    ended = gadfly(*words)
    assert ended.code == 0, ended.err
    assert "12 judgements of 6 items" in ended.out
    assert "both orders agree" in ended.out
    again = gadfly(*words, "--json")
    assert again.code == 0, again.err
    (report,) = json.loads(again.out)
    assert report["usage"]["calls"] > 0
    agree = next(f for s in report["sections"] for f in s["figures"] if f["name"] == "both orders agree")
    assert agree["found"]["value"] == 1


def test_critics_that_know_nothing_are_compared_and_the_oracle_is_marked() -> None:
    rows = [
        {"q": f"{n} + 5?", "ref": f"{n + 5}", "a": str(n + 5 + (n % 4 == 0)), "ok": int(n % 4 != 0)}
        for n in range(24)
    ]
    Path("s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    ended = gadfly(
        "critics",
        "s.jsonl",
        "--map",
        "problem=q,answer=a,gold=ok,reference=ref",
        "--judges",
        "constant,constant:says=incorrect,random-guess,copies-reference",
        "--out",
        "out",
        "--json",
    )
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    oracle = {report["judge"]: report["oracle"] for report in found["reports"]}
    assert oracle == {
        "constant": 0,
        "constant:says=incorrect": 0,
        "random-guess": 0,
        "copies-reference": 24,
    }
    table = gadfly("critics", "s.jsonl", "--map", "problem=q,answer=a,gold=ok,reference=ref", "--judges",
                   "constant,copies-reference", "--out", "two")  # fmt: skip
    assert "copies-reference ORACLE" in " ".join(table.out.split())


def test_marks_are_correlated_and_call_nothing_correct() -> None:
    rows = [{"id": n, "people": [n % 5, n % 5 + 1], "x": n % 5, "y": -n} for n in range(20)]
    Path("m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    columns = "item=id,gold_score=people@mean,score:x=x,score:y=y"
    ended = gadfly("critics", "m.jsonl", "--map", columns, "--out", "out", "--json")
    assert ended.code == 0, ended.err
    first, second = json.loads(ended.out)["reports"]
    figures = {f["name"]: f["found"]["value"] for s in first["sections"] for f in s["figures"]}
    assert figures["Spearman with people's marks"] == pytest.approx(1)
    assert (first["kind"], first["unscored"], second["labelled"]) == ("mark", 0, 20)
    assert "kappa between" not in gadfly("critics", "m.jsonl", "--map", columns, "--out", "two").out


def test_judges_of_different_things_are_one_clear_error() -> None:
    rows = [{"id": n, "who": "ab"[n % 2], "g": 1, "s": 1} for n in range(6)]
    Path("d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    ended = gadfly("critics", "d.jsonl", "--map", "item=id,judge=who,gold=g,said=s")
    assert ended.code != 0
    assert "no judge has judged what a has" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("judge", "v.jsonl", *VERDICTS, "--limit", "-1"), "limit must be 1 or more"),
        (("judge", "v.jsonl"), "without --judge the judgements come from a file"),
        (("judge", "nowhere.jsonl", "--map", "gold=a,said=b"), "there is no file nowhere.jsonl"),
        (("judge", "v.jsonl", *VERDICTS, "--judge", "self-refine"), "answers problems"),
        (("judge", "v.jsonl", "--labels", "a:first"), "belong to --map"),
        (("judge", "v.jsonl", *VERDICTS, "--limit", "0", "--judge", "constant"), "limit must be 1 or more"),
        (("critics", "v.jsonl", *VERDICTS, "--judges", "constant,constant"), "names constant twice"),
        (("judge", "empty.jsonl", "--map", "gold=a,said=b"), "has no rows"),
        (("run", "pairwise"), "pairwise"),
        (("compare", "--recipes", "pairwise"), "judges answers"),
        (("reproduce", "all"), "--data DIR is missing"),
        (("reproduce", "llmbar", "--data", "nowhere"), "is no directory"),
        (("reproduce", "lmbar", "--data", "."), "did you mean 'llmbar'"),
        (("reproduce", "llmbar", "--data", "."), "has no folder llmbar"),
    ],
)
def test_bad_input_is_one_clear_error_and_a_code_that_is_not_zero(
    words: tuple[str, ...], message: str
) -> None:
    verdicts("v.jsonl")
    Path("empty.jsonl").write_text("")
    ended = gadfly(*words)
    assert ended.code != 0
    assert message in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


def test_a_page_shows_what_models_wrote_as_text_only() -> None:
    row = {"id": 1, "label": "correct", "verdict": "<script>alert(1)</script>", "who": "<b>x", "part": "a"}
    Path("v.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, "id": 2, "verdict": "correct"}))
    ended = gadfly("judge", "v.jsonl", *VERDICTS, "--out", "out")
    assert ended.code == 0, ended.err
    page = Path("out/judge.html").read_text()
    assert "<script" not in page
    assert "<b>x" not in page
    assert "&lt;script&gt;" in page


# ---------------------------------------------------------------- reproduce


def test_every_reproduction_says_what_where_from_and_by_which_conventions() -> None:
    found = list_reproductions()
    assert len(found) >= 12
    for one in found:
        assert one.summary
        assert one.citation
        assert one.licence
        assert one.conventions
        assert find_reproduction(one.name.replace("_", "-")) is one
    assert gadfly("reproduce", "--list").out.count("\n") == len(found) + 1


@pytest.mark.parametrize(
    ("check", "status"),
    [
        (Check(what="x", published=1.0, ours=1.004, tolerance=0.005), "matched"),
        (Check(what="x", published=1.0, ours=1.006, tolerance=0.005), "differing"),
        (Check(what="x", published=1.0, ours=2.0, upstream="a typing error"), "known upstream error"),
        (Check(what="x", published=1.0, ours=1.0, upstream="not one after all"), "matched"),
        (Check(what="x", published=1.0, ours=None), "differing"),
        (Check(what="x", published="a", ours="a"), "matched"),
        (Check(what="x", published="a", ours="b"), "differing"),
    ],
)
def test_a_number_is_matched_known_to_be_wrong_or_differing(check: Check, status: str) -> None:
    assert check.status == status


def test_a_published_number_that_was_changed_differs_and_the_code_is_one() -> None:
    records = Path(__file__).parents[3] / "shared" / "data" / "pandalm"
    if not records.is_dir():
        pytest.skip("no records of pandalm here")
    Path("data/pandalm").mkdir(parents=True)
    for name in ("pairs.jsonl.gz", "published.json"):
        (Path("data/pandalm") / name).write_bytes((records / name).read_bytes())
    assert gadfly("reproduce", "pandalm", "--data", "data").code == 0
    published = Path("data/pandalm/published.json")
    numbers = json.loads(published.read_text())
    numbers["kappa"]["1-2"] += 0.1
    published.write_text(json.dumps(numbers))
    ended = gadfly("reproduce", "pandalm", "--data", "data", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)[0]["differing"] == 1
    assert "unexplained differences: 1 in pandalm" in ended.err
    published.unlink()
    ended = gadfly("reproduce", "pandalm", "--data", "data")
    assert "published.json" in ended.err
    assert "Traceback" not in ended.err


def test_a_broken_data_set_does_not_keep_the_others_from_being_computed() -> None:
    Path("data/pandalm").mkdir(parents=True)
    Path("data/tree_of_thoughts").mkdir()
    records = Path(__file__).parents[3] / "shared" / "data" / "tree_of_thoughts"
    if not records.is_dir():
        pytest.skip("no records of tree_of_thoughts here")
    for path in records.iterdir():
        (Path("data/tree_of_thoughts") / path.name).write_bytes(path.read_bytes())
    ended = gadfly("reproduce", "all", "--data", "data")
    assert ended.code == 1
    assert "26 of 26 matched" in ended.out
    assert "pandalm: there is no file data/pandalm/published.json" in ended.err
    assert "pandalm cannot be computed" in ended.err


# ---------------------------------------------------------------- people


def test_people_judge_over_several_sessions_and_nothing_is_asked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [{"q": f"{n} + 5?", "a": str(n + 5 + n % 2), "ok": 1 - n % 2} for n in range(4)]
    Path("s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ("judge", "s.jsonl", "--map", "problem=q,answer=a,gold=ok", "--judge")
    queued = (*words, "queued-person:folder=waiting", "--out", "queued")
    first = gadfly(*queued)
    assert first.code == 1
    assert "nobody has answered yet" in first.err
    assert "asks nothing twice" in first.err
    asked = [json.loads(line)["id"] for line in Path("waiting/queue.jsonl").read_text().splitlines()]
    answers = [{"id": name, "verdict": "correct"} for name in asked[:3]]
    Path("waiting/answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    second = gadfly(*queued)
    assert second.code == 0, second.err
    assert "4 judgements of 4 items, 1 unscored" in second.out
    assert len(Path("waiting/queue.jsonl").read_text().splitlines()) == 4

    lines = "VERDICT: correct\n\nVERDICT: incorrect\n\n"
    at_terminal = (*words, "person", "--out", "typed")
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert "2 unscored" in gadfly(*at_terminal).out
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    last = gadfly(*at_terminal)
    assert "4 judgements of 4 items, 0 unscored" in last.out
    assert last.out.count("Your critique") == 2
