# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""Losses on pairs and on marked completions, by hand."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.losses.kto import Marked, kto, reference_point
from gadfly.train.losses.logprobs import Sequences
from gadfly.train.losses.preference import Pairs, dpo, ipo, slic
from gadfly.train.losses.reference_free import orpo, simpo

CHOSEN, REJECTED = np.array([-4.0, -9.0, -2.0]), np.array([-6.0, -5.0, -2.0])
REF_CHOSEN, REF_REJECTED = np.array([-5.0, -8.0, -2.5]), np.array([-5.5, -7.0, -2.5])
CHOSEN_LENGTHS, REJECTED_LENGTHS = np.array([4.0, 6.0, 2.0]), np.array([3.0, 5.0, 2.0])
MARGIN = (CHOSEN - REF_CHOSEN) - (REJECTED - REF_REJECTED)
MEAN_MARGIN = (CHOSEN - REF_CHOSEN) / CHOSEN_LENGTHS - (REJECTED - REF_REJECTED) / REJECTED_LENGTHS
AVERAGES = CHOSEN / CHOSEN_LENGTHS, REJECTED / REJECTED_LENGTHS


def sequences(logprobs: np.ndarray | Tensor, lengths: np.ndarray) -> Sequences:
    return Sequences(logprobs=torch.as_tensor(logprobs), lengths=torch.tensor(lengths))


PAIRS = Pairs(
    chosen=sequences(CHOSEN, CHOSEN_LENGTHS),
    rejected=sequences(REJECTED, REJECTED_LENGTHS),
    reference_chosen=sequences(REF_CHOSEN, CHOSEN_LENGTHS),
    reference_rejected=sequences(REF_REJECTED, REJECTED_LENGTHS),
)
BARE = replace(PAIRS, reference_chosen=None, reference_rejected=None)


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -np.log1p(np.exp(-x))


