"""Rows from critiques: the critiques themselves, answers with judgements, steps."""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Literal, TypeAlias

from gadfly.primitives.generate import split_steps
from gadfly.records import Candidate, Critique, Verdict
from gadfly.run.judging import first_wrong_step
from gadfly.train.from_rollouts import Dropped
from gadfly.train.rows import (
    CritiqueRow,
    JudgedRow,
    Span,
    Stepwise,
    Turn,
    Weighted,
)
from gadfly.train.sources import Oracle, Sourced, admitted, answer_turn, note

Worth: TypeAlias = Literal["all", "agrees", "fixed"]


def critiques(
    rollouts: Iterable[Sourced],
    *,
    keep: Worth = "agrees",
    right: float = 1.0,
    least_findings: int = 0,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[CritiqueRow]:
    """Critiques of answers, by a judge or among a solver's steps.

    Args:
        rollouts: A solver's or a judge's.
        keep: `agrees`: the verdict is the gold's, or that of the score of the answer it is about;
            `fixed`: a rewrite made from it is right (whatever the draft was); `all`: every readable one.
        right: The mark from which on an answer is right.
        least_findings: How many points it makes at least, unless it accepts.
        oracle: What becomes of critiques whose author had seen the reference.
        dropped: Counts what is left out, by reason.
    """
    for source in rollouts:
        for critique in source.critiques.values():
            answer = source.candidates.get(critique.target)
            if answer is None:
                note(dropped, "not about an answer of its rollout")
                continue
            if not critique.accepts and len(critique.findings) < least_findings:
                note(dropped, "too few findings")
                continue
            if not _worth(source, critique, keep, right):
                note(dropped, "not confirmed")
                continue
            lineage = source.lineage(
                policy=critique.author,
                author="" if keep == "all" else "gold" if _gold(source, answer) else "score",
                saw_reference=keep != "all",
                oracle=critique.saw_reference or source.rollout.oracle,
            )
            if admitted(lineage, oracle, dropped):
                yield CritiqueRow(
                    prompt=source.prompt,
                    answer=answer_turn(answer),
                    critique=Turn(role="assistant", content=critique.text, author=critique.author),
                    verdict=critique.verdict,
                    first_wrong_step=first_wrong_step(critique),
                    lineage=lineage,
                    labelling_only=source.labelling(),
                )


def balanced(rows: Iterable[CritiqueRow], *, dropped: Dropped = None) -> Iterator[CritiqueRow]:
    """As many critiques of each verdict as there are of the rarest, spread evenly over the rest.

    A critic that learns from answers which are mostly wrong learns to call everything wrong.
    """
    given = list(rows)
    sides = {
        verdict: [row for row in given if row.verdict == verdict] for verdict in ("correct", "incorrect")
    }
    size = min(len(side) for side in sides.values())
    kept = {side[place * len(side) // size].id for side in sides.values() for place in range(size)}
    for row in given:
        if row.id in kept:
            yield row
        else:
            note(dropped, "more than of the other verdict")


def judged_answers(
    rollouts: Iterable[Sourced],
    *,
    keep: Worth = "agrees",
    right: float = 1.0,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[JudgedRow]:
    """Answers with a critique that has a verdict, for training that reads the critique as a judgement.

    Args:
        rollouts: A solver's or a judge's.
        keep: As for `critiques`.
        right: The mark from which on an answer is right.
        oracle: What becomes of answers shaped by the reference, and of critics who had seen it.
        dropped: Counts what is left out, by reason.
    """
    for source in rollouts:
        for critique in source.critiques.values():
            answer = source.candidates.get(critique.target)
            if answer is None or not answer.text.strip():
                note(dropped, "not about an answer of its rollout")
                continue
            if critique.verdict in (None, "unsure"):
                note(dropped, "without a verdict")
                continue
            if not _worth(source, critique, keep, right):
                note(dropped, "not confirmed")
                continue
            lineage = source.lineage(
                policy=answer.author,
                author=critique.author,
                saw_reference=keep != "all" or critique.saw_reference,
                oracle=critique.saw_reference or source.rollout.oracle,
            )
            if admitted(lineage, oracle, dropped):
                yield JudgedRow(
                    prompt=source.prompt,
                    completion=answer_turn(answer),
                    judgement=Turn(role="assistant", content=critique.text, author=critique.author),
                    satisfactory=critique.accepts,
                    lineage=lineage,
                    labelling_only=source.labelling(),
                )


def _worth(source: Sourced, critique: Critique, keep: Worth, right: float) -> bool:
    if keep == "agrees":
        truth = _truth(source, critique.target, right)
        return truth is not None and critique.verdict == truth
    if keep == "fixed":
        made = [one for one in source.candidates.values() if critique.id in one.parents]
        return any(_truth(source, one.id, right) == "correct" for one in made)
    return True


def _gold(source: Sourced, answer: Candidate) -> Verdict | None:
    case = source.rollout.case
    if case is None or len(case.candidates) != 1 or case.candidates[0].id != answer.id:
        return None
    return case.gold.verdict


def _truth(source: Sourced, target: str, right: float) -> Verdict | None:
    """Whether an answer is right, as people or a scorer say; None where nobody does."""
    answer = source.candidates.get(target)
    said = None if answer is None else _gold(source, answer)
    if said is not None:
        return said
    score = source.score(target)
    if score is None or score.value is None:
        return None
    return "correct" if score.value >= right else "incorrect"


def stepwise(
    rollouts: Iterable[Sourced],
    *,
    by: Literal["gold", "critique"] = "gold",
    after: Literal["cut", "wrong"] = "cut",
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[Stepwise]:
    """Solutions with a label on each step, from the first wrong step that somebody named.

    Args:
        rollouts: A judge's on single answers, or (with `by="critique"`) any that hold critiques.
        by: Who says which step is the first wrong one: the people of the benchmark, or the critic.
        after: What becomes of the steps after it: left out (nobody looked at them), or wrong as well.
        oracle: What becomes of answers that were shaped by the reference. A case's answer was not, even
            where its critic had seen it: then `lineage.saw_reference` says so of the label.
        dropped: Counts what is left out, by reason.
    """
    for source in rollouts:
        for answer, wrong, author, saw in _step_labels(source, by, dropped):
            steps = answer.steps or split_steps(answer.text)
            if not steps or (wrong is not None and wrong >= len(steps)):
                note(dropped, "its step is not there")
                continue
            end = len(steps) if wrong is None or after == "wrong" else wrong + 1
            shown = source.rollout.case is not None and answer in source.rollout.case.candidates
            lineage = source.lineage(
                policy=answer.author, author=author, saw_reference=saw, oracle=False if shown else None
            )
            if admitted(lineage, oracle, dropped):
                yield Stepwise(
                    prompt=source.prompt,
                    completions=steps[:end],
                    labels=tuple(wrong is None or step < wrong for step in range(end)),
                    author=answer.author,
                    lineage=lineage,
                    labelling_only=source.labelling(),
                )


def weighted_steps(rows: Iterable[Stepwise], *, right: float = 1.0, wrong: float = 0.0) -> Iterator[Weighted]:
    """Labelled steps as one completion whose right and wrong steps weigh differently.

    With `stepwise(..., after="cut")` the completion ends with the first wrong step.
    """
    for row in rows:
        ends = list(accumulate(len(step) for step in row.completions))
        yield Weighted(
            prompt=row.prompt,
            completion=Turn(role="assistant", content="".join(row.completions), author=row.author),
            spans=tuple(
                Span(start=end - len(step), end=end, weight=right if label else wrong)
                for step, end, label in zip(row.completions, ends, row.labels, strict=True)
                if step
            ),
            lineage=row.lineage,
            labelling_only=row.labelling_only,
        )


def _step_labels(
    source: Sourced, by: Literal["gold", "critique"], dropped: Dropped
) -> Iterator[tuple[Candidate, int | None, str, bool]]:
    """An answer, its first wrong step (None: all right), who says so, and whether from the reference."""
    case = source.rollout.case
    if by == "gold":
        if case is None or len(case.candidates) != 1 or not case.gold.stepwise:
            note(dropped, "no gold of its steps")
            return
        yield case.candidates[0], case.gold.wrong_step, "gold", True
        return
    for critique in source.critiques.values():
        answer, wrong = source.candidates.get(critique.target), first_wrong_step(critique)
        if answer is None or critique.verdict is None or (wrong is None and not critique.accepts):
            note(dropped, "names no step")
            continue
        yield answer, wrong, critique.author, critique.saw_reference
