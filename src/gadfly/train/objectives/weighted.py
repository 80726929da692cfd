"""Feedback on spans: each token of a completion is learned, left or unlearned by the weight of its span.

Spans become tokens by their characters: a token weighs what its characters weigh on average, so one that lies
across the end of a span counts for the part that is in it. Rows of the policy's own tokens need no spans.

Span-weighted likelihood is one way of many to learn from fine-grained feedback (Wu et al. 2023,
arXiv:2306.01693, put it into rewards). Negative weights are unlikelihood (Welleck et al. 2019,
arXiv:1908.04319), whose formula stands in `losses.weighted`.

Differs from the papers: Wu et al. train reward models of spans and a policy gradient on them; here the
weights are given. The end of the turn weighs 1 where spans are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from gadfly.errors import InputError
from gadfly.train.codec import Codec
from gadfly.train.losses.reduction import PER_SEQUENCE, PER_TOKEN, Loss
from gadfly.train.losses.sft import sft
from gadfly.train.losses.weighted import weighted
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, Span, Weighted


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A completion with a weight a learned token."""

    row: MaskedRow
    weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class SpanWeighted:
    """Tokens of positive weight become likelier, those of negative weight less likely."""

    negative: bool = True
    """False: negative weights count as 0."""
    unbounded: bool = False
    """Negative weights multiply the log-likelihood, which falls without bound, instead of unlikelihood."""
    per_sequence: bool = False
    """Every row counts alike, instead of every token."""

    @property
    def needs_reference(self) -> bool:
        """No."""
        return False

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def example(self, row: AnyRow, codec: Codec, /) -> Weighed | None:
        """A completion whose spans or tokens are weighted; tokens go before spans.

        Raises:
            InputError: another kind of row, or tokens that the policy does not have.
        """
        if not isinstance(row, Weighted):
            raise InputError(f"span-weighted training learns from weighted rows, not from {row.kind} rows")
        found, weights = _sampled(row, codec) if row.token_ids else _spanned(row, codec)
        if found is None:
            return None
        if not self.negative:
            weights = [max(0.0, weight) for weight in weights]
        return Weighed(row=found, weights=tuple(weights))

    def size(self, example: Weighed, /) -> float:
        """Learned tokens, or 1."""
        return 1.0 if self.per_sequence else float(example.row.learned)

    def length(self, example: Weighed, /) -> int:
        """Tokens, prompt included."""
        return len(example.row.ids)

    def loss(self, policy: Policy, examples: Sequence[Weighed], /) -> Loss:
        """The loss, with the figures of `losses.weighted` (or `losses.sft`)."""
        found = policy.logprobs([example.row for example in examples])
        weights = found.values.new_zeros(found.values.shape)
        given = list(chain.from_iterable(example.weights for example in examples))
        weights[found.mask.bool()] = weights.new_tensor(given)
        over = PER_SEQUENCE if self.per_sequence else PER_TOKEN
        if self.unbounded:
            return sft(found.values, found.mask, token_weights=weights, reduction=over)
        return weighted(found.values, found.mask, weights, reduction=over)


def span_weights(pieces: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[float]:
    """What each token weighs: the mean over its characters, which weigh 1 outside all spans.

    Args:
        pieces: the characters of each token (`Codec.pieces`); one without any weighs 1.
        spans: in order, without overlap.
    """
    found: list[float] = []
    for start, end in pieces:
        extra = sum(
            (span.weight - 1.0) * max(0, min(end, span.end) - max(start, span.start)) for span in spans
        )
        found.append(1.0 + extra / max(1, end - start))
    return found


def _spanned(row: Weighted, codec: Codec) -> tuple[MaskedRow | None, list[float]]:
    found = codec.completion(row.prompt, (row.completion,))
    if found is None:
        return None, []
    weights = span_weights(codec.pieces(row.completion.content), row.spans)
    return found, weights + [1.0] * (found.learned - len(weights))


def _sampled(row: Weighted, codec: Codec) -> tuple[MaskedRow | None, list[float]]:
    size = len(codec.tokenizer)
    strange = [token for token in row.token_ids if not 0 <= token < size]
    if strange:
        raise InputError(f"a row has token {strange[0]}, and the policy's tokenizer ends at {size - 1}")
    asked = codec.asked(row.prompt)
    if asked is None:
        return None, []
    ids = (*asked.ids, *row.token_ids)
    mask = (*asked.mask, *(1 for _ in row.token_ids))
    return codec.within(MaskedRow(ids=ids, mask=mask)), list(row.token_weights)
