"""Which labels are worth a person's time, on simulated populations; routing one item at a time."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from support.judges import typed

from gadfly.errors import InputError
from gadfly.metrics.intervals import paired_difference
from gadfly.metrics.routing import (
    Degree,
    Mixture,
    draw_mixtures,
    fit_predictor,
    predicted_gains,
    route,
    threshold_for,
)
from gadfly.models.scripted import Scripted
from gadfly.primitives.judging import CHOOSE
from gadfly.recipes.judge.person import Person
from gadfly.recipes.judge.routed import FEATURES, Routed, features
from gadfly.recipes.judge.simulated_person import SimulatedPerson
from gadfly.records import Candidate, Case, Problem, Ranking, Request
from gadfly.run.judging import judge_case, judge_cases
from gadfly.run.runner import sees
from gadfly.trace import recording

pytestmark = pytest.mark.anyio

PERSON_ERROR = 0.1
Bools = NDArray[np.bool_]


class Population:
    """Pairs whose model label is worse the more doubt there is; the second feature says nothing."""

    def __init__(self, size: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.features = generator.random((size, 2))
        self.model: Bools = generator.random(size) > 0.45 * self.features[:, 0]
        self.person: Bools = generator.random(size) > PERSON_ERROR

    def right(self, to_person: Sequence[bool]) -> Bools:
        return np.where(np.array(to_person), self.person, self.model)

    def quality(self, to_person: Sequence[bool]) -> float:
        return float(self.right(to_person).mean())


DEGREES: tuple[Degree, ...] = ("linear", "quadratic")


@pytest.mark.parametrize("degree", DEGREES)
def test_at_an_equal_budget_routing_beats_chance_and_the_model_alone(degree: Degree) -> None:
    train, test = Population(1000, seed=1), Population(4000, seed=2)
    mixtures = draw_mixtures(1000, 500, train.quality, seed=3)
    predictor = fit_predictor(train.features, mixtures, degree=degree)
    routed = route(predicted_gains(predictor, test.features), share=0.4)
    by_chance = route(np.random.default_rng(4).random(4000), share=0.4)
    assert sum(routed) == sum(by_chance) == 1600
    lead = paired_difference(test.right(routed), test.right(by_chance))
    assert lead.low > 0.02, lead
    over_the_model = paired_difference(test.right(routed), test.right([False] * 4000))
    assert over_the_model.low > 0.05, over_the_model


def test_a_linear_predictor_finds_the_weights_that_made_the_qualities() -> None:
    rows = np.random.default_rng(0).random((50, 2))
    truth = np.array([0.3, -0.2])

    def quality(chosen: Sequence[bool]) -> float:
        return float(0.6 + (np.array(chosen)[:, None] * rows).mean(axis=0) @ truth)

    predictor = fit_predictor(rows, draw_mixtures(50, 200, quality, seed=1))
    assert predictor.coefficients == pytest.approx((0.0, 0.3, -0.2), abs=2e-3)
    assert predictor.intercept == pytest.approx(0.6, abs=1e-3)
    assert predictor.residual < 1e-4
    assert predicted_gains(predictor, [[1.0, 0.0], [0.0, 1.0]]) == pytest.approx([0.3, -0.2], abs=4e-3)


def test_the_budget_is_spent_on_the_highest_gains_and_ties_go_in_order() -> None:
    gains = [0.1, 0.5, -1.0, 0.5, 0.2]
    assert route(gains, count=2) == (False, True, False, True, False)
    assert route(gains, count=1) == (False, True, False, False, False)
    assert route(gains, share=0.6) == (False, True, False, True, True)
    assert route(gains, count=99) == (True,) * 5
    assert route(gains, share=0.0) == (False,) * 5


def test_a_threshold_sends_about_the_share() -> None:
    gains = np.random.default_rng(0).random(1000)
    assert (gains >= threshold_for(gains, share=0.25)).sum() == 250
    assert not (gains >= threshold_for(gains, share=0.0)).any()
    assert (gains >= threshold_for(gains, share=1.0)).all()


@pytest.mark.parametrize("budget", [{}, {"share": 0.5, "count": 3}, {"share": 1.5}, {"count": -1}])
def test_a_budget_must_be_one_and_in_range(budget: dict[str, float]) -> None:
    share, count = budget.get("share"), budget.get("count")
    with pytest.raises(InputError):
        route([0.1, 0.2], share=share, count=None if count is None else int(count))


def test_mixtures_of_other_items_are_refused() -> None:
    with pytest.raises(InputError, match="mixtures of the 2 items"):
        fit_predictor([[1.0], [2.0]], [Mixture(to_person=(True,), quality=1.0)])
    with pytest.raises(InputError, match="finite"):
        fit_predictor([[float("nan")]], [Mixture(to_person=(True,), quality=1.0)])


# ---------------------------------------------------------------- one item at a time

GOOD, BAD = Candidate(text="good", author="a"), Candidate(text="bad, very bad", author="b")
ITEM = Problem(id="i", prompt="?", privileged={"preferred": GOOD.id})


def sure(request: Request) -> str:
    """Prefers what is longest, in whichever place: sure, and wrong."""
    text = request.messages[0].content
    return "CHOICE: A" if text.index("very") < text.index("answer_B") else "CHOICE: B"


def model(says: str | None = None) -> Scripted:
    return Scripted.from_function(sure if says is None else lambda request: says, id="m")


async def judged(judge: Routed) -> Ranking:
    said = await judge_case(judge, ITEM, Case(candidates=(GOOD, BAD)))
    assert isinstance(said, Ranking)
    return said


async def test_a_sure_model_labels_alone_and_has_seen_nothing() -> None:
    said = await judged(Routed(model=model(), person=SimulatedPerson()))
    assert (said.best, said.saw_reference, said.author) == (BAD.id, False, "m")
    assert "labelled by the model" in said.explanation


@pytest.mark.parametrize("says", ["CHOICE: A", "CHOICE: tie", "hm"])
async def test_doubt_goes_to_the_person_and_an_oracle_is_marked(says: str) -> None:
    judge = Routed(model=model(says), person=SimulatedPerson())
    said = await judged(judge)
    assert (said.best, said.saw_reference, said.author) == (GOOD.id, True, "simulated-person")
    assert sees(judge)


async def test_a_list_of_items_spends_the_budget_exactly_and_costs_those_no_call() -> None:
    judge = Routed(model=model(), person=SimulatedPerson(), to_person=("i",))
    with recording() as recorder:
        said = await judged(judge)
    assert said.best == GOOD.id
    assert recorder.usage.calls == 0
    unsure = Routed(model=model("CHOICE: A"), person=SimulatedPerson(), to_person=("other",))
    assert (await judged(unsure)).author == "m"


async def test_the_model_is_never_shown_what_only_an_oracle_may_see() -> None:
    seen: list[str] = []

    def listen(request: Request) -> str:
        seen.append(request.model_dump_json())
        return "hm"

    item = ITEM.model_copy(update={"reference": "8675309"})
    judge = Routed(model=Scripted.from_function(listen), person=SimulatedPerson())
    await judge_case(judge, item, Case(candidates=(GOOD, BAD)))
    assert seen
    assert not any("8675309" in text or GOOD.id in text for text in seen)


async def test_a_persons_critiques_of_each_answer_make_an_order_too() -> None:
    shown: list[str] = []
    critic = Person(read_line=typed("VERDICT: correct", "", "VERDICT: incorrect", ""), show=shown.append)
    judge = Routed(model=model("hm"), person=critic)
    assert not sees(judge)
    said = await judged(judge)
    assert (said.best, said.saw_reference) == (GOOD.id, False)
    assert "good" in shown[0]


def test_the_features_of_an_item_by_hand() -> None:
    won = Ranking(tiers=((GOOD.id,), (BAD.id,)), author="m", strength=1.0)
    lost = Ranking(tiers=((BAD.id,), (GOOD.id,)), author="m", strength=1.0)
    none = Ranking(tiers=(), author="m")
    label = Ranking(tiers=won.tiers, author="m", strength=0.25)
    assert len(FEATURES) == 4
    assert features((GOOD, BAD), label, [won, won, lost, none]) == (0.75, 0.25, 0.25, pytest.approx(9 / 13))
    assert features((GOOD, BAD), won, [won, won]) == (0.0, 0.0, 0.0, pytest.approx(9 / 13))


async def test_a_simulated_person_errs_at_its_rate_and_always_on_the_same_items() -> None:
    person = SimulatedPerson(error_rate=0.2, seed=5)
    items = [ITEM.model_copy(update={"id": str(number)}) for number in range(600)]
    first = [(await person(item, (GOOD, BAD))).best for item in items]
    swapped = [(await person(item, (BAD, GOOD))).best for item in items]
    assert first == swapped
    assert 0.15 < sum(best == BAD.id for best in first) / 600 < 0.25
    assert sum(best == GOOD.id for best in first) + sum(best == BAD.id for best in first) == 600


async def test_a_simulated_person_without_a_gold_label_says_nothing() -> None:
    said = await SimulatedPerson()(ITEM.blind(), (GOOD, BAD))
    assert said.tiers == ()
    assert said.failure is not None
    tie = ITEM.model_copy(update={"privileged": {"preferred": "tie"}})
    assert (await SimulatedPerson()(tie, (GOOD, BAD))).best is None


async def test_routing_a_run_beats_routing_it_by_chance_at_the_same_budget() -> None:
    """The model is sure where it is right, and takes the first place where it knows nothing."""
    generator = np.random.default_rng(7)
    knows = generator.random(120) < 0.6
    cases: list[tuple[Problem, Case]] = []
    for number in range(120):
        pair = tuple(Candidate(text=f"{word} {number}", author="a") for word in ("good", "poor"))
        shown = pair if generator.random() < 0.5 else pair[::-1]
        prompt = "easy" if knows[number] else "hard"
        gold = {"preferred": pair[0].id}
        cases.append((Problem(id=str(number), prompt=prompt, privileged=gold), Case(candidates=shown)))

    def labels(request: Request) -> str:
        text = request.messages[0].content
        first_good = text.index("good") < text.index("poor")
        return "CHOICE: A" if first_good or "hard" in text else "CHOICE: B"

    async def right(judge: Routed) -> tuple[list[float], int]:
        won: dict[str, float] = {}
        asked = 0
        for problem, case in cases:
            said = await judge_case(judge, problem, case)
            assert isinstance(said, Ranking)
            asked += said.saw_reference
            won[problem.id] = float(said.best == problem.privileged["preferred"])
        return list(won.values()), asked

    person = SimulatedPerson(error_rate=0.05)
    machine = Scripted.from_function(labels)
    routed, spent = await right(Routed(model=machine, person=person, n=1))
    drawn = tuple(str(number) for number in generator.choice(120, size=spent, replace=False))
    chance, same = await right(Routed(model=machine, person=person, n=1, to_person=drawn))
    assert spent == same == int((~knows).sum())
    assert paired_difference(routed, chance).low > 0.05
    assert CHOOSE.slots == {"problem", "first", "second"}
    summary = await judge_cases(Routed(model=machine, person=person, n=1), cases)
    assert (summary.rollouts, summary.failed) == (120, 0)
