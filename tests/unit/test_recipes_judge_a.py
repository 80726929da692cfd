"""What is particular to each of the judges that mark, rank and compare."""

import math
import re
from collections.abc import Callable, Mapping

import pytest

from gadfly.errors import InputError, ParseError, UnsupportedError
from gadfly.models.scripted import Scripted, ScriptedTokens
from gadfly.parsing.rankings import read_order
from gadfly.parsing.steps import cut_steps, read_first_wrong_step
from gadfly.primitives.alternatives import first_word, word_after
from gadfly.primitives.listing import borda, shuffles
from gadfly.primitives.pairs import merge_orders, round_robin
from gadfly.primitives.principles import PRINCIPLES
from gadfly.prompts import Prompt
from gadfly.recipes.judge.calibrated_pairwise import CalibratedPairwise
from gadfly.recipes.judge.checklist_judge import Tick
from gadfly.recipes.judge.g_eval import GEval
from gadfly.recipes.judge.listwise import Listwise
from gadfly.recipes.judge.p_true import PTrue
from gadfly.recipes.judge.principled import Principled
from gadfly.recipes.judge.self_rationalising import SelfRationalising
from gadfly.recipes.judge.self_reference import SelfReference
from gadfly.recipes.judge.single_answer import SingleAnswer
from gadfly.recipes.judge.step_verdicts import StepVerdicts
from gadfly.recipes.judge.time_reversed import TimeReversed
from gadfly.records import Candidate, Case, Completion, Problem, Ranking, Request, Score, Tokens
from gadfly.run.judging import judge_case
from gadfly.trace import recording

pytestmark = pytest.mark.anyio

PROBLEM = Problem(id="p", prompt="Which is largest?", reference="nine")
A, B, C = (Candidate(text=text, author="m") for text in ("4", "7", "9"))


def says(text: str) -> Scripted:
    return Scripted.from_function(lambda request: text, id="judge")


def asked_of(request: Request) -> str:
    return request.messages[-1].content


def with_tokens(texts: tuple[str, ...], tops: tuple[Mapping[str, float], ...]) -> Completion:
    """A reply of these tokens; `tops` are probabilities."""
    logged = tuple({word: math.log(p) for word, p in top.items()} for top in tops)
    tokens = Tokens(texts=texts, logprobs=tuple(-0.1 for _ in texts), top=logged)
    return Completion(text="".join(texts), model="judge", tokens=tokens)


# ---------------------------------------------------------------- single answer


async def test_a_rubric_and_the_scale_stand_in_the_prompt() -> None:
    seen: list[str] = []

    def answer(request: Request) -> str:
        seen.append(asked_of(request))
        return "SCORE: 3"

    judge = SingleAnswer(model=Scripted.from_function(answer), rubric="3 is fair.", low=0.0, high=4.0)
    result = await judge(PROBLEM, A)
    assert result.value == 0.75
    assert "<rubric>\n3 is fair.\n</rubric>" in seen[0]
    assert re.search(r"from 0 \(worst\) to\s+4 \(best\)", seen[0])
    assert "nine" not in seen[0]


async def test_without_a_rubric_the_prompt_has_no_place_for_one() -> None:
    def answer(request: Request) -> str:
        assert "rubric" not in asked_of(request)
        return "SCORE: 1"

    assert (await SingleAnswer(model=Scripted.from_function(answer))(PROBLEM, A)).value == 0.0


async def test_the_reference_is_shown_only_where_it_is_wanted_and_the_score_says_so() -> None:
    def answer(request: Request) -> str:
        assert "<reference>\nnine\n</reference>" in asked_of(request)
        return "SCORE: 10"

    judge = SingleAnswer(model=Scripted.from_function(answer), use_reference=True)
    assert judge.sees_reference
    assert (await judge(PROBLEM, C)).saw_reference
    assert not SingleAnswer(model=says("")).sees_reference
    with pytest.raises(InputError, match="reference"):
        await judge(PROBLEM.blind(), C)


