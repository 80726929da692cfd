"""MINT, Tree of Thoughts, GSM8K, Vicuna and Shepherd: on small records, and on theirs where present."""

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gadfly.errors import InputError, ParseError
from gadfly.parsing.arithmetic import read_arithmetic
from gadfly.parsing.pair_scores import read_pair_scores
from gadfly.reproductions import (
    critique_training,
    gsm8k_humaneval,
    mint_bench,
    tree_of_thoughts,
    vicuna_faireval,
)
from gadfly.reproductions.check import Check, Note, Reproduction

DATA = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def checks_of(reproduction: Reproduction, folder: Path) -> dict[str, Check]:
    found = [check for check in reproduction.checks(folder) if isinstance(check, Check)]
    return {check.what: check for check in found}


def notes_of(reproduction: Reproduction, folder: Path) -> str:
    return "\n".join(found.text for found in reproduction.checks(folder) if isinstance(found, Note))


def statuses(reproduction: Reproduction) -> Counter[str]:
    folder = DATA / reproduction.name
    if not folder.is_dir():
        pytest.skip(f"the records of {reproduction.name} are not here")
    return Counter(found.status for found in reproduction.checks(folder) if isinstance(found, Check))


# ---------------------------------------------------------------- the records themselves


def test_all_of_mints_leaderboard_comes_out() -> None:
    # 1,182 numbers and 108 slopes of the series, two of which were fitted to a single budget.
    assert statuses(mint_bench.REPRODUCTION) == {"matched": 1288, "known upstream error": 2}


def test_all_tables_choices_and_verdicts_of_tree_of_thoughts_come_out() -> None:
    assert statuses(tree_of_thoughts.REPRODUCTION) == {"matched": 26}


def test_all_verdicts_on_gsm8k_solutions_come_out() -> None:
    assert statuses(gsm8k_humaneval.REPRODUCTION) == {"matched": 5280}


def test_all_totals_of_vicunas_evaluation_come_out() -> None:
    found = statuses(vicuna_faireval.REPRODUCTION)
    # Three scores were entered by hand, other than the text states, and two totals hold one of them.
    assert found == {"matched": 1454, "known upstream error": 5}


def test_all_counts_of_shepherd_come_out() -> None:
    assert statuses(critique_training.REPRODUCTION) == {"matched": 11}


# ---------------------------------------------------------------- MINT


def mint(folder: Path, *, printed: float = 50.0, twice: bool = False) -> None:
    tasks = ("gsm8k", "math", "mbpp", "alfworld")
    kinds = ("reasoning", "reasoning", "code_generation", "decision_making")
    rows: list[Mapping[str, object]] = []
    for critic, setting, budgets in (("None", "None", (1, 2, 3)), ("gpt-4-0613", "PHF=no_GT-textual", (5,))):
        for k in (*budgets, 5) if critic == "None" else budgets:
            for number, (task, kind) in enumerate(zip(tasks, kinds, strict=True)):
                rows.append(
                    {"model": "Small-7b-hf", "feedback": critic, "setting": setting, "k": k, "type": kind}
                    | {"task": task, "id": 7, "success": int(number < k - 1 or critic != "None"), "turns": 1}
                )
    if twice:
        rows += [{**row, "success": 1} for row in rows if row["k"] == 1]
    write(folder / "episodes.jsonl.gz", rows)
    line = {"model": "Small-7b", "size": "7B", "1": 0.0, "2": 25.0, "3": printed, "4": "-", "5": 100.0}
    published = {
        "benchmark": [
            line
            | {"Slope": 25.0, "rsquared": 1.0, "Delta Feedback": 0.0}
            | {"Success Rate (5 turn) w/ GPT-4 Feedback": 100.0}
        ],
        "eurus_code_sr_vs_k_series": [{"model": "Small-7b", "1": 0.0, "5": 100.0, "Slope": "25.7"}],
        "eurus_math_sr_vs_k_series": [{"model": "Absent-7b", "1": 0.0, "Slope": "12.6"}],
        "sr_with_feedback": {"avg_micro": [["Small-7b (7B, SIFT)", 100.0]]},
        "sr_without_feedback": {"decision_making": [["Small-7b (7B, SIFT)", 100.0]]},
        "feedback_comparison": [],
    }
    (folder / "published.json").write_text(json.dumps(published), encoding="utf-8")


def test_mints_rates_slope_and_gain_come_out_of_a_few_episodes(tmp_path: Path) -> None:
    mint(tmp_path)
    found = checks_of(mint_bench.REPRODUCTION, tmp_path)
    assert found["benchmark, Small-7b, SR@3"].ours == 50.0
    assert found["benchmark, Small-7b, slope"].ours == 25.0
    assert found["benchmark, Small-7b, delta feedback"].ours == 0.0
    absent = found.pop("eurus_math_sr_vs_k_series, Absent-7b, SR@1")
    assert (absent.ours, absent.status) == (None, "differing")
    assert found.pop("eurus_math_sr_vs_k_series, Absent-7b, slope").status == "known upstream error"
    assert {check.status for check in found.values()} == {"matched"}, found


