"""SCoRe on a small policy: which tokens are whose, the loss by hand, gains, and what is left out."""

from dataclasses import dataclass, replace
from typing import Literal

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from support.tiny_policy import plain_logprobs, tiny_learner

from gadfly.errors import InputError
from gadfly.protocols import Model, Solver
from gadfly.recipes.solve.direct import Direct
from gadfly.recipes.solve.two_attempts import TwoAttempts
from gadfly.records import Candidate, Problem, Sampling, Score
from gadfly.train.learner import Learner
from gadfly.train.masks import MaskedRow
from gadfly.train.objectives.score_rl import Attempted, Marked, ScoreRL, attempts_of
from gadfly.train.online import MakeSolver, Sampler
from gadfly.train.online_attempts import OnAttempts, gains_of
from gadfly.train.plan import Plan
from gadfly.train.sampling import Drawn

FIRST = Drawn(prompt=(5, 6, 7), output=(8, 9, 0))
SECOND = Drawn(prompt=(5, 6, 7, 8, 9, 0, 11, 12), output=(13, 0))
REREAD = replace(SECOND, prompt=(5, 6, 7, 40, 0, 11, 12))
Stage = Literal["I", "II"]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("score-rl"), reference=True)


def pair(second: Drawn = SECOND, gains: tuple[float, float] = (0.5, -2.0), stage: Stage = "II") -> Attempted:
    return Attempted(rows=attempts_of(FIRST, second), gains=gains, stage=stage)


def marked(ids: tuple[int, ...], attempt: tuple[int, ...]) -> Marked:
    return Marked(row=MaskedRow(ids=ids, mask=tuple(int(mark > 0) for mark in attempt)), attempt=attempt)


def by_hand(learner: Learner, objective: ScoreRL, example: Attempted) -> torch.Tensor:
    """The sum over drawn tokens of -gain log p + weight (log p - log q)^2 / 2."""
    total = torch.tensor(0.0)
    for part in example.rows:
        ours = plain_logprobs(learner.policy.loaded.model, part.row)
        base = plain_logprobs(learner.policy.frozen, part.row)
        attempts = [attempt for attempt in part.attempt if attempt]
        for attempt, here, there in zip(attempts, ours, base, strict=True):
            held = example.stage == "I" and attempt == 1
            gain = 0.0 if held else example.gains[attempt - 1]
            weight = objective.light + (objective.strong if held else 0.0)
            total = total - gain * here + weight * (here - there.detach()) ** 2 / 2
    return total


def test_both_attempts_are_one_row_where_the_second_call_read_what_the_first_drew() -> None:
    assert attempts_of(FIRST, SECOND) == (
        Marked(
            row=MaskedRow(ids=(5, 6, 7, 8, 9, 0, 11, 12, 13, 0), mask=(0, 0, 0, 1, 1, 1, 0, 0, 1, 1)),
            attempt=(0, 0, 0, 1, 1, 1, 0, 0, 2, 2),
        ),
    )


def test_they_are_two_rows_where_it_read_other_tokens() -> None:
    first, second = attempts_of(FIRST, REREAD)
    assert (first.row.ids, first.attempt) == ((5, 6, 7, 8, 9, 0), (0, 0, 0, 1, 1, 1))
    assert (second.row.ids, second.attempt) == ((5, 6, 7, 40, 0, 11, 12, 13, 0), (0,) * 7 + (2, 2))


@pytest.mark.parametrize("stage", ["I", "II"])
def test_the_loss_is_that_of_the_formula_computed_token_by_token(learner: Learner, stage: Stage) -> None:
    objective = ScoreRL(light=0.03, strong=0.4)
    examples = [pair(stage=stage), pair(REREAD, (1.5, 0.25), stage)]
    found = objective.loss(learner.policy, examples)
    wanted = torch.stack([by_hand(learner, objective, one) for one in examples]).mean()
    assert found.loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_pair_in_two_rows_counts_for_as_much_as_one_in_a_single_row(learner: Learner) -> None:
    joined = pair()
    split = replace(
        joined,
        rows=(
            Marked(
                row=MaskedRow(ids=(5, 6, 7, 8, 9, 0), mask=(0, 0, 0, 1, 1, 1)), attempt=(0, 0, 0, 1, 1, 1)
            ),
            Marked(
                row=MaskedRow(ids=(*SECOND.prompt, *SECOND.output), mask=(0,) * 8 + (1, 1)),
                attempt=(0,) * 8 + (2, 2),
            ),
        ),
    )
    other = pair(REREAD, (1.0, 1.0))
    whole = ScoreRL().loss(learner.policy, [joined, other])
    parted = ScoreRL().loss(learner.policy, [split, other])
    assert whole.loss.item() == pytest.approx(parted.loss.item(), rel=1e-5)


