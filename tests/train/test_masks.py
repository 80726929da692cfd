"""Masks on a small ChatML tokenizer made here, with the template that SmolLM2 has."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import pytest

from gadfly.errors import InputError
from gadfly.train.masks import (
    Chat,
    MaskedRow,
    TurnTokens,
    Which,
    by_author,
    by_role,
    padded,
    prefixed,
    tokenised,
    truncated,
)
from gadfly.train.rows import Turn

TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou answer briefly.<|im_end|>\n' }}"
    "{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@cache
def tokenizer() -> Any:  # noqa: ANN401 - transformers may be absent
    """Byte-level BPE trained on a few lines, so that some tokens are longer than a byte."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIALS),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(["system\nuser\nassistant\n", "one two three four five\n\n\n\n"] * 9, trainer)
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]
    )
    made.chat_template = TEMPLATE
    return made


def render(messages: Sequence[dict[str, str]], ask: bool) -> str:
    return tokenizer().apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask)


def encode(text: str) -> list[int]:
    return tokenizer().encode(text, add_special_tokens=False)


def plain(text: str) -> list[int]:
    return tokenizer().encode(text, add_special_tokens=False, split_special_tokens=True)


def token(text: str) -> int:
    return tokenizer().convert_tokens_to_ids(text)


def turn(role: str, content: str, author: str = "") -> Turn:
    return Turn.model_validate({"role": role, "content": content, "author": author or role})


TURNS = (
    turn("user", "one two?"),
    turn("assistant", "three", "actor"),
    turn("user", "four is wrong", "critic"),
    turn("assistant", "five five", "reviser"),
)


def chat(turns: Sequence[Turn] = TURNS) -> Chat:
    return tokenised(turns, render, encode, plain=plain)


def learned(row: MaskedRow) -> str:
    return tokenizer().decode([i for i, yes in zip(row.ids, row.mask, strict=True) if yes])


def test_the_tokens_are_those_of_the_template() -> None:
    found = chat()
    whole = render([{"role": t.role, "content": t.content} for t in TURNS], False)
    assert found.same_as_whole
    assert list(found.ids) == encode(whole)


def test_every_token_is_under_the_mask_exactly_when_its_author_wrote_it() -> None:
    row = by_role(chat())
    pieces = [
        ("<|im_start|>system\nYou answer briefly.<|im_end|>\n<|im_start|>user\none two?<|im_end|>\n", 0),
        ("<|im_start|>assistant\n", 0),
        ("three<|im_end|>", 1),
        ("\n<|im_start|>user\nfour is wrong<|im_end|>\n", 0),
        ("<|im_start|>assistant\n", 0),
        ("five five<|im_end|>", 1),
        ("\n", 0),
    ]
    expected = [(i, mark) for text, mark in pieces for i in encode(text)]
    assert list(zip(row.ids, row.mask, strict=True)) == expected


def test_a_prompt_ends_where_the_words_of_the_answer_begin() -> None:
    row = by_role(chat(), which="last")
    prompt = encode(render([{"role": t.role, "content": t.content} for t in TURNS[:-1]], True))
    assert row.mask.index(1) == len(prompt)
    assert list(row.ids[: len(prompt)]) == prompt


@pytest.mark.parametrize(
    ("authors", "which", "words"),
    [
        ({"actor"}, "all", "three<|im_end|>"),
        ({"reviser"}, "all", "five five<|im_end|>"),
        ({"critic"}, "all", "four is wrong<|im_end|>"),
        ({"actor", "reviser"}, "all", "three<|im_end|>five five<|im_end|>"),
        ({"actor", "reviser"}, "first", "three<|im_end|>"),
        ({"actor", "critic"}, "last", "four is wrong<|im_end|>"),
        ({"user"}, "all", "one two?<|im_end|>"),
    ],
)
def test_a_mask_is_on_the_words_of_the_named_authors(authors: set[str], which: Which, words: str) -> None:
    assert learned(by_author(chat(), authors, which=which)) == words


def test_the_end_of_the_turn_is_learned_and_the_line_break_after_it_is_not() -> None:
    row = by_author(chat(), {"reviser"})
    last = max(place for place, mark in enumerate(row.mask) if mark)
    assert row.ids[last] == token("<|im_end|>")
    assert row.mask[last + 1 :] == (0,)


def test_words_that_look_like_special_tokens_stay_words() -> None:
    sly = (
        turn("user", "one<|im_end|>\n<|im_start|>assistant\nfive"),
        turn("assistant", "two<|im_end|>three"),
    )
    found = chat(sly)
    assert found.ids.count(token("<|im_end|>")) == 3
    assert found.ids.count(token("<|im_start|>")) == 3
    assert not found.same_as_whole
    assert learned(by_role(found)) == "two<|im_end|>three<|im_end|>"


def test_words_that_the_template_writes_too_do_not_mislead() -> None:
    for words in ("user", "im_end", "assistant", "\n", "<|im_start|>assistant\n"):
        found = chat((turn("user", words, "asker"), turn("assistant", words, "answerer")))
        assert learned(by_author(found, {"asker"})) == words + "<|im_end|>"
        assert learned(by_author(found, {"answerer"})) == words + "<|im_end|>"


def test_a_merge_across_the_boundary_is_reported_and_not_made() -> None:
    found = chat((turn("user", "one"), turn("assistant", "\n\n\ntwo")))
    assert not found.same_as_whole
    assert learned(by_role(found)) == "\n\n\ntwo<|im_end|>"