def test_a_wrong_rate_of_mints_differs(tmp_path: Path) -> None:
    mint(tmp_path, printed=50.02)
    found = checks_of(mint_bench.REPRODUCTION, tmp_path)
    assert found["benchmark, Small-7b, SR@3"].status == "differing"


def test_of_a_task_that_stands_twice_the_first_row_counts_and_is_noted(tmp_path: Path) -> None:
    mint(tmp_path, twice=True)
    assert checks_of(mint_bench.REPRODUCTION, tmp_path)["benchmark, Small-7b, SR@1"].ours == 0.0
    assert "4 rows of the run (small-7b, critic none, k=1)" in notes_of(mint_bench.REPRODUCTION, tmp_path)
    last = mint_bench.read_runs(tmp_path / "episodes.jsonl.gz", duplicates="last")
    assert last.rate("Small-7b", "None", 1) == 100.0
    with pytest.raises(InputError, match="stands twice"):
        mint_bench.read_runs(tmp_path / "episodes.jsonl.gz", duplicates="refuse")


def test_a_broken_episode_is_named(tmp_path: Path) -> None:
    mint(tmp_path)
    write(tmp_path / "episodes.jsonl.gz", [{"model": "Small-7b"}])
    with pytest.raises(InputError, match=r"episodes.jsonl.gz:1: feedback"):
        list(mint_bench.REPRODUCTION.checks(tmp_path))
    (tmp_path / "published.json").unlink()
    with pytest.raises(InputError, match="there is no file"):
        list(mint_bench.REPRODUCTION.checks(tmp_path))


# ---------------------------------------------------------------- Tree of Thoughts


def thoughts(folder: Path, verdict: int = 1) -> None:
    right, wrong = "Steps:\n2 * 3 = 6\nAnswer: (2 * 3) * 4 * 1 = 24", "Answer: 2 * 3 * 4 = 24"
    rows = [
        {"method": method, "idx": 0, "puzzle": "1 2 3 4", "samples": [wrong, right], "correct": [0, verdict]}
        for method in ("io", "cot")
    ]
    write(folder / "game24_samples.jsonl.gz", rows)
    step = {"new_ys": list("abcdefg"), "values": [1, 3, 3, 0, 2, 2, 2], "select_new_ys": list("bcefg")}
    found = {"idx": 0, "puzzle": "1 2 3 4", "steps": [step], "final": [right], "correct": [1]}
    write(folder / "game24_tot.jsonl.gz", [found])
    scores = [{"method": method, "scores": [[6, 7], []]} for method in ("io", "cot")]
    write(folder / "creative_writing_samples.jsonl.gz", scores)
    choice = {"new_ys": ["a", "b"], "values": [2, 3], "select_new_ys": ["a"]}
    write(folder / "creative_writing_tot_votes.jsonl.gz", [{"steps": [choice]}])
    rates = {"letter": [0.387], "word": [0.14], "game": [0]}
    write(folder / "crosswords_samples.jsonl.gz", [{"method": m} | rates for m in ("io", "cot")])
    visits = [
        {"actions": ["h1. tasks"], "letter": 0.5, "word": 1},
        {"actions": ["h1. tasks", "v1. toast"], "letter": 0.25, "word": 0.1},
        {"actions": ["h1. tasks", "v2. aroma"], "letter": 0.9, "word": 0.9},
    ]
    write(folder / "crosswords_dfs.jsonl.gz", [{"method": m, "visits": visits} for m in ("tot", "tot-prune")])


def test_figures_of_tree_of_thoughts_come_out_of_a_few_records(tmp_path: Path) -> None:
    thoughts(tmp_path)
    found = checks_of(tree_of_thoughts.REPRODUCTION, tmp_path)
    ours = {what: check.ours for what, check in found.items()}
    assert ours["Table 2, Game of 24, io, mean of the samples"] == 50
    assert ours["Table 2, Game of 24, io, best of the samples"] == 100
    assert ours["Table 2, Game of 24, cot, vote of the samples"] == 0  # a tie: the first seen wins
    assert ours["Figure 5, writing, io, coherence"] == 6.5
    # The first of the states with two words is the answer; the oracle takes the best.
    assert ours["Table 3, crosswords, tot, most filled, letter"] == 25
    assert ours["Table 3, crosswords, tot, best state, letter"] == 50
    assert ours["Table 3, crosswords, tot, best state, game"] == 100
    assert found["Table 3, crosswords, io, samples, letter"].status == "matched"
    assert found["Table 2, Game of 24, io, mean of the samples"].status == "differing"
    assert found["Game of 24: beam selections made again (b = 5)"].status == "matched"
    assert found["writing: choices by vote made again (b = 1)"].status == "differing"
    assert found["Game of 24: verdicts equal to exact arithmetic"].ours == 5
    assert "prints 74 %" in notes_of(tree_of_thoughts.REPRODUCTION, tmp_path)


