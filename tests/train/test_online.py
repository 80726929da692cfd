"""What the policy samples is what it learns from: tokens, log-probabilities, advantages, rewards."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from anyio.from_thread import start_blocking_portal
from support.training import TUNING, learner_of, stirred

from gadfly.errors import InputError, ParseError, RequestRejected, ScorerError
from gadfly.primitives import generate
from gadfly.prompts import Prompt
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Completion, Failure, Problem, Request, Sampling, Score
from gadfly.train.learner import Learner
from gadfly.train.objectives.policy_gradient import PolicyGradient
from gadfly.train.online import OnPolicy, Sampler, with_old
from gadfly.train.plan import Plan

PROBLEMS = [Problem(id=f"p{n}", prompt=f"{n} and {n}?", reference=str(2 * n)) for n in range(5)]
PLAN = Plan(batch=2, steps=3)
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=12, logprobs=0)
AGAIN = Prompt(name="again", user="{{ problem }}\nNot {{ draft }}. Again.")


@dataclass(frozen=True, kw_only=True)
class Once:
    model: Model

    async def __call__(self, problem: Problem, /) -> Candidate:
        return await generate(self.model, problem, sampling=SAMPLING)


@dataclass(frozen=True, kw_only=True)
class Twice:
    """Drafts, and writes again with the draft in sight."""

    model: Model

    async def __call__(self, problem: Problem, /) -> Candidate:
        draft = await generate(self.model, problem, sampling=SAMPLING)
        return await generate(
            self.model, problem, prompt=AGAIN, slots={"draft": draft.text}, sampling=SAMPLING, parents=[draft]
        )


def kind_of(text: str) -> str:
    if set("xyz") & set(text):
        return "fault"
    return "read" if set("abcdefghijklm") & set(text) else "unreadable"


@dataclass(frozen=True, kw_only=True)
class Length:
    """The longer the better; what has no letter a to m cannot be read, and an x, y or z makes it fail."""

    strict: bool = False

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        kind = kind_of(candidate.text)
        if self.strict and kind == "fault":
            raise ScorerError("an x, y or z")
        if self.strict and kind == "unreadable":
            failure = Failure(boundary="parse", type=ParseError.__name__, message="no letter")
            return Score(target=candidate.id, value=None, author="length", failure=failure)
        return Score(target=candidate.id, value=len(candidate.text) / 12, author="length")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A model that keeps what it was asked and what it said."""

    inner: Model
    said: list[tuple[Request, Completion]] = field(default_factory=list[tuple[Request, Completion]])

    @property
    def id(self) -> str:
        return self.inner.id

    async def complete(self, request: Request, /) -> Completion:
        completion = await self.inner.complete(request)
        self.said.append((request, completion))
        return completion


def sampler(
    learner: Learner,
    *,
    solver: type[Once] | type[Twice] = Once,
    scorer: Scorer = Length(),
    samples: int = 4,
    plan: Plan = PLAN,
    seen: list[Seen] | None = None,
) -> Sampler:
    def make(model: Model) -> Once | Twice:
        if seen is None:
            return solver(model=model)
        seen.append(Seen(inner=model))
        return solver(model=seen[-1])

    return Sampler(
        learner=learner,
        solver=make,
        scorers={"length": scorer},
        problems=PROBLEMS,
        samples=samples,
        plan=plan,
    )


