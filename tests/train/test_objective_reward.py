"""Reward models on a small policy: pairs, marks, steps; numbers at the right tokens; refusals."""

from collections.abc import Sequence

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from support.tiny_policy import plain_numbers, said, tiny_learner, user
from torch.nn import functional as F

from gadfly.errors import InputError
from gadfly.train.fit import examples_of
from gadfly.train.learner import Learner
from gadfly.train.masks import MaskedRow
from gadfly.train.objective import LeftOut
from gadfly.train.objectives.process_reward import StepRewards, joined, last_tokens
from gadfly.train.objectives.reward import RewardMarks, RewardPairs
from gadfly.train.plan import Plan
from gadfly.train.rows import Preference, PromptCompletion, Stepwise, Unpaired, VectorReward

PAIRS = [
    Preference(prompt=user("1+1"), chosen=(said("2"),), rejected=(said("three"),), strength=2.0, weight=3.0),
    Preference(prompt=user("reverse ab"), chosen=(said("ba"),), rejected=(said("b"),)),
]
STEPS = Stepwise(
    prompt=user("1+1+1"), completions=("1+1=2\n", "2+1=4\n", "4"), labels=(True, False, False), author="m"
)


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("reward"), head=True)


def last(learner: Learner, rows: Sequence[MaskedRow]) -> torch.Tensor:
    return torch.stack([plain_numbers(learner, row)[-1] for row in rows])


def test_pairs_have_the_bradley_terry_loss_of_the_numbers_at_their_last_tokens(learner: Learner) -> None:
    model = RewardPairs(margin=0.5)
    given = [one for row in PAIRS if (one := model.example(row, learner.policy.codec)) is not None]
    lead = last(learner, [one.chosen for one in given]) - last(learner, [one.rejected for one in given])
    values = -F.logsigmoid(lead - torch.tensor([1.0, 0.0]))
    expected = (3 * values[0] + values[1]) / 2
    found = model.loss(learner.policy, given)
    assert found.metrics["loss"] == pytest.approx(expected.item(), rel=1e-4)
    assert found.metrics["margin"] == pytest.approx(lead.mean().item(), rel=1e-3)


def test_marks_are_learned_by_squared_error_and_labels_by_cross_entropy(learner: Learner) -> None:
    rows = [
        VectorReward(prompt=user("1+1"), completion=(said("2"),), rewards={"exact": 1.0, "length": 0.2}),
        VectorReward(prompt=user("1+1"), completion=(said("33"),), rewards={"exact": 0.0, "length": 0.4}),
    ]
    marks = RewardMarks(scorer="length")
    given = [one for row in rows if (one := marks.example(row, learner.policy.codec)) is not None]
    numbers = last(learner, [one.row for one in given])
    expected = ((numbers - torch.tensor([0.2, 0.4])) ** 2).mean()
    assert marks.loss(learner.policy, given).metrics["loss"] == pytest.approx(expected.item(), rel=1e-4)

    labels = RewardMarks(kind="cross-entropy")
    single = labels.example(
        Unpaired(prompt=user("1+1"), completion=(said("33"),), label=False), learner.policy.codec
    )
    assert single is not None
    assert labels.loss(learner.policy, [single]).metrics["loss"] == pytest.approx(
        F.softplus(numbers[1]).item(), rel=1e-4
    )


def test_an_unscored_completion_is_left_out_and_counted(learner: Learner) -> None:
    rows = [
        VectorReward(prompt=user("1+1"), completion=(said("2"),), rewards={"exact": 1.0}),
        VectorReward(prompt=user("1+1"), completion=(said("?"),), rewards={"exact": None}),
        VectorReward(prompt=user("1+1"), completion=(said("2" * 1100),), rewards={"exact": 0.0}),
    ]
    found = examples_of(rows, RewardMarks(), learner.policy.codec, Plan())
    assert len(found.kept) == 1
    assert found.left_out == {"unscored": 1, "too long": 1}
    with pytest.raises(InputError, match="1 unscored"):
        examples_of(rows[1:2], RewardMarks(), learner.policy.codec, Plan())


def test_rows_with_several_marks_need_the_scorers_name(learner: Learner) -> None:
    row = VectorReward(prompt=user("1+1"), completion=(said("2"),), rewards={"a": 1.0, "b": 0.0})
    with pytest.raises(InputError, match="a, b: say which"):
        RewardMarks().example(row, learner.policy.codec)
    with pytest.raises(InputError, match="no mark of 'c'"):
        RewardMarks(scorer="c").example(row, learner.policy.codec)


def test_rows_of_another_kind_are_refused(learner: Learner) -> None:
    row, codec = PromptCompletion(prompt=user("1+1"), completion=(said("2"),)), learner.policy.codec
    for model, words in ((RewardPairs(), "preference"), (RewardMarks(), "unpaired"), (StepRewards(), "step")):
        with pytest.raises(InputError, match=f"{words}.*not from prompt-completion rows"):
            model.example(row, codec)


def test_a_step_is_judged_at_its_own_last_token(learner: Learner) -> None:
    model = StepRewards()
    found = model.example(STEPS, learner.policy.codec)
    assert found is not None
    text = learner.policy.codec.tokenizer.decode(found.row.ids)
    begin = text.index("1+1=2\n")
    until = [learner.policy.codec.tokenizer.decode(found.row.ids[: place + 1]) for place in found.places]
    assert until == [text[: begin + 6], text[: begin + 12], text[: begin + 13]]

    other = model.example(STEPS.model_copy(update={"prompt": user("longer prompt")}), learner.policy.codec)
    assert other is not None
    numbers = torch.cat([plain_numbers(learner, one.row)[list(one.places)] for one in (found, other)])
    labels = torch.tensor([1.0, 0.0, 0.0] * 2)
    expected = F.binary_cross_entropy_with_logits(numbers, labels)
    assert model.loss(learner.policy, [found, other]).metrics["loss"] == pytest.approx(
        expected.item(), rel=1e-4
    )


def test_labels_after_the_first_wrong_step_can_be_left_out(learner: Learner) -> None:
    found = StepRewards(after_first_error="left out").example(STEPS, learner.policy.codec)
    assert found is not None
    assert found.labels == (True, False)
    assert len(found.places) == 2
    assert StepRewards().size(found) == 2


def test_steps_without_white_space_of_their_own_are_separated() -> None:
    assert joined(("a", "b\n", "c"), "\n") == ("a\nb\nc", (1, 4, 5))


def test_a_token_across_two_steps_belongs_to_the_second() -> None:
    assert last_tokens([(0, 2), (2, 5), (5, 6)], (3, 6)) == [0, 2]
    with pytest.raises(LeftOut):
        last_tokens([(0, 4)], (2, 4))
