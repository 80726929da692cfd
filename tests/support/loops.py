"""Made-up loops whose truth is known: what the report of a loop is tried on."""

from collections.abc import Mapping, Sequence
from random import Random

from gadfly.metrics.answers import Outcome
from gadfly.metrics.correction import Corrected
from gadfly.metrics.diversity import Variety
from gadfly.metrics.judged import Judged
from gadfly.metrics.measurement import Sample
from gadfly.metrics.overoptimisation import Rewarded
from gadfly.run.improvement import (
    Answers,
    Arm,
    Checkpoint,
    CriticCheck,
    Evaluation,
    Improvement,
    PhaseCost,
)

FAMILIES = ("products", "sums", "differences")


def names(n: int) -> tuple[str, ...]:
    return tuple(f"{FAMILIES[i % len(FAMILIES)]}-1-{i:04d}" for i in range(n))


def answers(right: Sequence[bool], *, unread: float = 0.0, tokens: int = 60, seed: int = 0) -> Answers:
    """Answers with these outcomes; a share of the wrong ones cannot be read."""
    random = Random(f"answers {seed}")
    outcomes: list[Outcome] = []
    for one in right:
        read = random.random() >= unread
        outcomes.append("right" if one else "wrong" if read else "unscored")
    spent = tuple(tokens + random.randrange(20) for _ in right)
    return Answers(
        outcomes=tuple(outcomes),
        tokens=tuple(40 + each for each in spent),
        output_tokens=spent,
        stated=tuple(one != "unscored" for one in outcomes),
        repetition=tuple(0.02 for _ in right),
        texts=tuple(f"I reckon.\nAnswer: {i if one else i + 1}" for i, one in enumerate(right)),
    )


def pool(solve: Sequence[float], k: int, *, wrong: int = 4, seed: int = 0) -> tuple[tuple[Sample, ...], ...]:
    """k samples a problem, each right with the problem's probability, else one of `wrong` wrong answers."""
    rows: list[tuple[Sample, ...]] = []
    for i, chance in enumerate(solve):
        random = Random(f"pool {seed} {i}")
        row: list[Sample] = []
        for _ in range(k):
            right = random.random() < chance
            key = "right" if right else f"wrong-{random.randrange(wrong)}"
            row.append(Sample(key=key, right=right, tokens=100, output_tokens=60))
        rows.append(tuple(row))
    return tuple(rows)


def checkpoint(
    number: int,
    solve: Sequence[float],
    *,
    k: int = 8,
    self_bleu: float = 0.4,
    distinct: int = 7,
    repetition: float = 0.02,
    rewards: tuple[Rewarded, ...] = (),
    prefix: str = "round",
) -> Checkpoint:
    """A model that solves each problem with its own probability; greedy is right where that is above luck."""
    # Most problems have one luck for all models; one in five has another for each.
    lucks = [f"luck {i}" if i % 5 else f"luck {number} {i}" for i in range(len(solve))]
    right = [Random(luck).random() < chance for luck, chance in zip(lucks, solve, strict=True)]
    evaluation = Evaluation(
        answers=answers(right, unread=0.3 if number == 0 else 0.05, seed=number),
        pool=pool(solve, k, seed=number) if k else (),
        variety=tuple(
            Variety(
                texts=k, distinct=distinct, distinct_2=0.6, self_bleu=self_bleu + 0.02 * (i % 3),
                repetition=repetition,
            )
            for i in range(len(solve))
        ) if k else (),
    )  # fmt: skip
    name = "base" if number == 0 else f"{prefix}-{number}"
    return Checkpoint(
        name=name, round=number, model=f"tiny:{name}@v1", evaluation=evaluation, rewards=rewards
    )


def chances(n: int, mean: float, *, seed: int = 0) -> list[float]:
    """Probabilities of solving: some problems nearly always, some nearly never."""
    random = Random(f"chances {seed}")
    centred = [random.betavariate(1.2, 1.2) - 0.5 for _ in range(n)]
    return [min(0.98, max(0.02, mean + each)) for each in centred]


def raised(solve: Sequence[float], by: float) -> list[float]:
    """The same problems for a model that got better."""
    return [min(0.98, max(0.0, each + by)) for each in solve]


def costs(rounds: int, *, feedback: bool = True) -> tuple[PhaseCost, ...]:
    """About what the small machine takes."""
    evaluated = PhaseCost(round=0, phase="evaluation", tokens=300_000, seconds=120, calls=2700, rows=2700)
    sampled = PhaseCost(round=0, phase="generation", tokens=180_000, seconds=240, calls=1600, rows=1600)
    judged = PhaseCost(
        round=0, phase="feedback", tokens=260_000, seconds=310, calls=1600, rows=900, oracle=900
    )
    trained = PhaseCost(round=0, phase="training", tokens=90_000, seconds=420, rows=600, steps=75)
    phases = [sampled, *([judged] if feedback else []), trained, evaluated]
    later = (one.model_copy(update={"round": number}) for number in range(1, rounds + 1) for one in phases)
    return (evaluated, *later)


def rewards(n: int, gold: float, *, proxy: float = 0.4, seed: int = 0) -> tuple[Rewarded, ...]:
    """Rewarded answers of training: so many are right, and a right one gets 0.3 more than `proxy`."""
    random = Random(f"rewards {seed}")
    found: list[Rewarded] = []
    for i in range(n):
        right = random.random() < gold
        value = min(1.0, max(0.0, random.gauss(proxy + (0.3 if right else 0.0), 0.15)))
        found.append(Rewarded(problem=f"train-{i}", proxy=round(value, 4), gold=right))
    return tuple(found)


def critic(number: int, *, n: int = 120, skill: float = 0.6, mends: float = 0.1) -> CriticCheck:
    """A critic of this accuracy, whose critiques mend this share of wrong answers and break 3 % of others."""
    judged: list[Judged] = []
    corrected: list[Corrected] = []
    for i in range(n):
        random = Random(f"critic {number} {i}")
        right = i % 2 == 0
        agrees = random.random() < skill
        said = "correct" if right == agrees else "incorrect"
        judged.append(Judged(item=f"h{i}", gold="correct" if right else "incorrect", said=said))
        after = random.random() > 0.03 if right else random.random() < mends
        corrected.append(Corrected(item=f"h{i}", before=right, after=after))
    return CriticCheck(
        round=number, critic=f"critic-{number}", judged=tuple(judged), corrected=tuple(corrected)
    )


def improvement(
    base: Checkpoint,
    arms: Sequence[Arm],
    *,
    prompts: bool = True,
    untouched: Mapping[str, tuple[str, ...]] | None = None,
) -> Improvement:
    """Loops and controls from one base."""
    problems = names(len(base.evaluation.answers.outcomes))
    return Improvement(
        package="0.0.0",
        benchmark="families:products+sums+differences?level=1",
        model="embedded",
        problems=problems,
        families=tuple(name.split("-")[0] for name in problems),
        base=base,
        arms=tuple(arms),
        prompts=tuple(f"What is problem {i}?" for i in range(len(problems))) if prompts else (),
        untouched=untouched or {},
    )
