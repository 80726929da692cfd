import gzip
import json
import tracemalloc
from pathlib import Path

import anyio
import pytest

from gadfly.benchmarks import load_benchmark, notes_of
from gadfly.errors import InputError
from gadfly.models.scripted import RecordedCall
from gadfly.protocols import Benchmark
from gadfly.records import Candidate, Completion, Problem, Request, Score


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def only(benchmark: Benchmark) -> Problem:
    (problem,) = benchmark.problems()
    return problem


def scored(benchmark: Benchmark, problem: Problem, text: str) -> Score:
    async def ask() -> Score:
        return await benchmark.scorer(problem, Candidate(text=text, author="test"))

    return anyio.run(ask)


@pytest.mark.parametrize("prompt", ["prompt", "question", "problem", "input", "Question"])
@pytest.mark.parametrize("reference", ["reference", "answer", "target", "gold", "output", "label"])
def test_usual_field_names_are_found_and_told(tmp_path: Path, prompt: str, reference: str) -> None:
    path = write(tmp_path / "data.jsonl", {reference: 7, "x": 1, prompt: "3 + 4?"})
    benchmark = load_benchmark(str(path))
    problem = only(benchmark)
    assert problem.text == "3 + 4?\nEnd with a line 'Answer: <number>'."
    assert (problem.reference, problem.answer_kind, problem.id) == ("7", "number", "data-00000")
    assert notes_of(load_benchmark(str(path), limit=1)) == (
        f"data.jsonl: prompt from {prompt!r}, reference from {reference!r}; scored by kind",
    )


def test_named_fields_win_over_usual_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", {"question": "a", "answer": "b", "q": "c", "r": "d", "name": "n1"})
    problem = only(load_benchmark(f"{path}?prompt=q&reference=r&id=name&instruct=false"))
    assert (problem.text, problem.reference, problem.id, problem.answer_kind) == ("c", "d", "n1", "text")


@pytest.mark.parametrize("name", ["d.json", "d.csv", "d.tsv", "d.jsonl.gz", "d.csv.gz"])
def test_json_arrays_tables_and_gzip_give_the_same_problem(tmp_path: Path, name: str) -> None:
    text = {
        "json": '[{"question": "two\\nlines, \\"quoted\\"", "answer": "ü"}]',
        "jsonl": '\n{"question": "two\\nlines, \\"quoted\\"", "answer": "ü"}\n',
        "csv": 'question,answer\n"two\nlines, ""quoted""",ü\n\n',
        "tsv": 'question\tanswer\n"two\nlines, ""quoted"""\tü\n',
    }[name.removeprefix("d.").removesuffix(".gz")]
    data = b"\xef\xbb\xbf" + text.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    problem = only(load_benchmark(str(path)))
    assert problem.text.startswith('two\nlines, "quoted"')
    assert problem.reference == "ü"


def test_a_chat_prompt_keeps_its_turns(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "3 + 4?"}]
    problem = only(load_benchmark(str(write(tmp_path / "d.jsonl", {"messages": turns, "answer": "7"}))))
    assert [message.role for message in problem.messages] == ["system", "user"]
    assert problem.messages[1].content == "3 + 4?\nEnd with a line 'Answer: <number>'."


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Capital?", "choices": ["Rome", "Paris"], "answer": 1},
        {"question": "Capital?", "choices": ["Rome", "Paris"], "answer": "b"},
        {"question": "Capital?", "choices": {"A": "Rome", "B": "Paris"}, "answer": "Paris"},
        {"question": "Capital?", "choices": {"text": ["Rome", "Paris"], "label": ["A", "B"]}, "answer": "B"},
    ],
)
def test_choices_are_lettered_and_the_reference_is_a_letter(tmp_path: Path, row: object) -> None:
    benchmark = load_benchmark(str(write(tmp_path / "d.jsonl", row)))
    problem = only(benchmark)
    assert problem.text == "Capital?\nA) Rome\nB) Paris\nEnd with a line 'Answer: <letter>'."
    assert (problem.reference, problem.answer_kind) == ("B", "choice")
    assert scored(benchmark, problem, "Answer: Paris").value == 1.0
    assert scored(benchmark, problem, "Answer: A").value == 0.0


