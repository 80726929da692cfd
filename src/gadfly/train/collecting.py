"""Collectors: methods whose recorded rollouts become training rows.

A collector answers problems like any solver, so that it runs in a run folder, is paid once and can be
compared; everything its rows need is a recorded step. What the rows are is decided afterwards, by a pure
function of the rollouts. A field that only `rows` reads is declared with `field(..., repr=False)`: it is no
part of the run's identity, so one run serves all its values.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal, Protocol, runtime_checkable

from gadfly.primitives.generate import split_steps
from gadfly.prompts import Prompt
from gadfly.records import Candidate, Critique, Problem, Ranking, Score
from gadfly.run.judging import first_wrong_step
from gadfly.train.rows import (
    CRITIQUE,
    PROBLEM,
    AnyRow,
    Correction,
    CritiqueRow,
    LabellingOnly,
    Lineage,
    Preference,
    PromptCompletion,
    Stepwise,
    Turn,
    Turns,
    VectorReward,
)
from gadfly.train.sources import Oracle, Sourced, admitted, answer_turn, note


@runtime_checkable
class Collector(Protocol):
    """A solver that also says which rows its rollouts are: every recipe in `recipes.collect`."""

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Work on one problem; returns the best answer it has."""
        ...

    def rows(
        self,
        rollouts: Iterable[Sourced],
        *,
        oracle: Oracle = "refuse",
        dropped: Counter[str] | None = None,
    ) -> Iterator[AnyRow]:
        """The rows of its own rollouts, of one kind; `dropped` counts what is left out, by reason."""
        ...


@dataclass(frozen=True, kw_only=True)
class Label:
    """Who says what a row is worth, by what, and whether from the reference."""

    author: str = ""
    saw_reference: bool = False
    explanation: str = ""
    rubric: str | None = None
    principles: tuple[str, ...] = ()

    @classmethod
    def by(
        cls, *said: Critique | Score | Ranking, rubric: str | None = None, principles: tuple[str, ...] = ()
    ) -> "Label":
        """The label that these judgements give together."""
        words = (one.text if isinstance(one, Critique) else one.explanation for one in said)
        return Label(
            author="+".join(dict.fromkeys(one.author for one in said)),
            saw_reference=any(one.saw_reference for one in said),
            explanation="\n---\n".join(filter(None, words)),
            rubric=rubric,
            principles=principles,
        )


