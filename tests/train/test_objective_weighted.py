"""Span- and token-weighted training on a small policy: spans to tokens, the loss by hand, refusals."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from support.tiny_policy import learned_text, plain_logprobs, said, tiny_learner, user

from gadfly.errors import InputError
from gadfly.train.learner import Learner
from gadfly.train.losses.weighted import weighted
from gadfly.train.objectives.weighted import SpanWeighted, span_weights
from gadfly.train.rows import PromptCompletion, Span, Weighted

ROW = Weighted(
    prompt=user("reverse abc"),
    completion=said("caa!"),
    spans=(Span(start=1, end=2, weight=-0.5), Span(start=3, end=4, weight=0.0)),
)


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return tiny_learner(tmp_path_factory.mktemp("weighted"))


def test_each_token_bears_the_weight_of_its_span(learner: Learner) -> None:
    found = SpanWeighted().example(ROW, learner.policy.codec)
    assert found is not None
    assert learned_text(learner, found.row) == "caa!<|end|>"
    assert found.weights == (1.0, -0.5, 1.0, 0.0, 1.0)
    assert SpanWeighted(negative=False).example(ROW, learner.policy.codec) != found


def test_the_loss_is_likelihood_where_weights_are_above_zero_and_unlikelihood_below(learner: Learner) -> None:
    objective = SpanWeighted()
    other = ROW.model_copy(update={"prompt": user("x"), "completion": said("caab")})
    given = [one for row in (ROW, other) if (one := objective.example(row, learner.policy.codec)) is not None]
    expected, unbounded = torch.tensor(0.0), torch.tensor(0.0)
    for one in given:
        plain = plain_logprobs(learner.policy.loaded.model, one.row)
        for value, weight in zip(plain, one.weights, strict=True):
            unbounded = unbounded - weight * value
            expected = expected - abs(weight) * (torch.log(1 - value.exp()) if weight < 0 else value)
    found = objective.loss(learner.policy, given)
    assert found.metrics["loss"] == pytest.approx(expected.item() / 10, rel=1e-4)
    assert SpanWeighted(unbounded=True).loss(learner.policy, given).metrics["loss"] == pytest.approx(
        unbounded.item() / 10, rel=1e-4
    )


def test_tokens_of_the_policy_are_taken_as_they_are(learner: Learner) -> None:
    codec = learner.policy.codec
    ids = tuple(codec.tokenizer("cab", add_special_tokens=False)["input_ids"])
    row = ROW.model_copy(update={"spans": (), "token_ids": (*ids, 0), "token_weights": (1.0, -1.0, 2.0, 0.5)})
    found = SpanWeighted().example(row, codec)
    assert found is not None
    assert learned_text(learner, found.row) == "cab<|end|>"
    assert found.weights == (1.0, -1.0, 2.0, 0.5)
    plain = codec.completion(row.prompt, (said("cab"),))
    assert plain is not None
    assert found.row.ids == plain.ids[:-1], "all but what the template writes after the end"
    strange = row.model_copy(update={"token_ids": (*ids, 10_000)})
    with pytest.raises(InputError, match="has token 10000"):
        SpanWeighted().example(strange, codec)


def test_a_token_across_the_end_of_a_span_counts_for_its_part_within() -> None:
    spans = (Span(start=2, end=4, weight=-1.0),)
    assert span_weights([(0, 2), (2, 4), (3, 7), (5, 5)], spans) == [1.0, -1.0, 0.5, 1.0]


def test_a_token_of_negative_weight_becomes_less_likely_and_the_loss_has_a_bound() -> None:
    logprobs = torch.tensor([[-0.2, -1.0]], requires_grad=True)
    loss = weighted(logprobs, torch.ones(1, 2), torch.tensor([[-1.0, 1.0]])).loss
    (gradient,) = torch.autograd.grad(loss, logprobs)
    assert gradient[0, 0] > 0 > gradient[0, 1]
    certain = weighted(torch.tensor([[0.0]]), torch.ones(1, 1), torch.tensor([[-1.0]])).loss
    assert float(certain) == pytest.approx(11.5129, abs=1e-3)


def test_rows_of_another_kind_are_refused(learner: Learner) -> None:
    with pytest.raises(InputError, match="weighted rows, not from prompt-completion"):
        SpanWeighted().example(
            PromptCompletion(prompt=user("1"), completion=(said("2"),)), learner.policy.codec
        )
