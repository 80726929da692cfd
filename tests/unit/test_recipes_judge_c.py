"""Judges that pool critiques, criticise critiques, find contradictions, review, plant and teach."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from gadfly.errors import InputError
from gadfly.metrics.critique_quality import critique_quality
from gadfly.models.scripted import Scripted
from gadfly.primitives.fusion import Skill
from gadfly.primitives.mending import leak
from gadfly.primitives.planting import carry_on, planted_cases
from gadfly.recipes.judge.auto_math_critique import AutoMathCritique
from gadfly.recipes.judge.document_review import DocumentReview
from gadfly.recipes.judge.learner_feedback import LearnerFeedback
from gadfly.recipes.judge.meta_critique import MetaCritique
from gadfly.recipes.judge.multi_critique import MultiCritique
from gadfly.recipes.judge.planted_errors import DIRECTED, PlantedErrors
from gadfly.recipes.judge.self_contradiction import SelfContradiction
from gadfly.records import Candidate, Case, Critique, Finding, Problem, Request, Verdict
from gadfly.run.judging import judge_case
from gadfly.scorers.text import Numeric
from gadfly.trace import recording

pytestmark = pytest.mark.anyio

PROBLEM = Problem(id="p", prompt="What is 6 * 7?", reference="42", answer_kind="number")
WRONG = Candidate(text="6 * 7 = 48.\nAnswer: 48", author="m", steps=("6 * 7 = 48.\n", "Answer: 48"))
RIGHT = Candidate(text="6 * 7 = 42.\nAnswer: 42", author="m", steps=("6 * 7 = 42.\n", "Answer: 42"))


class Plays:
    """A model that answers by the first mark that stands in what it is asked, and keeps what it heard."""

    def __init__(self, *rules: tuple[str, str | Callable[[Request], str]], id: str = "plays") -> None:
        self.rules, self.heard = rules, list[str]()
        self.model = Scripted.from_function(self._answer, id=id)

    def _answer(self, request: Request) -> str:
        asked = request.messages[-1].content
        self.heard.append(asked)
        for mark, reply in self.rules:
            if mark in asked:
                return reply if isinstance(reply, str) else reply(request)
        raise AssertionError(f"nobody answers {asked[:300]}")

    def count(self, mark: str) -> int:
        return sum(mark in asked for asked in self.heard)


class Says:
    """A critic that always says the same."""

    def __init__(self, verdict: Verdict | None, *findings: Finding, sees_reference: bool = False) -> None:
        self.verdict: Verdict | None = verdict
        self.findings, self.sees_reference = findings, sees_reference
        self.saw: list[str | None] = []

    async def __call__(self, problem: Problem, target: object, /) -> Critique:
        self.saw.append(problem.reference)
        return Critique(
            target=getattr(target, "id", ""),
            text="words",
            author="says",
            verdict=self.verdict,
            findings=self.findings,
            saw_reference=self.sees_reference,
        )


# ---------------------------------------------------------------- MultiCritique

ONE, TWO = Finding(text="the product is wrong", step=0), Finding(text="no unit is given", step=1)


async def test_critics_are_pooled_by_weight_and_summed_up() -> None:
    plays = Plays(("Is the claim true?", "VERDICT: correct"), ("the one review", "One review."))
    critics = (Says("incorrect", ONE), Says("incorrect", ONE, TWO), Says("correct"))
    skills = tuple(Skill(right=n, judged=10, detection=0.5, false_alarm=0.5) for n in (9, 7, 9))
    judge = MultiCritique(model=plays.model, critics=critics, rule="skill", skills=skills)
    with recording() as recorder:
        said = await judge(PROBLEM, WRONG)
    assert (said.verdict, said.text, said.target) == ("incorrect", "One review.", WRONG.id)
    assert said.findings == (ONE,)
    assert plays.count("Is the claim true?") == 3
    assert "step 1: the product is wrong" in plays.heard[-1]
    assert [step.name for step in recorder.steps][-2:] == ["pool", "sum_up"]
    assert recorder.steps[-1].output == said


async def test_a_point_that_the_check_finds_wrong_is_left_out() -> None:
    def check(request: Request) -> str:
        return "VERDICT: incorrect" if "unit" in request.messages[-1].content else "?"

    plays = Plays(("Is the claim true?", check))
    critics = (Says("incorrect", ONE, TWO), Says("incorrect", ONE, TWO))
    judge = MultiCritique(model=plays.model, critics=critics, summarise=False)
    assert (await judge(PROBLEM, WRONG)).findings == (ONE,)
    unchecked = MultiCritique(model=plays.model, critics=critics, summarise=False, classify=False)
    assert (await unchecked(PROBLEM, WRONG)).findings == (ONE, TWO)


async def test_only_a_critic_that_wants_the_reference_gets_it() -> None:
    blind, seeing = Says("correct"), Says("correct", sees_reference=True)
    plays = Plays(("the one review", "Fine."))
    judge = MultiCritique(model=plays.model, critics=(blind, seeing))
    assert judge.sees_reference
    assert (await judge(PROBLEM, RIGHT)).saw_reference
    assert (blind.saw, seeing.saw) == ([None], ["42"])
    assert not MultiCritique(model=plays.model, critics=(blind,)).sees_reference


async def test_without_critics_the_model_criticises_under_personas_beside_its_criteria() -> None:
    plays = Plays(
        ("checklist for judging", "- Is the product right?"),
        ("Is the claim true?", "VERDICT: correct"),
        ("You are", "- step 1: the product is wrong\nVERDICT: incorrect"),
        ("the one review", "It is wrong."),
    )
    said = await MultiCritique(model=plays.model, n=3)(PROBLEM, WRONG)
    assert said.findings == (ONE,)
    asked = [text for text in plays.heard if text.startswith("You are")]
    assert len({text.partition(".")[0] for text in asked}) == 3
    assert all("Is the product right?" in text for text in asked)


async def test_a_model_can_say_which_points_are_one() -> None:
    plays = Plays(("same fault", "ANSWER: yes"))
    critics = (Says("incorrect", ONE), Says("incorrect", Finding(text="6 * 7 is not 48", step=0)))
    alike = MultiCritique(
        model=plays.model, critics=critics, match="model", summarise=False, classify=False, keep=1.0
    )
    assert len((await alike(PROBLEM, WRONG)).findings) == 1
    by_words = replace(alike, match="words")
    assert (await by_words(PROBLEM, WRONG)).findings == ()
    by_step = replace(alike, match="step")
    assert len((await by_step(PROBLEM, WRONG)).findings) == 1


# ---------------------------------------------------------------- MetaCritique

REVIEW = Critique(target=WRONG.id, text="The product is wrong. Rain is dry.", author="c", verdict="incorrect")
ABOUT = PROBLEM.model_copy(
    update={"metadata": {"answer": WRONG.text}, "privileged": {"critique": "It is 42. Say the unit."}}
)


def meta_player(true: Callable[[str], str], covered: Callable[[str], str]) -> Plays:
    def split(request: Request) -> str:
        body = request.messages[-1].content.split("<review>\n")[1].split("\n</review>")[0]
        return "\n".join(f"- {part.strip()}." for part in body.split(".") if part.strip())

    def claim(request: Request) -> str:
        return request.messages[-1].content.split("<claim>\n")[1].split("\n</claim>")[0]

    return Plays(
        ("into its single claims", split),
        ("Is the claim true?", lambda request: true(claim(request))),
        ("say this too", lambda request: covered(claim(request))),
        ("Say all that is right", "- It is 42."),
    )


async def test_a_critique_is_scored_by_truth_and_by_coverage() -> None:
    plays = meta_player(
        lambda claim: "VERDICT: incorrect" if "Rain" in claim else "So it is.\nVERDICT: correct",
        lambda claim: "ANSWER: yes" if "42" in claim else "ANSWER: no",
    )
    judge = MetaCritique(model=plays.model)
    score = await judge.score(ABOUT, REVIEW)
    assert score.value == critique_quality([True, False], [True, False]).f1 == 0.5
    assert (score.target, score.saw_reference) == (REVIEW.id, True)
    assert "precision: 0.500, recall: 0.500, F1: 0.500 (2 units, 2 wanted, 0 unreadable)" in score.explanation
    assert "[true] The product is wrong.\nSo it is." in score.explanation
    assert "[missed] Say the unit." in score.explanation
    assert plays.count("Say all that is right") == 0
    assert all(WRONG.text in asked for asked in plays.heard if "Is the claim true?" in asked)


async def test_the_critique_of_a_critique_names_wrong_and_missed_units() -> None:
    plays = meta_player(
        lambda claim: "VERDICT: incorrect" if "Rain" in claim else "VERDICT: correct",
        lambda claim: "ANSWER: no" if "unit" in claim else "ANSWER: yes",
    )
    case = Case(candidates=(WRONG,), critique=REVIEW)
    with recording() as recorder:
        said = await judge_case(MetaCritique(model=plays.model, threshold=0.6), ABOUT, case)
    assert isinstance(said, Critique)
    assert (said.target, said.verdict) == (REVIEW.id, "incorrect")
    assert [f.text for f in said.findings] == ["Not true: Rain is dry.", "Not said: Say the unit."]
    assert {"atomise", "critique", "grade", "tell"} == {step.name for step in recorder.steps}
    assert recorder.steps[-1].output == said


@pytest.mark.parametrize(
    ("own", "wanted"),
    [([True, True], [False, False]), ([False], [True, True]), ([True, False], [True, True])],
)
async def test_the_f1_is_the_one_of_the_metrics(own: list[bool], wanted: list[bool]) -> None:
    plays = meta_player(
        lambda claim: f"VERDICT: {'correct' if own[int(claim[1:-1])] else 'incorrect'}",
        lambda claim: f"ANSWER: {'yes' if wanted[int(claim[1:-1])] else 'no'}",
    )
    review = REVIEW.model_copy(update={"text": "".join(f"u{k}. " for k in range(len(own)))})
    reference = "".join(f"w{k}. " for k in range(len(wanted)))
    problem = ABOUT.model_copy(update={"privileged": {"critique": reference}})
    score = await MetaCritique(model=plays.model).score(problem, review)
    assert score.value == critique_quality(own, wanted).f1


async def test_unreadable_units_are_left_out_and_counted() -> None:
    plays = meta_player(
        lambda claim: "hm" if "Rain" in claim else "VERDICT: correct", lambda claim: "ANSWER: yes"
    )
    score = await MetaCritique(model=plays.model).score(ABOUT, REVIEW)
    assert score.value == 1.0
    assert "1 unreadable" in score.explanation
    mute = meta_player(lambda claim: "hm", lambda claim: "ANSWER: yes")
    unscored = await MetaCritique(model=mute.model)(ABOUT, REVIEW)
    assert unscored.verdict is None
    assert unscored.failure is not None


async def test_the_reference_critique_is_written_where_none_is_given() -> None:
    plays = meta_player(lambda claim: "VERDICT: correct", lambda claim: "ANSWER: yes")
    problem = PROBLEM.model_copy(update={"metadata": {"answer": WRONG.text}})
    score = await MetaCritique(model=plays.model).score(problem, REVIEW)
    assert score.value == 1.0
    assert plays.count("Say all that is right") == 1
    assert plays.count("<right_answer>\n42") == 3
    with pytest.raises(InputError, match="privileged text 'critique'"):
        await MetaCritique(model=plays.model, reference="given").score(problem, REVIEW)


async def test_told_not_to_look_it_judges_without_the_reference() -> None:
    plays = meta_player(lambda claim: "VERDICT: correct", lambda claim: "ANSWER: yes")
    score = await MetaCritique(model=plays.model, sees_reference=False).score(ABOUT, REVIEW)
    assert not score.saw_reference
    assert plays.count("right_answer") == 0


# ---------------------------------------------------------------- self-contradiction

STORY = Candidate(text="Ann was born in Rome. She painted doors all her life. Yes.", author="m")


def contradicting(verdict: Callable[[str], str]) -> Plays:
    return Plays(
        ("Which question does this sentence answer?", "Where was Ann born?"),
        ("Write the next sentence", "Ann was born in Oslo."),
        ("Can both be true?", lambda request: verdict(request.messages[-1].content)),
    )


async def test_a_contradicted_sentence_is_found_with_its_span_and_the_other_version() -> None:
    plays = contradicting(lambda asked: "ANSWER: yes" if "<sentence_1>\nAnn" in asked else "ANSWER: no")
    said = await SelfContradiction(model=plays.model)(PROBLEM, STORY)
    assert said.verdict == "incorrect"
    (found,) = said.findings
    assert found.span is not None
    assert STORY.text[slice(*found.span)] == "Ann was born in Rome."
    assert "Oslo" in found.text
    again = [asked for asked in plays.heard if "Write the next sentence" in asked]
    assert len(again) == 2  # "Yes." states nothing
    assert not any("Rome" in asked for asked in again if "(nothing yet)" in asked)


async def test_an_unreadable_comparison_leaves_no_verdict_unless_another_contradicts() -> None:
    open_ = contradicting(lambda asked: "?" if "<sentence_1>\nAnn" in asked else "ANSWER: no")
    said = await SelfContradiction(model=open_.model)(PROBLEM, STORY)
    assert said.verdict is None
    assert said.failure is not None
    assert "1 of 2" in said.failure.message
    settled = contradicting(lambda asked: "?" if "<sentence_1>\nAnn" in asked else "ANSWER: yes")
    assert (await SelfContradiction(model=settled.model)(PROBLEM, STORY)).verdict == "incorrect"


async def test_without_a_sentence_there_is_nothing_to_judge() -> None:
    said = await SelfContradiction(model=Plays().model)(PROBLEM, Candidate(text="42", author="m"))
    assert said.verdict is None
    assert said.failure is not None


# ---------------------------------------------------------------- documents

PAPER = Candidate(
    text="# Claims\n" + "We claim much. " * 20 + "\n# Proof\n" + "It is clear. " * 20 + "\n", author="m"
)


async def test_a_document_is_reviewed_by_section_and_comments_are_merged_weightiest_first() -> None:
    def review(request: Request) -> str:
        part = request.messages[-1].content.split("<part>")[1]
        if "Claims" in part:
            return "- [minor] No baseline is compared\n- no limits are named\nVERDICT: correct"
        return "- [major] The proof has a gap -> fill it\n- [major] no baseline compared\nVERDICT: incorrect"

    plays = Plays(("Its headings, in order:\n<outline>\nClaims\nProof\n</outline>", review))
    said = await DocumentReview(model=plays.model, budget=400)(PROBLEM, PAPER)
    assert len(plays.heard) == 2
    assert said.verdict == "incorrect"
    assert [(f.severity, f.text) for f in said.findings] == [
        ("major", "No baseline is compared"),
        ("major", "The proof has a gap"),
        (None, "no limits are named"),
    ]
    assert said.findings[1].suggestion == "fill it"
    assert said.findings[1].span is not None
    assert PAPER.text[slice(*said.findings[1].span)].startswith("# Proof")
    grave = await DocumentReview(model=plays.model, budget=400, least="major")(PROBLEM, PAPER)
    assert len(grave.findings) == 2


async def test_planted_errors_are_looked_for_by_one_question_each() -> None:
    def look(request: Request) -> str:
        sums = "Compute every sum" in request.messages[-1].content
        return "- step 1: 48 is not the product -> 42\nVERDICT: incorrect" if sums else "VERDICT: correct"

    plays = Plays(("VERDICT: incorrect", look))
    said = await PlantedErrors(model=plays.model)(PROBLEM, WRONG)
    assert len(plays.heard) == len(DIRECTED)
    assert (said.verdict, [f.step for f in said.findings]) == ("incorrect", [0])
    open_ = await PlantedErrors(model=plays.model, style="open")(PROBLEM, WRONG)
    assert open_.verdict == "correct"


# ---------------------------------------------------------------- AutoMathCritique


async def test_a_critique_is_kept_only_if_it_leads_to_the_right_answer() -> None:
    critic = Plays(
        (
            "for training",
            lambda r: f"- step 1: draft {len(r.draw) and r.draw[-1]}\nVERDICT: incorrect",
        )
    )
    reviser = Plays(
        ("What a reviewer says", lambda r: f"Answer: {42 if 'draft 2' in r.messages[-1].content else 48}")
    )
    judge = AutoMathCritique(model=critic.model, reviser=reviser.model, trials=2)
    said = await judge(PROBLEM, WRONG)
    assert said.verdict == "incorrect"
    assert [f.text for f in said.findings] == ["draft 2"]
    assert said.saw_reference
    assert not any("right_answer" in asked for asked in reviser.heard)
    assert len(reviser.heard) == 6


async def test_where_no_critique_helps_it_is_withheld_with_the_reason() -> None:
    critic = Plays(("for training", "- step 1: it is 42\nVERDICT: incorrect"))
    hopeless = Plays(("What a reviewer says", "Answer: 48"))
    said = await AutoMathCritique(model=critic.model, reviser=hopeless.model)(PROBLEM, WRONG)
    assert (said.verdict, said.text, said.findings) == (None, "", ())
    assert said.failure is not None
    assert "no critique led to a right answer" in said.failure.message
    able = Plays(("What a reviewer says", "Answer: 42"))
    told = AutoMathCritique(model=critic.model, reviser=able.model, may_tell=False)
    assert (await told(PROBLEM, WRONG)).verdict is None
    assert able.heard == []


async def test_the_place_of_a_planted_flaw_is_told_to_the_critic_alone() -> None:
    (_, (problem, case)) = planted_cases(PROBLEM, RIGHT, kinds=("arithmetic",))
    critic = Plays(("for training", "- step 1: not so\nVERDICT: incorrect"))
    reviser = Plays(("What a reviewer says", "Answer: 42"))
    judge = AutoMathCritique(model=critic.model, reviser=reviser.model, scorer=Numeric(), drafts=1)
    # The flaw leaves the stated answer right, so that every revision would be right.
    untestable = await judge(problem, case.candidates[0])
    assert untestable.failure is not None
    assert untestable.failure.type == "AnswerStillRight"
    assert critic.heard == []
    student = Plays(("Go on from", "So it is 48.\nAnswer: 48"))
    flawed = await carry_on(student.model, problem, case.candidates[0], step=0)
    assert flawed.steps == (case.candidates[0].steps[0], "So it is 48.\n", "Answer: 48")
    assert student.count("right") == 0
    assert (await judge(problem, flawed)).verdict == "incorrect"
    assert critic.count("<error>\nstep 1: ") == 1
    assert reviser.count("<error>") == 0


# ---------------------------------------------------------------- feedback for learners


class Learner:
    """A simulated student with a hidden profile: a mistaken belief that only a fitting hint removes."""

    def __init__(self, *, hint: str, sure: int = 4) -> None:
        self.hint, self.sure = hint, sure
        self.model = Scripted.from_function(self._work, id="learner")
        self.heard: list[str] = []

    def _work(self, request: Request) -> str:
        self.heard.append(request.messages[-1].content)
        told = "".join(re.findall(r"<feedback>\n(.*?)\n</feedback>", self.heard[-1], re.DOTALL))
        trial = request.draw[-1] if len(request.draw) == 2 else 0
        return f"Answer: {42 if self.hint in told and trial < self.sure else 48}"


HINT = "You added a seven too many: how often do you take seven?\nVERDICT: incorrect"


def teacher(*drafts: str) -> Plays:
    def draft(request: Request) -> str:
        return drafts[request.draw[-1] if request.draw else 0]

    return Plays(("You help a student", draft))


async def test_feedback_is_released_when_the_simulated_student_can_use_it() -> None:
    teaches, learner = teacher(HINT), Learner(hint="too many")
    judge = LearnerFeedback(model=teaches.model, student=learner.model, profile="You count 6 * 7 as 48.")
    said = await judge(PROBLEM, WRONG)
    assert (said.verdict, said.text, said.failure) == ("incorrect", HINT, None)
    assert len(learner.heard) == 5
    assert all("You count 6 * 7 as 48." in asked for asked in learner.heard)
    assert not any("You count" in asked for asked in teaches.heard)
    assert not any("42" in asked for asked in learner.heard)
    assert said.saw_reference


async def test_feedback_that_does_not_help_is_withheld_with_the_reason() -> None:
    judge = LearnerFeedback(model=teacher(HINT, HINT).model, student=Learner(hint="other").model)
    said = await judge(PROBLEM, WRONG)
    assert (said.verdict, said.text) == (None, "")
    assert said.failure is not None
    assert (said.failure.type, "0 of 5" in said.failure.message) == ("NotUsable", True)


async def test_a_higher_threshold_releases_less() -> None:
    released: list[bool] = []
    for threshold in (0.0, 0.4, 0.6, 1.0):
        student = Learner(hint="too many", sure=2)
        judge = LearnerFeedback(
            model=teacher(HINT, HINT).model, student=student.model, threshold=threshold, drafts=1
        )
        released.append((await judge(PROBLEM, WRONG)).verdict is not None)
    assert released == [True, True, False, False]


async def test_feedback_that_holds_the_answer_is_never_tried_and_a_new_draft_is_asked_for() -> None:
    teaches, learner = teacher("It is 42, of course.\nVERDICT: incorrect", HINT), Learner(hint="too many")
    said = await LearnerFeedback(model=teaches.model, student=learner.model)(PROBLEM, WRONG)
    assert said.text == HINT
    assert teaches.count("gave the solution away") == 1
    tells = LearnerFeedback(model=teacher("It is 42.\nVERDICT: incorrect").model, threshold=0, drafts=1)
    withheld = await tells(PROBLEM, WRONG)
    assert withheld.text == ""
    assert withheld.failure is not None
    assert withheld.failure.type == "GivesAway"


async def test_right_work_is_praised_without_a_call() -> None:
    plays = Plays()
    said = await LearnerFeedback(model=plays.model)(PROBLEM, RIGHT)
    assert said.verdict == "correct"
    assert plays.heard == []


async def test_feedback_that_calls_wrong_work_right_is_not_released() -> None:
    said = await LearnerFeedback(model=teacher("Fine.\nVERDICT: correct").model, drafts=1)(PROBLEM, WRONG)
    assert said.verdict is None
    assert said.failure is not None
    assert said.failure.type == "CallsWrongRight"


def test_writing_needs_a_scorer_and_settings_must_make_sense() -> None:
    with pytest.raises(InputError, match="scorer"):
        LearnerFeedback(model=Plays().model, subject="writing")
    assert LearnerFeedback(model=Plays().model, subject="writing", scorer=Numeric()).subject == "writing"
    with pytest.raises(InputError):
        LearnerFeedback(model=Plays().model, threshold=2)


@pytest.mark.parametrize(
    ("reference", "text", "found"),
    [
        ("42", "Think of 42.", "42"),
        ("42", "Think of 420 or 4.2", None),
        ("48", "You wrote 48", None),  # the student's own
        ("1,000", "It is 1000!", "1000"),
        ("Paris", "the city is PARIS", "paris"),
        ("x = y\nreturn total + 1", "use `return total + 1`", None),
        ("x = y\nreturn total + 1", "write\n  return total+1", "return total+1"),
        ("a b c d e f g h i j", "see b c d e f g h i there", "b c d e f g h i"),
        ("a b c d e f g h i j", "see b c d e f g there", None),
        (None, "42", None),
    ],
)
def test_what_gives_the_reference_away(reference: str | None, text: str, found: str | None) -> None:
    problem = PROBLEM.model_copy(update={"reference": reference})
    assert leak(problem, WRONG, text) == found
