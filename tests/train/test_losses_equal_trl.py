# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""Our losses against TRL's own code, run on hand-made log-probabilities in place of a model."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from torch import Tensor

from gadfly.train.losses import advantages as adv
from gadfly.train.losses.distil import Divergence, distil
from gadfly.train.losses.kto import Marked, kto, reference_point
from gadfly.train.losses.logprobs import Sequences, sequence_logprobs, token_logprobs
from gadfly.train.losses.policy import Clip, Penalty, RatioOf, surrogate
from gadfly.train.losses.preference import Pairs, dpo, ipo, slic
from gadfly.train.losses.reduction import PER_SEQUENCE, PER_TOKEN, Reduction
from gadfly.train.losses.reference_free import orpo, simpo
from gadfly.train.losses.reward import bradley_terry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(autouse=True)
def trl(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - an optional library
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    return pytest.importorskip("trl", minversion="1.16")


class Accelerator:
    """One device: gathering gives back what it got."""

    device = torch.device("cpu")
    num_processes = 1
    sync_gradients = True

    def gather(self, values: Tensor) -> Tensor:
        return values

    def gather_for_metrics(self, values: Tensor) -> Tensor:
        return values

    def reduce(self, values: Tensor, reduction: str) -> Tensor:
        return values


class Spoken:
    """Stands where a model would: answers with log-probabilities prepared for each call."""

    training = False

    def __init__(self, *logprobs: Tensor) -> None:
        self.left = list(logprobs)

    def __call__(self, **given: object) -> SimpleNamespace:
        values = self.left.pop(0)
        nothing = torch.zeros_like(values)
        return SimpleNamespace(log_probs=values, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool())


def trainer(**settings: object) -> SimpleNamespace:
    return SimpleNamespace(
        accelerator=Accelerator(),
        model=SimpleNamespace(training=False),
        aux_loss_enabled=False,
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
        **settings,
    )


GENERATOR = torch.Generator().manual_seed(3)
MASK = torch.tensor([[0, 1, 1, 1], [0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 1, 1]])
"""Of ids: the first is predicted by nothing. Rows 0, 1 are chosen and 2, 3 rejected."""
POLICY, REFERENCE, OLD = (
    -torch.rand(4, 3, generator=GENERATOR) * 2 * MASK[:, 1:] - 0.01 * MASK[:, 1:] for _ in range(3)
)
ROWS = torch.tensor([1.2, -0.4, 0.7, -1.5])


def two(values: Tensor) -> tuple[Sequences, Sequences]:
    found = sequence_logprobs(values, MASK[:, 1:])
    return (
        Sequences(logprobs=found.logprobs[:2], lengths=found.lengths[:2]),
        Sequences(logprobs=found.logprobs[2:], lengths=found.lengths[2:]),
    )


def pairs(policy: Tensor = POLICY) -> Pairs:
    chosen, rejected = two(policy)
    there = two(REFERENCE)
    return Pairs(chosen=chosen, rejected=rejected, reference_chosen=there[0], reference_rejected=there[1])


def same(ours: Tensor, theirs: Tensor, policy: Tensor | None = None) -> None:
    """Equal in value and, where a policy is given, in gradient."""
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-5, abs=1e-6)
    if policy is not None:
        gradients = [torch.autograd.grad(x, policy, retain_graph=True)[0] for x in (ours, theirs)]
        assert torch.allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "smoothing", "ours"),
    [
        ("sigmoid", 0.0, lambda p: dpo(p, beta=0.3)),
        ("robust", 0.2, lambda p: dpo(p, beta=0.3, label_smoothing=0.2, noise="robust")),
        ("sigmoid_norm", 0.0, lambda p: dpo(p, beta=0.3, length="mean")),
        ("ipo", 0.0, lambda p: ipo(p, tau=0.3)),
        ("hinge", 0.0, lambda p: slic(p, beta=0.3)),
    ],
)
def test_losses_on_pairs_equal_trl(trl: Any, kind: str, smoothing: float, ours: Any) -> None:  # noqa: ANN401
    policy = POLICY.clone().requires_grad_()
    fake = trainer(
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=[kind],
        loss_weights=[1.0],
        beta=0.3,
        label_smoothing=smoothing,
        use_weighting=False,
    )
    there = REFERENCE.sum(1)
    inputs = {
        "input_ids": torch.zeros(4, 4, dtype=torch.long),
        "attention_mask": torch.ones(4, 4),
        "completion_mask": MASK,
        "ref_chosen_logps": there[:2],
        "ref_rejected_logps": there[2:],
    }
    # TRL's model gives 0 for what is not labelled, and the trainer sums all of it.
    theirs = trl.DPOTrainer._compute_loss(fake, Spoken(policy * MASK[:, 1:]), inputs, False)
    same(ours(pairs(policy)).loss, theirs, policy)


