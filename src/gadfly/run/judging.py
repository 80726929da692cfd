"""Running a judge on cases, and what it said as rows for the metrics."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Literal, TypeAlias, cast, get_type_hints

from pydantic import JsonValue

from gadfly.concurrency import each
from gadfly.errors import BoundaryError, InputError, boundary
from gadfly.metrics.judged import Judged
from gadfly.primitives.orders import order_by_scores, order_by_verdicts
from gadfly.protocols import Critic, Judge, Ranker, Scorer
from gadfly.records import SWAPPED, Candidate, Case, Critique, Problem, Ranking, Rollout, Score, Usage
from gadfly.run.manifest import solver_name
from gadfly.run.runner import IN_FLIGHT, Item, checked, manifest_of, sees, work_through
from gadfly.run.summary import RunSummary
from gadfly.trace import elapsed, recording

Returns: TypeAlias = Literal["critique", "score", "ranking"]
_RETURNS: Mapping[object, Returns] = {Critique: "critique", Score: "score", Ranking: "ranking"}
_PLACES = ("first", "second")


def returns(judge: object) -> Returns:
    """What a judge gives, read off the return annotation of its call.

    Raises:
        InputError: it is annotated with none of Critique, Score and Ranking.
    """
    call: object = getattr(judge if isinstance(judge, type) else type(judge), "__call__", None)  # noqa: B004
    found = _RETURNS.get(get_type_hints(call).get("return"))
    if found is None:
        raise InputError(
            f"{solver_name(judge)} is no judge: its __call__ must be annotated to return Critique, Score or "
            "Ranking"
        )
    return found


async def judge_case(judge: Judge, problem: Problem, case: Case) -> Critique | Score | Ranking:
    """What a judge of any kind says of a case.

    Several candidates get an order: from a ranker as it is, from a critic's verdicts or a scorer's
    marks on each of them otherwise. `problem` should be blind unless the judge declares
    `sees_reference`.

    Raises:
        InputError: a ranker was given a single answer.
    """
    kind, shown = returns(judge), list(case.shown)
    if kind == "ranking":
        if len(shown) < 2:
            raise InputError(
                f"{solver_name(judge)} puts several answers in order, but case {problem.id!r} has one; "
                "take a judge that marks or criticises single answers"
            )
        return checked(await cast(Ranker, judge)(problem, shown), Ranking, judge)

    async def marked(candidate: Candidate) -> Score:
        return checked(await cast(Scorer, judge)(problem, candidate), Score, judge)

    async def criticised(target: Candidate | Critique) -> Critique:
        return checked(await cast(Critic, judge)(problem, target), Critique, judge)

    if len(shown) > 1:
        if kind == "score":
            return order_by_scores(shown, await each(marked, shown))
        return order_by_verdicts(shown, await each(criticised, shown))
    if kind == "score":
        return await marked(shown[0])
    if case.critique is None:
        return await criticised(shown[0])
    # Whoever judges a critique has to see what it is about.
    problem = problem.model_copy(update={"metadata": {**problem.metadata, "answer": shown[0].text}})
    return await criticised(case.critique)


async def judge_cases(
    judge: Judge,
    cases: Iterable[tuple[Problem, Case]],
    *,
    out: Path | None = None,
    benchmark: str | None = None,
    settings: Mapping[str, JsonValue] | None = None,
    in_flight: int = IN_FLIGHT,
    on_rollout: Callable[[Rollout], None] | None = None,
) -> RunSummary:
    """Judge every case and keep each judgement as it is made; the folder resumes like any run's.

    Args:
        judge: Sees the problems without their reference, unless it declares `sees_reference`; never the gold.
        cases: Read one at a time. `records.both_orders` gives each case with several answers twice.
        out: The run folder; None keeps nothing.
        benchmark: Where the cases come from, arguments included.
        settings: Whatever else tells this run from another.
        in_flight: Most cases under way at once.
        on_rollout: Called with each rollout once it is safely written.

    Raises:
        InputError: as `gadfly.run.runner.run`.
    """
    returns(judge)
    sighted = sees(judge)

    async def act(item: Item) -> tuple[Rollout, Usage]:
        problem, case = item
        assert case is not None
        start = monotonic()
        judgement = failure = None
        with recording() as recorder:
            try:
                with boundary("recipe"):
                    judgement = await judge_case(judge, problem if sighted else problem.blind(), case)
            except BoundaryError as error:
                failure = error.failure()
        rollout = Rollout(
            problem=problem,
            solver=solver_name(judge),
            case=case,
            judgement=judgement,
            steps=recorder.steps,
            usage=recorder.usage,
            failure=failure,
            seconds=elapsed(start),
        )
        return rollout, Usage()

    manifest = manifest_of(judge, benchmark, {}, settings or {})
    return await work_through(act, cases, manifest, out=out, in_flight=in_flight, on_rollout=on_rollout)


def judged(rollout: Rollout, *, judge: str = "", threshold: float = 0.5) -> Judged:
    """A judge's rollout as a row for the metrics.

    `threshold` is the mark from which on a scorer calls an answer correct.

    Raises:
        InputError: the rollout is no judge's.
    """
    case = rollout.case
    if case is None:
        raise InputError(f"the rollout on {rollout.problem.id!r} is a solver's, not a judge's")
    said, why = _said(rollout, case, threshold)
    words = rollout.judgement
    group, subset = rollout.problem.metadata.get("group"), rollout.problem.metadata.get("subset")
    return Judged(
        item=rollout.problem.id.removesuffix(SWAPPED) if case.swapped else rollout.problem.id,
        judge=judge or rollout.solver,
        gold=_gold(case),
        said=said,
        why=why,
        swapped=case.swapped,
        score=_number(case, words),
        gold_score=case.gold.value,
        stepwise=case.gold.stepwise,
        gold_step=case.gold.wrong_step,
        step=first_wrong_step(words) if isinstance(words, Critique) else None,
        lengths=tuple(len(candidate.text) for candidate in case.candidates),
        authors=tuple(candidate.author for candidate in case.candidates),
        group=group if isinstance(group, str) else "",
        subset=subset if isinstance(subset, str) else "",
        saw_reference=rollout.oracle,
        tokens=rollout.usage.tokens,
    )


def first_wrong_step(critique: Critique) -> int | None:
    """The earliest step that a critique finds fault with; None where it accepts or names none."""
    if critique.accepts:
        return None
    return min((found.step for found in critique.findings if found.step is not None), default=None)


def _gold(case: Case) -> str | None:
    if len(case.candidates) == 1:
        return case.gold.verdict
    return _best(case.gold.tiers, len(case.candidates))


def _said(rollout: Rollout, case: Case, threshold: float) -> tuple[str | None, str]:
    words = rollout.judgement
    failure = rollout.failure or (None if words is None else words.failure)
    why = "" if failure is None else f"{failure.boundary}: {failure.type}: {failure.message}"
    match words:
        case Critique():
            return words.verdict, why
        case Score():
            if words.value is None:
                return None, why
            return "correct" if words.value >= threshold else "incorrect", why
        case Ranking():
            places = {candidate.id: place for place, candidate in enumerate(case.candidates)}
            tiers = tuple(tuple(places[name] for name in tier if name in places) for tier in words.tiers)
            return _best(tiers, len(case.candidates)), why
        case None:
            return None, why


def _best(tiers: Sequence[Sequence[int]], size: int) -> str | None:
    """The label of the best: first or second of two, a position of more, or a tie."""
    if not tiers or not tiers[0]:
        return None
    if len(tiers[0]) > 1:
        return "tie"
    return _PLACES[tiers[0][0]] if size == 2 else str(tiers[0][0])


def _number(case: Case, words: Critique | Score | Ranking | None) -> float | None:
    match words:
        case Score():
            return words.value
        case Ranking() if len(case.candidates) == 2 and words.tiers:
            strength = 1.0 if words.strength is None else words.strength
            return (
                0.0 if words.best is None else strength * (1 if words.best == case.candidates[0].id else -1)
            )
        case _:
            return None
