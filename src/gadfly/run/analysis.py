"""From the rollouts of a comparison to its figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gadfly.errors import InputError
from gadfly.metrics import estimators
from gadfly.metrics.answers import Outcome, accuracy_of, flips, outcome, sample
from gadfly.metrics.intervals import paired_difference, percentile_interval, resampled
from gadfly.metrics.matching import Voting, at_equal_tokens
from gadfly.metrics.measurement import Matched, Measurement, Sample
from gadfly.records import Call, Critique, Ranking, Rollout, Score, Usage
from gadfly.run.comparison import MethodResult, VotePoint
from gadfly.run.wording import judge

_JUDGEMENT = (Critique, Score, Ranking)


@dataclass(kw_only=True)
class Ledger:
    """One method's rollouts, each reduced to what the figures need."""

    solver: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    output_tokens: dict[str, int] = field(default_factory=dict[str, int])
    usage: Usage = Usage()
    oracle: int = 0
    truncated: int = 0
    judgements: int = 0
    unreadable: int = 0
    stopped: int = 0
    """Rollouts that ended with the budget."""

    def add(self, rollout: Rollout) -> None:
        """Take in one rollout."""
        name = rollout.problem.id
        self.solver = rollout.solver
        self.outcomes[name] = outcome(rollout)
        self.tokens[name] = rollout.usage.tokens
        self.output_tokens[name] = rollout.usage.output_tokens
        self.usage = self.usage + rollout.usage
        self.oracle += rollout.oracle
        self.truncated += sum(_cut_off(call) for step in rollout.steps for call in step.calls)
        judged = [step.output for step in rollout.steps if isinstance(step.output, _JUDGEMENT)]
        self.judgements += len(judged)
        self.unreadable += sum(said.failure is not None for said in judged)
        self.stopped += rollout.failure is not None and rollout.failure.boundary == "budget"


