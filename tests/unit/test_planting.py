"""Faults planted by rule and by a model: one fault, at the place that the gold names."""

import pytest

from gadfly.errors import InputError
from gadfly.models.scripted import Scripted
from gadfly.primitives.generate import split_steps
from gadfly.primitives.planting import Kind, plant, plant_by_model, plant_in, planted_cases
from gadfly.records import Candidate, Failure, Problem

pytestmark = pytest.mark.anyio

PROBLEM = Problem(id="pens", prompt="Ann buys 5 packs of 12 pens. How many?", reference="60")
TEXT = "Step 1: There are 5 packs.\nStep 2: A pack is full.\nStep 3: 5 * 12 = 60 pens.\nAnswer: 60"
RIGHT = Candidate(text=TEXT, author="m", steps=split_steps(TEXT))


@pytest.mark.parametrize("kind", ["arithmetic", "number", "negation"])
@pytest.mark.parametrize("seed", range(12))
def test_a_planted_text_differs_exactly_at_its_span(kind: Kind, seed: int) -> None:
    planted = plant(TEXT, kind=kind, seed=seed)
    assert planted is not None
    start, end = planted.span
    assert planted.text[start:end] == planted.after != planted.before
    assert planted.text[:start] + planted.before + planted.text[end:] == TEXT
    assert plant(TEXT, kind=kind, seed=seed) == planted


def test_a_sum_is_falsified_only_where_it_was_right() -> None:
    assert plant("2 + 2 = 5", kind="arithmetic") is None
    planted = plant("2 + 2 = 5 and 3 × 4 = 12.", kind="arithmetic")
    assert planted is not None
    assert planted.before == "12"
    assert plant("7 / 0 = 3", kind="arithmetic") is None
    assert plant("0.1 + 0.2 = 0.3", kind="arithmetic") is not None
    assert plant("1 + 2 + 3 = 5", kind="arithmetic") is None  # the end of a longer sum is no sum


@pytest.mark.parametrize("seed", range(30))
def test_a_number_that_counts_steps_or_is_the_answer_is_left_alone(seed: int) -> None:
    planted = plant(TEXT, kind="number", seed=seed)
    assert planted is not None
    lines = planted.text.splitlines()
    assert [line[:7] for line in lines[:3]] == ["Step 1:", "Step 2:", "Step 3:"]
    assert lines[3] == "Answer: 60"


def test_a_negation_is_put_in_or_taken_out() -> None:
    assert plant("It is so.", kind="negation") is not None
    out = plant("It is not so.", kind="negation")
    assert out is not None
    assert out.text == "It is so."
    put = plant("It can fly.", kind="negation")
    assert put is not None
    assert put.text == "It can not fly."
    assert plant("It isn't so, nor can't it.", kind="negation") is None


def test_a_text_without_a_place_gets_no_fault() -> None:
    assert plant("Nothing here", kind="number") is None
    assert plant_in(Candidate(text="Nothing here", author="m")) is None
    with pytest.raises(InputError):
        plant_in(RIGHT, kinds=())


@pytest.mark.parametrize("seed", range(12))
def test_the_gold_names_the_step_that_holds_the_fault(seed: int) -> None:
    made = plant_in(RIGHT, seed=seed)
    assert made is not None
    flawed, fault = made
    assert "".join(flawed.steps) == flawed.text
    assert fault.step is not None
    assert fault.span is not None
    assert flawed.parents == (RIGHT.id,)
    changed = [k for k, (a, b) in enumerate(zip(flawed.steps, RIGHT.steps, strict=True)) if a != b]
    assert changed == [fault.step]


def test_cases_hold_the_right_answer_and_distinct_flawed_ones_in_one_group() -> None:
    cases = planted_cases(PROBLEM, RIGHT, n=8)
    clean, *flawed = cases
    assert (clean[1].gold.verdict, clean[1].gold.wrong_step, clean[1].gold.stepwise) == (
        "correct",
        None,
        True,
    )
    assert 1 < len(flawed) <= 8
    assert len({case.candidates[0].text for _, case in cases}) == len(cases)
    assert len({problem.id for problem, _ in cases}) == len(cases)
    assert {str(problem.metadata["group"]) for problem, _ in cases} == {"pens"}
    for problem, case in flawed:
        assert case.gold.verdict == "incorrect"
        assert case.gold.wrong_step == case.gold.findings[0].step
        assert "was right" in str(problem.privileged["fault"])
        assert "fault" not in problem.blind().privileged


async def test_a_model_spoils_one_step_and_the_place_is_known() -> None:
    model = Scripted.from_function(lambda _: "Sure.\nSTEP: A pack is half full.")
    made = await plant_by_model(model, PROBLEM, RIGHT, step=1)
    assert not isinstance(made, Failure)
    flawed, fault = made
    assert flawed.steps[1] == "A pack is half full.\n"
    assert flawed.steps[0::2] == RIGHT.steps[0::2]
    assert fault.step == 1
    assert fault.span is not None
    assert flawed.text[slice(*fault.span)] == "A pack is half full."


@pytest.mark.parametrize("reply", ["no", "STEP:", "STEP: step 2: a pack is full"])
async def test_a_step_that_is_not_rewritten_is_a_failure_with_a_reason(reply: str) -> None:
    made = await plant_by_model(Scripted.from_function(lambda _: reply), PROBLEM, RIGHT, step=1)
    assert isinstance(made, Failure)
    assert made.boundary == "parse"
    assert made.message
