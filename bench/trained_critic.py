"""What training makes of a critic: the one of an improvement, and the same started from the actor.

    make improve
    python bench/trained_critic.py --run improve --out FOLDER

Reads the critiques that the run's preparation learned from, trains a second critic on them with as many
steps, from the weights of the actor instead of the base's, and holds four critics against one another on the
held-out problems of the run: the base, the actor, and the two trained ones. All of them criticise the same
drafts of the actor, and the actor rewrites what they do not accept. Writes FOLDER/trained-critic.md; calls
are kept beside it, so a broken run goes on.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import anyio

from gadfly.cli.improving import open_pool
from gadfly.models.load import load_model
from gadfly.recipes.improve.critique_in_the_loop import CritiqueInTheLoop
from gadfly.recipes.load import SharedModels
from gadfly.records import Sampling
from gadfly.run import run
from gadfly.run.diagnosis import critics_health
from gadfly.run.health import Compared, CriticHealth
from gadfly.run.improvement import CriticCheck, Improvement, read_improvement
from gadfly.run.store import read_rollouts
from gadfly.train.criticising import critic_check
from gadfly.train.learner import Lora, Tuning
from gadfly.train.objectives.supervised import Supervised
from gadfly.train.plan import Plan
from gadfly.train.reading import read_rows
from gadfly.train.training import LocalTrainer

SAMPLING = Sampling(max_tokens=64)
PLAN = "critique-in-the-loop.critic_plan"


def specifications(improvement: Improvement, run_folder: Path, work: Path) -> tuple[str, Mapping[str, str]]:
    """The model of the actor, and of every critic by its name; what is not trained yet is trained.

    Args:
        improvement: Says how long the run's critic was trained.
        run_folder: Of `gadfly improve critique-in-the-loop` on the embedded model.
        work: Where the critic from the actor's weights is trained.
    """
    said = improvement.settings
    plan = Plan(steps=int(said[f"{PLAN}.steps"]), rate=float(said[f"{PLAN}.rate"]))
    prepared = run_folder / "arms" / "critique-in-the-loop" / "round-0"
    actor = f"embedded:{_gguf(prepared / 'train-actor')}"
    tuning = Tuning(lora=Lora(rank=16, alpha=32.0), precision="bf16", part=16)
    LocalTrainer(tuning=tuning).learn(
        str(prepared / "train-actor" / "model"),
        list(read_rows(prepared / "critiques.jsonl")),
        Supervised(),
        plan,
        work / "from-actor",
    )
    return actor, {
        "the base": "embedded",
        "the actor": actor,
        "trained, from the base": f"embedded:{_gguf(prepared / 'train-critic')}",
        "trained, from the actor": f"embedded:{_gguf(work / 'from-actor')}",
    }


def _gguf(folder: Path) -> Path:
    (file,) = folder.glob("*.gguf")
    return file


async def checks(run_folder: Path, work: Path) -> list[CriticCheck]:
    """Each critic on the same drafts of the held-out problems."""
    improvement = read_improvement((run_folder / "improvement.json").read_bytes())
    actor, critics = specifications(improvement, run_folder, work)
    pool, loop = open_pool(improvement.benchmark), CritiqueInTheLoop(sampling=SAMPLING)
    known = {problem.id: problem for problem in pool.problems}
    problems = [known[name] for name in improvement.problems]
    found: list[CriticCheck] = []
    models = SharedModels(load=partial(load_model, cache=work / "calls.sqlite"))
    for index, (name, spec) in enumerate(critics.items()):
        solver, out = loop.correcting(models(actor), models(spec), SAMPLING), work / f"critic-{index}"
        await run(solver, problems, out=out, scorers={"right": pool.scorer}, benchmark=pool.name)
        found.append(await critic_check(read_rollouts(out), pool.scorer, known, round=index, critic=name))
        await models.close()
    return found


def page(found: tuple[CriticHealth, ...], problems: int) -> str:
    """The table in words that stand alone."""
    rows = [
        f"| {one.critic} | {_shown(one.detection_f1)} | {_shown(one.correction_gain)} | "
        f"{_since(one.correction_gain)} | {one.flips.right_to_wrong} | {one.flips.wrong_to_right} |"
        for one in found
        if one.flips is not None
    ]
    head = ("critic", "detection F1 %", "correction gain", "less the base's", "right→wrong", "wrong→right")
    return "\n".join(
        (
            f"| {' | '.join(head)} |",
            f"|{'|'.join(['---', *['---:'] * (len(head) - 1)])}|",
            *rows,
            "",
            f"{problems} held-out problems, one draft each, the same for all; 95 % intervals, bootstrap over "
            "problems; gains in points.",
            "",
        )
    )


def _shown(found: Compared | None) -> str:
    if found is None:
        return "–"
    value = found.found
    return f"{100 * value.value:.1f} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def _since(found: Compared | None) -> str:
    if found is None or found.base is None:
        return "–"
    return f"{100 * found.base.value:+.1f} [{100 * found.base.low:+.1f}, {100 * found.base.high:+.1f}]"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True, help="the folder of make improve")
    parser.add_argument("--out", type=Path, required=True, help="where table, weights and runs go")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    found = anyio.run(checks, given.run, given.out)
    table = page(critics_health(found, 0), len(found[0].corrected))
    (given.out / "trained-critic.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