def test_dpo_is_the_logistic_loss_of_the_margin() -> None:
    found = dpo(PAIRS, beta=0.5)
    assert float(found.loss) == pytest.approx(-log_sigmoid(0.5 * MARGIN).mean())
    assert found.metrics["accuracy"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.metrics["margin"] == pytest.approx(0.5 * MARGIN.mean())
    assert found.metrics["chosen_reward"] == pytest.approx(0.5 * (CHOSEN - REF_CHOSEN).mean())
    assert found.metrics["rejected_logprob"] == pytest.approx(REJECTED.mean())


def test_dpo_at_the_reference_is_the_logarithm_of_two() -> None:
    same = replace(PAIRS, reference_chosen=PAIRS.chosen, reference_rejected=PAIRS.rejected)
    assert float(dpo(same).loss) == pytest.approx(np.log(2))


def test_conservative_and_robust_smoothing_are_their_formulas() -> None:
    right, flipped = -log_sigmoid(0.1 * MARGIN), -log_sigmoid(-0.1 * MARGIN)
    found = dpo(PAIRS, label_smoothing=0.2)
    assert float(found.loss) == pytest.approx((0.8 * right + 0.2 * flipped).mean())
    found = dpo(PAIRS, label_smoothing=0.2, noise="robust")
    assert float(found.loss) == pytest.approx(((0.8 * right - 0.2 * flipped) / 0.6).mean())


def test_robust_dpo_undoes_flipped_labels_on_average() -> None:
    flipped = Pairs(
        chosen=PAIRS.rejected,
        rejected=PAIRS.chosen,
        reference_chosen=PAIRS.reference_rejected,
        reference_rejected=PAIRS.reference_chosen,
    )
    noisy = [dpo(p, label_smoothing=0.3, noise="robust").loss for p in (PAIRS, flipped)]
    assert float(0.7 * noisy[0] + 0.3 * noisy[1]) == pytest.approx(float(dpo(PAIRS).loss))


def test_length_normalised_dpo_divides_each_side_by_its_tokens() -> None:
    assert float(dpo(PAIRS, length="mean").loss) == pytest.approx(-log_sigmoid(0.1 * MEAN_MARGIN).mean())


def test_ipo_draws_the_margin_to_half_the_inverse_of_tau() -> None:
    assert float(ipo(PAIRS, tau=0.25).loss) == pytest.approx(((MEAN_MARGIN - 2) ** 2).mean())
    assert float(ipo(PAIRS, tau=0.25, length="sum").loss) == pytest.approx(((MARGIN - 2) ** 2).mean())


def test_slic_is_a_hinge_with_or_without_a_reference() -> None:
    found = slic(PAIRS, beta=0.5, margin=1.5)
    assert float(found.loss) == pytest.approx(np.maximum(0, 1.5 - 0.5 * MARGIN).mean())
    found = slic(BARE, margin=1.0, likelihood_weight=0.1)
    hinge = np.maximum(0, 1 - (CHOSEN - REJECTED))
    assert float(found.loss) == pytest.approx((hinge - 0.1 * CHOSEN).mean())
    assert found.metrics["within_margin"] == pytest.approx((hinge > 0).mean())


def test_orpo_is_likelihood_plus_odds_ratio() -> None:
    odds = [p / (1 - p) for p in map(np.exp, AVERAGES)]
    ratio = -log_sigmoid(np.log(odds[0] / odds[1]))
    found = orpo(BARE, weight=0.3)
    assert float(found.loss) == pytest.approx(-CHOSEN.sum() / CHOSEN_LENGTHS.sum() + 0.3 * ratio.mean())
    assert found.metrics["log_odds"] == pytest.approx(np.log(odds[0] / odds[1]).mean())
    found = orpo(PAIRS, weight=0.3, average_over="sequences")
    assert float(found.loss) == pytest.approx(-AVERAGES[0].mean() + 0.3 * ratio.mean())
    found = orpo(PAIRS, weight=0.3, likelihood=torch.tensor(2.0, dtype=torch.float64))
    assert float(found.loss) == pytest.approx(2 + 0.3 * ratio.mean())


def test_simpo_wants_a_lead_of_gamma_per_token() -> None:
    lead = 2.5 * (AVERAGES[0] - AVERAGES[1]) - 0.5
    assert float(simpo(BARE, beta=2.5, gamma=0.5).loss) == pytest.approx(-log_sigmoid(lead).mean())
    smoothed = -0.9 * log_sigmoid(lead) - 0.1 * log_sigmoid(-lead)
    found = simpo(PAIRS, beta=2.5, gamma=0.5, label_smoothing=0.1)
    assert float(found.loss) == pytest.approx(smoothed.mean())


def test_weights_of_pairs_multiply_their_losses() -> None:
    weights = torch.tensor([0.0, 2.0, 0.0])
    weighted = replace(PAIRS, weights=weights)
    assert float(dpo(weighted).loss) == pytest.approx(-2 * log_sigmoid(0.1 * MARGIN)[1] / 3)


def test_pairs_without_their_reference_are_refused_where_it_is_needed() -> None:
    for half in (BARE, replace(PAIRS, reference_rejected=None)):
        with pytest.raises(InputError, match="reference_chosen and reference_rejected"):
            dpo(half)
    with pytest.raises(InputError, match="reference_chosen and reference_rejected"):
        slic(replace(PAIRS, reference_rejected=None))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="beta"):
        dpo(PAIRS, beta=0)
    with pytest.raises(InputError, match="tau"):
        ipo(PAIRS, tau=-1)
    with pytest.raises(InputError, match=r"below 0\.5"):
        dpo(PAIRS, label_smoothing=0.5)
    with pytest.raises(InputError, match="weight"):
        orpo(PAIRS, weight=-1)
    with pytest.raises(InputError, match="beta"):
        simpo(PAIRS, beta=0)


def test_an_empty_completion_is_refused_where_its_length_counts() -> None:
    empty = replace(PAIRS, chosen=sequences(CHOSEN, np.array([4.0, 0.0, 2.0])))
    with pytest.raises(InputError, match=r"chosen\.lengths"):
        simpo(empty)


def test_a_value_that_is_no_number_is_named_by_its_side() -> None:
    broken = replace(PAIRS, reference_rejected=sequences(np.array([-1, np.nan, -1]), REJECTED_LENGTHS))
    with pytest.raises(InputError, match=r"reference_rejected.logprobs holds nan at \(1,\)"):
        dpo(broken)


def test_an_empty_batch_of_pairs_is_refused() -> None:
    none = sequences(np.zeros(0), np.zeros(0))
    with pytest.raises(InputError, match="batch is empty"):
        simpo(Pairs(chosen=none, rejected=none))


def kto_by_hand(z: float) -> np.ndarray:
    ratio = np.array([1.0, -2.0, 0.5])
    good = np.array([True, False, True])
    lead = np.where(good, ratio - z, z - ratio)
    return np.where(good, 1.5, 0.5) * (1 - 1 / (1 + np.exp(-0.3 * lead)))