def test_kto_equals_trl(trl: Any) -> None:  # noqa: ANN401
    policy, good = POLICY.clone().requires_grad_(), torch.tensor([1, 0, 1, 0])
    shuffled, reference = OLD.sum(1), (OLD - 0.3 * MASK[:, 1:]).sum(1)
    fake = trainer(
        calculate_KL=True,
        precompute_ref_logps=True,
        loss_type="kto",
        beta=0.3,
        desirable_weight=1.3,
        undesirable_weight=0.7,
        _compute_kl_logps=lambda model, batch: shuffled,
    )
    inputs = {
        "input_ids": torch.zeros(4, 4, dtype=torch.long),
        "attention_mask": torch.ones(4, 4),
        "completion_mask": MASK,
        "label": good,
        "ref_logps": REFERENCE.sum(1),
        "ref_KL_logps": reference,
    }
    theirs = trl.KTOTrainer._compute_loss(fake, Spoken(policy), inputs, False)
    point = reference_point(shuffled, reference)
    assert float(point) > 0
    marked = Marked(logprobs=policy.sum(1), reference=REFERENCE.sum(1), desirable=good)
    ours = kto(marked, point=point, beta=0.3, desirable_weight=1.3, undesirable_weight=0.7)
    same(ours.loss, theirs, policy)


def test_orpo_equals_trl(trl: Any) -> None:  # noqa: ANN401
    module = pytest.importorskip("trl.experimental.orpo")
    policy = POLICY.clone().requires_grad_()
    chosen, rejected = two(policy)
    fake = trainer(beta=0.3)
    losses = module.ORPOTrainer.odds_ratio_loss(
        fake, chosen.logprobs / chosen.lengths, rejected.logprobs / rejected.lengths
    )[0]
    theirs = -chosen.logprobs.sum() / chosen.lengths.sum() - losses.mean()
    same(orpo(pairs(policy), weight=0.3).loss, theirs, policy)


def test_simpo_equals_trl(trl: Any) -> None:  # noqa: ANN401
    module = pytest.importorskip("trl.experimental.cpo")
    policy = POLICY.clone().requires_grad_()
    chosen, rejected = two(policy)
    fake = trainer(alpha=0.0, beta=2.5, loss_type="simpo", simpo_gamma=0.6, label_smoothing=0.1)
    losses = module.CPOTrainer.cpo_loss(
        fake, chosen.logprobs / chosen.lengths, rejected.logprobs / rejected.lengths
    )[0]
    ours = simpo(pairs(policy), beta=2.5, gamma=0.6, label_smoothing=0.1)
    same(ours.loss, losses.mean(), policy)


@pytest.mark.parametrize("margin", [None, torch.tensor([0.5, -0.25])])
def test_the_reward_loss_equals_trl(trl: Any, margin: Tensor | None) -> None:  # noqa: ANN401
    rewards = ROWS.clone().requires_grad_()
    fake = trainer(args=SimpleNamespace(center_rewards_coefficient=0.01))
    inputs: dict[str, object] = {"attention_mask": torch.ones(4, 4)}
    if margin is not None:
        inputs["margin"] = margin

    def model(**given: object) -> SimpleNamespace:
        return SimpleNamespace(logits=rewards[:, None])

    theirs = trl.RewardTrainer.compute_loss(fake, model, inputs)
    ours = bradley_terry(rewards[:2], rewards[2:], margin=margin, centring=0.01)
    same(ours.loss, theirs, rewards)


def theirs_of_grpo(trl: Any, policy: Tensor, kind: str, level: str, beta: float) -> Tensor:  # noqa: ANN401
    fake = trainer(
        _get_per_token_logps_and_entropies=lambda *a, **k: (policy, torch.zeros_like(policy), None),
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level=level,
        beta=beta,
        loss_type=kind,
        epsilon_low=0.1,
        epsilon_high=0.3,
        max_completion_length=7,
        current_gradient_accumulation_steps=1,
        use_vllm=False,
        vllm_importance_sampling_correction=False,
        _entropy_bonus_enabled=False,
        args=SimpleNamespace(delta=4.0, use_bias_correction_kl=False, steps_per_generation=1),
    )
    mask = MASK[:, 1:]
    inputs = {
        "prompt_ids": torch.zeros(4, 1, dtype=torch.long),
        "prompt_mask": torch.ones(4, 1),
        "completion_ids": torch.zeros(4, 3, dtype=torch.long),
        "completion_mask": mask,
        "advantages": ROWS,
        "old_per_token_logps": OLD,
        "ref_per_token_logps": REFERENCE,
        "num_items_in_batch": mask.sum(),
    }
    return trl.GRPOTrainer._compute_loss(fake, SimpleNamespace(training=False), inputs)