def test_a_prompt_of_the_users_that_shows_the_reference_is_declared_too() -> None:
    slots = "{{ answer }} {{ reference }} {{ rubric }} {{ low }} {{ high }}"
    assert SingleAnswer(model=says(""), prompt=Prompt(name="x", user=slots)).sees_reference


def test_an_empty_scale_is_refused() -> None:
    with pytest.raises(InputError, match="low must be below high"):
        SingleAnswer(model=says(""), low=5.0, high=5.0)


# ---------------------------------------------------------------- step verdicts


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Add.\n\nThen halve.\n", ("Add.", "Then halve.")),
        ("Add one. Then halve 3.5! Done", ("Add one.", "Then halve 3.5!", "Done")),
        ("one", ("one",)),
        (" \n ", ()),
    ],
)
def test_a_text_is_cut_into_lines_or_else_sentences(text: str, steps: tuple[str, ...]) -> None:
    assert cut_steps(text) == steps


RIGHT_STEPS = "STEP 1: correct\n**Step 2:** correct\nVERDICT: correct"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (RIGHT_STEPS, None),
        ("STEP 1: correct\nSTEP 2: incorrect - 7 is odd\nVERDICT: incorrect", (1, "7 is odd")),
        ("STEP 1: wrong\nVERDICT: incorrect", (0, "")),
        ("Step 1: they add.\nSTEP 1: correct\nSTEP 2: correct\nVERDICT: correct", None),
        ("STEP 1: incorrect: no\nSTEP 2: correct\nVERDICT: incorrect", (0, "no")),
    ],
)
def test_the_first_wrong_step_is_read(text: str, found: tuple[int, str] | None) -> None:
    assert read_first_wrong_step(text, 2) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no readable verdict on step 1"),
        ("STEP 1: correct\nSTEP 2: correct", "no line 'VERDICT"),
        ("STEP 1: correct\nSTEP 2: correct\nVERDICT: incorrect", "contradicts itself: no step"),
        ("STEP 1: correct\nSTEP 2: incorrect\nVERDICT: correct", "contradicts itself: step 2"),
        ("STEP 1: correct\nSTEP 1: incorrect\nVERDICT: incorrect", "contradicts itself on step 1"),
        ("STEP 2: incorrect\nVERDICT: incorrect", "no readable verdict on step 1"),
        ("STEP 1: correct\nSTEP 2: correct\nSTEP 3: correct\nVERDICT: correct", "judges step 3"),
        ("STEP 1: correct\nSTEP 2: correct\nSTEP 2: well\nVERDICT: correct", "verdict on step 2"),
        ("STEP 1: correct the sign\nSTEP 2: correct\nVERDICT: correct", "verdict on step 1"),
        ("STEP 0: correct\nSTEP 1: correct\nSTEP 2: correct\nVERDICT: correct", "judges step 0"),
    ],
)
def test_a_reply_that_leaves_out_a_step_or_contradicts_itself_is_unreadable(text: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        read_first_wrong_step(text, 2)


async def test_the_candidates_own_steps_are_judged_and_the_first_wrong_one_is_the_finding() -> None:
    candidate = Candidate(text="a\nb\nc", author="m", steps=("a\nb\n", "c"))

    def answer(request: Request) -> str:
        assert "<step_1>\na\nb\n</step_1>" in asked_of(request)
        assert "<step_3>" not in asked_of(request)
        return "STEP 1: correct\nSTEP 2: incorrect - no c\nVERDICT: incorrect"

    result = await StepVerdicts(model=Scripted.from_function(answer))(PROBLEM, candidate)
    assert result.verdict == "incorrect"
    assert [(found.step, found.text) for found in result.findings] == [(1, "no c")]


async def test_a_contradiction_leaves_no_verdict_and_no_finding() -> None:
    result = await StepVerdicts(model=says("STEP 1: incorrect\nVERDICT: correct"))(PROBLEM, A)
    assert (result.verdict, result.findings) == (None, ())
    assert result.failure is not None


async def test_an_answer_without_steps_is_not_asked_about() -> None:
    model = Scripted.from_list([])
    result = await StepVerdicts(model=model)(PROBLEM, Candidate(text=" \n", author="m"))
    assert result.verdict is None
    assert result.failure is not None
    assert "no steps" in result.failure.message


# ---------------------------------------------------------------- checklist


async def test_the_checklist_is_one_request_for_all_answers_and_the_mark_is_the_share_of_yes() -> None:
    written: set[str] = set()

    def answer(request: Request) -> str:
        asked = asked_of(request)
        if "Write a checklist" in asked:
            written.add(request.digest)
            return "- Is it a number?\n- Is it above 5?"
        return "ANSWER: " + ("no" if "above 5" in asked and "<reply>\n4" in asked else "yes")

    judge = Tick(model=Scripted.from_function(answer))
    scores = [await judge(PROBLEM, candidate) for candidate in (A, B, C)]
    assert [score.value for score in scores] == [0.5, 1.0, 1.0]
    assert len(written) == 1
    assert scores[0].explanation == "- Is it a number? yes\n- Is it above 5? no"


async def test_without_a_readable_checklist_an_answer_is_unscored() -> None:
    result = await Tick(model=says("I had rather not."))(PROBLEM, A)
    assert result.value is None
    assert result.failure is not None
    assert "checklist" in result.failure.message


# ---------------------------------------------------------------- G-Eval


def grader(top: Mapping[str, float]) -> Scripted:
    def answer(request: Request) -> Completion:
        if "Write the steps" in asked_of(request):
            return Completion(text="1. Read it.", model="judge")
        assert request.sampling.logprobs == 20
        assert "<steps>\n1. Read it.\n</steps>" in asked_of(request)
        return with_tokens((max(top, key=lambda word: top[word]),), (top,))

    return Scripted.from_function(answer, id="judge")


async def test_the_mark_is_the_mean_over_the_probabilities_of_the_marks() -> None:
    result = await GEval(model=grader({"5": 0.5, " 4": 0.2, "4": 0.1, "the": 0.2}))(PROBLEM, A)
    assert result.value == pytest.approx(((5 * 0.5 + 4 * 0.3) / 0.8 - 1) / 4)
    assert "p(4) 0.3000" in result.explanation


async def test_marks_outside_of_the_scale_do_not_count() -> None:
    result = await GEval(model=grader({"3": 0.6, "9": 0.3}), low=1, high=3)(PROBLEM, A)
    assert result.value == 1.0


@pytest.mark.parametrize("least", [0.5, 0.31])
async def test_too_little_probability_on_the_marks_is_unscored(least: float) -> None:
    result = await GEval(model=grader({"Well": 0.6, "3": 0.3}), least_mass=least)(PROBLEM, A)
    assert result.value is None
    assert result.failure is not None
    assert "0.300" in result.failure.message


async def test_with_no_probability_on_the_marks_nothing_is_divided() -> None:
    result = await GEval(model=grader({"Well": 0.6}), least_mass=0.0)(PROBLEM, A)
    assert result.value is None


async def test_a_backend_without_alternatives_leaves_an_answer_unscored() -> None:
    result = await GEval(model=says("5"))(PROBLEM, A)
    assert result.value is None
    assert result.failure is not None
    assert result.failure.type == "UnsupportedError"


@pytest.mark.parametrize(("low", "high"), [(1, 10), (3, 3), (-1, 4)])
def test_a_scale_that_is_not_of_single_digits_is_refused(low: int, high: int) -> None:
    with pytest.raises(InputError, match="digits"):
        GEval(model=says(""), low=low, high=high)


def test_blank_tokens_before_the_first_word_are_passed_over() -> None:
    tokens = with_tokens(("\n", " Yes"), ({"\n": 0.9}, {" Yes": 0.75, "Yes": 0.125})).tokens
    assert first_word(tokens) == {"Yes": pytest.approx(0.875)}
    assert first_word(None) == {}


def test_the_word_after_the_last_label_is_found_across_tokens() -> None:
    texts = ("CHO", "ICE: ", "B", "\n**CHOICE", ":**", " A", "**")
    tops = tuple({text: 0.5} for text in texts)
    tokens = with_tokens(texts, tops).tokens
    assert word_after(tokens, "CHOICE", "A") == {"A": pytest.approx(0.5)}
    assert word_after(tokens, "CHOICE", "B") == {}


# ---------------------------------------------------------------- P(True)


async def test_siblings_are_sampled_once_and_shown() -> None:
    drawn: list[tuple[int, ...]] = []

    def answer(request: Request) -> Completion:
        if "True or False" not in asked_of(request):
            drawn.append(request.draw)
            return Completion(text=f"draw {request.draw}", model="judge")
        shown = asked_of(request).count("<idea>")
        return with_tokens(("True",), ({"True": 0.25 * shown, "False": 0.25},))

    model = Scripted.from_function(answer)
    assert (await PTrue(model=model, siblings=3)(PROBLEM, A)).value == pytest.approx(0.75)
    assert drawn == [(), (1,), (2,)]
    with pytest.raises(UnsupportedError):
        await PTrue(model=says("True"))(PROBLEM, A)


# ---------------------------------------------------------------- listwise


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("RANKING: 2 > 3 > 1", (("2",), ("3",), ("1",))),
        ("RANKING: 1 > 2 > 3\nNo:\n**Final ranking:** [3] > 1 = 2", (("3",), ("1", "2"))),
        ("ranking: 3, 2, 1.", (("3",), ("2",), ("1",))),
        ("RANKING:\n1 = 2 = 3", (("1", "2", "3"),)),
    ],
)
def test_a_ranking_is_read_with_ties(text: str, order: tuple[tuple[str, ...], ...]) -> None:
    assert read_order(text, ("1", "2", "3")) == order