@dataclass(frozen=True, kw_only=True)
class RowMaker:
    """Makes the rows of one rollout; each method yields one row, or none and counts why."""

    source: Sourced
    answer: Candidate
    """What the rollout came to."""
    oracle: Oracle = "refuse"
    dropped: Counter[str] | None = None

    def leave(self, why: str) -> None:
        """Count something that is left out."""
        note(self.dropped, why)

    def imitate(
        self,
        answer: Candidate,
        label: Label,
        *,
        prompt: tuple[Turn, ...] | None = None,
        weight: float = 1.0,
    ) -> Iterator[PromptCompletion]:
        """An answer to learn, after the problem or after another prompt."""
        if not answer.text.strip():
            return self.leave("no answer")
        for lineage, seen in self._admit(answer.author, label, answer):
            yield PromptCompletion(
                prompt=prompt or self.source.prompt,
                completion=(answer_turn(answer),),
                weight=weight,
                lineage=lineage,
                labelling_only=seen,
            )

    def prefer(
        self,
        better: Candidate | Critique,
        worse: Candidate | Critique,
        label: Label,
        *,
        prompt: tuple[Turn, ...] | None = None,
        strength: float | None = None,
        weight: float = 1.0,
    ) -> Iterator[Preference]:
        """The first rather than the second; two critiques want the prompt that asks for them."""
        if not better.text.strip() or not worse.text.strip():
            return self.leave("no answer")
        if better.text.strip() == worse.text.strip():
            return self.leave("both say the same")
        for lineage, seen in self._admit(better.author, label, better, worse):
            yield Preference(
                prompt=prompt or self.source.prompt,
                chosen=(_turn(better),),
                rejected=(_turn(worse),),
                strength=strength,
                weight=weight,
                lineage=lineage,
                labelling_only=seen,
            )

    def prefer_by_marks(
        self,
        marked: Sequence[tuple[Candidate | Critique, float]],
        label: Label,
        *,
        margin: float,
        prompt: tuple[Turn, ...] | None = None,
    ) -> Iterator[Preference]:
        """All pairs whose marks differ by `margin` or more, the weight of a problem shared among them."""
        pairs = [(one, other) for one, other in permutations(marked, 2) if one[1] - other[1] >= margin]
        if not pairs:
            self.leave("no pair with the margin")
        for (better, high), (worse, low) in pairs:
            yield from self.prefer(
                better, worse, label, prompt=prompt, strength=high - low, weight=1 / len(pairs)
            )

    def prefer_ranked(
        self, ranking: Ranking, label: Label | None = None, *, prompt: tuple[Turn, ...] | None = None
    ) -> Iterator[Preference]:
        """All pairs out of different tiers, with the ranking's strength; its author is the labeller.

        `label` adds what the label is by: principles, a rubric.
        """
        if ranking.failure is not None or len(ranking.tiers) < 2:
            return self.leave("unscored" if ranking.failure is not None else "tied")
        said = {**self.source.candidates, **self.source.critiques}
        tiers = [[said[name] for name in tier if name in said] for tier in ranking.tiers]
        pairs = [(one, two) for high, low in combinations(tiers, 2) for one in high for two in low]
        by = Label.by(ranking, rubric=label and label.rubric, principles=label.principles if label else ())
        for one, other in pairs:
            yield from self.prefer(
                one, other, by, prompt=prompt, strength=ranking.strength, weight=1 / len(pairs)
            )

    def criticise(self, critique: Critique, label: Label) -> Iterator[CritiqueRow]:
        """A critique to learn, of an answer in the rollout."""
        answer = self.source.candidates.get(critique.target)
        if answer is None or not critique.text.strip():
            return self.leave("no critique")
        for lineage, seen in self._admit(critique.author, label, critique):
            yield CritiqueRow(
                prompt=self.source.prompt,
                answer=answer_turn(answer),
                critique=_turn(critique),
                verdict=critique.verdict,
                first_wrong_step=first_wrong_step(critique),
                lineage=lineage,
                labelling_only=seen,
            )

    def reward(self, answer: Candidate, marks: Mapping[str, Score], label: Label) -> Iterator[VectorReward]:
        """An answer with several marks, by name."""
        if not answer.text.strip() or not marks:
            return self.leave("no answer" if marks else "unscored")
        for lineage, seen in self._admit(answer.author, label, answer):
            yield VectorReward(
                prompt=self.source.prompt,
                completion=(answer_turn(answer),),
                rewards={name: score.value for name, score in marks.items()},
                lineage=lineage,
                labelling_only=seen,
            )

    def label_steps(
        self, answer: Candidate, wrong: int | None, label: Label, *, after: Literal["cut", "wrong"] = "cut"
    ) -> Iterator[Stepwise]:
        """The steps of an answer, right up to the first wrong one; what comes after is cut, or wrong too."""
        steps = answer.steps or split_steps(answer.text)
        if not steps or (wrong is not None and wrong >= len(steps)):
            return self.leave("its step is not there")
        end = len(steps) if wrong is None or after == "wrong" else wrong + 1
        for lineage, seen in self._admit(answer.author, label, answer):
            yield Stepwise(
                prompt=self.source.prompt,
                completions=steps[:end],
                labels=tuple(wrong is None or step < wrong for step in range(end)),
                author=answer.author,
                lineage=lineage,
                labelling_only=seen,
            )

    def correct(
        self, draft: Candidate, critique: Critique, rewrite: Candidate, label: Label
    ) -> Iterator[Correction]:
        """A draft, what was said of it, and the rewrite."""
        if not all(said.text.strip() for said in (draft, critique, rewrite)):
            return self.leave("no answer")
        for lineage, seen in self._admit(rewrite.author, label, rewrite):
            yield Correction(
                prompt=self.source.prompt,
                turns=(answer_turn(draft), _turn(critique, role="user"), answer_turn(rewrite)),
                lineage=lineage,
                labelling_only=seen,
            )

    def asked_for_critique(self, answer: Candidate) -> tuple[Turn, ...]:
        """The prompt that asks for a critique of an answer, as exported critiques have it."""
        problem = "\n\n".join(turn.content for turn in self.source.prompt)
        asked = CRITIQUE.render({"problem": problem, "answer": answer.text})
        both = f"{self.source.prompt[-1].author}+{answer.author}"
        return tuple(Turn(role=turn.role, content=turn.content, author=both) for turn in asked)

    def asked(self, prompt: Prompt, *, answer: str = "", first: str = "", second: str = "") -> Turns:
        """A prompt of the method's own as turns, with those of these slots that it has."""
        slots = {
            "problem": self.source.rollout.problem.text,
            "answer": answer,
            "first": first,
            "second": second,
        }
        asked = prompt.render({name: slots[name] for name in prompt.slots})
        return tuple(Turn(role=turn.role, content=turn.content, author=PROBLEM) for turn in asked)

    def _admit(
        self, policy: str, label: Label, *said: Candidate | Critique
    ) -> Iterator[tuple[Lineage, LabellingOnly]]:
        lineage = self.source.lineage(
            policy=policy,
            author=label.author,
            saw_reference=label.saw_reference,
            oracle=self.source.shaped(*said),
        )
        if admitted(lineage, self.oracle, self.dropped):
            yield lineage, self.source.labelling(label.explanation, label.rubric, label.principles)


def row_makers(
    rollouts: Iterable[Sourced], oracle: Oracle = "refuse", dropped: Counter[str] | None = None
) -> Iterator[RowMaker]:
    """One for each rollout that came to an answer; the others are counted as failed."""
    for source in rollouts:
        answer = source.rollout.answer
        if source.rollout.failure is not None or answer is None:
            note(dropped, "failed")
        else:
            yield RowMaker(source=source, answer=answer, oracle=oracle, dropped=dropped)


def _turn(said: Candidate | Critique, role: str = "assistant") -> Turn:
    return Turn(role="user" if role == "user" else "assistant", content=said.text, author=said.author)
