"""Rows from agreement: what most samples of a problem say is taken for right, and no reference is asked.

Neither scores nor references of the rollouts are read, so that rows are the same whatever they are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gadfly.errors import ParseError
from gadfly.parsing import answer_key
from gadfly.records import Candidate
from gadfly.train.from_rollouts import Dropped
from gadfly.train.rows import Preference, PromptCompletion
from gadfly.train.sources import Sourced, answer_turn, note

VOTE = "vote"
"""Who labels such rows."""


@dataclass(frozen=True, kw_only=True)
class Voter:
    """A sample that states an answer."""

    source: Sourced
    answer: Candidate


@dataclass(frozen=True, kw_only=True)
class Poll:
    """The samples of one problem by what they answer, the most frequent answer first."""

    groups: tuple[tuple[Voter, ...], ...]
    """At least one; of equal ones the answer that came first."""
    asked: int
    """Samples, those that state no answer included."""

    def share(self, place: int) -> float:
        """The share of all samples that an answer has."""
        return len(self.groups[place]) / self.asked


def polls(rollouts: Iterable[Sourced], *, dropped: Dropped = None) -> Iterator[Poll]:
    """One for each problem of which a sample states an answer, in the order of the rollouts."""
    samples: dict[str, list[Sourced]] = {}
    for source in rollouts:
        samples.setdefault(source.rollout.problem.id, []).append(source)
    for sources in samples.values():
        groups: dict[str, list[Voter]] = {}
        for source in sources:
            answer = source.rollout.answer
            if answer is None:
                continue
            try:
                key = answer_key(answer.text, source.rollout.problem.answer_kind)
            except ParseError:
                continue
            groups.setdefault(key, []).append(Voter(source=source, answer=answer))
        if not groups:
            note(dropped, "no sample states an answer")
            continue
        order = sorted(groups.values(), key=len, reverse=True)
        yield Poll(groups=tuple(map(tuple, order)), asked=len(sources))


def majority(
    rollouts: Iterable[Sourced],
    *,
    least: float = 0.0,
    per_problem: int | None = None,
    dropped: Dropped = None,
) -> Iterator[PromptCompletion]:
    """The different texts that lead to the most frequent answer, each weighing what share of samples it has.

    Args:
        rollouts: Samples.
        least: The share from which on an answer is believed.
        per_problem: Most texts of one problem, the first that come.
        dropped: Counts the problems that are left out, by reason.
    """
    for poll in polls(rollouts, dropped=dropped):
        if poll.share(0) < least:
            note(dropped, "too little agreement")
            continue
        texts = {voter.answer.text.strip(): voter for voter in reversed(poll.groups[0])}
        for voter in list(reversed(texts.values()))[:per_problem]:
            yield PromptCompletion(
                prompt=voter.source.prompt,
                completion=(answer_turn(voter.answer),),
                weight=poll.share(0),
                lineage=voter.source.lineage(policy=voter.answer.author, author=VOTE),
            )


def consistent_pairs(
    rollouts: Iterable[Sourced], *, least: float = 0.5, dropped: Dropped = None
) -> Iterator[Preference]:
    """The most frequent answer of a problem before its rarest; strength and weight are the margin of votes.

    Args:
        rollouts: Samples.
        least: The share of samples from which on the most frequent answer is believed.
        dropped: Counts the problems that are left out, by reason.
    """
    for poll in polls(rollouts, dropped=dropped):
        margin = poll.share(0) - poll.share(-1)
        if len(poll.groups) < 2:
            note(dropped, "all say the same")
        elif poll.share(0) < least or margin <= 0:
            note(dropped, "too little agreement")
        else:
            chosen, rejected = poll.groups[0][0], poll.groups[-1][0]
            names = (chosen.source.id, rejected.source.id)
            lineage = chosen.source.lineage(policy=chosen.answer.author, author=VOTE)
            yield Preference(
                prompt=chosen.source.prompt,
                chosen=(answer_turn(chosen.answer),),
                rejected=(answer_turn(rejected.answer),),
                strength=margin,
                weight=margin,
                lineage=lineage.model_copy(update={"rollouts": names}),
            )