@pytest.mark.parametrize(
    "text", ["", "RANKING: 1 > 2", "RANKING: 1 > 2 > 2", "RANKING: 1 > 2 > 4", "RANKING: 3>2>1\nRANKING: ?"]
)
def test_an_incomplete_or_strange_ranking_is_unreadable(text: str) -> None:
    with pytest.raises(ParseError, match=r"(?i)ranking"):
        read_order(text, ("1", "2", "3"))


def test_shuffled_orders_differ_come_with_their_reverse_and_do_not_depend_on_the_order_given() -> None:
    orders = [[c.id for c in order] for order in shuffles(PROBLEM, [A, B, C], 4)]
    assert len({tuple(order) for order in orders}) == 4
    assert orders[1] == orders[0][::-1]
    assert orders == [[c.id for c in order] for order in shuffles(PROBLEM, [C, A, B, A], 4)]
    assert len(shuffles(PROBLEM, [A, B], 9)) == 2
    other = [[c.id for c in order] for order in shuffles(PROBLEM.again(1), [A, B, C], 1)]
    assert len(shuffles(PROBLEM, [A, B, C], 99)) == 6
    assert len(other) == 1


async def test_borda_counts_add_up_and_unreadable_orders_are_left_out() -> None:
    def ranked(*tiers: tuple[Candidate, ...]) -> Ranking:
        return Ranking(tiers=tuple(tuple(c.id for c in tier) for tier in tiers), author="m")

    failed = Ranking(tiers=(), author="m", failure=ParseError("no").failure())
    result = await borda([ranked((A,), (B,), (C,)), failed, ranked((A,), (B, C))])
    assert result.tiers == ((A.id,), (B.id,), (C.id,))
    assert result.strength == pytest.approx(2 / 3)
    assert result.explanation == "2 of 3 orders readable"
    tied = await borda([ranked((A,), (B,)), ranked((B,), (A,))])
    assert (tied.best, tied.strength) == (None, 0.0)
    broken = await borda([failed, failed])
    assert (broken.tiers, broken.failure) == ((), failed.failure)


