"""KTO on a small policy: the loss by hand, mismatched completions, masks, refusals."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from support.tiny_policy import learned_text, plain_sums, said, tiny_learner, user

from gadfly.errors import InputError
from gadfly.train.learner import Learner
from gadfly.train.objectives.kto import Labelled, UnpairedAnswers, mismatched
from gadfly.train.rows import PromptCompletion, Unpaired


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("kto"), reference=True)


def examples(learner: Learner, kto: UnpairedAnswers) -> list[Labelled]:
    rows = [
        Unpaired(prompt=user("1+1"), completion=(said("2"),), label=True, weight=2.0),
        Unpaired(prompt=user("1+1"), completion=(said("33"),), label=False),
        Unpaired(prompt=user("reverse ab"), completion=(said("ba"),), label=True),
    ]
    found = [kto.example(row, learner.policy.codec) for row in rows]
    return [one for one in found if one is not None]


def test_the_loss_is_that_of_the_paper_on_plain_logprobs(learner: Learner) -> None:
    kto = UnpairedAnswers(beta=0.3, desirable_weight=1.5)
    given = examples(learner, kto)
    rows, policy = [one.row for one in given], learner.policy
    ratio = plain_sums(policy.loaded.model, rows) - plain_sums(policy.frozen, rows)
    others = mismatched(given, 1024)
    apart = plain_sums(policy.loaded.model, others) - plain_sums(policy.frozen, others)
    point = apart.mean().clamp(min=0)
    good = 1.5 * (1 - torch.sigmoid(0.3 * (ratio - point)))
    bad = 1 - torch.sigmoid(0.3 * (point - ratio))
    expected = (2 * good[0] + bad[1] + good[2]) / 3
    found = kto.loss(policy, given)
    assert found.metrics["loss"] == pytest.approx(expected.item(), rel=1e-4)
    assert found.metrics["reference_point"] == pytest.approx(point.item(), abs=1e-3)


def test_a_mismatched_row_is_a_prompt_with_the_answer_to_another(learner: Learner) -> None:
    given = examples(learner, UnpairedAnswers())
    tokenizer = learner.policy.codec.tokenizer
    texts = [tokenizer.decode(row.ids) for row in mismatched(given, 1024)]
    ask = "<|turn|>u\n{}<|end|>\n<|turn|>a\n{}<|end|>\n"
    assert texts == [ask.format("1+1", "ba"), ask.format("1+1", "ba"), ask.format("reverse ab", "2")]
    assert [learned_text(learner, row) for row in mismatched(given, 1024)] == [
        "ba<|end|>",
        "ba<|end|>",
        "2<|end|>",
    ]


def test_answers_to_one_prompt_alone_have_no_partner_and_the_point_is_zero(learner: Learner) -> None:
    kto = UnpairedAnswers()
    given = examples(learner, kto)[:2]
    assert mismatched(given, 1024) == []
    assert kto.loss(learner.policy, given).metrics["reference_point"] == 0.0


def test_a_mismatched_row_beyond_the_limit_is_left_out(learner: Learner) -> None:
    given = examples(learner, UnpairedAnswers())
    longest = max(len(one.row.ids) for one in given)
    assert len(mismatched(given, longest - 8)) < len(mismatched(given, longest + 8)) == 3


def test_without_a_move_from_the_reference_half_the_weight_is_the_loss(learner: Learner) -> None:
    policy = replace(learner.policy)  # a policy of its own, without the reference that was moved
    policy.keep_reference()
    kto = UnpairedAnswers()
    given = [replace(one, weight=1.0) for one in examples(learner, kto)]
    assert kto.loss(policy, given).metrics["loss"] == pytest.approx(0.5, abs=1e-5)


def test_rows_of_another_kind_are_refused(learner: Learner) -> None:
    row = PromptCompletion(prompt=user("1+1"), completion=(said("2"),))
    with pytest.raises(InputError, match="kto learns from unpaired rows, not from prompt-completion rows"):
        UnpairedAnswers().example(row, learner.policy.codec)
    long = Unpaired(prompt=user("1+1"), completion=(said("2" * 2000),), label=True)
    assert UnpairedAnswers().example(long, learner.policy.codec) is None


def test_training_raises_good_completions_and_lowers_bad_ones(tmp_path: Path) -> None:
    learner = tiny_learner(tmp_path, reference=True)
    kto = UnpairedAnswers(beta=0.5)
    given = examples(learner, kto)
    for _ in range(12):
        learner.forward_backward(given, kto)
        learner.optim_step(1e-3)
    found = kto.loss(learner.policy, given).metrics
    before = kto.loss(tiny_learner(tmp_path, reference=True).policy, given).metrics
    assert found["desirable_reward"] > before["desirable_reward"] + 0.5
    assert found["undesirable_reward"] < before["undesirable_reward"] - 0.5
