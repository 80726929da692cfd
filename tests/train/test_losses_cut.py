# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
"""CUT, on the example of the paper's figure and by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from gadfly.errors import InputError
from gadfly.train.losses.cut import Judged, cut, inappropriate
from gadfly.train.losses.reduction import PER_TOKEN, Reduction

PLAIN = np.array([[0.03, 0.94, 0.93, 0.99], [0.5, 0.25, 0.9, 0.1]])
UNDER = np.array([[0.82, 0.94, 0.76, 0.99], [0.9, 0.9, 0.9, 0.9]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
GOOD = np.array([0, 1])


def t(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


JUDGED = Judged(
    plain=t(np.log(PLAIN)),
    with_judgement=t(np.log(UNDER)),
    mask=t(MASK),
    satisfactory=t(GOOD),
)
UNHAPPY = Judged(
    plain=JUDGED.plain[:1],
    with_judgement=JUDGED.with_judgement[:1],
    mask=JUDGED.mask[:1],
    satisfactory=t([0]),
)


def test_the_token_that_the_judgement_is_about_is_found() -> None:
    assert inappropriate(JUDGED).tolist() == [[True, False, False, False], [False] * 4]


def test_a_higher_threshold_marks_fewer_tokens() -> None:
    def marks(threshold: float) -> int:
        return int(inappropriate(UNHAPPY, threshold=threshold).sum())

    assert [marks(x) for x in (0.5, 0.9, 1.1, 27.0, 28.0)] == [4, 3, 1, 1, 0]
    with pytest.raises(InputError, match="threshold"):
        marks(0)


def test_a_fake_praise_may_be_the_contrast() -> None:
    praised = replace(UNHAPPY, contrast=t(np.log([[0.9, 0.2, 0.9, 0.9]])))
    assert inappropriate(praised).tolist() == [[False, True, False, False]]


def by_hand(alpha: float, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    first = np.array(
        [
            -alpha * UNDER[0, 0] ** gamma * np.log(1 - PLAIN[0, 0]),
            *(-np.log(PLAIN[0, 1:])),
        ]
    )
    return first, -np.log(UNDER[0])


def test_the_loss_is_equations_six_and_seven() -> None:
    for alpha, gamma in ((1.0, 1.0), (0.25, 2.0), (0.5, 0.0)):
        first, second = by_hand(alpha, gamma)
        found = cut(JUDGED, alpha=alpha, gamma=gamma)
        happy = -np.log(PLAIN[1, :2]).mean()
        assert float(found.loss) == pytest.approx((first.mean() + second.mean() + happy) / 2)
        assert found.metrics["unlikelihood"] == pytest.approx(first.mean() / 2)
        assert found.metrics["likelihood"] == pytest.approx((second.mean() + happy) / 2)
        assert found.metrics["marked"] == 0.25
        assert found.metrics["marked_logprob"] == pytest.approx(math.log(0.03))


def test_a_satisfactory_response_is_plain_fine_tuning() -> None:
    happy = replace(JUDGED, satisfactory=t([1, 1]))
    found = cut(happy, reduction=PER_TOKEN)
    assert float(found.loss) == pytest.approx(-np.log(PLAIN[MASK == 1]).mean())
    assert found.metrics["unlikelihood"] == 0


def test_the_ablations_of_the_paper_are_arguments() -> None:
    first, second = by_hand(1.0, 1.0)
    assert float(cut(UNHAPPY, align_negative=False).loss) == pytest.approx(first.mean())
    halved = cut(UNHAPPY, combine="mean")
    assert float(halved.loss) == pytest.approx((first.mean() + second.mean()) / 2)


def test_a_step_makes_the_marked_token_unlikely_and_the_others_likely() -> None:
    plain = JUDGED.plain[:1].clone().requires_grad_()
    cut(replace(UNHAPPY, plain=plain)).loss.backward()
    assert plain.grad is not None
    assert [x > 0 for x in plain.grad[0].tolist()] == [True, False, False, False]


def test_a_model_trained_on_it_forgets_the_marked_token_alone() -> None:
    logits = torch.zeros(1, 4, 5, requires_grad=True)
    ids = torch.tensor([0, 1, 2, 3])[None, :, None]
    optimiser = torch.optim.SGD([logits], lr=2.0)

    def spoken() -> torch.Tensor:
        return logits.log_softmax(-1).gather(-1, ids).squeeze(-1)

    start = spoken().detach()
    under = start.clone()
    under[0, 2] = math.log(0.9)
    for _ in range(30):
        optimiser.zero_grad()
        judged = Judged(
            plain=spoken(), with_judgement=under, mask=torch.ones(1, 4), satisfactory=torch.zeros(1)
        )
        cut(judged).loss.backward()
        optimiser.step()
    assert [x > 0 for x in (spoken().detach() - start)[0].tolist()] == [True, True, False, True]


def test_gradients_are_those_of_finite_differences() -> None:
    plain = JUDGED.plain.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: cut(replace(JUDGED, plain=p), gamma=0.5).loss, (plain,))
    under = JUDGED.with_judgement.clone().requires_grad_()
    # The weight p^gamma has no gradient, so that only gamma 0 can be compared.
    assert torch.autograd.gradcheck(
        lambda u: cut(replace(JUDGED, with_judgement=u), gamma=0.0).loss, (under,)
    )


def test_a_certain_token_does_not_break_the_loss() -> None:
    sure = Judged(
        plain=t([[0.0]]), with_judgement=t([[0.0]]), mask=t([[1]]), satisfactory=t([0]), contrast=t([[-2.0]])
    )
    assert float(cut(sure).loss) == pytest.approx(-math.log(1e-5), rel=1e-3)


def test_the_judgement_of_a_satisfactory_response_is_not_looked_at() -> None:
    blank = JUDGED.with_judgement.clone()
    blank[1] = math.nan
    found = cut(replace(JUDGED, with_judgement=blank))
    assert float(found.loss) == pytest.approx(float(cut(JUDGED).loss))
    blank[0, 1] = math.nan
    with pytest.raises(InputError, match=r"with_judgement holds nan at \(0, 1\)"):
        cut(replace(JUDGED, with_judgement=blank))


def test_an_empty_batch_and_negative_settings_are_refused() -> None:
    empty = replace(JUDGED, mask=torch.zeros(2, 4))
    with pytest.raises(InputError, match="keeps no token"):
        cut(empty)
    assert float(cut(empty, reduction=Reduction(total=3)).loss) == 0
    with pytest.raises(InputError, match="alpha and gamma"):
        cut(JUDGED, alpha=-1)


def test_the_dynamic_weight_has_no_gradient() -> None:
    under = JUDGED.with_judgement.clone().requires_grad_()
    loss = cut(replace(JUDGED, with_judgement=under), gamma=2.0, align_negative=False).loss
    assert not loss.requires_grad
