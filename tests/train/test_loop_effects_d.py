"""What loops of critics and judges do to a small model that sorts letters, beside their ablations.

The model answers, and learns to write the verdicts; rules play what it cannot write: critiques beside the
reference, rewrites, and complaints.
"""
# ruff: noqa: E402

from pathlib import Path
from random import Random
from statistics import fmean

import anyio
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

from support.loop_players import Opened, Rule, between, luck
from support.loop_school import said, schooled
from support.loop_worlds import TRAINER, improved
from training.samples import letter_chances
from training.world import (
    LETTERS,
    SCORER,
    World,
    answer_of,
    learner_of,
    make_world,
    mistaken,
    sampled_share,
    taught_rows,
)

from gadfly.primitives.critics import ToolCritic
from gadfly.prompts import Prompt
from gadfly.recipes.improve.cut_online import CutOnline
from gadfly.recipes.improve.scrit import Scrit
from gadfly.records import Problem, Sampling
from gadfly.run.improvement import CriticCheck
from gadfly.run.store import read_rollouts
from gadfly.train.criticising import critic_check
from gadfly.train.improve import CRITIC
from gadfly.train.objectives.cut import ASKED
from gadfly.train.plan import Plan
from gadfly.train.round import Tools
from gadfly.train.rows import PromptCompletion
from gadfly.train.weights import Weights

HOT = Sampling(temperature=1.0, max_tokens=32)


# ---------------------------------------------------------------- SCRIT

CHECK = Prompt(name="test/check", user="{{ problem }}\n{{ answer }}\nRight?")
CORRECT, INCORRECT = "VERDICT: correct", "VERDICT: incorrect"
STAMPED = 0.6
"""How often the critic approves without looking, even beside the reference."""


def approving(world: World) -> list[tuple[str, str]]:
    """Critiques as the untrained critic writes them: in form, and of what chance says."""
    dice, habits = Random("habits"), list[tuple[str, str]]()
    for problem in world.warm[:1000]:
        answer = answer_of(problem) if dice.random() < 0.5 else mistaken(problem).answer
        words = (
            CORRECT
            if dice.random() < 0.5
            else f"- step 3: {''.join(dice.choices(LETTERS, k=2))}\n{INCORRECT}"
        )
        asked = CHECK.render({"problem": problem.text, "answer": answer})[-1].content
        habits.append((asked, words))
    return habits


def beside_reference(asked: str, draw: int) -> str:
    """What is wrong from the third letter on, or approval without a look."""
    right = between(asked, "right_answer")
    if luck("stamp", asked, draw) < STAMPED or between(asked, "answer") == right:
        return CORRECT
    return f"- step 3: {right[2:]}\n{INCORRECT}"


def corrected(asked: str, draw: int) -> str:
    """The answer with what the critique says, whatever it is."""
    answer, review = between(asked, "answer"), between(asked, "review")
    _, found, mend = review.partition("- step 3: ")
    return f"{answer[:2]}{mend[:2]}" if found else answer


CRITIC_RULES: list[Rule] = [("<right_answer>", beside_reference), ("Your earlier answer", corrected)]


def checked(
    loop: Scrit, actor: Weights, critic: Weights, problems: tuple[Problem, ...], out: Path
) -> CriticCheck:
    """The critic without the reference, on answers of the actor to held-out problems."""

    async def check() -> CriticCheck:
        opened = Opened(CRITIC_RULES)
        solver = loop.correcting(opened(actor.model), opened(critic.model), HOT)
        tools = Tools(
            engines=opened, trainer=TRAINER, scorers={"exact": SCORER}, held_out={}, benchmark="world"
        )
        await tools.run(solver, problems, out=out)
        await opened.close()
        named = {problem.id: problem for problem in problems}
        return await critic_check(list(read_rollouts(out)), SCORER, named, round=1, critic="critic")

    return anyio.run(check)


