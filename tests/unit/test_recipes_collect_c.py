"""Collectors of tasks, noisy labels, conversations and whole workflows."""

from collections import Counter
from pathlib import Path

import pytest
from support.collecting import collected, plays, sums

from gadfly.errors import InputError, ParseError
from gadfly.metrics.rouge import LikenessPool, rouge_l
from gadfly.models.scripted import Scripted
from gadfly.parsing.tasks import read_case
from gadfly.recipes.collect.alpaca_farm import EMPHASES, AlpacaFarm
from gadfly.recipes.collect.self_instruct import SelfInstruct
from gadfly.records import Problem, Request
from gadfly.train.rows import Preference, PromptCompletion, Turn

# ---------------------------------------------------------------- Self-Instruct

INVENTED = """- Name three rivers in Europe.
- Draw a picture of a river in Europe.
- Sum up this text in one sentence.
- Name three rivers in Europe, please.
- Say nothing to me.
- Sing."""


def inventor() -> Scripted:
    def do(request: Request) -> str:
        asked = request.messages[-1].content
        if "Sum up" in asked:
            return "INPUT: The sun rose. It was warm.\nOUTPUT: A warm morning."
        if "Say nothing" in asked:
            return "I had rather not."
        return f"INPUT: none\nOUTPUT: {'Rhine, Rhone, Po.' if 'three rivers' in asked else 'Here it is.'}"

    return plays(("Write 6 new tasks", INVENTED), ("Make up one case", do), id="inventor")


def test_new_tasks_are_kept_and_the_reason_is_counted_for_every_other(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    seeds = [Problem(id="s1", prompt="Name a colour."), Problem(id="s2", prompt="Spell a word backwards.")]
    rows = collected(SelfInstruct(model=inventor(), n=6, rounds=1), seeds, tmp_path, dropped=dropped)
    found = {
        row.prompt[0].content: row.completion[0].content for row in rows if isinstance(row, PromptCompletion)
    }
    assert found == {
        "Name three rivers in Europe.": "Rhine, Rhone, Po.",
        "Sum up this text in one sentence.\n\nThe sun rose. It was warm.": "A warm morning.",
    }
    assert rows[0].prompt == (Turn(role="user", content="Name three rivers in Europe.", author="inventor"),)
    # Of each seed's six, three fail on their face; a variant is familiar, and so is all of the second seed's.
    assert dropped == {
        "task of more than text": 2,
        "task too short or too long": 2,
        "no output": 2,
        "familiar task": 4,
    }


def test_a_task_like_a_seed_of_the_file_is_familiar(tmp_path: Path) -> None:
    (tmp_path / "seeds.txt").write_text("Name three rivers in Europe\nSum up the text in one sentence.\n")
    dropped: Counter[str] = Counter()
    collector = SelfInstruct(model=inventor(), n=6, rounds=1, seeds=str(tmp_path / "seeds.txt"))
    assert (
        collected(collector, [Problem(id="s", prompt="Name a colour.")], tmp_path / "run", dropped=dropped)
        == []
    )
    assert dropped["familiar task"] == 3


def test_later_rounds_are_shown_tasks_of_earlier_ones(tmp_path: Path) -> None:
    heard: list[str] = []
    model = plays(("new tasks", "- Count to ten in Latin."), ("Make up", "OUTPUT: unus"), heard=heard)
    collected(SelfInstruct(model=model, n=1, rounds=2), [Problem(id="s", prompt="Name a colour.")], tmp_path)
    asked = [words for words in heard if "new tasks" in words]
    assert ["Latin" in words for words in asked] == [False, True]


@pytest.mark.parametrize("text", ["OUTPUT:", "Nothing here.", "OUTPUT: a\nOUTPUT: b"])
def test_a_case_without_one_output_is_not_read(text: str) -> None:
    with pytest.raises(ParseError):
        read_case(text)


def test_a_case_is_read_in_either_order() -> None:
    assert read_case("OUTPUT: yes\nINPUT: It is warm.") == read_case("INPUT: It is warm.\nOUTPUT: yes")
    assert read_case("INPUT: None.\nOUTPUT: yes").given == ""


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    assert rouge_l("the cat sat on the mat", "the cat is on the mat") == pytest.approx(2 * 5 / 12)
    assert rouge_l("a b c", "c b a") == pytest.approx(1 / 3)
    assert rouge_l("", "") == 0.0
    pool = LikenessPool(["the cat sat on the mat"])
    assert pool.holds_like("The cat is on the mat!", 0.8)
    assert not pool.holds_like("mat the on sat cat the", 0.8), "the same words in another order"


# ---------------------------------------------------------------- AlpacaFarm


def fair_annotator() -> Scripted:
    """Prefers the answer that says good, wherever it stands."""

    def choose(request: Request) -> str:
        first = request.messages[-1].content.partition("<answer_A>")[2].partition("</answer_A>")[0]
        return f"CHOICE: {'A' if 'good' in first else 'B'}"

    return plays(
        ("CHOICE: A", choose), ("What is", lambda request: "bad" if request.draw else "good"), id="pool"
    )


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.4])
def test_labels_are_wrong_at_the_designed_rate_and_no_other(rate: float, tmp_path: Path) -> None:
    n = 600
    rows = collected(AlpacaFarm(model=fair_annotator(), flip=rate), sums(n), tmp_path)
    assert len(rows) == n
    wrong = [row for row in rows if isinstance(row, Preference) and row.chosen[0].content == "bad"]
    # Four standard errors of a share.
    assert abs(len(wrong) / n - rate) <= 4 * (rate * (1 - rate) / n) ** 0.5
    for row in wrong:
        assert row.labelling_only is not None
        assert "flipped on purpose" in (row.labelling_only.explanation or "")


def test_every_emphasis_and_both_orders_come_up(tmp_path: Path) -> None:
    heard: list[str] = []

    def listen(request: Request) -> str:
        heard.append(request.messages[-1].content)
        return "CHOICE: A"

    model = plays(("CHOICE: A", listen), ("What is", lambda request: "bad" if request.draw else "good"))
    rows = collected(AlpacaFarm(model=model, flip=0), sums(60), tmp_path)
    assert {row.labelling_only.rubric for row in rows if row.labelling_only} == set(EMPHASES)
    first = Counter("good" in asked.partition("<answer_A>")[2].partition("</answer_A>")[0] for asked in heard)
    assert min(first.values()) > 15
    assert len(first) == 2


def test_more_noise_than_half_is_refused() -> None:
    with pytest.raises(InputError, match=r"0 to 0\.5"):
        AlpacaFarm(model=fair_annotator(), flip=0.6)