def marked(logprobs: Tensor | None = None) -> Marked:
    reference = torch.tensor([-5.0, -4.0, -3.5], dtype=torch.float64)
    given = torch.tensor([-4.0, -6.0, -3.0], dtype=torch.float64) if logprobs is None else logprobs
    return Marked(logprobs=given, reference=reference, desirable=torch.tensor([1, 0, 1]))


def test_kto_weighs_good_and_bad_against_the_reference_point() -> None:
    point = torch.tensor(0.4, dtype=torch.float64)
    found = kto(marked(), point=point, beta=0.3, desirable_weight=1.5, undesirable_weight=0.5)
    assert float(found.loss) == pytest.approx(kto_by_hand(0.4).mean())
    assert (found.metrics["desirable"], found.metrics["undesirable"]) == (2, 1)
    assert found.metrics["desirable_reward"] == pytest.approx(0.3 * 0.75)
    assert found.metrics["undesirable_reward"] == pytest.approx(0.3 * -2.0)


def test_a_batch_of_one_kind_has_no_figure_for_the_other() -> None:
    only = replace(marked(), desirable=torch.ones(3))
    assert "undesirable_reward" not in kto(only, point=torch.tensor(0.0)).metrics


def test_the_reference_point_is_the_mean_log_ratio_and_never_negative() -> None:
    policy, reference = torch.tensor([-3.0, -1.0]), torch.tensor([-4.0, -2.5])
    assert float(reference_point(policy, reference)) == pytest.approx(1.25)
    assert float(reference_point(reference, policy)) == 0
    with pytest.raises(InputError, match="at least one"):
        reference_point(policy[:0], reference[:0])
    with pytest.raises(InputError, match="at least 0"):
        kto(marked(), point=torch.tensor(-1.0))
    with pytest.raises(InputError, match="beta"):
        kto(marked(), point=torch.tensor(0.0), beta=0)


def test_gradients_are_those_of_finite_differences() -> None:
    chosen, rejected = (torch.tensor(x, requires_grad=True) for x in (CHOSEN, REJECTED))

    def given(c: Tensor, r: Tensor) -> Pairs:
        return replace(PAIRS, chosen=sequences(c, CHOSEN_LENGTHS), rejected=sequences(r, REJECTED_LENGTHS))

    for loss in (
        lambda c, r: dpo(given(c, r), label_smoothing=0.1),
        lambda c, r: dpo(given(c, r), label_smoothing=0.1, noise="robust", length="mean"),
        lambda c, r: ipo(given(c, r)),
        lambda c, r: slic(given(c, r), beta=0.7, likelihood_weight=0.2),
        lambda c, r: orpo(given(c, r)),
        lambda c, r: orpo(given(c, r), average_over="sequences"),
        lambda c, r: simpo(given(c, r), label_smoothing=0.1),
    ):
        assert torch.autograd.gradcheck(lambda c, r, loss=loss: loss(c, r).loss, (chosen, rejected))
    policy = torch.tensor([-4.0, -6.0, -3.0], dtype=torch.float64, requires_grad=True)
    point = torch.tensor(0.2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: kto(marked(p), point=point).loss, (policy,))


def test_no_gradient_reaches_the_reference() -> None:
    policy, reference = (torch.tensor(x, requires_grad=True) for x in (CHOSEN, REF_CHOSEN))
    pairs = replace(
        PAIRS,
        chosen=sequences(policy, CHOSEN_LENGTHS),
        reference_chosen=sequences(reference, CHOSEN_LENGTHS),
    )
    dpo(pairs).loss.backward()
    assert policy.grad is not None
    assert reference.grad is None


def test_the_order_of_the_batch_does_not_matter() -> None:
    order = [2, 0, 1]
    turned = Pairs(
        chosen=sequences(CHOSEN[order], CHOSEN_LENGTHS[order]),
        rejected=sequences(REJECTED[order], REJECTED_LENGTHS[order]),
        reference_chosen=sequences(REF_CHOSEN[order], CHOSEN_LENGTHS[order]),
        reference_rejected=sequences(REF_REJECTED[order], REJECTED_LENGTHS[order]),
    )
    for loss in (dpo, ipo, slic, orpo, simpo):
        assert float(loss(turned).loss) == pytest.approx(float(loss(PAIRS).loss))
