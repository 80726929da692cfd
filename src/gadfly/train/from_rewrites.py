"""Rows from drafts, what was said of them, and the rewrites that came of it."""

from collections.abc import Iterable, Iterator, Sequence

from gadfly.prompts import Prompt
from gadfly.records import Candidate, Critique
from gadfly.train.from_rollouts import Dropped
from gadfly.train.rows import PROBLEM, Correction, Preference, PromptCompletion, Turn
from gadfly.train.sources import Oracle, Sourced, admitted, answer_turn, note, problem_key


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
    """Rewrites as answers to the prompt that asked for them: how to mend a draft by what a critic says.

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