def test_stage_one_teaches_the_first_attempt_nothing_but_to_stay(learner: Learner) -> None:
    only_first = Attempted(rows=attempts_of(FIRST, REREAD)[:1], gains=(9.0, 9.0), stage="I")
    free = ScoreRL(light=0.0, strong=0.0).loss(learner.policy, [only_first])
    held = ScoreRL(light=0.0, strong=0.1).loss(learner.policy, [only_first])
    assert free.loss.item() == 0.0
    assert held.loss.item() > 0.0


def test_a_batch_of_both_stages_is_refused(learner: Learner) -> None:
    with pytest.raises(InputError, match="one stage"):
        ScoreRL().loss(learner.policy, [pair(stage="I"), pair(stage="II")])


def test_gains_are_shaped_rewards_less_the_mean_of_the_batch() -> None:
    rewards = [[(0.0, 1.0), (1.0, 0.0)], [(1.0, 1.0), (0.0, 0.0)]]
    first = gains_of(rewards, stage="I")
    second = gains_of(rewards, stage="II", alpha=10.0)
    assert first == [[(0.0, 0.5), (0.0, -0.5)], [(0.0, 0.5), (0.0, -0.5)]]
    assert second == [[(-0.5, 10.5), (0.5, -10.5)], [(0.5, 0.5), (-0.5, -0.5)]]


def test_or_less_the_mean_of_the_other_samples_of_the_problem() -> None:
    found = gains_of([[(0.0, 1.0), (1.0, 0.0)], [(1.0, 1.0), (0.0, 0.0)]], stage="II", alpha=2.0, of="group")
    assert found == [[(-1.0, 5.0), (1.0, -5.0)], [(1.0, 1.0), (-1.0, -1.0)]]


@pytest.mark.parametrize("of", ["batch", "group"])
def test_what_has_no_reward_moves_no_mean_and_has_no_gain(of: Literal["batch", "group"]) -> None:
    known: list[tuple[float | None, float | None]] = [(0.0, 1.0), (1.0, 0.0)]
    plain = gains_of([known], stage="II", of=of)
    holed = gains_of([[known[0], (None, 1.0), known[1], (1.0, None)]], stage="II", of=of)
    assert holed == [[plain[0][0], None, plain[0][1], None]]
    assert gains_of([[(None, None)]], stage="II", of=of) == [[None]]


@dataclass(frozen=True, kw_only=True)
class Letters:
    """How many letters an answer has; cannot say it of every third problem."""

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        if problem.id.endswith("2"):
            raise RuntimeError("no")
        return Score(target=candidate.id, value=float(len(candidate.text)), author="letters")


SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=6)


def two(model: Model) -> Solver:
    return TwoAttempts(model=model, sampling=SAMPLING)


def one(model: Model) -> Solver:
    return Direct(model=model, sampling=SAMPLING)


def on_attempts(learner: Learner, solver: MakeSolver, passes: int = 1) -> OnAttempts:
    sampler = Sampler(
        learner=learner,
        solver=solver,
        scorers={"letters": Letters()},
        problems=[Problem(id=f"p{number}", prompt=f"say {number}") for number in range(3)],
        samples=2,
        plan=Plan(batch=3, passes=passes),
    )
    return OnAttempts(sampler=sampler, reward="letters", stage_one=1)


def test_batches_hold_both_attempts_with_the_tokens_that_were_drawn(learner: Learner) -> None:
    batches = on_attempts(learner, two)
    examples, figures = batches(0)
    later, _ = batches(1)
    assert [example.stage for example in (*examples, *later)] == ["I"] * 4 + ["II"] * 4
    assert figures["left_out"] == pytest.approx(1 / 3)
    for example in examples:
        assert {mark for part in example.rows for mark in part.attempt} == {0, 1, 2}
    gains = [example.gains for example in examples]
    assert all(first == 0.0 for first, _ in gains)
    assert sum(second for _, second in gains) == pytest.approx(0.0, abs=1e-5)
    assert figures["progress"] == pytest.approx(figures["second"] - figures["first"])


def test_the_first_attempt_is_scored_by_what_it_said(learner: Learner) -> None:
    batches = on_attempts(learner, two)
    _, figures = batches(0)
    groups = batches.sampler.draw(0)
    firsts: list[int] = []
    for group in groups:
        for rollout in group.rollouts:
            draft = rollout.steps[0].output
            assert isinstance(draft, Candidate)
            if not rollout.problem.id.endswith("2"):
                firsts.append(len(draft.text))
    assert figures["first"] == pytest.approx(sum(firsts) / len(firsts))


def test_a_solver_that_answers_once_is_refused(learner: Learner) -> None:
    with pytest.raises(InputError, match="call the model twice"):
        on_attempts(learner, one)(0)


def test_several_passes_over_a_batch_are_refused(learner: Learner) -> None:
    with pytest.raises(InputError, match="set passes to 1"):
        on_attempts(learner, two, passes=2)
