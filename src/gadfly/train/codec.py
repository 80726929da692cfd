"""From turns to tokens, as the policy's own chat template and tokenizer have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from gadfly.errors import InputError
from gadfly.train.masks import Chat, MaskedRow, TurnTokens, by_author, tokenised
from gadfly.train.rows import Turn

LEARNED = "policy"
"""Author given to the turns that a loss lies on."""


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A tokenizer with its chat template, and how long a row may be.

    Text that looks like a control token stays text: a row cannot close its own turn.
    """

    tokenizer: Any
    limit: int = 1024
    """Most tokens of a row, prompt and completion together."""

    @property
    def pad(self) -> int:
        """What short rows are filled with; masks do not go by ids, so it may be any token."""
        given: object = self.tokenizer.pad_token_id
        return given if isinstance(given, int) else int(self.tokenizer.eos_token_id)

    def chat(self, turns: Sequence[Turn]) -> Chat:
        """A chat as tokens.

        Raises:
            InputError: there is no chat template, or it does not write the turns as they are.
        """
        if not self.tokenizer.chat_template:
            raise InputError("the model has no chat template; train an instruction-tuned model")
        end: object = self.tokenizer.eos_token
        return tokenised(turns, self._render, self._encode, plain=self._plain, end=str(end or ""))

    def completion(self, prompt: Sequence[Turn], completion: Sequence[Turn]) -> MaskedRow | None:
        """A prompt and what is to be learned after it; None where they are longer than the limit.

        The assistant's turns of `completion` are learned, whoever wrote them; others are read.

        Raises:
            InputError: see `chat`; or the completion has no turn of the assistant.
        """
        said = [
            turn.model_copy(update={"author": LEARNED}) if turn.role == "assistant" else turn
            for turn in completion
        ]
        return self.within(by_author(self.chat([*prompt, *said]), {LEARNED}))

    def asked(self, prompt: Sequence[Turn]) -> MaskedRow | None:
        """A prompt up to where the answer begins, with nothing to learn; None where it is too long.

        Raises:
            InputError: see `chat`.
        """
        chat = self.chat(prompt)
        messages = [{"role": turn.role, "content": turn.content} for turn in prompt]
        before, text = self._render(messages, ask=False), self._render(messages, ask=True)
        if not text.startswith(before):
            raise InputError("the template rewrites the prompt when an answer is asked for")
        ids = (*chat.ids, *self._encode(text[len(before) :]))
        return self.within(MaskedRow(ids=ids, mask=(0,) * len(ids)))

    def pieces(self, text: str) -> list[tuple[int, int]]:
        """Which characters of a turn's words each of their tokens covers, half open.

        Raises:
            InputError: the tokenizer cannot say.
        """
        try:
            encoded = self.tokenizer(
                text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
            )
        except NotImplementedError as error:
            raise InputError("this tokenizer does not say where its tokens stand in a text") from error
        return [(int(start), int(end)) for start, end in encoded["offset_mapping"]]

    def learned(self, turns: Sequence[Turn], authors: Sequence[str]) -> MaskedRow | None:
        """A whole chat in which the words of these authors are learned; None where it is too long."""
        return self.within(by_author(self.chat(turns), authors))

    def within(self, row: MaskedRow) -> MaskedRow | None:
        """The row, unless it is longer than the limit. It is never cut: half an answer teaches to stop."""
        return row if len(row.ids) <= self.limit else None

    def _render(self, messages: Sequence[dict[str, str]], ask: bool) -> str:
        text: object = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=ask
        )
        return str(text)

    def _encode(self, text: str) -> list[int]:
        return cast(list[int], self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _plain(self, text: str) -> list[int]:
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return cast(list[int], encoded["input_ids"])


def sampled(prompt: Sequence[int], output: Sequence[int]) -> MaskedRow:
    """Tokens that a policy sampled, as it sampled them: the prompt is read, the output learned.

    Text decoded and tokenised again can give other tokens than those that were drawn, and a policy
    gradient on tokens that were never drawn is no policy gradient.
    """
    turn = TurnTokens(role="assistant", author=LEARNED, header=tuple(prompt), body=tuple(output))
    return by_author(Chat(turns=(turn,)), {LEARNED})