@pytest.mark.parametrize("beta", [0.0, 0.2])
@pytest.mark.parametrize(("level", "ratio"), [("token", "token"), ("sequence", "sequence mean")])
@pytest.mark.parametrize(
    ("kind", "reduction"),
    [
        ("grpo", PER_SEQUENCE),
        ("bnpo", PER_TOKEN),
        ("dapo", PER_TOKEN),
        ("dr_grpo", Reduction(over="fixed length", length=7)),
    ],
)
def test_the_surrogate_equals_trls_grpo(
    trl: Any,  # noqa: ANN401
    kind: str,
    reduction: Reduction,
    level: str,
    ratio: RatioOf,
    beta: float,
) -> None:
    policy = POLICY.clone().requires_grad_()
    theirs = theirs_of_grpo(trl, policy, kind, level, beta)
    ours = surrogate(
        policy,
        OLD,
        ROWS,
        MASK[:, 1:],
        ratio=ratio,
        clip=Clip(low=0.1, high=0.3, ceiling=4.0),
        penalty=Penalty(reference=REFERENCE, weight=beta) if beta else None,
        reduction=reduction,
    )
    same(ours.loss, theirs, policy)


def test_the_surrogate_equals_trls_rloo(trl: Any) -> None:  # noqa: ANN401
    policy = POLICY.clone().requires_grad_()
    fake = trainer(
        _get_per_token_logps_and_entropies=lambda *a, **k: (policy, torch.zeros_like(policy), None),
        epsilon_low=0.2,
        epsilon_high=0.2,
    )
    inputs = {
        "prompt_ids": torch.zeros(4, 1, dtype=torch.long),
        "prompt_mask": torch.ones(4, 1),
        "completion_ids": torch.zeros(4, 3, dtype=torch.long),
        "completion_mask": MASK[:, 1:],
        "advantages": ROWS,
        "old_logps": OLD.sum(1),
    }
    theirs = trl.RLOOTrainer._compute_loss(fake, SimpleNamespace(training=False), inputs)
    ours = surrogate(policy, OLD, ROWS, MASK[:, 1:], ratio="sequence", reduction=PER_SEQUENCE)
    same(ours.loss, theirs, policy)


def test_the_spread_of_a_group_is_trls(trl: Any) -> None:  # noqa: ANN401
    module = pytest.importorskip("trl.trainer.utils")
    rewards = torch.tensor([[1.0, torch.nan, 0.0, 1.0], [3.0, 5.0, 4.0, 0.0]])
    centred = rewards - rewards.nanmean(1, keepdim=True)
    theirs = centred / (module.nanstd(rewards, dim=1)[:, None] + 1e-4)
    ours = adv.grpo(rewards, scored=~rewards.isnan()).values
    assert torch.allclose(ours, theirs.nan_to_num(0.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("divergence", "share"), [("forward KL", 0.0), ("reverse KL", 1.0), ("Jensen-Shannon", 0.3)]
)
def test_distillation_equals_trls_gkd(trl: Any, divergence: Divergence, share: float) -> None:  # noqa: ANN401
    module = pytest.importorskip("trl.experimental.gkd")
    student, teacher = (torch.randn(4, 3, 6, generator=GENERATOR) for _ in range(2))
    student.requires_grad_()
    mask = MASK[:, 1:]
    theirs = module.GKDTrainer.generalized_jsd_loss(
        student, teacher, torch.where(mask == 1, 0, -100), beta=share, temperature=2.0
    )
    ours = distil(
        student,
        teacher,
        mask,
        divergence=divergence,
        mixture=0.3,
        temperature=2.0,
    )
    same(ours.loss, theirs, student)


def test_token_log_probabilities_equal_trl(trl: Any) -> None:  # noqa: ANN401
    module = pytest.importorskip("trl.trainer.utils")
    logits = torch.randn(2, 4, 6, generator=GENERATOR)
    ids = torch.randint(0, 6, (2, 4), generator=GENERATOR)
    theirs = module.selective_log_softmax(logits[:, :-1], ids[:, 1:])
    assert torch.allclose(token_logprobs(logits, ids), theirs, atol=1e-6)
