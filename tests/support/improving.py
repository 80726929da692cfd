"""A small self-improvement on the tiny world, in this process or as one that can be killed."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import torch
from training.world import SCORER, make_world

from gadfly.models.load import load_model
from gadfly.recipes.improve.critique_in_the_loop import CritiqueInTheLoop
from gadfly.recipes.improve.rest_em import RestEm
from gadfly.recipes.load import SharedModels
from gadfly.records import Sampling
from gadfly.run.improvement import Improvement, write_improvement
from gadfly.train.evaluating import Exam
from gadfly.train.improve import Course, Improving, Settings
from gadfly.train.learner import Tuning
from gadfly.train.plan import Plan
from gadfly.train.round import Tools
from gadfly.train.training import LocalTrainer
from gadfly.train.weights import Weights

PLAN = Plan(steps=4, batch=8, rate=1e-3, save_every=2)
SHORT = Sampling(max_tokens=24)
COURSES = [
    Course(
        name="critique-in-the-loop",
        loop=CritiqueInTheLoop(
            drafts=2, samples=2, hard_samples=1, plan=PLAN, critic_plan=PLAN, sampling=SHORT
        ),
    ),
    Course(name="rest-em", loop=RestEm(samples=2, plan=PLAN, sampling=SHORT), control=True),
    Course(name="self-consistency", loop=None, control=True),
]


def improve(weights: Path, out: Path, *, on_phase: Callable[[str], None] = lambda phase: None) -> Improvement:
    """Two rounds of critique in the loop with both controls, one request at a time, so that all is exact."""
    torch.set_num_threads(1)
    world = make_world(warm=300, train=80, held_out=24)

    async def work() -> Improvement:
        models = SharedModels(load=partial(load_model, cache=out / "completions.sqlite"))
        tools = Tools(
            engines=models,
            trainer=LocalTrainer(tuning=Tuning(lora=None, precision="float32", part=64), device="cpu"),
            scorers={"exact": SCORER},
            held_out={"held out": world.held_out},
            benchmark="world",
            in_flight=8,
        )
        improving = Improving(
            # A control's rounds depend on the clock; here it has as many as the loop.
            settings=Settings(rounds=2, per_round=16, votes=8, critic_problems=8, most_rounds=2, tolerance=1),
            tools=tools,
            exam=Exam(problems=world.held_out, pool=2, max_tokens=24),
            base=Weights(model=f"transformers:{weights}?batch=1&device=cpu", start=str(weights)),
            problems=world.train[:40],
            validation=world.train[40:48],
            out=out,
            on_phase=on_phase,
        )
        try:
            return await improving(COURSES)
        finally:
            await models.close()

    out.mkdir(parents=True, exist_ok=True)
    return anyio.run(work)


if __name__ == "__main__":
    found = improve(Path(sys.argv[1]), Path(sys.argv[2]), on_phase=lambda phase: print(phase, flush=True))
    write_improvement(found, Path(sys.argv[2]))