def test_a_wrong_verdict_on_a_game_differs(tmp_path: Path) -> None:
    thoughts(tmp_path, verdict=0)
    found = checks_of(tree_of_thoughts.REPRODUCTION, tmp_path)[
        "Game of 24: verdicts equal to exact arithmetic"
    ]
    assert (found.published, found.ours, found.status) == (5, 3, "differing")


def test_as_many_verdicts_as_samples_are_required(tmp_path: Path) -> None:
    thoughts(tmp_path)
    row = {"method": "io", "puzzle": "1 2 3 4", "samples": ["a"], "correct": [1, 0]}
    write(tmp_path / "game24_samples.jsonl.gz", [row])
    with pytest.raises(InputError, match="1 samples but 2 verdicts"):
        list(tree_of_thoughts.REPRODUCTION.checks(tmp_path))


def test_arithmetic_is_exact_and_reads_nothing_else() -> None:
    assert read_arithmetic("8 / (3 - 8 / 3)") == 24
    assert read_arithmetic("-(2 - 3) * .5 + 1.25") * 4 == 7
    assert read_arithmetic("1 - 1 - 1") == -1
    assert read_arithmetic("8 / 4 / 2") == 1
    for text in (
        "",
        "2 +",
        "(2",
        "2)",
        "2 3",
        "2 ** 9",
        "2(3)",
        "abs(2)",
        "__import__",
        "1 / 0",
        "2 ^ 3",
        "x",
    ):
        with pytest.raises(ParseError):
            read_arithmetic(text)
    for text in ("(" * 500 + "1" + ")" * 500, "-" * 500 + "1", "1" * 2000):
        with pytest.raises(ParseError):
            read_arithmetic(text)


# ---------------------------------------------------------------- GSM8K


def solutions(folder: Path, *, recorded: bool) -> None:
    said = ("half of <<24/2=12>>12\nA: 12", "A: 13", "it went on and on 12", "A: $1,200\nno, A: 12.0")
    verdicts = (recorded, False, False, True)
    row: dict[str, object] = {"i": 3, "question": "How many?", "ground_truth": "24/2 = 12\nA: 12"}
    row |= {
        name: {"solution": text, "is_correct": verdict}
        for name, text, verdict in zip(gsm8k_humaneval.SYSTEMS, said, verdicts, strict=True)
    }
    write(folder / "gsm8k_model_solutions.jsonl.gz", [row])


@pytest.mark.parametrize(("recorded", "status"), [(True, "matched"), (False, "differing")])
def test_a_recorded_verdict_is_decided_again(tmp_path: Path, recorded: bool, status: str) -> None:
    solutions(tmp_path, recorded=recorded)
    found = checks_of(gsm8k_humaneval.REPRODUCTION, tmp_path)
    assert found["6b_finetuning, problem 3, verdict"].status == status
    assert found["6b_finetuning, percent right"].ours == 100
    rest = [check.status for what, check in found.items() if "verdict" in what and "6b_fine" not in what]
    assert rest == ["matched"] * 3
    assert "1 solutions state no number" in notes_of(gsm8k_humaneval.REPRODUCTION, tmp_path)


# ---------------------------------------------------------------- Vicuna


def reviews(folder: Path, *, below: tuple[int, int] = (1, 2)) -> None:
    texts = (
        ([8, 9.5], "8 9.5\nBoth are good."),
        (list(below), "Let me think.\n\nScores:\nAssistant 1: 1 (wrong)\nAssistant 2: 2/10"),
        ([-1, -1], "I cannot judge this."),
    )
    pair = {"judge": "gpt-4", "assistant_1": "bard", "assistant_2": "vicuna-13b", "reviewer": "gpt-4-0328-x"}
    write(
        folder / "reviews.jsonl.gz",
        [pair | {"question_id": n, "score": score, "text": text} for n, (score, text) in enumerate(texts)],
    )
    write(folder / "human.jsonl.gz", [{"label": "TIE"}] * 14 + [{"label": "CHATGPT"}] * 40)