async def test_all_answers_are_ranked_by_several_orders_of_one_prompt() -> None:
    heard: list[list[str]] = []

    def answer(request: Request) -> str:
        texts = re.findall(r"<answer_\d>\n(\d)\n", asked_of(request))
        heard.append(texts)
        if len(heard) == 1:
            return "I cannot say."
        order = sorted(range(3), key=lambda place: -int(texts[place]))
        return "RANKING: " + " > ".join(str(place + 1) for place in order)

    result = await Listwise(model=Scripted.from_function(answer), orders=3)(PROBLEM, [A, B, C])
    assert result.tiers == ((C.id,), (B.id,), (A.id,))
    assert result.strength == pytest.approx(2 / 3)
    assert len(heard) == 3
    assert all(sorted(texts) == ["4", "7", "9"] for texts in heard)
    failed = await Listwise(model=says("None."))(PROBLEM, [A, B])
    assert failed.tiers == ()
    assert failed.failure is not None


# ---------------------------------------------------------------- pairs


def of(first: Candidate, second: Candidate, strength: float) -> Ranking:
    """`first` better than `second`, with this strength; below 0 the other way round."""
    best, worst = (first, second) if strength > 0 else (second, first)
    return Ranking(tiers=((best.id,), (worst.id,)), author="m", strength=abs(strength), explanation="words")