def test_the_trainer_finds_the_log_probabilities_that_the_engine_reported(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    seen: list[Seen] = []
    batches = OnPolicy(sampler=sampler(learner, seen=seen), reward="length")
    examples, _ = batches(0)
    said = {one.tokens.ids: one for _, one in seen[0].said if one.tokens is not None}
    assert len(examples) >= 4
    for example in examples:
        found = learner.policy.logprobs([example.row])
        values = [float(value) for value in found.values[0][found.mask[0].bool()].detach()]
        ids = tuple(i for i, learned in zip(example.row.ids, example.row.mask, strict=True) if learned)
        end = learner.policy.loaded.ends
        told = said[ids[:-1] if ids[-1] in end else ids].tokens
        assert told is not None
        assert values[: len(told.logprobs)] == pytest.approx(list(told.logprobs), abs=1e-4)
        assert len(values) - len(told.logprobs) == (ids[-1] in end)


def test_learned_are_exactly_the_tokens_that_were_drawn_after_the_prompt_that_was_read(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    groups = sampler(learner).draw(0)
    assert [len(group.rollouts) for group in groups] == [4, 4]
    for group in groups:
        for rollout, calls in zip(group.rollouts, group.calls, strict=True):
            assert rollout.answer is not None
            (call,) = calls
            loaded = learner.policy.loaded
            asked = f"<|turn|>u\n{rollout.problem.text}<|end|>\n<|turn|>a\n"
            assert loaded.tokenizer.decode(list(call.prompt)) == asked
            body = [token for token in call.output if token not in loaded.ends]
            assert loaded.decode(body) == rollout.answer.text
            assert len(call.output) - len(body) <= 1


def test_the_advantage_of_an_answer_reaches_every_call_that_made_it(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    batches = OnPolicy(sampler=sampler(learner, solver=Twice), reward="length", scale="none")
    examples, figures = batches(0)
    groups = batches.sampler.draw(0)
    expected: list[tuple[tuple[int, ...], float]] = []
    for group in groups:
        rewards = [reward for reward in group.rewards("length") if reward is not None]
        mean = sum(rewards) / len(rewards)
        for reward, calls in zip(rewards, group.calls, strict=True):
            assert len(calls) == 2
            expected += [((*call.prompt, *call.output), reward - mean) for call in calls if reward != mean]
    assert [one.row.ids for one in examples] == [ids for ids, _ in expected]
    assert [one.advantage for one in examples] == pytest.approx([gain for _, gain in expected], abs=1e-6)
    every = [reward for group in groups for reward in group.rewards("length") if reward is not None]
    assert figures["reward"] == pytest.approx(sum(every) / len(every))


def test_other_steps_have_other_problems_and_other_draws_and_a_step_is_the_same_twice(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    source = sampler(learner)

    def texts(step: int) -> list[str]:
        return [one.answer.text for group in source.draw(step) for one in group.rollouts if one.answer]

    assert texts(0) == texts(0)
    assert texts(0) != texts(1)
    assert len(set(texts(0))) > 4


@pytest.mark.parametrize("unreadable", [0.0, -1.0, None])
def test_unreadable_answers_are_worth_what_the_setting_says_and_a_scorers_fault_says_nothing(
    unreadable: float | None, tiny: Path
) -> None:
    learner = stirred(learner_of(tiny))
    batches = OnPolicy(
        sampler=sampler(learner, scorer=Length(strict=True), samples=12),
        reward="length",
        estimate="rloo",
        unreadable=unreadable,
    )
    examples, figures = batches(0)
    groups = batches.sampler.draw(0)
    kinds: set[str] = set()
    expected: dict[tuple[int, ...], float] = {}
    for group in groups:
        worth: list[float | None] = []
        for rollout in group.rollouts:
            text = rollout.answer.text if rollout.answer else ""
            kind = kind_of(text)
            kinds.add(kind)
            worth.append({"fault": None, "unreadable": unreadable, "read": len(text) / 12}[kind])
        known = [value for value in worth if value is not None]
        for value, (call,) in zip(worth, group.calls, strict=True):
            if value is not None and len(known) > 1:
                others = (sum(known) - value) / (len(known) - 1)
                if abs(value - others) > 1e-6:
                    expected[(*call.prompt, *call.output)] = value - others
    assert kinds == {"fault", "unreadable", "read"}
    assert {one.row.ids: one.advantage for one in examples} == pytest.approx(expected, abs=1e-5)
    without = [one.scores["length"].value is None for group in groups for one in group.rollouts]
    assert figures["unscored"] == pytest.approx(sum(without) / len(without))


def test_old_log_probabilities_stay_those_before_the_first_of_several_passes(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    plan = PLAN.model_copy(update={"passes": 2})
    examples, _ = OnPolicy(sampler=sampler(learner, plan=plan), reward="length")(0)
    assert all(len(one.old) == one.row.learned for one in examples)
    assert with_old(learner, examples) == examples
    objective = PolicyGradient()
    first = learner.forward_backward(examples, objective)
    learner.optim_step(0.05)
    second = learner.forward_backward(examples, objective)
    assert first["ratio"] == pytest.approx(1.0, abs=1e-4)
    assert abs(second["ratio"] - 1) > 1e-3


@dataclass(frozen=True, kw_only=True)
class Digits:
    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        share = sum(letter.isdigit() for letter in candidate.text) / 12
        return Score(target=candidate.id, value=share, author="digits")


def test_steps_on_rewards_raise_the_reward(tiny: Path) -> None:
    learner = learner_of(tiny)
    plan = Plan(batch=4, steps=8)
    batches = OnPolicy(sampler=sampler(learner, scorer=Digits(), samples=8, plan=plan), reward="length")
    rewards: list[float] = []
    for step in range(8):
        examples, figures = batches(step)
        rewards.append(figures["reward"])
        if examples:
            learner.forward_backward(examples, PolicyGradient())
            learner.optim_step(0.03)
    assert sum(rewards[-3:]) / 3 > sum(rewards[:2]) / 2 + 0.1, rewards


def test_rows_longer_than_the_limit_are_left_out_and_counted(tiny: Path) -> None:
    learner = stirred(learner_of(tiny, TUNING.model_copy(update={"limit": 22})))
    examples, figures = OnPolicy(sampler=sampler(learner, samples=8), reward="length")(0)
    assert all(len(one.row.ids) <= 22 for one in examples)
    assert 0 < figures["too_long"] < 1


@dataclass(frozen=True, kw_only=True)
class Refusing(Once):
    async def __call__(self, problem: Problem, /) -> Candidate:
        raise RequestRejected("no such thing")


def test_where_nothing_could_be_sampled_the_reason_is_told(tiny: Path) -> None:
    with pytest.raises(InputError, match="no sample could be drawn: no such thing"):
        OnPolicy(sampler=sampler(learner_of(tiny), solver=Refusing), reward="length")(0)


@dataclass(frozen=True, kw_only=True)
class Gold:
    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        return Score(target=candidate.id, value=1.0, author="gold")


def test_the_truth_beside_the_reward_goes_to_the_log_alone(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    plain = sampler(learner)
    both = Sampler(
        learner=learner,
        solver=plain.solver,
        scorers={"length": Length(), "gold": Gold()},
        problems=PROBLEMS,
        samples=4,
        plan=PLAN,
    )
    examples, figures = OnPolicy(sampler=both, reward="length", gold="gold")(0)
    assert figures["gold"] == 1.0
    assert examples == OnPolicy(sampler=plain, reward="length")(0)[0]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A scorer that works in the event loop it was first called in."""

    loops: list[int] = field(default_factory=list[int])

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        import asyncio

        self.loops.append(id(asyncio.get_running_loop()))
        return Score(target=candidate.id, value=float(len(candidate.text)), author="bound")


def test_all_steps_can_run_in_one_event_loop(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    bound = Bound()
    plain = sampler(learner, scorer=bound)
    with start_blocking_portal() as portal:
        source = Sampler(
            learner=learner,
            solver=plain.solver,
            scorers=plain.scorers,
            problems=PROBLEMS,
            samples=2,
            plan=PLAN,
            call=portal.call,
        )
        for step in range(3):
            source.draw(step)
    assert len(bound.loops) == 12
    assert len(set(bound.loops)) == 1


@pytest.mark.parametrize("estimate", ["grpo", "rloo", "reinforce"])
def test_equal_rewards_teach_nothing(estimate: str, tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    given: Sequence[object]
    batches = OnPolicy(sampler=sampler(learner, scorer=Gold()), reward="length", estimate=estimate)  # pyright: ignore[reportArgumentType]
    given, figures = batches(0)
    assert not given
    assert figures["flat_groups"] == (1.0 if estimate != "reinforce" else figures["flat_groups"])
    assert torch.isfinite(torch.tensor(figures["reward"]))
