"""Forward passes of weights under training: log-probabilities and rewards of rows, and of the reference.

Rows are padded on the left, so that what is learned stands at the right end and the vocabulary's logits
are computed there alone. The output layer runs in float32 even where the rest is autocast to bfloat16:
log-probabilities of 8 bits are too coarse for ratios of policies.
"""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from gadfly.errors import InputError
from gadfly.models.transformers_weights import Loaded
from gadfly.train.codec import Codec
from gadfly.train.losses.logprobs import Sequences, sequence_logprobs, token_logprobs
from gadfly.train.masks import MaskedRow, padded

_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def safe_attention() -> AbstractContextManager[object]:
    """All kernels but cuDNN's: its gradient under a mask is NaN at some lengths (pytorch/pytorch#196678)."""
    return cast(AbstractContextManager[object], sdpa_kernel(_KERNELS))


@dataclass(frozen=True, kw_only=True)
class TokenLogprobs:
    """What a policy makes of the tokens of some rows."""

    values: Tensor
    """[rows, length]: the log-probability of each token but the first that is kept."""
    mask: Tensor
    """[rows, length], 1 where a token is to be learned."""
    start: int
    """Where in the left-padded rows the first of `values` stands."""

    @property
    def sums(self) -> Sequences:
        """Whole rows, the learned tokens summed."""
        return sequence_logprobs(self.values, self.mask)


@dataclass(frozen=True, kw_only=True)
class Logits:
    """The next-token logits where something is learned."""

    values: Tensor
    """[rows, length, vocabulary], float32: position t predicts token t + 1 of `ids`."""
    ids: Tensor
    mask: Tensor
    """[rows, length], of the tokens `ids`."""
    start: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Policy:
    """A causal language model, whole or with a LoRA adapter, and perhaps a head that gives a number."""

    loaded: Loaded
    """Its `model` is the one that learns."""
    codec: Codec
    adapted: bool
    """Whether it is a PEFT model: the reference is then the same model with the adapter off."""
    bf16: bool = False
    """Whether the layers below the output run in bfloat16."""
    head: "torch.nn.Linear | None" = None
    """From the last hidden state to one number; None where the objective needs none."""
    _kept: list[Any] = field(default_factory=list[Any], init=False, repr=False)
    """The reference of a model that is trained whole: none or one."""
    _asked: list[Any] = field(default_factory=list[Any], init=False, repr=False)
    """What stands in for the model, while the reference is asked."""

    @property
    def frozen(self) -> Any:  # noqa: ANN401 (transformers' classes are untyped)
        """The copy that `keep_reference` made; None where there is none."""
        return self._kept[0] if self._kept else None

    def keep_reference(self) -> None:
        """Keep a copy of the weights as they are now; nothing to do for an adapter, or the second time."""
        if not self.adapted and not self._kept:
            self._kept.append(deepcopy(self.loaded.model).eval().requires_grad_(requires_grad=False))

    def logprobs(self, rows: Sequence[MaskedRow], *, temperature: float = 1.0) -> TokenLogprobs:
        """Log-probabilities of the rows' tokens, with their graph."""
        found = self.logits(rows)
        return TokenLogprobs(
            values=token_logprobs(found.values, found.ids, temperature=temperature),
            mask=found.mask[:, 1:],
            start=found.start + 1,
        )

    @torch.no_grad()
    def reference_logprobs(self, rows: Sequence[MaskedRow], *, temperature: float = 1.0) -> TokenLogprobs:
        """The same under the weights that training began with, without a graph."""
        with self.reference():
            return self.logprobs(rows, temperature=temperature)

    def logits(self, rows: Sequence[MaskedRow]) -> Logits:
        """Logits from just before the first learned token of any row, float32."""
        ids, attention, mask = self._tensors(rows)
        hidden = self._hidden(ids, attention)
        keep = max(len(row.ids) - _first(row) + 1 for row in rows)
        found = self._inner.get_output_embeddings()(hidden[:, -keep:].float())
        return Logits(
            values=_soft_capped(self._inner.config, cast(Tensor, found)),
            ids=ids[:, -keep:],
            mask=mask[:, -keep:],
            start=ids.shape[1] - keep,
        )

    def rewards(self, rows: Sequence[MaskedRow], *, head_only: bool = False) -> Tensor:
        """The head's number at the last token of each row, [rows]."""
        return self.token_rewards(rows, head_only=head_only)[:, -1]

    def token_rewards(self, rows: Sequence[MaskedRow], *, head_only: bool = False) -> Tensor:
        """The head's number at every token, [rows, length], rows padded on the left.

        Args:
            rows: whole rows; their masks are not looked at.
            head_only: whether the layers below are to get no gradient.

        Raises:
            InputError: there is no head.
        """
        if self.head is None:
            raise InputError("this policy has no head that gives a number: open the learner with head=True")
        ids, attention, _ = self._tensors(rows)
        with torch.no_grad() if head_only else nullcontext():
            hidden = self._hidden(ids, attention).float()
        return cast(Tensor, self.head(hidden)).squeeze(-1)

    @contextmanager
    def reference(self) -> Generator[None]:
        """The weights that training began with, while the block lasts.

        Raises:
            InputError: the model is trained whole, and no copy was kept.
        """
        if self.adapted:
            learning = self.loaded.model.training
            self.loaded.model.eval()
            try:
                with self.loaded.model.disable_adapter():
                    yield
            finally:
                self.loaded.model.train(learning)
            return
        if not self._kept:
            raise InputError("no reference was kept: call keep_reference before training starts")
        self._asked.append(self._kept[0])
        try:
            yield
        finally:
            self._asked.pop()

    @property
    def _inner(self) -> Any:  # noqa: ANN401 (transformers' classes are untyped)
        """The model in use, below PEFT."""
        if self._asked:
            return self._asked[-1]
        return self.loaded.model.get_base_model() if self.adapted else self.loaded.model

    def _hidden(self, ids: Tensor, attention: Tensor) -> Tensor:
        """States after the last layer and its norm, [rows, length, width]."""
        places = (attention.cumsum(dim=1) - 1).clamp(min=0)
        half = torch.autocast(self.loaded.device.type, torch.bfloat16) if self.bf16 else nullcontext()
        with half, safe_attention():
            output = self._inner.base_model(
                input_ids=ids, attention_mask=attention, position_ids=places, use_cache=False
            )
        return cast(Tensor, output.last_hidden_state)

    def _tensors(self, rows: Sequence[MaskedRow]) -> tuple[Tensor, Tensor, Tensor]:
        batch = padded(rows, self.codec.pad, side="left", learn=False)
        ids, attention, mask = (
            torch.tensor(values, device=self.loaded.device)
            for values in (batch.ids, batch.attention, batch.mask)
        )
        return ids, attention, mask


def _first(row: MaskedRow) -> int:
    """Where the first learned token stands; the first token of all is predicted by nothing."""
    return next((place for place, learned in enumerate(row.mask) if learned and place), len(row.ids))


def _soft_capped(config: Any, logits: Tensor) -> Tensor:  # noqa: ANN401
    """What some families (Gemma 2) do to their logits after the output layer."""
    cap: object = getattr(config.get_text_config(), "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if isinstance(cap, float | int) and cap else logits