def test_both_orders_weigh_the_same_and_their_agreement_is_said() -> None:
    agreed = merge_orders((A, B), [of(A, B, 0.6)], [of(A, B, 0.2)], note="N")
    assert (agreed.best, agreed.strength) == (A.id, pytest.approx(0.4))
    assert agreed.explanation.startswith("the orders agree; 2 of 2 replies readable\n---\nN\n---\nwords")
    split = merge_orders((A, B), [of(A, B, 0.6)], [of(A, B, -0.2)])
    assert (split.best, split.strength) == (A.id, pytest.approx(0.2))
    assert split.explanation.startswith("the orders disagree")
    even = merge_orders((A, B), [of(A, B, 1.0)], [of(A, B, -1.0)])
    assert (even.best, even.strength, len(even.tiers)) == (None, 0.0, 1)


def test_an_unreadable_order_halves_the_strength_and_two_fail() -> None:
    failed = Ranking(tiers=(), author="m", failure=ParseError("no").failure())
    half = merge_orders((A, B), [failed], [of(B, A, 0.8)])
    assert (half.best, half.strength) == (B.id, pytest.approx(0.4))
    assert half.explanation.startswith("only one order could be read; 1 of 2")
    none = merge_orders((A, B), [failed], [failed])
    assert (none.tiers, none.failure) == ((), failed.failure)


def test_by_votes_the_strength_is_the_share_of_replies_for_the_winner_less_those_against() -> None:
    forward = [of(A, B, 0.1), of(A, B, 0.1)]
    backward = [of(A, B, 0.1), of(A, B, -0.05)]
    assert merge_orders((A, B), forward, backward, strength="votes").strength == 0.5
    outvoted = merge_orders(
        (A, B), [of(A, B, 0.9), of(A, B, -0.1)], [of(A, B, -0.1), of(A, B, -0.1)], strength="votes"
    )
    assert (outvoted.best, outvoted.strength) == (A.id, 0.0)


async def test_more_than_two_answers_are_ordered_by_their_pairs() -> None:
    async def by_number(first: Candidate, second: Candidate) -> Ranking:
        return of(first, second, float(first.text) - float(second.text) or -1.0)

    assert (await round_robin([A, C, B], by_number, author="m")).tiers == ((C.id,), (B.id,), (A.id,))

    async def broken(first: Candidate, second: Candidate) -> Ranking:
        return Ranking(tiers=(), author="m", failure=ParseError("no").failure())

    failed = await round_robin([A, B, C], broken, author="m")
    assert failed.tiers == ()
    assert failed.failure is not None


# ---------------------------------------------------------------- self-reference


def annotator(choice: Callable[[Request], Completion | str]) -> Scripted:
    def answer(request: Request) -> Completion | str:
        asked = asked_of(request)
        if "CHOICE: A" in asked:
            return choice(request)
        if asked.startswith("Criticise"):
            assert "<own_answer>\nmine\n</own_answer>" in asked
            return "too small" if "<answer>\n4" in asked else "fine"
        return "mine"

    return Scripted.from_function(answer, id="judge")


