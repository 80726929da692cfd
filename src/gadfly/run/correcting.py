"""What critiques are worth by what they lead to: criticise, rewrite, and check the answer again.

The closed loop of RealCritic, arXiv:2501.14492: a critique is as good as the answer that somebody
makes with it. An answer that the critic accepts stays as it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic

from gadfly.errors import BoundaryError, InputError, boundary
from gadfly.metrics.correction import Corrected, Correction, Gain, correction, gains
from gadfly.parsing import answer_instruction
from gadfly.primitives import generate, refine
from gadfly.prompts import Prompt
from gadfly.protocols import Critic, Model, Scorer
from gadfly.records import (
    Candidate,
    Case,
    Critique,
    Failure,
    Problem,
    Record,
    Rollout,
    Sampling,
    Score,
    Usage,
)
from gadfly.run.judging import returns
from gadfly.run.manifest import solver_name
from gadfly.run.runner import IN_FLIGHT, Item, manifest_of, sees, work_through
from gadfly.run.summary import RunSummary
from gadfly.trace import elapsed, recording

MEND = Prompt(
    name="correcting/mend",
    user="""{{ problem }}

A solution to it:
{{ answer | fence("solution") }}

What a reviewer says of the solution:
{% for review in critiques %}
{{ review | fence("review") }}
{% endfor %}

Solve the problem, and mend what the reviewer rightly found. {{ ending }}""",
)
ALONE = Prompt(
    name="correcting/alone",
    user="""{{ problem }}

{{ ending }}""",
)
DIRECT = "direct"
_ROUND = "round "


@dataclass(frozen=True, kw_only=True)
class Correcting:
    """A critic, and who rewrites by its critiques."""

    critic: Critic
    reviser: Model
    scorer: Scorer
    """Says whether an answer is right, before and after."""
    rounds: int = 1
    """Critiques and rewrites of each answer."""
    prompt: Prompt = MEND
    sampling: Sampling = Sampling(temperature=0.0)


class CriticCorrection(Record):
    """What one critic's critiques did to the answers of a benchmark."""

    critic: str
    reviser: str
    found: Correction
    """After the last round, against the answers that were given."""
    direct: Gain | None
    """Against the reviser's own answers without any critique."""
    by_round: tuple[Gain, ...] = ()
    """After each round, against the answers that were given; one that was accepted goes on standing."""
    unaccepted: int
    """Answers that the critic did not accept, or said nothing readable of."""


async def correct_cases(
    setting: Correcting,
    cases: Iterable[tuple[Problem, Case]],
    *,
    out: Path | None = None,
    benchmark: str | None = None,
    in_flight: int = IN_FLIGHT,
    on_rollout: Callable[[Rollout], None] | None = None,
) -> RunSummary:
    """Criticise and rewrite the answer of every case; the folder resumes like any run's.

    Args:
        setting: Who criticises, who rewrites, who checks. The critic sees the reference only if it
            declares so; the reviser never does.
        cases: Each with one answer.
        out: The run folder; None keeps nothing.
        benchmark: Where the cases come from.
        in_flight: Most cases under way at once.
        on_rollout: Called with each rollout once it is safely written.

    Raises:
        InputError: the critic gives no critiques, a case has several answers or no reference, or as
            `gadfly.run.runner.run`.
    """
    if returns(setting.critic) != "critique":
        raise InputError(f"{solver_name(setting.critic)} gives no critique to rewrite by; take a critic")

    async def act(item: Item) -> tuple[Rollout, Usage]:
        problem, case = item
        assert case is not None
        if len(case.candidates) > 1 or case.critique is not None:
            raise InputError(f"case {problem.id!r} is not one answer to be corrected")
        if problem.reference is None:
            raise InputError(f"case {problem.id!r} has no reference, so no correction of it can be checked")
        return await _corrected(setting, problem, case)

    manifest = manifest_of(setting, benchmark, {"scorer": setting.scorer}, {})
    return await work_through(act, cases, manifest, out=out, in_flight=in_flight, on_rollout=on_rollout)


