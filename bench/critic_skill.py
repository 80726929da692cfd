"""Does pooling critics by their measured skill beat equal weights, and the best single critic?

    python bench/critic_skill.py [--items 400] [--seeds 5]

The critics are scripted: each finds a fault, and raises a false alarm at a sound step, with its own
chance, independently of the others. Half of the items measure the critics' skill; the other half,
which no weight has seen, decides. An item counts as right where a flawed solution is called incorrect
with its wrong step as the first finding, or a sound one is called correct. Intervals are of paired
differences and resample items.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gadfly.metrics.intervals import mean_interval, paired_difference
from gadfly.metrics.measurement import Measurement
from gadfly.primitives.fusion import Skill as Measured
from gadfly.primitives.fusion import evidence, pool_by_evidence, skill_weights
from gadfly.primitives.pooling import pool, same_step
from gadfly.records import Candidate, Critique, Finding
from gadfly.run.judging import first_wrong_step

STEPS = 5


@dataclass(frozen=True, kw_only=True)
class Skill:
    """What a scripted critic can do."""

    detection: float
    false_alarm: float
    """At each sound step."""


CRITICS = (
    Skill(detection=0.90, false_alarm=0.03),
    Skill(detection=0.85, false_alarm=0.04),
    Skill(detection=0.80, false_alarm=0.05),
    Skill(detection=0.55, false_alarm=0.20),
    Skill(detection=0.50, false_alarm=0.20),
    Skill(detection=0.45, false_alarm=0.25),
    Skill(detection=0.40, false_alarm=0.25),
)
"""Three that can do it and four that cannot, so that a plain vote is decided by the wrong ones."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A solution, where it is wrong (None: nowhere), and what each critic says of it."""

    target: Candidate
    fault: int | None
    critiques: tuple[Critique, ...]


def make_items(skills: Sequence[Skill], n: int, seed: int) -> list[Item]:
    """`n` solutions, about half of them with one wrong step, and what the critics say."""
    random = np.random.default_rng(seed)
    items: list[Item] = []
    for index in range(n):
        steps = tuple(f"Line {step} of solution {index}.\n" for step in range(STEPS))
        target = Candidate(text="".join(steps), author="script", steps=steps)
        fault = int(random.integers(STEPS)) if random.random() < 0.5 else None
        critiques: list[Critique] = []
        for name, skill in enumerate(skills):
            chances = [skill.detection if step == fault else skill.false_alarm for step in range(STEPS)]
            reported = [step for step in range(STEPS) if random.random() < chances[step]]
            critiques.append(
                Critique(
                    target=target.id,
                    text="\n".join(f"- step {step + 1}: does not follow" for step in reported) or "Fine.",
                    author=f"critic-{name}",
                    verdict="incorrect" if reported else "correct",
                    findings=tuple(Finding(text="does not follow", step=step) for step in reported),
                )
            )
        items.append(Item(target=target, fault=fault, critiques=tuple(critiques)))
    return items


def is_right(item: Item, critique: Critique) -> bool:
    """Whether the critique says what is the case, and where."""
    if item.fault is None:
        return critique.accepts
    return critique.verdict == "incorrect" and first_wrong_step(critique) == item.fault


def measured_weights(items: Sequence[Item]) -> tuple[float, ...]:
    """Log-odds weights of the critics from how often each is right on these items."""
    critics = range(len(items[0].critiques))
    right = [sum(is_right(item, item.critiques[critic]) for item in items) for critic in critics]
    return skill_weights(right, [len(items)] * len(right))


def by_evidence(measured: Sequence[Item]) -> Callable[[Item], bool]:
    """The rule that knows detection and false alarms apart: the likeliest story decides."""
    critics = range(len(measured[0].critiques))
    sure = [
        [(item.fault, {f.step for f in item.critiques[c].findings}) for item in measured] for c in critics
    ]
    hits = [np.mean([fault in steps for fault, steps in said if fault is not None]) for said in sure]
    alarms = [
        np.mean([step in steps for fault, steps in said for step in range(STEPS) if step != fault])
        for said in sure
    ]

    def decide(item: Item) -> bool:
        found = [
            sum(
                evidence(
                    any(f.step == step for f in item.critiques[c].findings), float(hits[c]), float(alarms[c])
                )
                for c in critics
            )
            for step in range(STEPS)
        ]
        # Each step is at fault in one of 2 * STEPS stories, and nothing is in the half of them.
        best = int(np.argmax(found))
        total = float(np.logaddexp.reduce(found)) - np.log(STEPS)
        return (best if total > 0 else None) == item.fault

    return decide


