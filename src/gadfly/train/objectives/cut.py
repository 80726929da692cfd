"""CUT: contrastive unlikelihood training on judgements (Xu et al. 2023, arXiv:2312.14591).

An unsatisfactory answer is read twice: under the prompt, and under the prompt with the judgement of it.
Tokens that the judgement makes likelier are what it is about, and become unlikely under the plain prompt; the
rest of the answer is learned. The formula stands in `losses.cut`.

Differs from the paper: the judgement follows the last turn of the prompt, under a line of ours (`asked`), as
chat templates have no place for it. See `losses.cut` for what the formula leaves open.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gadfly.errors import InputError
from gadfly.prompts import Prompt
from gadfly.train.codec import Codec
from gadfly.train.losses.cut import Judged, cut
from gadfly.train.losses.reduction import Loss
from gadfly.train.masks import MaskedRow
from gadfly.train.policy import Policy
from gadfly.train.rows import AnyRow, JudgedRow, Turn

ASKED = Prompt(
    name="train/cut",
    user="""{{ problem }}

Give an answer of which this would be said:

{{ judgement | fence("judgement") }}""",
)
"""The last turn of a prompt with a judgement."""


@dataclass(frozen=True, kw_only=True)
class JudgedAnswer:
    """One answer under two prompts."""

    plain: MaskedRow
    judged: MaskedRow | None
    """With the judgement in the prompt; None where the answer is satisfactory."""


@dataclass(frozen=True, kw_only=True)
class Judgements:
    """What judgements find fault with becomes unlikely, the rest of their answers likely."""

    threshold: float = 1.1
    """lambda: by what factor a judgement makes likelier what it is about; the paper has 1.1 and 1.2."""
    alpha: float = 1.0
    """Weight of the unlikelihood; the paper has 0.25, 0.5 and 1."""
    gamma: float = 1.0
    """How the weight grows with the token's probability under the judgement."""
    align_negative: bool = True
    """Whether an unsatisfactory answer is learned under its judgement."""
    asked: Prompt = ASKED
    """How a judgement is shown: slots `problem` and `judgement`."""

    @property
    def needs_reference(self) -> bool:
        """No."""
        return False

    @property
    def needs_head(self) -> bool:
        """No."""
        return False

    def example(self, row: AnyRow, codec: Codec, /) -> JudgedAnswer | None:
        """A judged answer.

        Raises:
            InputError: another kind of row, or the prompt has other slots.
        """
        if not isinstance(row, JudgedRow):
            raise InputError(f"cut learns from judged rows, not from {row.kind} rows")
        plain = codec.completion(row.prompt, (row.completion,))
        if row.satisfactory:
            return None if plain is None else JudgedAnswer(plain=plain, judged=None)
        judged = codec.completion(self._with(row), (row.completion,))
        if plain is None or judged is None:
            return None
        return JudgedAnswer(plain=plain, judged=judged)

    def size(self, example: JudgedAnswer, /) -> float:
        """Every answer counts alike."""
        return 1.0

    def length(self, example: JudgedAnswer, /) -> int:
        """Tokens of the longer row."""
        return len((example.judged or example.plain).ids)

    def loss(self, policy: Policy, examples: Sequence[JudgedAnswer], /) -> Loss:
        """The loss, with the figures of `losses.cut`."""
        judged = [(place, example.judged) for place, example in enumerate(examples) if example.judged]
        rows = [example.plain for example in examples]
        # One pass: rows are padded on the left, so the tokens of an answer stand in the same columns twice.
        found = policy.logprobs([*rows, *(row for _, row in judged)])
        plain, mask = found.values[: len(rows)], found.mask[: len(rows)]
        places = torch.tensor([place for place, _ in judged], dtype=torch.long, device=plain.device)
        under = torch.zeros_like(plain).index_copy(0, places, found.values[len(rows) :])
        satisfactory = torch.ones(len(rows), device=plain.device).index_fill(0, places, 0.0)
        sides = Judged(plain=plain, with_judgement=under, mask=mask, satisfactory=satisfactory)
        return cut(
            sides,
            threshold=self.threshold,
            alpha=self.alpha,
            gamma=self.gamma,
            align_negative=self.align_negative,
        )

    def _with(self, row: JudgedRow) -> list[Turn]:
        """The prompt with the judgement in its last turn."""
        last = row.prompt[-1]
        asked = self.asked.render({"problem": last.content, "judgement": row.judgement.content})
        return [*row.prompt[:-1], last.model_copy(update={"content": asked[-1].content})]