def test_totals_are_summed_from_the_record_and_from_the_texts(tmp_path: Path) -> None:
    reviews(tmp_path, below=(1, 4))
    found = checks_of(vicuna_faireval.REPRODUCTION, tmp_path)
    assert found["total of vicuna-13b in bard against vicuna-13b, scores recorded"].ours == 13.5
    read = found["total of vicuna-13b in bard against vicuna-13b, scores read"]
    assert (read.ours, read.status) == (11.5, "known upstream error")
    assert "question 1: the text says 1 2" in read.upstream
    assert found["total of bard in bard against vicuna-13b, scores read"].status == "differing"
    assert found["total of gpt35 in gpt35 against vicuna-13b, scores read"].ours is None
    assert found["people's choice, TIE"].status == "matched"
    assert found["people's choice, CHATGPT"].status == "differing"
    assert "1 of 3 texts state no pair" in notes_of(vicuna_faireval.REPRODUCTION, tmp_path)


def test_a_score_that_the_first_line_contradicts_differs(tmp_path: Path) -> None:
    reviews(tmp_path)
    pair = {"judge": "gpt-4", "assistant_1": "bard", "assistant_2": "vicuna-13b", "reviewer": 1}
    write(tmp_path / "reviews.jsonl.gz", [pair | {"question_id": 5, "score": [7, 7], "text": "7 8\nFine."}])
    found = checks_of(vicuna_faireval.REPRODUCTION, tmp_path)
    check = found["scores, gpt-4 on bard and vicuna-13b, question 5"]
    assert (check.published, check.ours, check.status) == ("7 7", "7 8", "differing")


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("8 9\n\nBoth are good, Assistant 1: 3/10.", (8, 9)),
        ("\n8.5, 9", (8.5, 9)),
        ("(72, 90)\nfine", (72, 90)),
        ("My view:\n\nAssistant 1: 7/10\nAssistant 2: 9/10\n\nGood.", (7, 9)),
        ("My evaluation is as follows:\n\nAssistant 1:\nScore: 6/10\n\nAssistant 2:\nScore: 8/10", (6, 8)),
        ("I would give Assistant 1 a score of 4 out of 10 and Assistant 2 a score of 8 out of 10.", (4, 8)),
        ("Assistant 1's score is 3, and Assistant 2's score is 10.", (3, 10)),
        ("We give a score of 5 to Assistant 1 and a score of 9 to Assistant 2.", (5, 9)),
        ("The scores for Assistant 1 and Assistant 2 are 4 and 9, respectively.\n\nOutput: (4, 9)", (4, 9)),
        ("I would give both Assistant 1 and Assistant 2 a score of 8 out of 10.", (8, 8)),
        ("I rate Assistant 1's code a 7 out of 10 and Assistant 2's code a 9 out of 10.", (7, 9)),
    ],
)
def test_scores_are_read_where_they_are_stated(text: str, scores: tuple[float, float]) -> None:
    assert read_pair_scores(text) == scores


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Neither can be judged.", "no score of Assistant 1"),
        ("Assistant 1: 7/10, and the other is worse.", "no score of Assistant 2"),
        ("Assistant 1: 7/10\nAssistant 2: 9/10\nOutput: (9, 7)", "different scores: 7 and 9"),
        ("8 9 10\nThree numbers.", "no score"),
        ("8\n9", "no score"),
        ("Assistant 1: 5\nAssistant 2: 6\nare their answers to the sum.", "no score"),
        ("Scores:\nAssistant 1: 5 + 3\nAssistant 2: 6/12", "no score"),
        ("Scores:\nAssistant 1: 41\nAssistant 2: 39", "no score"),
    ],
)
def test_what_is_not_clear_is_not_guessed(text: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        read_pair_scores(text)


# ---------------------------------------------------------------- Shepherd


def test_sources_are_counted_by_their_rows(tmp_path: Path) -> None:
    rows = [{"dataset": "entailment_bank", "question": str(n // 2)} for n in range(11)]
    rows += [{"dataset": "PIQA", "question": "q"}, {"dataset": "elsewhere", "question": "q"}]
    write(tmp_path / "shepherd.jsonl.gz", [dict(row) for row in rows])
    tries = ("The sentiment is Very positive.", "The sentiment is Neutral", "N/A")
    write(
        tmp_path / "selfrefine_yelp.jsonl.gz",
        [{"model": "gpt4", "attempt": 0, "transferred_review_sentiment": text} for text in tries],
    )
    found = checks_of(critique_training.REPRODUCTION, tmp_path)
    assert found["Shepherd, README, Entailment Bank"].status == "matched"
    assert (found["Shepherd, README, PIQA"].ours, found["Shepherd, README, PIQA"].status) == (1, "differing")
    assert found["Shepherd, rows in all"].ours == 13
    notes = notes_of(critique_training.REPRODUCTION, tmp_path)
    assert "entailment_bank 11 rows, 6 questions" in notes
    assert "1 rows are of sources that the table leaves out: elsewhere 1" in notes
    assert "33.3, none, none, none, none %" in notes
    assert "50.0, none" in notes
