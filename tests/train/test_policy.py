"""Forward passes: padding, positions and parts of the vocabulary change nothing."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from pathlib import Path

import pytest
import torch
from support.training import TOLD, TUNING, WHOLE, learner_of, stirred

from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy


def policy_of(tiny: Path) -> Policy:
    return stirred(learner_of(tiny)).policy


def rows_of(policy: Policy) -> list[MaskedRow]:
    found = [policy.codec.completion(row.prompt, row.completion) for row in TOLD]
    return [row for row in found if row is not None]


def test_log_probabilities_are_those_of_the_plain_model(tiny: Path) -> None:
    policy = policy_of(tiny)
    for row in rows_of(policy):
        ids = torch.tensor([row.ids])
        with torch.no_grad():
            plain = policy.loaded.model(ids).logits.log_softmax(-1)[0, :-1]
        expected = plain.gather(1, ids[0, 1:, None])[:, 0][torch.tensor(row.mask[1:]).bool()]
        found = policy.logprobs([row])
        torch.testing.assert_close(
            found.values[0][found.mask[0].bool()].detach(), expected, rtol=1e-4, atol=1e-5
        )


def test_company_in_a_batch_changes_nothing(tiny: Path) -> None:
    policy = policy_of(tiny)
    rows = rows_of(policy)
    together = policy.logprobs(rows)
    for place, row in enumerate(rows):
        alone = policy.logprobs([row])
        torch.testing.assert_close(
            together.values[place][together.mask[place].bool()],
            alone.values[0][alone.mask[0].bool()],
            rtol=1e-4,
            atol=1e-5,
        )
    sums = together.sums
    assert [int(length) for length in sums.lengths] == [row.learned for row in rows]


def test_only_positions_before_something_learned_get_logits(tiny: Path) -> None:
    policy = policy_of(tiny)
    rows = rows_of(policy)
    found = policy.logits(rows)
    longest = max(len(row.ids) for row in rows)
    reach = max(len(row.ids) - row.mask.index(1) for row in rows)
    assert found.values.shape == (len(rows), reach + 1, len(policy.loaded.tokenizer))
    assert found.start == longest - reach - 1
    assert found.values.dtype == torch.float32


def test_temperature_divides_the_logits(tiny: Path) -> None:
    policy = policy_of(tiny)
    (row,) = rows_of(policy)[:1]
    logits = policy.logits([row])
    expected = (logits.values[0, :-1] / 0.5).log_softmax(-1).gather(1, logits.ids[0, 1:, None])[:, 0]
    torch.testing.assert_close(policy.logprobs([row], temperature=0.5).values[0], expected)


def test_the_reference_has_no_dropout_and_no_graph_and_the_model_learns_on_afterwards(tiny: Path) -> None:
    learner = stirred(learner_of(tiny))
    rows = rows_of(learner.policy)
    model = learner.policy.loaded.model
    model.train()
    first = learner.policy.reference_logprobs(rows)
    assert model.training
    assert not first.values.requires_grad
    assert learner.policy.logprobs(rows).values.requires_grad
    model.eval()
    learner.policy.reference_logprobs(rows)
    assert not model.training


def test_token_rewards_stand_where_the_tokens_stand(tiny: Path) -> None:
    policy = learner_of(tiny, head=True).policy
    rows = rows_of(policy)
    assert policy.head is not None
    with torch.no_grad():
        policy.head.weight.fill_(0.1)
    every = policy.token_rewards(rows)
    assert every.shape == (len(rows), max(len(row.ids) for row in rows))
    torch.testing.assert_close(every[:, -1], policy.rewards(rows))
    for place, row in enumerate(rows):
        alone = policy.token_rewards([row])[0]
        torch.testing.assert_close(every[place, -len(row.ids) :], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tuning", [TUNING, WHOLE], ids=["adapter", "whole weights"])
def test_capped_logits_are_capped_as_the_model_caps_them(tiny: Path, tuning: object) -> None:
    learner = learner_of(tiny, TUNING if tuning is TUNING else WHOLE)
    rows = rows_of(learner.policy)
    plain = learner.policy.logits(rows).values
    learner.policy.loaded.model.config.final_logit_softcapping = 2.0
    capped = learner.policy.logits(rows).values
    torch.testing.assert_close(capped, 2.0 * torch.tanh(plain / 2.0))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_attention_that_is_to_have_a_gradient_is_not_left_to_cudnn(checkpointing: bool, tiny: Path) -> None:
    learner = stirred(learner_of(tiny, TUNING.model_copy(update={"checkpointing": checkpointing})))
    policy = learner.policy
    seen: list[bool] = []

    def look(*_: object) -> None:
        seen.append(torch.backends.cuda.cudnn_sdp_enabled())

    policy.loaded.model.train()
    layer = policy.loaded.model.get_base_model().base_model.layers[0].self_attn
    hook = layer.register_forward_hook(look)
    before = torch.backends.cuda.cudnn_sdp_enabled()
    policy.logprobs(rows_of(policy)).sums.logprobs.sum().backward()
    hook.remove()
    assert seen == [False] * (2 if checkpointing else 1), "once more where it is computed again"
    assert torch.backends.cuda.cudnn_sdp_enabled() == before
