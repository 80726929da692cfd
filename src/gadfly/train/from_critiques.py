"""Rows from critiques and what they led to: critiques, corrections, before against after, steps."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

from gadfly.primitives.generate import split_steps
from gadfly.prompts import Prompt
from gadfly.records import Candidate, Critique, Verdict
from gadfly.run.judging import first_wrong_step
from gadfly.train.from_rollouts import Dropped
from gadfly.train.rows import (
    PROBLEM,
    Correction,
    CritiqueRow,
    JudgedRow,
    Preference,
    PromptCompletion,
    Span,
    Stepwise,
    Turn,
    Weighted,
)
from gadfly.train.sources import Oracle, Sourced, admitted, answer_turn, note, problem_key

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


def revisions(
    rollouts: Iterable[Sourced],
    *,
    keep: float | None = 1.0,
    refused_only: bool = True,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[Preference]:
    """The last answer against the first draft it came from: self-refine's before and after.

    Args:
        rollouts: A solver's that rewrites its answers.
        keep: The least mark of the last answer; None asks for none. A draft whose own mark is known
            must be below the last answer's.
        refused_only: Whether a critique of the draft must have called it incorrect.
        oracle: What becomes of answers that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    for source in rollouts:
        chain = _chain(source)
        if len(chain) < 2:
            note(dropped, "no revision")
            continue
        draft, last = chain[0][0], chain[-1][0]
        score = source.score(last.id)
        before, after = _value(source, draft), _value(source, last)
        if keep is not None and (after is None or after < keep):
            note(dropped, "unscored" if after is None else "below the mark")
            continue
        gain = None if before is None or after is None else after - before
        if draft.text.strip() == last.text.strip() or (gain is not None and gain <= 0):
            note(dropped, "no better")
            continue
        if refused_only and not any(one.verdict == "incorrect" for one in chain[1][1]):
            note(dropped, "draft not refused")
            continue
        lineage = source.lineage(
            policy=last.author,
            author="+".join(dict.fromkeys(one.author for one in chain[1][1])),
            saw_reference=score is not None and score.saw_reference,
        )
        if admitted(lineage, oracle, dropped):
            yield Preference(
                prompt=source.prompt,
                chosen=(answer_turn(last),),
                rejected=(answer_turn(draft),),
                strength=gain,
                lineage=lineage,
                labelling_only=source.labelling("" if score is None else score.explanation),
            )


