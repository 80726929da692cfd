"""Critique in the loop: what its preparation teaches to whom, and from which weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from support.collecting import plays, sums
from support.loop_rounds import BASE, Diary, number, one_round, tools

from gadfly.recipes.improve.critique_in_the_loop import CritiqueInTheLoop
from gadfly.records import Request
from gadfly.train.improve import CRITIC
from gadfly.train.round import ACTOR
from gadfly.train.rows import AnyRow, PromptCompletion
from gadfly.train.weights import Lesson, Trained, Weights


class Naming(Diary):
    """Names the weights after how many were trained."""

    def __call__(self, start: str, rows: Sequence[AnyRow], lesson: Lesson, out: Path, /) -> Trained:
        trained = super().__call__(start, rows, lesson, out)
        name = f"trained-{len(self.lessons)}"
        return trained.model_copy(update={"weights": Weights(model=name, start=name)})


def draft(request: Request) -> str:
    """Right for one draw in three."""
    k = number(request)
    return f"Answer: {k + 1 if (k + request.draw[-1]) % 3 == 0 else 90 + request.draw[-1]}"


@pytest.mark.parametrize(("critic_from", "start"), [("base", BASE.start), ("actor", "trained-1")])
def test_the_critic_learns_as_many_right_as_wrong_answers_from_the_weights_it_is_told(
    critic_from: Literal["base", "actor"], start: str, tmp_path: Path
) -> None:
    diary = Naming()
    loop = CritiqueInTheLoop(drafts=3, critic_from=critic_from)
    using = tools(plays(("What is", draft)), diary)
    now = one_round(loop, sums(6), tmp_path, using, index=0)
    (taught, criticised) = diary.lessons
    assert taught[2] == BASE.start
    assert criticised[2] == start
    said = [row.completion[0].content for row in criticised[1] if isinstance(row, PromptCompletion)]
    assert all(text.startswith("The answer should be") for text in said)
    right, wrong = (
        sum(text.endswith(f": {verdict}") for text in said) for verdict in ("correct", "incorrect")
    )
    assert right == wrong == len(said) / 2 > 0
    assert now.weights(ACTOR).start == "trained-1"
    assert now.weights(CRITIC).start == "trained-2"
