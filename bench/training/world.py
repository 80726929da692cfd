"""A small world to train in: short tasks with exact checkers, and a warm-up to a chosen competence.

The model is `gadfly.train.tiny`: about a million random weights, one token a character. Words are of four
letters out of eight, so there are 4,096 problems a task, and every split holds other words:

sort dacb        -> abcd
back dacb        -> bcad
count a in abca  -> 2

The one common mistake is to have the last two letters the wrong way round. `warmed_up` teaches the random
weights right answers and this mistake: of words that begin with a letter of the first half mostly the
mistake, of the others mostly the right answer. So the model is wrong in a systematic way, and right about as
often as asked, at temperature 1 and greedily. What else it saw (second attempts, judgements) is an argument:
each experiment begins with a model that can do what it needs and mostly does not.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from pydantic import JsonValue

from gadfly.recipes.solve.direct import Direct
from gadfly.records import Problem, Sampling, content_digest
from gadfly.scorers.text import Exact
from gadfly.train.fit import Training, examples_of, fit
from gadfly.train.folder import MODEL
from gadfly.train.learner import Learner, Tuning, open_learner
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.online import Sampler
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
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=TOKENS)
SCORER = Exact()
AGAIN = "Again?"
"""Asks for a second attempt."""
WHOLE = Tuning(lora=None, precision="float32", part=128)
"""All weights learn, in float32."""
_APART = 0.25
"""By how much the two kinds of words differ from the mean."""
_NEAR = 0.15
"""How far from the competence asked for a warm model may be."""


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


def mistaken(problem: Problem) -> Judged:
    """The common mistake, and where it is."""
    right = answer_of(problem)
    if len(right) < 2:
        return Judged(problem=problem, answer=str((int(right) + 1) % 10), wrong=(0,))
    said = f"{right[:-2]}{right[-1]}{right[-2]}"
    if said == right:  # twice the same letter
        said = right[:-1] + ("a" if right[-1] != "a" else "b")
    wrong = tuple(place for place, (a, b) in enumerate(zip(said, right, strict=True)) if a != b)
    return Judged(problem=problem, answer=said, wrong=wrong)


def judged(problems: Sequence[Problem], *, right: float = 0.5, seed: int = 0) -> list[Judged]:
    """One judged answer a problem, a share of them right, the others mistaken."""
    dice = random.Random(f"judged/{seed}")
    return [
        Judged(problem=problem, answer=answer_of(problem), wrong=())
        if dice.random() < right
        else mistaken(problem)
        for problem in problems
    ]


def taught_rows(problems: Sequence[Problem], *, competence: float, seed: int = 0) -> list[AnyRow]:
    """For the warm-up: a share of right answers, higher by a quarter or lower, as the word begins."""
    dice = random.Random(f"taught/{seed}")
    rows: list[AnyRow] = []
    for one in problems:
        hard = one.text.split()[-1][0] in LETTERS[: len(LETTERS) // 2]
        right = dice.random() < competence + (-_APART if hard else _APART)
        said = answer_of(one) if right else mistaken(one).answer
        rows.append(as_row({"prompt": one.text, "completion": said}))
    return rows


def answer_rows(problems: Sequence[Problem]) -> list[AnyRow]:
    """Right answers, to imitate."""
    return [as_row({"prompt": one.text, "completion": answer_of(one)}) for one in problems]


def preference_rows(problems: Sequence[Problem]) -> list[AnyRow]:
    """The right answer preferred to the mistaken one."""
    return [
        as_row({"prompt": one.text, "chosen": answer_of(one), "rejected": mistaken(one).answer})
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


def attempt_rows(problems: Sequence[Problem], *, keep: float = 0.7, seed: int = 0) -> list[AnyRow]:
    """For the warm-up: second attempts as untrained models make them, no better than the first ones.

    First attempts are right half the time. `keep` of the second ones repeat the first; the rest changes a
    right answer into a mistake or a mistake into the right answer.
    """
    dice = random.Random(f"attempts/{seed}")
    rows: list[AnyRow] = []
    for one in judged(problems, seed=seed):
        other = mistaken(one.problem).answer if not one.wrong else answer_of(one.problem)
        second = one.answer if dice.random() < keep else other
        said = (("user", one.problem.text), ("assistant", one.answer), ("user", AGAIN), ("assistant", second))
        rows.append(as_row({"messages": [{"role": role, "content": text} for role, text in said]}))
    return rows


def own_pairs(learner: Learner, problems: Sequence[Problem], *, samples: int = 4) -> list[AnyRow]:
    """Of each problem a right and a wrong answer that the model itself gave at temperature 1, if it did."""
    sampler = sampler_of(learner, problems, samples=samples, plan=Plan(batch=len(problems)))
    rows: list[AnyRow] = []
    for group in sampler.draw(0):
        marks = group.rewards("exact", unreadable=0.0)
        texts = ["" if one.answer is None else one.answer.text for one in group.rollouts]
        if 1.0 in marks and 0.0 in marks:
            chosen, rejected = texts[marks.index(1.0)], texts[marks.index(0.0)]
            asked = group.rollouts[0].problem.text
            rows.append(as_row({"prompt": asked, "chosen": chosen, "rejected": rejected}))
    return rows


def sampler_of(learner: Learner, problems: Sequence[Problem], *, samples: int, plan: Plan) -> Sampler:
    """One call a rollout at temperature 1, scored exactly."""
    return Sampler(
        learner=learner,
        solver=lambda model: Direct(model=model, sampling=SAMPLING),
        scorers={"exact": SCORER},
        problems=problems,
        samples=samples,
        plan=plan,
    )


def warmed_up(
    world: World,
    folder: Path,
    *,
    competence: float = 0.5,
    second_attempts: bool = False,
    judgements: bool = False,
    steps: int = 160,
) -> Path:
    """A model that answers right about as often as asked; where its weights stand.

    Made once, then read from the folder.

    Raises:
        ValueError: it did not become so good, or became better.
    """
    request: dict[str, JsonValue] = {
        "seed": world.seed,
        "problems": content_digest([one.id for one in world.warm]),
        "competence": competence,
        "second_attempts": second_attempts,
        "judgements": judgements,
        "steps": steps,
    }
    out = folder / f"warm-{content_digest(request)[:12]}"
    if (out / MODEL / "config.json").exists():
        return out / MODEL
    learner = learner_of(write_tiny(folder / f"tiny-{world.seed}", seed=world.seed), seed=world.seed)
    rows = taught_rows(world.warm, competence=competence, seed=world.seed)
    if second_attempts:
        rows += attempt_rows(world.warm, seed=world.seed)
    if judgements:
        rows += judged_rows(world.warm, seed=world.seed)
    plan = Plan(batch=64, rate=1.5e-3, schedule="linear", warmup=0.1, save_every=steps, seed=world.seed)
    training = Training(
        learner=learner,
        objective=Supervised(),
        batches=examples_of(rows, Supervised(), learner.policy.codec, plan),
        plan=plan,
        steps=steps,
        request=request,
        rows=len(rows),
    )
    trained = fit(training, out)
    found = sampled_share(learner, world.train[:300])
    if abs(found - competence) > _NEAR:
        raise ValueError(
            f"{found:.0%} of sampled answers are right after {steps} steps, not {competence:.0%}"
        )
    learner.save_merged(out / MODEL)
    trained.finish(model=f"transformers:{out / MODEL}")
    return out / MODEL


def learner_of(model: Path, *, seed: int = 0, reference: bool = False, head: bool = False) -> Learner:
    """The weights, all of them to be trained, in float32 on one thread."""
    torch.set_num_threads(1)
    tuning = WHOLE.model_copy(update={"seed": seed})
    return open_learner(str(model), tuning=tuning, device="cpu", reference=reference, head=head)


def sampled_share(learner: Learner, problems: Sequence[Problem]) -> float:
    """Share of answers at temperature 1 that are right."""
    return sum(right_chances(learner, problems)) / len(problems)


@torch.no_grad()
def right_chances(learner: Learner, problems: Sequence[Problem]) -> list[float]:
    """How likely an answer at temperature 1 is right, for each problem: exact, as one answer alone is."""
    told = examples_of(answer_rows(problems), Supervised(), learner.policy.codec, Plan()).kept
    parts = [[one.row for one in told[start : start + 128]] for start in range(0, len(told), 128)]
    return [float(chance) for rows in parts for chance in learner.policy.logprobs(rows).sums.logprobs.exp()]


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
