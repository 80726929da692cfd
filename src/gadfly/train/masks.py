"""Which tokens a loss lies on: masks by author, from a chat template's turns.

A turn is three runs of tokens: what the template writes before (`header`), what the author wrote together
with the token that ends it (`body`), and what the template writes after (`footer`). A mask is 1 on bodies
alone: the model is to learn to say this and stop, not to write headers that the template writes for it.

Each run is tokenised by itself, as it is when a model answers (prompt first, then token by token), so no
token lies across a boundary. Tokenising the whole text at once can give other ids there (`same_as_whole`
says whether it does); for tokens that were sampled keep the sampled ids and build `TurnTokens` from them.

Feedback- and reward-conditioned training are masks too: the feedback is a turn whose author is not learned.
Torch is not loaded here: masks are tuples, and `padded` gives lists that any tensor library takes.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.train.rows import Turn

Which: TypeAlias = Literal["all", "last", "first"]
Side: TypeAlias = Literal["left", "right"]

Render: TypeAlias = Callable[[Sequence[dict[str, str]], bool], str]
"""Messages, and whether to end with the header of an answer, to the template's text:
`lambda messages, ask: tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)`."""
Encode: TypeAlias = Callable[[str], Sequence[int]]
"""Text to token ids, special tokens in the text understood and none added:
`lambda text: tokenizer.encode(text, add_special_tokens=False)`."""


@dataclass(frozen=True, kw_only=True)
class TurnTokens:
    """One turn as tokens."""

    role: str
    author: str
    header: tuple[int, ...] = ()
    body: tuple[int, ...] = ()
    """The author's words and the token that ends the turn, where it has one."""
    footer: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """All of its tokens."""
        return (*self.header, *self.body, *self.footer)


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A chat as tokens, turn by turn."""

    turns: tuple[TurnTokens, ...]
    same_as_whole: bool = True
    """Whether the text tokenised at once has the same ids. Where it is False, a library that does so
    trains on other tokens than the model writes."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The tokens of all turns."""
        return tuple(chain.from_iterable(turn.ids for turn in self.turns))


@dataclass(frozen=True, kw_only=True)
class MaskedRow:
    """Tokens with their mask, ready for a batch.

    The mask is of the tokens themselves: a loss that takes log-probabilities, one shorter than the ids,
    takes `mask[1:]`.
    """

    ids: tuple[int, ...]
    mask: tuple[int, ...]
    dropped: int = 0
    """Tokens that truncation took."""
    dropped_learned: int = 0
    """How many of those were to be learned."""

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.mask):
            raise InputError(f"{len(self.ids)} ids and {len(self.mask)} mask values; they go together")

    @property
    def learned(self) -> int:
        """Tokens that a loss can lie on: the first token of all is predicted by nothing."""
        return sum(self.mask[1:])


@dataclass(frozen=True, kw_only=True)
class Padded:
    """A batch as lists of equal length."""

    ids: list[list[int]]
    attention: list[list[int]]
    """1 at real tokens."""
    mask: list[list[int]]
    """1 at tokens to be learned."""


def tokenised(
    turns: Sequence[Turn],
    render: Render,
    encode: Encode,
    *,
    plain: Encode | None = None,
    end: str = "<|im_end|>",
) -> Chat:
    """A chat's turns as tokens, through its template.

    Args:
        turns: the chat; who wrote each turn is its `author`.
        render: the chat template.
        encode: the tokenizer.
        plain: the tokenizer for the words of turns, blind to special tokens, so that words which look like
            one stay words: `lambda text: tokenizer.encode(text, add_special_tokens=False,
            split_special_tokens=True)`. `encode`, if not given.
        end: what ends a turn in the template's text. It belongs to the body, what follows to the footer; a
            template without it after some turn's words gives that turn a body without an end.

    Raises:
        InputError: the template rewrites earlier turns when a turn is added (some drop earlier reasoning),
            or does not write a turn's words as they are: there are no boundaries to be found.
    """
    if not turns:
        raise InputError("a chat needs at least one turn")
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    found: list[TurnTokens] = []
    before, text = "", ""
    for place, turn in enumerate(turns):
        text = render(messages[: place + 1], False)
        if not text.startswith(before):
            raise InputError(f"the template rewrites what stands before turn {place} when it is added")
        asked = render(messages[:place], True) if place and turn.role == "assistant" else before
        header, stop, footer = _split(text, turn, before, asked, end, place)
        words = (plain or encode)(turn.content) if turn.content else ()
        found.append(
            TurnTokens(
                role=turn.role,
                author=turn.author,
                header=tuple(encode(header)) if header else (),
                body=(*words, *(encode(stop) if stop else ())),
                footer=tuple(encode(footer)) if footer else (),
            )
        )
        before = text
    chat = Chat(turns=tuple(found))
    return replace(chat, same_as_whole=chat.ids == tuple(encode(text)))


