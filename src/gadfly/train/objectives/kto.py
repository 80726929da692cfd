"""KTO: completions each marked good or bad, no pairs needed (Ethayarajh et al. 2024, arXiv:2402.01306).

Differs from the paper: the reference point is estimated in each forward pass, from its own examples (each
prompt with the completion of the next one that has another prompt), as a batch is worked through in parts;
where all of a pass are of one prompt, it is zero. A row's weight multiplies its loss. The formula stands in
`losses.kto`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gadfly.errors import InputError
from gadfly.train.codec import Codec
from gadfly.train.losses.kto import Marked, kto, reference_point
from gadfly.train.losses.reduction import Loss
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, Unpaired


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A completion with its label."""

    row: MaskedRow
    label: bool
    weight: float = 1.0

    @property
    def begin(self) -> int:
        """Where the completion begins: at the first token that is learned."""
        return self.row.mask.index(1)


@dataclass(frozen=True, kw_only=True)
class UnpairedAnswers:
    """Good completions are to become likelier than under the reference, bad ones less likely."""

    beta: float = 0.1
    """Strength of the pull to the reference."""
    desirable_weight: float = 1.0
    """lambda_D; the paper keeps lambda_D n_D / (lambda_U n_U) between 1 and 4/3."""
    undesirable_weight: float = 1.0
    mismatched: bool = True
    """False: the reference point is zero, and a step takes half the forward passes."""

    @property
    def needs_reference(self) -> bool:
        """Yes."""
        return True

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def example(self, row: AnyRow, codec: Codec, /) -> Labelled | None:
        """An unpaired completion.

        Raises:
            InputError: another kind of row.
        """
        if not isinstance(row, Unpaired):
            raise InputError(f"kto learns from unpaired rows, not from {row.kind} rows")
        found = codec.completion(row.prompt, row.completion)
        return None if found is None else Labelled(row=found, label=row.label, weight=row.weight)

    def size(self, example: Labelled, /) -> float:
        """Every completion counts alike."""
        return 1.0

    def length(self, example: Labelled, /) -> int:
        """Tokens, prompt included."""
        return len(example.row.ids)

    def loss(self, policy: Policy, examples: Sequence[Labelled], /) -> Loss:
        """The loss, with the figures of `losses.kto`."""
        rows = [example.row for example in examples]
        here = policy.logprobs(rows).sums.logprobs
        marked = Marked(
            logprobs=here,
            reference=policy.reference_logprobs(rows).sums.logprobs,
            desirable=torch.tensor([example.label for example in examples], device=here.device),
            weights=here.new_tensor([example.weight for example in examples]),
        )
        return kto(
            marked,
            point=self._point(policy, examples, here),
            beta=self.beta,
            desirable_weight=self.desirable_weight,
            undesirable_weight=self.undesirable_weight,
        )

    @torch.no_grad()
    def _point(self, policy: Policy, examples: Sequence[Labelled], like: Tensor) -> Tensor:
        rows = mismatched(examples, policy.codec.limit) if self.mismatched else []
        if not rows:
            return like.new_zeros(())
        here, there = policy.logprobs(rows).sums, policy.reference_logprobs(rows).sums
        return reference_point(here.logprobs, there.logprobs)


def mismatched(examples: Sequence[Labelled], limit: int) -> list[MaskedRow]:
    """Each prompt with the completion of the next example that has another prompt.

    Args:
        examples: completions; those of one prompt alone have no partner and are left out.
        limit: most tokens of a row; longer ones are left out.
    """
    found: list[MaskedRow] = []
    for place, example in enumerate(examples):
        prompt = example.row.ids[: example.begin]
        following = (*examples[place + 1 :], *examples[:place])
        other = next((one for one in following if one.row.ids[: one.begin] != prompt), None)
        if other is None or len(prompt) + len(other.row.ids) - other.begin > limit:
            continue
        found.append(
            replace(
                example.row,
                ids=(*prompt, *other.row.ids[other.begin :]),
                mask=(*example.row.mask[: example.begin], *other.row.mask[other.begin :]),
            )
        )
    return found