def lettered(request: Request, sure: float) -> Completion:
    """Says A, with p(A) = sure."""
    assert request.sampling.temperature == 0
    return with_tokens(("CHOICE:", " A"), ({"CHOICE:": 1.0}, {" A": sure, " B": 1 - sure}))


async def test_the_strength_comes_from_the_probabilities_of_the_letters() -> None:
    def choice(request: Request) -> Completion:
        asked = asked_of(request)
        assert asked.index("<answer_A>") < asked.index("too small" if "<answer_A>\n4" in asked else "fine")
        return lettered(request, 0.9 if "<answer_A>\n7" in asked else 0.6)

    there = await SelfReference(model=annotator(choice))(PROBLEM, [A, B])
    back = await SelfReference(model=annotator(choice))(PROBLEM, [B, A])
    # In one order 0.9 to 0.1 for B, in the other 0.6 to 0.4 for A.
    assert (there.best, there.strength) == (B.id, pytest.approx((0.8 - 0.2) / 2))
    assert (back.best, back.strength) == (there.best, there.strength)
    assert there.explanation.startswith("the orders disagree")


async def test_without_probabilities_the_strength_is_the_agreement_of_orders_and_samples() -> None:
    def choice(request: Request) -> str:
        if request.draw == (1,):
            return "CHOICE: A"
        return "CHOICE: " + ("A" if "<answer_A>\n7" in asked_of(request) else "B")

    result = await SelfReference(model=annotator(choice), samples=2)(PROBLEM, [A, B])
    assert (result.best, result.strength) == (B.id, 0.5)


async def test_the_own_answer_is_what_the_model_answers_to_the_problem_itself() -> None:
    heard: list[Request] = []

    def choice(request: Request) -> str:
        return "CHOICE: B"

    inner = annotator(choice)

    async def listen(request: Request) -> Completion:
        heard.append(request)
        return await inner.complete(request)

    await SelfReference(model=Scripted.from_function(listen))(PROBLEM, [A, B])
    assert heard[0] == Request(messages=PROBLEM.messages)


# ---------------------------------------------------------------- principled


async def test_the_principle_follows_from_problem_and_draw_and_is_named() -> None:
    def answer(request: Request) -> str:
        assert "<principle>\n" in asked_of(request)
        return "CHOICE: " + ("A" if "<answer_A>\n7" in asked_of(request) else "B")

    judge = Principled(model=Scripted.from_function(answer))
    drawn = {judge.principle(problem) for problem in PROBLEM.attempts(40)}
    assert drawn == set(PRINCIPLES)
    renamed = PROBLEM.model_copy(update={"id": "p~swapped"})
    assert judge.principle(renamed) == judge.principle(PROBLEM)
    result = await judge(PROBLEM, [A, B])
    assert (result.best, result.strength) == (B.id, 1.0)
    assert result.explanation.startswith(f"Principle: {judge.principle(PROBLEM)}\n---\n")


def test_a_constitution_without_principles_is_refused() -> None:
    with pytest.raises(InputError, match="principles is empty"):
        Principled(model=says(""), principles=())


# ---------------------------------------------------------------- self-rationalising


def sampled(*marks: str) -> Scripted:
    def answer(request: Request) -> str:
        turn = request.draw[-1] if request.draw else 0
        return f"Reason {turn}.\nSCORE: {marks[turn]}"

    return Scripted.from_function(answer, id="judge")


@pytest.mark.parametrize(
    ("marks", "by", "value"),
    [
        (("5", "1", "5", "2", "1"), "majority", 0.0),
        (("5", "5", "1", "2", "3"), "majority", 1.0),
        (("5", "1", "3", "?", "3"), "mean", 0.5),
        (("2", "4", "?", "?", "?"), "majority", 0.25),
    ],
)
async def test_the_usual_mark_or_the_mean_counts(marks: tuple[str, ...], by: str, value: float) -> None:
    settling = "mean" if by == "mean" else "majority"
    result = await SelfRationalising(model=sampled(*marks), by=settling)(PROBLEM, A)
    assert result.value == pytest.approx(value)