def by_author(chat: Chat, authors: Collection[str], *, which: Which = "all") -> MaskedRow:
    """The words of these authors.

    Args:
        chat: the chat.
        authors: names as the turns have them.
        which: 'all' of their turns, or the 'last' or 'first' of them.

    Raises:
        InputError: none of them wrote anything in the chat.
    """
    return _row(chat, [turn.author in authors for turn in chat.turns], which, f"by {sorted(authors)}")


def by_role(chat: Chat, role: str = "assistant", *, which: Which = "all") -> MaskedRow:
    """The words of one role, whoever wrote them.

    Args:
        chat: the chat.
        role: such as 'assistant'.
        which: 'all' of its turns, or the 'last' or 'first' of them.

    Raises:
        InputError: no turn has this role.
    """
    return _row(chat, [turn.role == role for turn in chat.turns], which, f"of role {role!r}")


def prefixed(row: MaskedRow, prefix: Sequence[int]) -> MaskedRow:
    """The row with tokens in front that are read and not learned: feedback, a mark of quality, a reward."""
    return replace(row, ids=(*prefix, *row.ids), mask=(*(0 for _ in prefix), *row.mask))


def truncated(row: MaskedRow, limit: int, *, keep: Literal["start", "end"] = "start") -> MaskedRow:
    """At most `limit` tokens of the row.

    Args:
        row: the row.
        limit: tokens.
        keep: which end stays.

    Raises:
        InputError: no token to be learned would be left (then leave the row out, and count it), or `limit` is
            not above zero.
    """
    if limit < 1:
        raise InputError(f"limit must be at least 1, not {limit}")
    if len(row.ids) <= limit:
        return row
    part = slice(0, limit) if keep == "start" else slice(len(row.ids) - limit, None)
    cut = MaskedRow(
        ids=row.ids[part],
        mask=row.mask[part],
        dropped=row.dropped + len(row.ids) - limit,
        dropped_learned=row.dropped_learned + sum(row.mask) - sum(row.mask[part]),
    )
    if not cut.learned:
        raise InputError(f"nothing to learn is left of a row of {len(row.ids)} tokens cut to {limit}")
    return cut


def padded(
    rows: Sequence[MaskedRow], pad: int, *, side: Side = "right", multiple_of: int = 1, learn: bool = True
) -> Padded:
    """Rows made equally long.

    Args:
        rows: the rows.
        pad: id to fill with. It may be the id that ends turns: attention and mask do not go by ids.
        side: where the filling goes.
        multiple_of: the length is rounded up to a multiple of this.
        learn: whether a row without a token to be learned is refused.

    Raises:
        InputError: there is no row, or one has nothing to learn.
    """
    if not rows or multiple_of < 1:
        raise InputError("padding needs at least one row, and multiple_of at least 1")
    empty = [place for place, row in enumerate(rows) if not row.learned]
    if learn and empty:
        raise InputError(f"row {empty[0]} of the batch has no token to learn; leave it out")
    longest = max(len(row.ids) for row in rows)
    length = -(-longest // multiple_of) * multiple_of

    def filled(values: Sequence[int], filler: int) -> list[int]:
        rest = [filler] * (length - len(values))
        return [*rest, *values] if side == "left" else [*values, *rest]

    return Padded(
        ids=[filled(row.ids, pad) for row in rows],
        attention=[filled([1] * len(row.ids), 0) for row in rows],
        mask=[filled(row.mask, 0) for row in rows],
    )


def _split(text: str, turn: Turn, before: str, asked: str, end: str, place: int) -> tuple[str, str, str]:
    """Header, end and footer of the turn that `text` has beyond `before`; its words lie after the header."""
    added = text[len(before) :]
    # The header of an answer is known exactly; that of another turn ends where its words are found.
    known = len(asked) - len(before) if text.startswith(asked) and len(asked) > len(before) else None
    if known is not None and added.startswith(turn.content, known):
        start = known
    else:
        ended = added.rfind(turn.content + end)
        start = ended if ended >= 0 else added.rfind(turn.content)
    if start < 0:
        raise InputError(f"the template does not write the words of turn {place} as they are")
    stop = start + len(turn.content)
    last = stop + len(end) if end and added.startswith(end, stop) else stop
    return added[:start], added[stop:last], added[last:]


def _row(chat: Chat, wanted: Sequence[bool], which: Which, words: str) -> MaskedRow:
    places = [place for place, yes in enumerate(wanted) if yes and chat.turns[place].body]
    if not places:
        raise InputError(f"no turn {words} in the chat; its authors are {[t.author for t in chat.turns]}")
    if which != "all":
        places = places[-1:] if which == "last" else places[:1]
    mask: list[int] = []
    for place, turn in enumerate(chat.turns):
        mask += [0] * len(turn.header) + [int(place in places)] * len(turn.body) + [0] * len(turn.footer)
    return MaskedRow(ids=chat.ids, mask=tuple(mask))
