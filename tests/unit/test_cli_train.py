"""`gadfly train` on a tiny model: every objective, what it leaves and says, and what it refuses."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
from support.commands import Ended, gadfly

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from gadfly.train.folder import read_log, read_manifest  # noqa: E402
from gadfly.train.lessons import list_objectives  # noqa: E402
from gadfly.train.tiny import write_tiny  # noqa: E402

ROOT = Path(__file__).parents[2]
SHORT = ("--model", "tiny", "--steps", "2", "--batch", "4", "--precision", "float32", "--device", "cpu")
JUDGED = {"judgement": [{"role": "user", "content": "Wrong."}], "satisfactory": False}
ROWS: dict[str, list[dict[str, object]]] = {
    "told": [{"prompt": f"{n}?", "completion": f"{2 * n}"} for n in range(8)],
    "pairs": [{"prompt": f"{n}?", "chosen": f"{2 * n}", "rejected": f"{n}"} for n in range(1, 9)],
    "labels": [{"prompt": f"{n}?", "completion": f"{n}", "label": n % 2 == 0} for n in range(8)],
    "steps": [{"prompt": f"{n}?", "completions": ["a", "b"], "labels": [True, n > 3]} for n in range(8)],
    "judged": [{"prompt": f"{n}?", "completion": f"{n}", **JUDGED} for n in range(8)],
    "spans": [
        {"prompt": f"{n}?", "completion": f"{n} no", "spans": [{"start": 1, "end": 3, "weight": -0.1}]}
        for n in range(8)
    ],
}
TAKES = {
    **dict.fromkeys(("sft", "distil"), "told"),
    **dict.fromkeys(("dpo", "ipo", "hinge", "simpo", "orpo", "reward"), "pairs"),
    **dict.fromkeys(("kto", "p-ik", "reward-marks"), "labels"),
    "process-reward": "steps",
    "cut": "judged",
    "weighted": "spans",
}


@pytest.fixture(autouse=True)
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)
    write_tiny(Path("tiny"), width=32, layers=1, spread=0.3)
    for name, rows in ROWS.items():
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(name: str, *flags: str, rows: str = "told") -> Ended:
    return gadfly("train", name, f"{rows}.jsonl", *SHORT, "--out", "out", *flags)


@pytest.mark.parametrize("name", sorted(entry.name for entry in list_objectives()))
def test_every_objective_trains_on_its_rows(name: str) -> None:
    teacher = ("--teacher", "tiny") if name == "distil" else ()
    ended = trained(name, *teacher, rows=TAKES[name])
    assert ended.code == 0, ended.err
    assert "model       transformers:out/model" in ended.out
    lines = read_log(Path("out"))
    assert len(lines) == 2
    assert all("loss" in line.figures for line in lines)
    assert read_manifest(Path("out")).rows == 8


def test_the_folder_has_weights_adapter_log_and_curve_and_the_words_name_them() -> None:
    ended = trained("sft", "--holdout", "0.25")
    assert ended.code == 0, ended.err
    names = {entry.name for entry in Path("out").iterdir()}
    assert names == {"model", "adapter", "train.json", "log.jsonl", "curve.png", "curve.svg"}
    assert "trained     2 steps on 6 rows" in ended.out
    assert "held out, first" in ended.out
    assert "gadfly compare --model transformers:tiny,transformers:out/model" in ended.out


def test_all_weights_have_no_adapter_and_a_smaller_rate() -> None:
    assert trained("sft", "--full").code == 0
    assert not Path("out/adapter").exists()
    request = read_manifest(Path("out")).request
    assert request["tuning"]["lora"] is None  # pyright: ignore[reportIndexIssue, reportOptionalSubscript, reportCallIssue, reportArgumentType]
    assert request["plan"]["rate"] == 2e-5  # pyright: ignore[reportIndexIssue, reportOptionalSubscript, reportCallIssue, reportArgumentType]


def test_flags_reach_the_objective_and_the_name_sets_its_own() -> None:
    flags = ("--beta", "0.5", "--label-smoothing", "0.1")
    assert trained("dpo", *flags, rows="pairs").code == 0
    objective = json.loads(Path("out/train.json").read_text())["request"]["objective"]
    assert (objective["loss_type"], objective["beta"], objective["label_smoothing"]) == ("dpo", 0.5, 0.1)
    assert gadfly("train", "simpo", "pairs.jsonl", *SHORT, "--out", "simpo").code == 0
    objective = json.loads(Path("simpo/train.json").read_text())["request"]["objective"]
    assert (objective["loss_type"], objective["beta"]) == ("simpo", 2.0)


def test_the_same_command_again_trains_nothing_and_says_the_same() -> None:
    first = trained("sft")
    log = Path("out/log.jsonl").read_bytes()
    again = trained("sft")
    assert (again.code, again.out) == (0, first.out)
    assert Path("out/log.jsonl").read_bytes() == log


def test_json_has_first_and_last_figures() -> None:
    told = json.loads(trained("sft", "--json").out)
    assert told["model"] == "transformers:out/model"
    assert told["first"]["loss"] > told["last"]["loss"] > 0
    assert (told["steps"], told["rows"]) == (2, 8)


def test_a_second_training_goes_on_from_the_first() -> None:
    assert trained("sft").code == 0
    ended = gadfly(
        "train", "dpo", "pairs.jsonl", *SHORT[2:], "--model", "transformers:out/model", "--out", "second"
    )
    assert ended.code == 0, ended.err
    assert str(read_manifest(Path("second")).request["weights"]).startswith("model@")


def test_only_the_first_of_several_processes_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    ended = trained("sft")
    assert (ended.code, ended.out) == (0, "")


@pytest.mark.parametrize("name", ["grpo", "rloo", "reinforce", "score-rl"])
def test_rewards_for_own_answers_are_learned_from(name: str) -> None:
    drawing = ("--on", "families:sums", "--limit", "4", "--samples", "3", "--max-tokens", "6")
    ended = gadfly("train", name, *drawing, *SHORT, "--out", "out")
    assert ended.code == 0, ended.err
    assert len(read_log(Path("out"))) == 2
    assert "model       transformers:out/model" in ended.out
    assert read_manifest(Path("out")).rows is None


def test_solver_reward_and_gold_are_those_of_the_command_line() -> None:
    drawing = ("--on", "families:sums", "--limit", "4", "--samples", "2", "--max-tokens", "6")
    flags = ("--scorer", "contains", "--solver", "self-refine:rounds=1", "--unreadable", "none")
    ended = gadfly("train", "grpo", *drawing, *flags, *SHORT, "--out", "out")
    assert ended.code == 0, ended.err
    assert {"reward", "gold"} <= read_log(Path("out"))[0].figures.keys()
    request = json.loads(Path("out/train.json").read_text())["request"]
    assert request["solver"] == "self-refine:rounds=1"
    assert request["batches"]["unreadable"] is None
    other = gadfly("train", "grpo", *drawing, *SHORT, "--out", "out")
    assert other.code == 1
    assert "holds another training" in other.err


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "no rows named": (("sft",), "which rows?"),
    "no such file": (("sft", "none.jsonl"), "`gadfly export` and `gadfly collect` write some"),
    "empty rows": (("sft", "empty.jsonl"), "empty.jsonl holds no rows"),
    "wrong format": (("sft", "rows.csv"), "the name has to end in .parquet or .jsonl"),
    "wrong columns": (("sft", "odd.jsonl"), "odd.jsonl, row 1: its columns are text"),
    "wrong kind": (("dpo", "told.jsonl"), "dpo learns from preference rows, not from prompt-completion rows"),
    "too long": (("sft", "told.jsonl", "--row-tokens", "4"), "no rows to learn from"),
    "a server's model": (
        ("sft", "told.jsonl", "--model", "openai:m@http://h/v1"),
        "gives answers and no weights",
    ),
    "no such model": (("sft", "told.jsonl", "--model", "./none"), "there is no model at none"),
    "a file that is no model": (("sft", "told.jsonl", "--model", "told.jsonl"), "is no .gguf file"),
    "no such device": (("sft", "told.jsonl", "--device", "cuda:7"), "torch has no device 'cuda:7' here"),
    "a rate of 0": (("sft", "told.jsonl", "--rate", "0"), "--rate 0.0: input should be greater than 0"),
    "a row of no tokens": (("sft", "told.jsonl", "--row-tokens", "1"), "--row-tokens 1: "),
    "all held out": (("sft", "told.jsonl", "--holdout", "1"), "a share of 1 cannot be held out"),
    "no teacher": (("distil", "told.jsonl"), "distil needs --teacher"),
    "one sample": (("grpo", "--samples", "1", "--on", "families:sums"), "--samples 1: "),
    "no such solver": (("grpo", "--solver", "none", "--on", "families:sums"), "there is no recipe 'none'"),
    "too high a rate": (("sft", "told.jsonl", "--rate", "1e30", "--full"), "finite"),
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU that is not there")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_ends_with_a_line_that_says_why(case: str) -> None:
    Path("empty.jsonl").write_text("")
    Path("rows.csv").write_text("prompt,completion\n")
    Path("odd.jsonl").write_text('{"text": "a"}\n')
    words, why = REFUSED[case]
    flags = [flag for flag in ("--model", "--device") if flag not in words]
    usual = {"--model": "tiny", "--device": "cpu"}
    ended = gadfly("train", *words, *(word for flag in flags for word in (flag, usual[flag])), "--steps", "3")
    assert ended.code == 1, ended.out
    assert ended.err.startswith("error: ")
    assert why in ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_objective_is_a_wrong_command_line() -> None:
    assert gadfly("train", "none", "told.jsonl").code == 2


def test_help_has_citation_settings_and_examples() -> None:
    told = gadfly("train", "dpo", "--help").out
    for part in ("--beta", "Strength of the pull to the reference", "Differs from the papers", "--holdout"):
        assert part in told
    assert "--loss-type" not in told
    assert "gadfly train dpo rows.parquet" in told
    assert "gadfly train grpo --on" in gadfly("train", "grpo", "--help").out


_WITHOUT = """
import sys
sys.modules["torch"] = None
from gadfly.cli.main import main
sys.exit(main(["train", "sft", "told.jsonl"]))
"""


def test_without_torch_the_extra_is_named() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert 'pip install "gadfly[train]"' in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one() -> None:
    command = ["train", "dpo", "pairs.jsonl", *SHORT, "--rate", "1e-2", "--part", "3"]
    assert gadfly(*command, "--out", "one").code == 0
    launcher = [
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--mixed_precision",
        "no",
    ]
    ended = subprocess.run(
        [sys.executable, *launcher, "-m", "gadfly", *command, "--out", "two"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("transformers:two/model") == 2  # the model, and how to compare it
    ones, twos = read_log(Path("one")), read_log(Path("two"))
    assert [line.step for line in twos] == [1, 2]
    for one, two in zip(ones, twos, strict=True):
        assert two.figures["loss"] == pytest.approx(one.figures["loss"], rel=1e-4)
        assert two.figures["grad_norm"] == pytest.approx(one.figures["grad_norm"], rel=1e-4)
    import safetensors.torch

    load: Any = cast(Any, safetensors.torch).load_file
    left, right = (load(f"{out}/model/model.safetensors") for out in ("one", "two"))
    for name, weight in left.items():
        torch.testing.assert_close(right[name], weight, rtol=1e-4, atol=1e-5)