def test_choices_may_stand_in_columns(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("question,a1,a2,answer\nCapital?,Rome,Paris,B\n")
    assert only(load_benchmark(f"{path}?choices=a1,a2")).reference == "B"


def test_lettered_columns_are_choices_where_the_answer_names_one(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("question,A,B,answer\nCapital?,Rome,Paris,B\n")
    benchmark = load_benchmark(str(path))
    assert only(benchmark).text == "Capital?\nA) Rome\nB) Paris\nEnd with a line 'Answer: <letter>'."
    assert notes_of(benchmark) == (
        "d.csv: prompt from 'question', reference from 'answer', choices from 'A', 'B'; scored by kind",
    )
    path.write_text("question,A,B,answer\nA + B?,1,2,3\n")
    assert only(load_benchmark(str(path))).answer_kind == "number"


def test_a_row_with_an_empty_id_is_named_by_its_number(tmp_path: Path) -> None:
    rows = [{"id": name, "question": "q", "answer": "7"} for name in (None, "", " ", 4)]
    benchmark = load_benchmark(str(write(tmp_path / "d.jsonl", *rows)))
    assert [problem.id for problem in benchmark.problems()] == ["d-00000", "d-00001", "d-00002", "4"]


def test_a_worked_solution_gives_its_final_answer_and_stays_out_of_sight(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", {"question": "3 + 4?", "answer": "3 + 4 = 7\n#### 7"})
    problem = only(load_benchmark(str(path)))
    assert problem.reference == "7"
    assert problem.privileged == {"solution": "3 + 4 = 7\n#### 7"}
    assert problem.blind().privileged == {}


@pytest.mark.parametrize(
    ("scorer", "kind", "right", "wrong"),
    [
        ("exact", "text", "Answer: 7", "Answer: 7.0"),
        ("numeric", "number", "Answer: 7.0", "Answer: 8"),
        ("contains", "free", "it is 7 I guess", "it is 77"),
        ("numeric?tolerance=1", "number", "Answer: 8", "Answer: 9"),
    ],
)
def test_the_scorer_can_be_chosen(tmp_path: Path, scorer: str, kind: str, right: str, wrong: str) -> None:
    benchmark = load_benchmark(
        str(write(tmp_path / "d.jsonl", {"question": "q", "answer": "7"})), scorer=scorer
    )
    problem = only(benchmark)
    assert problem.answer_kind == kind
    assert scored(benchmark, problem, right).value == 1.0
    assert scored(benchmark, problem, wrong).value == 0.0


def test_a_judged_file_needs_no_reference(tmp_path: Path) -> None:
    recording = tmp_path / "r.jsonl"
    call = RecordedCall(request=Request(messages=()), completion=Completion(text="", model="m"))
    recording.write_text(call.model_dump_json() + "\n")
    path = write(tmp_path / "d.jsonl", {"question": "Write a poem."})
    benchmark = load_benchmark(str(path), scorer=f"judge:scripted:{recording}")
    assert only(benchmark).reference is None
    assert only(benchmark).text == "Write a poem."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "d.jsonl has no rows"),
        (b"\n \n", "d.jsonl has no rows"),
        (
            b'{"question": "a", "answer": "b"}\n{"question": \n',
            "d.jsonl:2: not a line of JSON: .*, at character 15",
        ),
        (b'{"question": "a", "answer": "b"}\n[1]\n', "d.jsonl:2: expected an object with fields, not list"),
        (
            b'{"question": "a", "answer": "b"}\n{"question": "a"}\n',
            "d.jsonl:2: no field 'answer'; the fields are",
        ),
        (b'{"q": "a", "answer": "b"}\n', "no field looks like the prompt; the fields are 'q', 'answer'"),
        (b'{"question": "a", "a": "b"}\n', "no field looks like the reference; .*reference=FIELD"),
        (b'{"question": "a", "answer": null}\n', "d.jsonl:1: the reference field 'answer' is empty"),
        (b'{"question": " ", "answer": "b"}\n', "d.jsonl:1: the prompt field 'question' is empty"),
        (b'{"question": "a", "answer": NaN}\n', "d.jsonl:1: nan is no number that can be compared"),
        (b'{"question": "a", "answer": 1e999}\n', "d.jsonl:1: inf is no number that can be compared"),
        (b'{"question": "a", "answer": ["b"]}\n', "d.jsonl:1: expected a text or a number"),
        (b'{"question": [1], "answer": "b"}\n', "d.jsonl:1: the prompt field 'question' is a list"),
        (b'{"question": "\xff", "answer": "b"}\n', "is not UTF-8 text"),
        (
            b'{"id": 1, "question": "a", "answer": "b"}\n' * 2,
            "d.jsonl:2: the id '1' stands in an earlier row",
        ),
        (
            b'{"question": "a", "choices": ["x"], "answer": "x"}\n',
            "d.jsonl:1: the choices field .* needs 2 to 26",
        ),
        (b'{"question": "a", "choices": ["x", "y"], "answer": "z"}\n', "'z' is none of the choices A, B"),
        (b"[" * 100_000, "d.jsonl:1: not a line of JSON"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_benchmark(str(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.csv", "question,answer\na,b,c\n", "d.csv:2: 3 cells, but the header has 2"),
        ("d.csv", "question,answer\n", "has no rows"),
        ("d.csv", 'question,answer\n"a,b\n', "d.csv:2: broken CSV"),
        ("d.csv", "question,question\na,b\n", "a column name stands twice"),
        ("d.json", '{"question": "a"}', "expected an array of objects"),
        ("d.json", '{"question": "a"}\n{"question": "b"}\n', "JSON lines belong in a .jsonl file"),
        ("d.jsonl.gz", "not gzip", "cannot be read"),
    ],
)
def test_broken_tables_and_arrays_say_where_and_why(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        load_benchmark(str(path))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("?promt=q", "did you mean 'prompt'"),
        ("?prompt=x", "no field 'x'; the fields are 'question', 'answer'"),
        ("?scorer=exakt", "did you mean 'exact'"),
        ("?instruct=perhaps", "must be true or false"),
        ("?prompt", "expected 'option=value'"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(tmp_path: Path, spec: str, message: str) -> None:
    path = write(tmp_path / "d.jsonl", {"question": "q", "answer": "7"})
    with pytest.raises(InputError, match=message):
        load_benchmark(f"{path}{spec}")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file nowhere\.jsonl"):
        load_benchmark("nowhere.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        load_benchmark(f"file:{tmp_path}")
    with pytest.raises(InputError, match="which file"):
        load_benchmark("file")


def test_a_long_file_is_never_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    with path.open("w") as file:
        for number in range(3000):
            file.write(json.dumps({"question": f"{number} " + "x" * 5000, "answer": str(number)}) + "\n")
    benchmark = load_benchmark(str(path))
    tracemalloc.start()
    count = sum(1 for _ in benchmark.problems())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 3000
    assert peak < 3_000_000 < path.stat().st_size


def test_a_file_without_references_is_read_where_nothing_is_to_be_scored(tmp_path: Path) -> None:
    path = write(tmp_path / "log.jsonl", {"messages": [{"role": "user", "content": "Name a colour."}]})
    benchmark = load_benchmark(f"{path}?scorer=none")
    problem = only(benchmark)
    assert problem.messages[-1].content == "Name a colour.", "nothing is added to the prompt"
    assert load_benchmark(str(path), scorer="none").name == benchmark.name
    found = scored(benchmark, problem, "Red.")
    assert found.value is None
    assert found.failure is not None