async def _corrected(setting: Correcting, problem: Problem, case: Case) -> tuple[Rollout, Usage]:
    start = monotonic()
    answers: list[Candidate] = [case.candidates[0]]
    first: Critique | None = None
    failure: Failure | None = None
    direct: Candidate | None = None
    blind = problem.blind()
    kind = "text" if problem.answer_kind == "free" else problem.answer_kind
    ending = {"ending": answer_instruction(kind)}
    with recording() as recorder:
        try:
            with boundary("recipe"):
                for turn in blind.attempts(setting.rounds):
                    asked = problem.model_copy(update={"draw": turn.draw}) if sees(setting.critic) else turn
                    review = await setting.critic(asked, answers[-1])
                    first = first or review
                    if review.accepts:
                        break
                    answers.append(
                        await refine(
                            setting.reviser,
                            turn,
                            answers[-1],
                            [review],
                            prompt=setting.prompt,
                            slots=ending,
                            sampling=setting.sampling,
                        )
                    )
        except BoundaryError as error:
            failure = error.failure()
    with recording() as beside:
        try:
            with boundary("recipe"):
                direct = await generate(
                    setting.reviser, blind, prompt=ALONE, slots=ending, sampling=setting.sampling
                )
        except BoundaryError as error:
            failure = failure or error.failure()
        scores = {f"{_ROUND}{k:02}": await _score(setting, problem, one) for k, one in enumerate(answers)}
        if direct is not None:
            scores[DIRECT] = await _score(setting, problem, direct)
    rollout = Rollout(
        problem=problem,
        solver=solver_name(setting.critic),
        answer=None if failure else answers[-1],
        case=case,
        judgement=first,
        steps=recorder.steps,
        scores=scores,
        usage=recorder.usage,
        failure=failure,
        seconds=elapsed(start),
    )
    return rollout, beside.usage


async def _score(setting: Correcting, problem: Problem, answer: Candidate) -> Score:
    try:
        with boundary("scorer"):
            return await setting.scorer(problem, answer)
    except BoundaryError as error:
        return Score(target=answer.id, value=None, author="scorer", failure=error.failure())


def measure_corrections(
    rollouts: Iterable[Rollout], *, critic: str, reviser: str, rounds: int = 1, seed: int = 0
) -> CriticCorrection:
    """What the critiques of a run did. A failed rollout leaves its answer as it was, unscored.

    Raises:
        InputError: there is no rollout.
    """
    records: list[Corrected] = []
    steps: list[Corrected] = []
    direct: dict[str, bool | None] = {}
    unaccepted = 0
    for rollout in rollouts:
        values = {name: _right(score) for name, score in rollout.scores.items()}
        made = [value for name, value in sorted(values.items()) if name.startswith(_ROUND)]
        unaccepted += not (isinstance(rollout.judgement, Critique) and rollout.judgement.accepts)
        direct[rollout.problem.id] = values.get(DIRECT)
        whole = Corrected(
            item=rollout.problem.id,
            before=made[0] if made else None,
            after=made[-1] if made and not rollout.failure else None,
            critic=critic,
            mode="cross",
            saw_reference=rollout.oracle,
            tokens=rollout.usage.tokens,
        )
        records.append(whole)
        steps += [
            whole.model_copy(update={"before": before, "after": after, "round": number, "tokens": 0})
            for number, (before, after) in enumerate(_pairs(made, rounds), start=1)
        ]
    if not records:
        raise InputError(f"{critic} has corrected nothing")
    known = any(value is not None for value in direct.values())
    return CriticCorrection(
        critic=critic,
        reviser=reviser,
        found=correction(records, seed=seed),
        direct=gains(records, against=direct, seed=seed)[0] if known else None,
        by_round=gains(steps, against="first", seed=seed) if rounds > 1 else (),
        unaccepted=unaccepted,
    )


def _pairs(made: Sequence[bool | None], rounds: int) -> list[tuple[bool | None, bool | None]]:
    """Before and after each round; after the last rewrite the answer stands."""
    standing = [*made, *[made[-1]] * (rounds + 1 - len(made))] if made else [None] * (rounds + 1)
    return list(pairwise(standing))


def _right(score: Score) -> bool | None:
    return None if score.value is None else score.value >= 1.0