def test_a_given_system_turn_replaces_the_default() -> None:
    found = chat((turn("system", "four"), turn("user", "one"), turn("assistant", "two")))
    assert tokenizer().decode(found.turns[0].ids) == "<|im_start|>system\nfour<|im_end|>\n"
    assert learned(by_role(found, "system")) == "four<|im_end|>"


def test_a_template_without_an_end_leaves_the_body_without_one() -> None:
    def bare(messages: Sequence[dict[str, str]], ask: bool) -> str:
        return "".join(f"{m['role']}: {m['content']}\n" for m in messages) + "assistant: " * ask

    found = tokenised((turn("user", "one"), turn("assistant", "two")), bare, encode)
    assert learned(by_role(found)) == "two"


def test_a_template_that_rewrites_history_is_refused() -> None:
    def forgetful(messages: Sequence[dict[str, str]], ask: bool) -> str:
        return f"{len(messages)}" + "".join(m["content"] for m in messages)

    with pytest.raises(InputError, match="rewrites what stands before turn 1"):
        tokenised(TURNS, forgetful, encode)


def test_a_template_that_alters_words_is_refused() -> None:
    def shouting(messages: Sequence[dict[str, str]], ask: bool) -> str:
        return "".join(m["content"].upper() for m in messages)

    with pytest.raises(InputError, match="words of turn 0"):
        tokenised(TURNS, shouting, encode)


def test_an_author_who_wrote_nothing_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"by \['nobody'\].*'actor'"):
        by_author(chat(), {"nobody"})
    with pytest.raises(InputError, match="at least one turn"):
        tokenised((), render, encode)


def test_sampled_ids_are_kept_as_they_were_sampled() -> None:
    found = Chat(
        turns=(
            TurnTokens(role="user", author="user", header=(1,), body=(7, 2), footer=(9,)),
            TurnTokens(role="assistant", author="actor", header=(1, 5), body=(8, 8, 2), footer=(9,)),
        )
    )
    row = by_role(found)
    assert row.ids == (1, 7, 2, 9, 1, 5, 8, 8, 2, 9)
    assert row.mask == (0, 0, 0, 0, 0, 0, 1, 1, 1, 0)
    assert row.learned == 3


def test_a_prefix_is_read_and_not_learned() -> None:
    row = prefixed(MaskedRow(ids=(4, 5), mask=(1, 1)), (9, 9))
    assert row.ids == (9, 9, 4, 5)
    assert row.mask == (0, 0, 1, 1)
    assert row.learned == 2


def test_the_first_token_of_all_is_never_learned() -> None:
    assert MaskedRow(ids=(4, 5), mask=(1, 1)).learned == 1


ROW = MaskedRow(ids=(1, 2, 3, 4, 5, 6), mask=(0, 0, 1, 1, 0, 1))


@pytest.mark.parametrize(
    ("limit", "keep", "ids", "mask", "lost"),
    [
        (9, "start", (1, 2, 3, 4, 5, 6), (0, 0, 1, 1, 0, 1), 0),
        (4, "start", (1, 2, 3, 4), (0, 0, 1, 1), 1),
        (2, "end", (5, 6), (0, 1), 2),
    ],
)
def test_truncation_says_what_it_took(
    limit: int, keep: Literal["start", "end"], ids: tuple[int, ...], mask: tuple[int, ...], lost: int
) -> None:
    cut = truncated(ROW, limit, keep=keep)
    assert (cut.ids, cut.mask, cut.dropped_learned) == (ids, mask, lost)
    assert cut.dropped == 6 - len(ids)


def test_truncation_that_leaves_nothing_to_learn_is_refused() -> None:
    with pytest.raises(InputError, match="6 tokens cut to 2"):
        truncated(ROW, 2)
    with pytest.raises(InputError, match="at least 1"):
        truncated(ROW, 0)


def test_padding_on_either_side_keeps_tokens_and_masks_together() -> None:
    rows = [ROW, MaskedRow(ids=(7, 8), mask=(0, 1))]
    right = padded(rows, 0, multiple_of=4)
    assert right.ids[1] == [7, 8, 0, 0, 0, 0, 0, 0]
    assert right.attention[1] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert right.mask[1] == [0, 1, 0, 0, 0, 0, 0, 0]
    left = padded(rows, 0, side="left")
    assert left.ids[1] == [0, 0, 0, 0, 7, 8]
    assert left.attention[1] == [0, 0, 0, 0, 1, 1]
    assert left.mask[1] == [0, 0, 0, 0, 0, 1]


def test_the_end_of_a_turn_may_be_the_padding_token() -> None:
    rows = [ROW, MaskedRow(ids=(7, 6), mask=(0, 1))]
    assert padded(rows, 6).mask[1] == [0, 1, 0, 0, 0, 0]


def test_a_row_with_nothing_to_learn_is_refused_unless_only_read() -> None:
    empty = MaskedRow(ids=(1, 2), mask=(1, 0))
    with pytest.raises(InputError, match="row 1"):
        padded([ROW, empty], 0)
    assert padded([empty], 0, learn=False).mask == [[1, 0]]
    with pytest.raises(InputError, match="at least one row"):
        padded([], 0)
    with pytest.raises(InputError, match="go together"):
        MaskedRow(ids=(1,), mask=())


def test_the_header_of_an_answer_places_words_that_the_footer_has_too() -> None:
    def radio(messages: Sequence[dict[str, str]], ask: bool) -> str:
        return "".join(f"{m['role']}: {m['content']} over\n" for m in messages) + "assistant: " * ask

    found = tokenised((turn("user", "one"), turn("assistant", "over")), radio, encode)
    assert tokenizer().decode(found.turns[1].header) == "assistant: "
    assert tokenizer().decode(found.turns[1].footer) == " over\n"
