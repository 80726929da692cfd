"""Feedback in front: rows whose prompts say how good the answer will be, for training with `Supervised`.

A model that has learned good and bad answers under their names gives good ones when asked for them. What
stands in front is read and never learned; what is learned are the answers, bad ones included. `controlled`
puts the same words before a problem when the model is used.

- LeTI (Wang et al. 2023, arXiv:2305.10314): a token for good or bad, and after the answer the words of
  the feedback, which are learned too.
- Chain of hindsight (Liu et al. 2023, arXiv:2302.02676): worse and better answers in one sequence, each
  after words that say which it is.
- Quality tokens: Quark (Lu et al. 2022, arXiv:2205.13636) has a token for each quantile of the reward.
- The reward itself as words: reward-conditioned supervised learning (RvS, arXiv:2112.10751; decision
  transformers, arXiv:2106.01345).

Differs from the papers: control words are text in front of the last turn of the prompt, so that any chat
model reads them without a new token. LeTI's feedback follows as the answer to a question (`ask`) in a turn
of its own, so that answers end where they end. Chain of hindsight drops 15 % of past tokens at random and
mixes in pre-training text; neither is done here. Quark adds a KL penalty and explores again under the best
token.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from gadfly.errors import InputError
from gadfly.records import Message, Problem
from gadfly.train.rows import (
    Correction,
    CritiqueRow,
    JudgedRow,
    Preference,
    PromptCompletion,
    Turn,
    Unpaired,
    VectorReward,
)
from gadfly.train.sources import note

GOOD, BAD = "Quality: good", "Quality: bad"
ASK = "What is to be said of this answer?"
CONTROL = "control"
"""Author of the words in front."""

Told: TypeAlias = Unpaired | JudgedRow | CritiqueRow
Rewarded: TypeAlias = Unpaired | VectorReward


def controlled(problem: Problem, control: str) -> Problem:
    """A problem with control words in front, as `leti` and `quality_tokens` train for.

    The words stand in the last message of the prompt; the id stays.
    """
    *before, last = problem.messages
    asked = Message(role=last.role, content=_joined(control, last.content))
    prompt = (*before, asked)
    alone = len(prompt) == 1 and asked.role == "user"
    return problem.model_copy(update={"prompt": asked.content if alone else prompt})


def leti(
    rows: Iterable[Told],
    *,
    good: str = GOOD,
    bad: str = BAD,
    ask: str = ASK,
    dropped: Counter[str] | None = None,
) -> Iterator[PromptCompletion]:
    """Answers under the name of their quality, followed by what was said of them, where anything was.

    Args:
        rows: unpaired rows have no words; judged rows and critiques with a verdict have.
        good: stands in front of good answers.
        bad: stands in front of bad ones.
        ask: the question whose answer is the feedback; empty: feedback is left out.
        dropped: counts what is left out, by reason.
    """
    for row in rows:
        said = (row.answer,) if isinstance(row, CritiqueRow) else row.said
        label = _label(row)
        if label is None:
            note(dropped, "without a verdict")
            continue
        words = _words(row)
        if words is not None and ask:
            said += (
                Turn(role="user", content=ask, author=CONTROL),
                words.model_copy(update={"role": "assistant"}),
            )
        yield PromptCompletion(
            prompt=under(row.prompt, good if label else bad),
            completion=said,
            weight=1.0 if isinstance(row, JudgedRow) else row.weight,
            lineage=row.lineage,
            labelling_only=row.labelling_only,
        )


def chain_of_hindsight(
    rows: Iterable[Preference],
    *,
    good: str = "Give a good answer.",
    bad: str = "Give a bad answer.",
    order: Literal["bad first", "good first", "both"] = "both",
) -> Iterator[Correction]:
    """Both answers of a pair in one conversation, each after words that say which it is.

    Every turn of the assistant is to be learned: train with `Supervised(learn="all")`. To use the model,
    put `good` in front of a problem: what it answers first is the good answer, where `order` has
    taught that.

    Args:
        rows: pairs; of ranked lists `from_rollouts.ranked_preferences` makes some.
        good: asks for the better answer.
        bad: asks for the worse one.
        order: which comes first; 'both' gives two rows a pair.
    """
    for row in rows:
        pair = [(bad, row.rejected), (good, row.chosen)]
        orders = {"bad first": [pair], "good first": [pair[::-1]], "both": [pair, pair[::-1]]}[order]
        for (first, earlier), (second, later) in orders:
            yield Correction(
                prompt=under(row.prompt, first),
                turns=(*earlier, Turn(role="user", content=second, author=CONTROL), *later),
                weight=row.weight,
                lineage=row.lineage,
                labelling_only=row.labelling_only,
            )


def quality_tokens(
    rows: Iterable[Rewarded],
    *,
    scorer: str = "",
    names: Sequence[str] = ("Quality: 1 of 3", "Quality: 2 of 3", "Quality: 3 of 3"),
    dropped: Counter[str] | None = None,
) -> list[PromptCompletion]:
    """Answers under the name of the quantile that their reward falls into.

    Equal rewards get one name, so the parts may be of unequal size. Where there are fewer different rewards
    than names, as with labels, the lowest has the first name and the highest the last.

    Args:
        rows: rewarded answers; a label is a reward of 0 or 1.
        scorer: whose mark is the reward, of rows with several.
        names: from the worst part to the best.
        dropped: counts what is left out, by reason.

    Raises:
        InputError: there are fewer than two names, or the scorer is not there.
    """
    if len(names) < 2:
        raise InputError("quality tokens need at least two names, the worst first")
    marked = [(row, value) for row in rows if (value := _reward(row, scorer, dropped)) is not None]
    ordered = sorted(value for _, value in marked)
    levels = sorted(set(ordered))
    if 1 < len(levels) < len(names):
        reach = (len(names) - 1) / (len(levels) - 1)
        return [_under_reward(row, names[round(levels.index(value) * reach)]) for row, value in marked]
    # A part ends at the value that stands there; whoever has that value is still in it.
    ends = [ordered[math.ceil(len(ordered) * part / len(names)) - 1] for part in range(1, len(names))]
    return [_under_reward(row, names[sum(value > end for end in ends)]) for row, value in marked]


def reward_words(
    rows: Iterable[Rewarded],
    *,
    scorer: str = "",
    template: str = "Reward: {reward:.1f}",
    dropped: Counter[str] | None = None,
) -> Iterator[PromptCompletion]:
    """Answers under their reward as a number.

    Args:
        rows: rewarded answers; a label is a reward of 0 or 1.
        scorer: whose mark is the reward, of rows with several.
        template: with the field `reward`.
        dropped: counts what is left out, by reason.

    Raises:
        InputError: the scorer is not there.
    """
    for row in rows:
        value = _reward(row, scorer, dropped)
        if value is not None:
            yield _under_reward(row, template.format(reward=value))


def under(prompt: Sequence[Turn], control: str) -> tuple[Turn, ...]:
    """A prompt with control words in front of its last turn."""
    *before, last = prompt
    return (*before, last.model_copy(update={"content": _joined(control, last.content)}))


def _joined(control: str, content: str) -> str:
    return f"{control}\n{content}" if control else content


def _under_reward(row: Rewarded, control: str) -> PromptCompletion:
    return PromptCompletion(
        prompt=under(row.prompt, control),
        completion=row.completion,
        weight=row.weight if isinstance(row, Unpaired) else 1.0,
        lineage=row.lineage,
        labelling_only=row.labelling_only,
    )


def _label(row: Told) -> bool | None:
    match row:
        case Unpaired():
            return row.label
        case JudgedRow():
            return row.satisfactory
        case CritiqueRow():
            return {"correct": True, "incorrect": False}.get(row.verdict or "")


def _words(row: Told) -> Turn | None:
    match row:
        case Unpaired():
            return None
        case JudgedRow():
            return row.judgement
        case CritiqueRow():
            return row.critique


def _reward(row: Rewarded, scorer: str, dropped: Counter[str] | None) -> float | None:
    if isinstance(row, Unpaired):
        return float(row.label)
    names = sorted(row.rewards)
    if (scorer or len(names) > 1) and scorer not in row.rewards:
        raise InputError(f"a row has the marks {', '.join(names)}: say which is the reward, not {scorer!r}")
    value = row.rewards[scorer or names[0]]
    if value is None:
        note(dropped, "unscored")
    return value
