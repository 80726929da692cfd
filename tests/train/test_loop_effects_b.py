"""What a round of each loop does to a model of a million weights: the direction that its paper claims.

The model sorts letters. It answers and learns; words that so small a model cannot write (verdicts, feedback,
rewrites) come from rules that err now and then.
"""
# ruff: noqa: E402

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

from support.loop_players import Opened, Rule, between, luck
from support.loop_rounds import one_round
from training.world import (
    SCORER,
    WHOLE,
    World,
    learner_of,
    make_world,
    sampled_share,
    warmed_up,
)

from gadfly.recipes.improve.ilf_rounds import IlfRounds
from gadfly.recipes.improve.self_evolution import SelfEvolution
from gadfly.records import Sampling
from gadfly.train.improve import Loop
from gadfly.train.plan import Plan
from gadfly.train.round import Round, Tools, Trainer
from gadfly.train.training import LocalTrainer
from gadfly.train.weights import Weights

SHORT = Sampling(max_tokens=6, temperature=1.0)
SFT = Plan(steps=30, batch=32, rate=5e-4, save_every=100)
MOSTLY = 0.85
"""How often a rule that plays a judge is right."""


# ---------------------------------------------------------------- what plays beside the model


def word(asked: str) -> str:
    """The letters that a prompt asks to sort."""
    return asked.split("sort ", 1)[1][:4]


def solved(asked: str) -> str:
    return "".join(sorted(word(asked)))


def spoilt(asked: str, *said: object) -> str:
    """A wrong answer: one letter is another."""
    letters = list(solved(asked))
    dice = Random(repr((asked, said)))
    place = dice.randrange(4)
    letters[place] = dice.choice([other for other in "abcdefgh" if other != letters[place]])
    return "".join(letters)


def believed(asked: str, answer: str) -> bool:
    """Whether a judge that is mostly right takes an answer for right."""
    return (answer == solved(asked)) == (luck(word(asked), answer) < MOSTLY)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def warm(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warmed_up(world, tmp_path_factory.mktemp("warm"), competence=0.5)


@dataclass(frozen=True)
class Course:
    """The world, the weights that everybody starts from, and where to work."""

    world: World
    warm: Path
    path: Path

    def round(
        self,
        loop: Loop,
        rules: Sequence[Rule],
        *,
        index: int = 1,
        problems: int = 200,
        name: str = "a",
        before: Round | None = None,
        trainer: Trainer | None = None,
    ) -> Round:
        """One round from the warm weights, or from those of the round before."""
        base = Weights(model=f"transformers:{self.warm}", start=str(self.warm))
        tools = Tools(
            engines=Opened(rules),
            trainer=trainer or LocalTrainer(tuning=WHOLE, device="cpu"),
            scorers={"exact": SCORER},
            held_out={"held out": self.world.held_out},
            benchmark="world",
        )
        done = one_round(
            loop,
            self.world.train[:problems],
            self.path / name,
            tools,
            index=index,
            base=base,
            current=None if before is None else before.current,
        )
        assert done.current, done.notes
        return done

    def share(self, weights: Weights | None = None) -> float:
        """Share of held-out answers that are right, at temperature 1."""
        start = self.warm if weights is None else Path(weights.start)
        return sampled_share(learner_of(start), self.world.held_out)


@pytest.fixture
def course(world: World, warm: Path, tmp_path: Path) -> Course:
    return Course(world, warm, tmp_path)


# ---------------------------------------------------------------- loops that train the actor


def test_self_raises_accuracy_without_labels(course: Course) -> None:
    def check(asked: str, draw: int) -> str:
        return f"VERDICT: {'correct' if believed(asked, between(asked, 'answer')) else 'incorrect'}"

    def rewrite(asked: str, draw: int) -> str:
        return solved(asked) if luck("rewrite", asked) < 0.5 else spoilt(asked)

    rules = [("Your earlier answer", rewrite), ("Is the answer right?", check)]
    done = course.round(SelfEvolution(samples=2, plan=SFT, sampling=SHORT), rules)
    before, after = course.share(), course.share(done.weights())
    print("SELF", before, after)
    assert after > before + 0.1


def test_ilf_learns_more_from_the_rewrite_that_takes_the_feedback_up_than_from_any(course: Course) -> None:
    def rewrite(asked: str, draw: int) -> str:
        return solved(asked) if luck("rewrite", asked, draw) < 0.4 else spoilt(asked, draw)

    def mark(asked: str, draw: int) -> str:
        return f"SCORE: {9 if believed(asked, between(asked, 'new_version')) else 2}"

    def feedback(asked: str, draw: int) -> str:
        return "Put the letters in order, and keep them all."

    rules = [
        ("How much of the feedback", mark),
        ("Mend the solution", rewrite),
        ("Say in a few sentences what has to change", feedback),
    ]
    chosen = course.round(IlfRounds(drafts=2, n=4, plan=SFT, sampling=SHORT), rules)
    other = course.round(IlfRounds(drafts=2, n=1, plan=SFT, sampling=SHORT), rules, name="b")
    before, after, anyone = course.share(), course.share(chosen.weights()), course.share(other.weights())
    print("ILF", before, after, anyone)
    assert after > before + 0.04
    assert after > anyone + 0.1