def corrections(
    rollouts: Iterable[Sourced],
    *,
    keep: float | None = 1.0,
    least_revisions: int = 1,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[Correction]:
    """Draft, critique, rewrite as one conversation whose turns name their authors.

    Several critiques of one draft follow one another as turns of the user's. `keep` is the least mark
    of the last rewrite (None: any), `least_revisions` how often it was rewritten at least.
    """
    for source in rollouts:
        chain = _chain(source)
        if len(chain) - 1 < max(least_revisions, 1):
            note(dropped, "too few revisions")
            continue
        last = source.score(chain[-1][0].id)
        after = _value(source, chain[-1][0])
        if keep is not None and (after is None or after < keep):
            note(dropped, "unscored" if after is None else "below the mark")
            continue
        turns: list[Turn] = []
        for candidate, reviews in chain:
            turns += [Turn(role="user", content=one.text, author=one.author) for one in reviews]
            turns.append(answer_turn(candidate))
        if len(turns) < 3:
            note(dropped, "rewritten without a critique")
            continue
        lineage = source.lineage(
            policy=chain[-1][0].author,
            author="" if last is None else last.author,
            saw_reference=last is not None and last.saw_reference,
        )
        if admitted(lineage, oracle, dropped):
            yield Correction(
                prompt=source.prompt,
                turns=tuple(turns),
                before=_value(source, chain[0][0]),
                after=after,
                lineage=lineage,
                labelling_only=source.labelling("" if last is None else last.explanation),
            )


def rewrites(
    rollouts: Iterable[Sourced],
    *,
    prompt: Prompt,
    keep: float | None = 1.0,
    oracle: Oracle = "refuse",
    dropped: Dropped = None,
) -> Iterator[PromptCompletion]:
    """Rewrites as answers to the prompt that asked for them: how to mend a draft by a critique.

    Args:
        rollouts: A solver's that rewrites its answers.
        prompt: How a rewrite is asked for, with slots `problem`, `answer` and `critiques`.
        keep: The least mark of the last answer; None asks for none.
        oracle: What becomes of answers that were shaped by the reference.
        dropped: Counts what is left out, by reason.
    """
    for source in rollouts:
        chain = _chain(source)
        if len(chain) < 2:
            note(dropped, "no revision")
            continue
        draft, (last, reviews) = chain[-2][0], chain[-1]
        mark = source.score(last.id)
        if keep is not None and (mark is None or mark.value is None or mark.value < keep):
            note(dropped, "unscored" if mark is None else "below the mark")
            continue
        lineage = source.lineage(
            policy=last.author,
            author="" if mark is None else mark.author,
            saw_reference=mark is not None and mark.saw_reference,
        )
        if admitted(lineage, oracle, dropped):
            yield PromptCompletion(
                prompt=asked(source, prompt, draft, reviews),
                completion=(answer_turn(last),),
                lineage=lineage,
                labelling_only=source.labelling(),
            )


def taught_rewrites(rollouts: Iterable[Sourced], *, prompt: Prompt) -> Iterator[PromptCompletion]:
    """Wrong drafts with their critique, each answered by a right draft of the same problem.

    So a model that cannot rewrite yet learns how from answers of its own. Where the critic had seen the
    reference the row is an oracle's, and says so.
    """
    seen = list(rollouts)
    right: dict[int, list[Candidate]] = {}
    for one in seen:
        if one.rollout.value == 1.0 and one.rollout.answer is not None:
            right.setdefault(problem_key(one.rollout.problem), []).append(one.rollout.answer)
    for one in seen:
        models = right.get(problem_key(one.rollout.problem), [])
        draft, reviews = one.rollout.answer, list(one.critiques.values())
        if draft is None or one.rollout.value == 1.0 or not models or not reviews:
            continue
        model = models[sum(one.rollout.problem.draw) % len(models)]
        yield PromptCompletion(
            prompt=asked(one, prompt, draft, reviews),
            completion=(answer_turn(model),),
            lineage=one.lineage(
                policy=model.author,
                author="+".join(dict.fromkeys(review.author for review in reviews)),
                saw_reference=any(review.saw_reference for review in reviews),
            ),
            labelling_only=one.labelling(),
        )


def asked(source: Sourced, prompt: Prompt, draft: Candidate, reviews: Sequence[Critique]) -> tuple[Turn, ...]:
    """The turns that ask for a rewrite of a draft."""
    slots: dict[str, object] = {
        "problem": source.rollout.problem.text,
        "answer": draft.text,
        "critiques": [review.text for review in reviews],
    }
    rendered = prompt.render({name: slots[name] for name in prompt.slots})
    return tuple(Turn(role=one.role, content=one.content, author=PROBLEM) for one in rendered)


def _value(source: Sourced, candidate: Candidate) -> float | None:
    score = source.score(candidate.id)
    return None if score is None else score.value


def _chain(source: Sourced) -> list[tuple[Candidate, list[Critique]]]:
    """The drafts that led to the answer, oldest first, each with the critiques it was made from."""
    answer = source.rollout.answer
    chain: list[tuple[Candidate, list[Critique]]] = []
    seen: set[str] = set()
    while answer is not None and answer.id not in seen:
        seen.add(answer.id)
        reviews = [source.critiques[name] for name in answer.parents if name in source.critiques]
        chain.append((answer, reviews))
        before = [source.candidates[name] for name in answer.parents if name in source.candidates]
        # Made from several drafts, it is no revision of one of them.
        answer = before[0] if len(before) == 1 and reviews else None
    chain.reverse()
    return chain


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