def measured_skills(items: Sequence[Item]) -> list[Measured]:
    """What a judge's report would say of each critic: rates of whole answers, not of steps."""
    wrong = [item for item in items if item.fault is not None]
    sound = [item for item in items if item.fault is None]
    found: list[Measured] = []
    for critic in range(len(items[0].critiques)):
        hits, alarms = ([not item.critiques[critic].accepts for item in part] for part in (wrong, sound))
        located = [first_wrong_step(item.critiques[critic]) == item.fault for item in wrong]
        found.append(
            Measured(
                right=sum(hits) + len(alarms) - sum(alarms),
                judged=len(items),
                detection=(sum(hits) + 1) / (len(hits) + 2),
                false_alarm=(sum(alarms) + 1) / (len(alarms) + 2),
                located=(sum(located) + 1) / (len(located) + 2),
            )
        )
    return found


async def fused_right(items: Sequence[Item], skills: Sequence[Measured]) -> list[float]:
    """For each item 1 where the critique pooled by `pool_by_evidence` is right."""
    pooled = [await pool_by_evidence(i.target, i.critiques, skills, same=same_step) for i in items]
    return [float(is_right(item, critique)) for item, critique in zip(items, pooled, strict=True)]


async def pooled_right(items: Sequence[Item], weights: Sequence[float]) -> list[float]:
    """For each item 1 where the pooled critique is right."""
    pooled = [await pool(i.target, i.critiques, weights=weights, same=same_step) for i in items]
    return [float(is_right(item, critique)) for item, critique in zip(items, pooled, strict=True)]


async def compare(
    skills: Sequence[Skill] = CRITICS, *, items: int = 400, seeds: Sequence[int] = (0, 1, 2, 3, 4)
) -> tuple[dict[str, Measurement], dict[str, Measurement]]:
    """Accuracy of each way on the held-out halves, and skill weights less each other way, paired."""
    marks: dict[str, list[float]] = {}
    for seed in seeds:
        made = make_items(skills, items, seed)
        measured, held_out = made[: items // 2], made[items // 2 :]
        found = {
            "pool, weights by skill": await pooled_right(held_out, measured_weights(measured)),
            "pool, equal weights": await pooled_right(held_out, ()),
        }
        found["pool, evidence"] = await fused_right(held_out, measured_skills(measured))
        decide = by_evidence(measured)
        found["evidence with the rates at each step"] = [float(decide(item)) for item in held_out]
        for name, skill in enumerate(skills):
            label = f"critic {name}: finds {skill.detection:.2f}, false alarm {skill.false_alarm:.2f}"
            found[label] = [float(is_right(item, item.critiques[name])) for item in held_out]
        for label, values in found.items():
            marks.setdefault(label, []).extend(values)
    mine = marks["pool, weights by skill"]
    accuracies = {label: mean_interval(values) for label, values in marks.items()}
    leads = {label: paired_difference(mine, values) for label, values in marks.items() if values is not mine}
    return accuracies, leads


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    accuracies, leads = asyncio.run(compare(items=given.items, seeds=range(given.seeds)))
    print(f"{'':44} {'right':>6}  {'95 %':^15}  {'skill weights less it':>30}")
    for label, found in accuracies.items():
        lead = leads.get(label)
        told = f"{lead.value:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}]" if lead else ""
        print(f"{label:44} {found.value:6.3f}  [{found.low:.3f}, {found.high:.3f}]  {told:>30}")
    n = next(iter(accuracies.values())).n
    print(f"\n{n} held-out items over {given.seeds} seeds; positive: weights by skill are better.")


if __name__ == "__main__":
    main()
