"""Answers that a model in the small world draws itself, as rows, and what it makes of given ones."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gadfly.records import Problem
from gadfly.train.learner import Learner
from gadfly.train.masks import padded
from gadfly.train.rows import JudgedRow, Preference, Turn, Unpaired
from training.world import Judged, answer_of

TOKENS = 8
"""Most tokens of an answer, its end among them."""
_ROWS = 256
"""Rows in one forward pass."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was drawn for one problem."""

    problem: Problem
    texts: tuple[str, ...]

    @property
    def right(self) -> list[bool]:
        """Which of them are right."""
        return [text == answer_of(self.problem) for text in self.texts]


@torch.no_grad()
def drawn(learner: Learner, problems: Sequence[Problem], *, each: int = 1, seed: int = 0) -> list[Answers]:
    """Samples at temperature 1; an answer that does not end is cut at the limit."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Answers] = []
    for start in range(0, len(problems), max(1, _ROWS // each)):
        part = problems[start : start + max(1, _ROWS // each)]
        texts = _drawn(learner, [one for one in part for _ in range(each)], generator)
        found += [
            Answers(problem=one, texts=tuple(texts[place * each : (place + 1) * each]))
            for place, one in enumerate(part)
        ]
    return found


def _drawn(learner: Learner, problems: Sequence[Problem], generator: torch.Generator) -> list[str]:
    policy = learner.policy
    model: Any = policy.loaded.model
    model.eval()
    rows = [policy.codec.asked(asked(one)) for one in problems]
    batch = padded([row for row in rows if row is not None], policy.codec.pad, side="left", learn=False)
    attention = torch.tensor(batch.attention)
    given, cache, output = torch.tensor(batch.ids), None, list[torch.Tensor]()
    for _ in range(TOKENS):
        places = (attention.cumsum(dim=1) - 1).clamp(min=0)[:, -given.shape[1] :]
        seen = model(
            input_ids=given,
            attention_mask=attention,
            position_ids=places,
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = seen.cache
        given = torch.multinomial(seen.logits[:, -1].softmax(dim=-1), 1, generator=generator)
        output.append(given)
        attention = torch.cat([attention, torch.ones_like(given)], dim=1)
    ends = policy.loaded.ends
    texts: list[str] = []
    for ids in torch.cat(output, dim=1).tolist():
        stop = next((place for place, token in enumerate(ids) if token in ends), len(ids))
        texts.append(policy.loaded.decode(ids[:stop]))
    return texts


def asked(problem: Problem) -> tuple[Turn, ...]:
    """A problem as a prompt."""
    return tuple(Turn(role=one.role, content=one.content, author="problem") for one in problem.messages)


def mistaken(answers: Sequence[Answers]) -> list[Judged]:
    """Every answer of the right length, with its wrong letters."""
    return [
        Judged(
            problem=one.problem,
            answer=text,
            wrong=tuple(
                place
                for place, (said, right) in enumerate(zip(text, answer_of(one.problem), strict=True))
                if said != right
            ),
        )
        for one in answers
        for text in one.texts
        if len(text) == len(answer_of(one.problem))
    ]


def labelled(answers: Sequence[Answers]) -> list[Unpaired]:
    """Every answer with its label."""
    return [
        Unpaired(prompt=asked(one.problem), completion=(answered(text),), label=right)
        for one in answers
        for text, right in zip(one.texts, one.right, strict=True)
        if text
    ]


def judged_row(one: Judged) -> JudgedRow:
    """An answer with an exact checker's words on it."""
    return JudgedRow(
        prompt=asked(one.problem),
        completion=answered(one.answer),
        judgement=Turn(role="assistant", content=one.judgement, author="checker"),
        satisfactory=not one.wrong,
    )


@torch.no_grad()
def letter_chances(
    learner: Learner, problems: Sequence[Problem], answers: Sequence[str]
) -> list[tuple[float, ...]]:
    """The probability of each letter of the answers, those before it given."""
    codec, found = learner.policy.codec, list[tuple[float, ...]]()
    learner.policy.loaded.model.eval()
    rows = [
        codec.completion(asked(problem), (answered(text),))
        for problem, text in zip(problems, answers, strict=True)
    ]
    whole = [row for row in rows if row is not None]
    for start in range(0, len(whole), _ROWS):
        seen = learner.policy.logprobs(whole[start : start + _ROWS])
        for values, mask in zip(seen.values, seen.mask, strict=True):
            found.append(tuple(values[mask.bool()].exp().tolist()))
    return found


def pairs(answers: Sequence[Answers], *, seed: int = 0) -> list[Preference]:
    """The right answer preferred to one of the wrong ones that were drawn, where there is one."""
    dice = random.Random(f"own pairs/{seed}")
    found: list[Preference] = []
    for one in answers:
        wrong = sorted({text for text in one.texts if text and text != answer_of(one.problem)})
        if wrong:
            found.append(
                Preference(
                    prompt=asked(one.problem),
                    chosen=(answered(answer_of(one.problem)),),
                    rejected=(answered(dice.choice(wrong)),),
                )
            )
    return found


def answered(text: str) -> Turn:
    """An answer as a turn."""
    return Turn(role="assistant", content=text, author="model")


@torch.no_grad()
def numbers(learner: Learner, problems: Sequence[Problem], answers: Sequence[str]) -> list[float]:
    """The head's number for answers to problems."""
    codec, found = learner.policy.codec, list[float]()
    learner.policy.loaded.model.eval()
    rows = [
        codec.completion(asked(problem), (answered(text),))
        for problem, text in zip(problems, answers, strict=True)
    ]
    whole = [row for row in rows if row is not None]
    for start in range(0, len(whole), _ROWS):
        found += learner.policy.rewards(whole[start : start + _ROWS]).tolist()
    return found