def _cut_off(call: Call) -> bool:
    """Whether it ended at the token limit; one that asks for a single token, as P(True) does, has to."""
    return call.finish_reason == "length" and call.usage.output_tokens != 1


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The shared samples: one row a problem, and the two curves of voting on them."""

    samples: tuple[tuple[Sample, ...], ...]
    usage: Usage
    by_tokens: Voting
    by_output_tokens: Voting
    passed: estimators.Floats
    stopped: int = 0
    """Attempts that ended with the budget."""

    @property
    def size(self) -> int:
        """Samples a problem."""
        return len(self.samples[0])


def gather(rollouts: Iterable[Rollout], problems: Sequence[str]) -> Ledger:
    """The ledger of a method's rollouts on these problems; others are left out.

    Raises:
        InputError: a problem has no rollout.
    """
    wanted = set(problems)
    ledger = Ledger()
    for rollout in rollouts:
        if rollout.problem.id in wanted:
            ledger.add(rollout)
    missing = wanted - ledger.outcomes.keys()
    if missing:
        raise InputError(f"{len(missing)} problems have no rollout, such as {min(missing)!r}")
    # Rollouts come in the order they finished; every vector has the order of the problems.
    ledger.outcomes = {name: ledger.outcomes[name] for name in problems}
    return ledger


def gather_pool(rollouts: Iterable[Rollout], problems: Sequence[str], size: int) -> Pool:
    """The first `size` attempts at every problem.

    Raises:
        InputError: an attempt has no rollout.
    """
    rows: dict[str, list[Sample | None]] = {name: [None] * size for name in problems}
    usage, stopped = Usage(), 0
    for rollout in rollouts:
        row, attempt = rows.get(rollout.problem.id), rollout.problem.draw[-1:]
        if row is not None and attempt and attempt[0] < size:
            row[attempt[0]] = sample(rollout)
            usage = usage + rollout.usage
            stopped += rollout.failure is not None and rollout.failure.boundary == "budget"
    complete = tuple(tuple(one for one in row if one is not None) for row in rows.values())
    if any(len(row) < size for row in complete):
        raise InputError(f"the pool lacks attempts: every problem needs {size}")
    return pool_of(complete, usage=usage, stopped=stopped)


def pool_of(samples: tuple[tuple[Sample, ...], ...], *, usage: Usage = Usage(), stopped: int = 0) -> Pool:
    """A pool with its curves, from its samples.

    Raises:
        InputError: it is empty, ragged or too large.
    """
    accuracy = estimators.majority_curve(samples)
    return Pool(
        samples=samples,
        usage=usage,
        by_tokens=Voting(accuracy=accuracy, tokens=estimators.tokens_curve(samples)[:, 0]),
        by_output_tokens=Voting(
            accuracy=accuracy, tokens=estimators.tokens_curve(samples, output_only=True)[:, 0]
        ),
        passed=estimators.pass_curve(samples),
        stopped=stopped,
    )


def voting_points(pool: Pool, *, seed: int = 0) -> tuple[VotePoint, ...]:
    """The cost curve of voting: accuracy, ceiling and tokens for k = 1..N."""
    problems = len(pool.samples)
    both = np.hstack([pool.by_tokens.accuracy, pool.passed])
    draws = resampled(lambda weights: weights @ both, problems, seed=seed)
    unscored = sum(one.right is None for row in pool.samples for one in row)

    def measured(column: int) -> Measurement:
        value = float(both[:, column].mean())
        return percentile_interval(value, draws[:, column], n=problems, unscored=unscored)

    return tuple(
        VotePoint(
            k=k,
            tokens=k * float(pool.by_tokens.tokens.mean()),
            output_tokens=k * float(pool.by_output_tokens.tokens.mean()),
            accuracy=measured(k - 1),
            passed=measured(pool.size + k - 1),
        )
        for k in range(1, pool.size + 1)
    )


def method_results(
    ledgers: Mapping[str, Ledger],
    pool: Pool,
    *,
    direct: str,
    baselines: Sequence[str],
    paid: Mapping[str, Usage],
    seed: int = 0,
) -> tuple[MethodResult, ...]:
    """Every method's figures, in the order given."""
    first = ledgers[direct]
    return tuple(
        _result(
            name,
            ledger,
            pool,
            direct=None if name == direct else first,
            baseline=name == direct or name in baselines,
            paid=paid.get(name, Usage()),
            seed=seed,
        )
        for name, ledger in ledgers.items()
    )


def _result(
    name: str,
    ledger: Ledger,
    pool: Pool,
    *,
    direct: Ledger | None,
    baseline: bool,
    paid: Usage,
    seed: int,
) -> MethodResult:
    right = [found == "right" for found in ledger.outcomes.values()]
    tokens = [ledger.tokens[problem] for problem in ledger.outcomes]
    output = [ledger.output_tokens[problem] for problem in ledger.outcomes]
    matched = _matched(right, tokens, pool.by_tokens, seed)
    verdict, reason = judge(matched, baseline=baseline, pool=pool.size)
    return MethodResult(
        name=name,
        solver=ledger.solver,
        outcomes=tuple(ledger.outcomes.values()),
        tokens=tuple(tokens),
        output_tokens=tuple(output),
        accuracy=accuracy_of(ledger.outcomes.values()),
        against_direct=None if direct is None else _over_direct(right, direct, seed),
        flips=None if direct is None else flips(direct.outcomes, ledger.outcomes),
        against_voting=matched,
        against_voting_output=_matched(right, output, pool.by_output_tokens, seed),
        verdict=verdict,
        reason=reason,
        usage=ledger.usage,
        paid=paid,
        oracle=ledger.oracle,
        truncated=ledger.truncated,
        judgements=ledger.judgements,
        unreadable=ledger.unreadable,
    )


def _over_direct(right: Sequence[bool], direct: Ledger, seed: int) -> Measurement:
    theirs = [found == "right" for found in direct.outcomes.values()]
    return paired_difference(right, theirs, seed=seed)


def _matched(right: Sequence[bool], tokens: Sequence[int], voting: Voting, seed: int) -> Matched | None:
    if not voting.tokens.mean() > 0 or not sum(tokens) > 0:
        return None
    return at_equal_tokens(right, tokens, voting, seed=seed)
