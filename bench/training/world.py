"""A small world to train in: short tasks with exact checkers, and a warm-up to a chosen competence.

The model is `gadfly.train.tiny`: about a million random weights, one token a character. Words are of four
letters out of eight, so there are 4,096 problems a task, and every split holds other words:

sort dacb        -> abcd
back dacb        -> bcad
count a in abca  -> 2

`warmed_up` trains the random weights on right answers of the `warm` split until answers sampled at
temperature 1 are right about as often as asked. What else it saw (second attempts, judgements) is an
argument, so that each experiment begins with a model that can do what it needs a little and not well.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from pydantic import JsonValue

from gadfly.records import Problem, content_digest
from gadfly.scorers.text import Exact
from gadfly.train.fit import Training, examples_of, fit
from gadfly.train.folder import MODEL
from gadfly.train.learner import Learner, Tuning, open_learner
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.reading import as_row
from gadfly.train.rows import AnyRow
from gadfly.train.tiny import write_tiny

Task: TypeAlias = Literal["sort", "back", "count"]
Split: TypeAlias = Literal["warm", "train", "held_out"]

LETTERS = "abcdefgh"
LENGTH = 4
TOKENS = LENGTH + 2
"""Enough for an answer and its end."""
SCORER = Exact()
AGAIN = "Again?"
"""Asks for a second attempt."""
WHOLE = Tuning(lora=None, precision="float32", part=128)
"""All weights learn, in float32."""
_FIRST, _PACE, _MOST = 20, 3, 320
"""Steps after which the warm-up is looked at for the first time, between looks, and at most."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Problems of some tasks; no word is in two splits."""

    warm: tuple[Problem, ...]
    """For the warm-up alone."""
    train: tuple[Problem, ...]
    held_out: tuple[Problem, ...]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An answer and what is said of it."""

    problem: Problem
    answer: str
    wrong: tuple[int, ...]
    """Which letters of the answer are wrong, counted from 0; none: it is right."""

    @property
    def judgement(self) -> str:
        """In words, counted from 1."""
        if not self.wrong:
            return "Right."
        named = " and ".join(str(place + 1) for place in self.wrong)
        return f"Letter {named} is wrong."

    @property
    def prompt(self) -> str:
        """The problem with the judgement beside it."""
        return f"{self.problem.text}\n{self.judgement}"


def make_world(
    tasks: Sequence[Task] = ("sort",),
    *,
    warm: int = 1500,
    train: int = 1500,
    held_out: int = 300,
    seed: int = 0,
) -> World:
    """Problems of the tasks in turn; the numbers are of each split, all tasks together."""
    words = ["".join(word) for word in itertools.product(LETTERS, repeat=LENGTH)]
    random.Random(f"words/{seed}").shuffle(words)
    letters = random.Random(f"letters/{seed}")
    turns = itertools.cycle(tasks)
    made = [_problem(next(turns), word, letters) for word in words[: warm + train + held_out]]
    return World(
        warm=tuple(made[:warm]),
        train=tuple(made[warm : warm + train]),
        held_out=tuple(made[warm + train :]),
        seed=seed,
    )


def answer_of(problem: Problem) -> str:
    """The right answer."""
    assert problem.reference is not None
    return problem.reference


def spoiled(problem: Problem, dice: random.Random) -> Judged:
    """A wrong answer that differs from the right one in one or two places."""
    right = answer_of(problem)
    pool = LETTERS if right[0] in LETTERS else "0123456789"
    said = list(right)
    for place in dice.sample(range(len(right)), k=min(len(right), dice.choice((1, 1, 2)))):
        said[place] = dice.choice([letter for letter in pool if letter != right[place]])
    wrong = tuple(place for place, (a, b) in enumerate(zip(said, right, strict=True)) if a != b)
    return Judged(problem=problem, answer="".join(said), wrong=wrong)


def judged(problems: Sequence[Problem], *, right: float = 0.5, seed: int = 0) -> list[Judged]:
    """One judged answer a problem, a share of them right."""
    dice = random.Random(f"judged/{seed}")
    return [
        Judged(problem=problem, answer=answer_of(problem), wrong=())
        if dice.random() < right
        else spoiled(problem, dice)
        for problem in problems
    ]


def answer_rows(problems: Sequence[Problem]) -> list[AnyRow]:
    """Right answers, to imitate."""
    return [as_row({"prompt": one.text, "completion": answer_of(one)}) for one in problems]


def preference_rows(problems: Sequence[Problem], *, seed: int = 0) -> list[AnyRow]:
    """The right answer preferred to a spoiled one."""
    dice = random.Random(f"pairs/{seed}")
    return [
        as_row({"prompt": one.text, "chosen": answer_of(one), "rejected": spoiled(one, dice).answer})
        for one in problems
    ]


def unpaired_rows(problems: Sequence[Problem], *, right: float = 0.5, seed: int = 0) -> list[AnyRow]:
    """Single answers, good or bad."""
    return [
        as_row({"prompt": one.problem.text, "completion": one.answer, "label": not one.wrong})
        for one in judged(problems, right=right, seed=seed)
    ]


def judged_rows(problems: Sequence[Problem], *, seed: int = 0) -> list[AnyRow]:
    """For the warm-up: the answer that a judgement beside the problem describes."""
    return [as_row({"prompt": one.prompt, "completion": one.answer}) for one in judged(problems, seed=seed)]


def attempt_rows(
    problems: Sequence[Problem], *, keep: float = 0.5, mend: float = 0.25, seed: int = 0
) -> list[AnyRow]:
    """For the warm-up: second attempts as untrained models make them, mostly no better.

    First attempts are right half the time. `keep` of the second ones repeat the first, `mend` are right,
    the rest is spoiled.
    """
    dice = random.Random(f"attempts/{seed}")
    rows: list[AnyRow] = []
    for one in judged(problems, seed=seed):
        chance = dice.random()
        second = one.answer
        if chance >= keep:
            second = answer_of(one.problem) if chance < keep + mend else spoiled(one.problem, dice).answer
        said = (("user", one.problem.text), ("assistant", one.answer), ("user", AGAIN), ("assistant", second))
        rows.append(as_row({"messages": [{"role": role, "content": text} for role, text in said]}))
    return rows


def warmed_up(
    world: World,
    folder: Path,
    *,
    competence: float = 0.5,
    second_attempts: bool = False,
    judgements: bool = False,
) -> Path:
    """A model whose answers at temperature 1 are right about as often as asked; where its weights stand.

    Greedy answers are right more often. Made once, then read from the folder.

    Raises:
        ValueError: it did not become so good.
    """
    request: dict[str, JsonValue] = {
        "seed": world.seed,
        "problems": content_digest([one.id for one in world.warm]),
        "competence": competence,
        "second_attempts": second_attempts,
        "judgements": judgements,
    }
    out = folder / f"warm-{content_digest(request)[:12]}"
    if (out / MODEL / "config.json").exists():
        return out / MODEL
    learner = learner_of(write_tiny(folder / f"tiny-{world.seed}", seed=world.seed), seed=world.seed)
    rows = answer_rows(world.warm)
    if second_attempts:
        rows += attempt_rows(world.warm, seed=world.seed)
    if judgements:
        rows += judged_rows(world.warm, seed=world.seed)
    plan = Plan(batch=64, rate=1e-3, schedule="constant", warmup=0.0, save_every=_MOST, seed=world.seed)
    examples = examples_of(rows, Supervised(), learner.policy.codec, plan)
    for steps in range(_FIRST, _MOST, _PACE):
        training = Training(
            learner=learner,
            objective=Supervised(),
            batches=examples,
            plan=plan,
            steps=steps,
            request=request,
            rows=len(rows),
        )
        trained = fit(training, out)
        if sampled_share(learner, world.train[:300]) >= competence:
            learner.save_merged(out / MODEL)
            trained.finish(model=f"transformers:{out / MODEL}")
            return out / MODEL
    raise ValueError(f"sampled answers were not right {competence:.0%} of the time after {_MOST} steps")


def learner_of(model: Path, *, seed: int = 0, reference: bool = False, head: bool = False) -> Learner:
    """The weights, all of them to be trained, in float32 on one thread."""
    torch.set_num_threads(1)
    tuning = WHOLE.model_copy(update={"seed": seed})
    return open_learner(str(model), tuning=tuning, device="cpu", reference=reference, head=head)


@torch.no_grad()
def sampled_share(learner: Learner, problems: Sequence[Problem]) -> float:
    """Share of answers at temperature 1 that are right: the mean probability of the right answer, exactly."""
    told = examples_of(answer_rows(problems), Supervised(), learner.policy.codec, Plan()).kept
    parts = [[one.row for one in told[start : start + 128]] for start in range(0, len(told), 128)]
    return sum(float(learner.policy.logprobs(rows).sums.logprobs.exp().sum()) for rows in parts) / len(told)


def greedy_share(learner: Learner, problems: Sequence[Problem]) -> float:
    """Share of the problems whose greedy answer is right."""
    rights = greedy_rights(learner, [(one.text, answer_of(one)) for one in problems])
    return sum(rights) / len(rights)


@torch.no_grad()
def greedy_rights(learner: Learner, asked: Sequence[tuple[str, str]]) -> list[bool]:
    """For each prompt whether greedy decoding gives the text and stops; read off one forward pass."""
    codec = learner.policy.codec
    rows = [as_row({"prompt": prompt, "completion": text}) for prompt, text in asked]
    told = examples_of(rows, Supervised(), codec, Plan()).kept
    found: list[bool] = []
    for start in range(0, len(told), 128):
        seen = learner.policy.logits([one.row for one in told[start : start + 128]])
        chosen = seen.values[:, :-1].argmax(dim=-1)
        fits = (chosen == seen.ids[:, 1:]) | (seen.mask[:, 1:] == 0)
        found += [bool(one) for one in fits.all(dim=1)]
    return found


def _problem(task: Task, word: str, letters: random.Random) -> Problem:
    if task == "count":
        sought = letters.choice(word)
        asked, answer = f"count {sought} in {word}", str(word.count(sought))
    else:
        asked, answer = f"{task} {word}", "".join(sorted(word)) if task == "sort" else word[::-1]
    return Problem(
        id=asked.replace(" ", "-"),
        prompt=asked,
        reference=answer,
        answer_kind="free",
        metadata={"family": task},
    )