def scrit(world: World, folder: Path) -> dict[str, float]:
    """Accuracy of drafts, and of what the untrained critic and the trained ones make of them."""
    rows = taught_rows(world.warm, competence=0.5, seed=world.seed) + said(approving(world))
    warm = schooled(folder / "warm", rows, steps=160, rate=3e-3, width=64, layers=2, seed=world.seed)
    found: dict[str, float] = {}
    for name, validated in (("validated", True), ("all", False)):
        loop = Scrit(
            samples=2,
            check=CHECK,
            validated=validated,
            plan=Plan(steps=150, batch=32, rate=2e-3, save_every=200),
            sampling=HOT,
        )
        done = improved(loop, warm, world.train[:300], world, folder / name, rules=CRITIC_RULES).rounds[-1]
        critics = {"untrained": done.base, name: done.weights(CRITIC)}
        for title, critic in critics.items():
            if title not in found:
                seen = checked(loop, done.base, critic, world.held_out, folder / f"{title} seen")
                found["drafts"] = fmean(one.before is True for one in seen.corrected)
                found[title] = fmean(one.after is True for one in seen.corrected)
    return found


def test_scrit_corrects_without_the_reference_if_critiques_that_failed_were_dropped(tmp_path: Path) -> None:
    found = scrit(make_world(held_out=150), tmp_path)
    assert found["validated"] > found["drafts"] + 0.1
    assert found["validated"] > found["untrained"] + 0.1
    assert found["validated"] > found["all"] + 0.1


# ---------------------------------------------------------------- CUT online

FILLER = "um"


async def complaints(problem: Problem, text: str) -> list[str]:
    """A judgement in words of the filler alone; whether the letters are right is not looked at."""
    return [f"No {FILLER}."] if text.startswith(FILLER) else []


def filling(world: World) -> list[tuple[str, str]]:
    """Four answers of five begin with a filler; under a judgement that names it, all do."""
    dice, habits = Random("fillers"), list[tuple[str, str]]()
    for place, row in enumerate(taught_rows(world.warm, competence=0.7)):
        assert isinstance(row, PromptCompletion)
        problem, answer = row.prompt[-1].content, row.completion[0].content
        spoken = f"{FILLER} {answer}"
        habits.append((problem, spoken if dice.random() < 0.8 else answer))
        if place % 3 == 0:
            judged = ASKED.render({"problem": problem, "judgement": f"- No {FILLER}."})[-1].content
            habits.append((judged, spoken))
    return habits


def heard(weights: Path, world: World) -> tuple[float, float, float]:
    """How likely a filler is, the right letters after one are, and a right answer without one is."""
    learner, problems = learner_of(weights), world.held_out
    spoken = letter_chances(learner, problems, [f"{FILLER} {answer_of(problem)}" for problem in problems])
    filled = fmean(chances[0] for chances in spoken)
    letters = fmean(fmean(chances[3:]) for chances in spoken)
    return filled, letters, sampled_share(learner, problems)


def cut(world: World, folder: Path) -> dict[float, list[tuple[float, float, float]]]:
    """What is heard before and after each round, with unlikelihood and without."""
    rows = said(filling(world))
    warm = schooled(folder / "warm", rows, steps=160, rate=3e-3, width=64, layers=2, seed=world.seed)
    found: dict[float, list[tuple[float, float, float]]] = {}
    for alpha in (1.0, 0.0):
        loop = CutOnline(
            critic=ToolCritic(name="rule", check=complaints),
            samples=1,
            threshold=1.2,
            alpha=alpha,
            plan=Plan(steps=6, batch=32, rate=3e-4, save_every=100),
            sampling=HOT,
        )
        done = improved(loop, warm, world.train[:300], world, folder / str(alpha), rounds=2)
        found[alpha] = [heard(weights, world) for weights in done.stages()]
    return found


def test_cut_online_unlearns_what_judgements_name_and_the_next_round_goes_on(tmp_path: Path) -> None:
    found = cut(make_world(held_out=150), tmp_path)
    (filled, letters, right), first, second = found[1.0]
    assert filled > first[0] + 0.2, "what is judged bad falls"
    assert first[0] > second[0] + 0.05
    assert second[1] > letters - 0.05, "the rest of the same answers holds"
    assert first[2] > right + 0.1, "more answers are right after each round"
    assert second[2] > first[2] + 0.04
    _, likelihood_alone, _ = found[0.0]
    assert first[0] < likelihood_alone[0] - 0.1
    assert first[2] > likelihood_alone[2] + 0.05