async def test_the_words_are_the_medians_and_better_and_worse_rationales_are_a_recorded_ranking() -> None:
    with recording() as recorder:
        result = await SelfRationalising(model=sampled("5", "1", "4", "4", "x"))(PROBLEM, A)
    assert result.value == 0.75
    assert result.explanation == "4 of 5 marks readable; the median one:\nReason 2.\nSCORE: 4"
    scores = {s.output.id: s.output.value for s in recorder.steps if isinstance(s.output, Score)}
    ranking = recorder.steps[-1].output
    assert isinstance(ranking, Ranking)
    assert [[scores[name] for name in tier] for tier in ranking.tiers] == [[0.75, 0.75], [1.0], [0.0]]


async def test_where_no_rationale_has_a_mark_the_answer_is_unscored() -> None:
    result = await SelfRationalising(model=says("Good."))(PROBLEM, A)
    assert result.value is None
    assert result.failure is not None


# ---------------------------------------------------------------- time-reversed


async def test_the_mark_is_the_probability_per_token_of_the_problem_given_the_answer() -> None:
    def likelihood(prefix: Request, continuation: str) -> Tokens:
        assert continuation == "Which is largest?"
        assert "largest" not in asked_of(prefix)
        each = -0.5 if "<answer>\n9" in asked_of(prefix) else -2.0
        return Tokens(texts=("Which", " is", " largest?"), logprobs=(each, each, each - 0.3))

    judge = TimeReversed(model=ScriptedTokens(answer=lambda request: "", likelihood=likelihood, id="m"))
    result = await judge(PROBLEM, C)
    assert result.value == pytest.approx(math.exp(-0.6))
    assert result.explanation == "log P(problem | answer) -1.8000 over 3 tokens"
    order = await judge_case(judge, PROBLEM, Case(candidates=(A, C)))
    assert isinstance(order, Ranking)
    assert order.best == C.id


async def test_a_model_that_cannot_score_texts_leaves_the_answer_unscored() -> None:
    result = await TimeReversed(model=says("Which?"))(PROBLEM, A)
    assert result.value is None
    assert result.failure is not None
    assert result.failure.type == "UnsupportedError"


# ---------------------------------------------------------------- calibrated pairwise


async def test_marks_are_averaged_over_samples_and_both_orders() -> None:
    heard: list[tuple[tuple[int, ...], bool]] = []

    def answer(request: Request) -> str:
        first = "<answer_A>\n4" in asked_of(request)
        heard.append((request.draw, first))
        # Two marks more for whoever stands first; B is better by one.
        return "SCORE A: 8\nSCORE B: 7" if first else "SCORE A: 9\nSCORE B: 6"

    result = await CalibratedPairwise(model=Scripted.from_function(answer))(PROBLEM, [A, B])
    assert len(heard) == len(set(heard)) == 6
    assert (result.best, result.strength) == (B.id, 0.0)
    assert result.explanation.startswith("the orders disagree; 6 of 6 replies readable")


async def test_the_share_of_replies_for_the_winner_is_the_strength() -> None:
    def answer(request: Request) -> str:
        marks = {"4": 3, "7": 5}
        if request.draw == (1,):
            return "no marks"
        return "SCORE A: {}\nSCORE B: {}".format(
            *(marks[text] for text in re.findall(r"<answer_[AB]>\n(\d)", asked_of(request)))
        )

    result = await CalibratedPairwise(model=Scripted.from_function(answer))(PROBLEM, [A, B])
    assert (result.best, result.strength) == (B.id, pytest.approx(4 / 6))
    assert result.explanation.startswith("the orders agree; 4 of 6 replies readable")


async def test_of_three_answers_every_pair_is_compared() -> None:
    def answer(request: Request) -> str:
        first, second = re.findall(r"<answer_[AB]>\n(\d)", asked_of(request))
        return f"SCORE A: {first}\nSCORE B: {second}"

    judge = CalibratedPairwise(model=Scripted.from_function(answer), k=1)
    assert (await judge(PROBLEM, [A, C, B])).tiers == ((C.id,), (B.id,), (A.id,))
