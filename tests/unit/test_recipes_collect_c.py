"""Collectors of tasks, noisy labels, conversations and whole workflows."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.collecting import collected, plays, sums

from gadfly.errors import InputError, ParseError
from gadfly.metrics.rouge import LikenessPool, rouge_l
from gadfly.models.scripted import Scripted
from gadfly.parsing.tasks import read_case
from gadfly.recipes.collect.alpaca_farm import EMPHASES, AlpacaFarm
from gadfly.recipes.collect.fellowship import Fellowship
from gadfly.recipes.collect.self_instruct import SelfInstruct
from gadfly.recipes.collect.wild_feedback import WildFeedback
from gadfly.records import Candidate, Message, Problem, Ranking, Request, Role
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


# ---------------------------------------------------------------- WildFeedback


def conversation(*said: str) -> Problem:
    roles: tuple[Role, Role] = ("user", "assistant")
    turns = tuple(Message(role=roles[k % 2], content=words) for k, words in enumerate(said))
    return Problem(id=said[0], prompt=turns, answer_kind="free")


def reader(new: str) -> Scripted:
    """Finds what is said next, writes `new`, and finds that a wish is met where the answer is short."""

    def signal(request: Request) -> str:
        asked = request.messages[-1].content.partition("<user_says_next>")[2]
        if "Too long" in asked:
            return "- Is the answer short?\nSIGNAL: dissatisfied"
        return f"SIGNAL: {'satisfied' if 'Thanks' in asked else 'none'}"

    def met(request: Request) -> str:
        answer = request.messages[-1].content.partition("<reply>")[2].partition("</reply>")[0]
        return f"ANSWER: {'yes' if len(answer.split()) < 4 else 'no'}"

    return plays(
        ("SIGNAL: satisfied", signal),
        ("ANSWER: yes", met),
        ("meets these wishes", new),
        ("", "Next."),
        id="r",
    )


LOG = [
    conversation(
        "What is a fly?", "It is an insect that has two wings.", "Too long!", "An insect.", "Thanks."
    ),
    conversation("What is a bee?", "An insect.", "And a wasp?"),
]


def test_what_a_user_says_next_becomes_a_preference_for_an_answer_that_meets_the_wish(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    (row,) = collected(WildFeedback(model=reader("A winged insect.")), LOG, tmp_path, dropped=dropped)
    assert isinstance(row, Preference)
    assert [(turn.role, turn.content) for turn in row.prompt] == [("user", "What is a fly?")]
    assert row.chosen[0].content == "A winged insect."
    assert row.rejected[0].content == "It is an insect that has two wings."
    assert row.rejected[0].author == "log"
    assert row.labelling_only is not None
    assert row.labelling_only.rubric == "Is the answer short?", "the wish is for labelling only"
    assert dropped == {"another signal": 2}
    (praised,) = collected(WildFeedback(model=reader("A winged insect."), view="praised"), LOG, tmp_path)
    assert isinstance(praised, PromptCompletion)
    assert praised.completion[0].content == "An insect."
    assert [turn.role for turn in praised.prompt] == ["user", "assistant", "user"]


def test_a_new_answer_that_meets_no_more_wishes_is_dropped(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    wordy = WildFeedback(model=reader("It is really an insect with wings."))
    assert collected(wordy, LOG[:1], tmp_path, dropped=dropped) == []
    assert dropped["meets no more wishes"] == 1


# ---------------------------------------------------------------- Fellowship


def generator(name: str, words: str) -> Scripted:
    """Answers with a mark of its own, which a useful review raises by two."""

    def mend(request: Request) -> str:
        return f"{words} {'+2' if 'be exact' in request.messages[-1].content else ''}"

    return plays(
        ("Mend the solution", mend), ("would make the answer better", "Hm."), ("What is", words), id=name
    )


def reviewer() -> Scripted:
    return plays(("would make the answer better", "It has to be exact."), id="reviewer")


def evaluator() -> Scripted:
    """Prefers the answer with the greater sum of the numbers in it."""

    def choose(request: Request) -> str:
        asked = request.messages[-1].content
        worth = [
            sum(map(int, re.findall(r"\d+", asked.partition(f"<answer_{side}>")[2].partition("</")[0])))
            for side in "AB"
        ]
        return f"CHOICE: {'A' if worth[0] > worth[1] else 'B' if worth[0] < worth[1] else 'tie'}"

    return plays(("CHOICE: A", choose), id="evaluator")


def test_a_weaker_generator_with_a_reviewer_wins_the_workflow_and_loses_alone(tmp_path: Path) -> None:
    strong, weak = generator("strong", "3"), generator("weak", "2")
    collector = Fellowship(model=evaluator(), generators=(strong, weak), reviewers=(strong, reviewer()))
    pairs = collected(collector, sums(2), tmp_path)
    assert [row.lineage.policy for row in pairs] == ["weak", "weak"]
    alone = collected(replace(collector, view="single"), sums(2), tmp_path)
    assert [row.lineage.policy for row in alone] == ["strong", "strong"]
    assert {row.lineage.author for row in (*pairs, *alone)} == {"evaluator"}


@dataclass(frozen=True, kw_only=True)
class Contrary:
    """A judge that prefers whatever was written by the generator it is told."""

    loves: str

    async def __call__(self, problem: Problem, candidates: Sequence[Candidate], /) -> Ranking:
        order = sorted(candidates, key=lambda one: one.author != self.loves)
        return Ranking(tiers=tuple((one.id,) for one in order), author=f"lover of {self.loves}")


def test_the_evaluator_is_swapped_by_configuration(tmp_path: Path) -> None:
    three = tuple(generator(name, "1") for name in ("a", "b", "c"))
    collector = Fellowship(model=evaluator(), generators=three, judge=Contrary(loves="c"))
    dropped: Counter[str] = Counter()
    assert collected(collector, sums(1), tmp_path, dropped=dropped) == []
    assert dropped == {"both say the same": 3}
    mixed = (*three[:2], generator("c", "2"))
    rows = collected(replace(collector, generators=mixed), sums(1), tmp_path / "mixed")
    assert {(row.lineage.policy, row.lineage.author) for row in rows} == {("c", "lover of c")}
    assert [row.weight for row in rows if isinstance(row, Preference)] == [pytest.approx(1 / 3)] * 2
