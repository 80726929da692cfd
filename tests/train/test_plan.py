"""Steps, rates and the order of rows."""

from collections import Counter

import pytest
from pydantic import ValidationError

from gadfly.train.plan import Plan


def test_steps_follow_from_epochs_unless_they_are_given() -> None:
    assert Plan(epochs=3, batch=16).length(100) == 19
    assert Plan(epochs=0.1, batch=16).length(3) == 1
    assert Plan(steps=5, epochs=3).length(100) == 5


def test_the_rate_rises_and_then_falls_to_a_tenth() -> None:
    plan = Plan(rate=1.0, warmup=0.2)
    rates = [plan.rate_at(step, 10) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(0.1 + 0.9 / 8)
    cosine = plan.model_copy(update={"schedule": "cosine"})
    assert cosine.rate_at(2, 10) == pytest.approx(1.0)
    assert cosine.rate_at(6, 10) == pytest.approx(0.55)
    constant = plan.model_copy(update={"schedule": "constant", "warmup": 0.0})
    assert {constant.rate_at(step, 10) for step in range(10)} == {1.0}


def test_a_training_of_one_step_has_a_rate() -> None:
    assert Plan(rate=1.0).rate_at(0, 1) == 1.0


def test_every_row_comes_once_an_epoch_in_another_order_each() -> None:
    plan = Plan(batch=4)
    places = [place for step in range(10) for place in plan.places(step, 10)]
    epochs = [places[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert plan.places(3, 10) == places[12:16]
    other = Plan(batch=4, seed=1)
    assert [place for step in range(10) for place in other.places(step, 10)] != places


def test_a_batch_larger_than_the_rows_takes_them_again() -> None:
    assert set(Counter(Plan(batch=12).places(0, 4)).values()) == {3}


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"rate": 0.0}, {"warmup": 1.0}, {"epoch": 1}])
def test_a_plan_that_cannot_be_followed_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Plan.model_validate(wrong)
