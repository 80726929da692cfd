"""MultiCritique and MetaCritique end to end on a small model, on real flawed answers with labelled steps.

    python bench/embedded_critiques.py --traces traces.jsonl.gz --limit 30 --out FOLDER [--model embedded]

The traces are rows of BIG-Bench Mistake (arXiv:2311.08516), one JSON object a line: task, input, steps,
answer, target, mistake_index (null: no step is wrong). MultiCritique criticises each answer without the
target; MetaCritique judges that critique against a reference critique made of the label and the target.
Writes `report.md` and the rollouts. Calls are kept in the model's cache, so a broken run goes on.

A model of 135M parameters is far too weak to find these mistakes: the run shows that every part works on
a real model and how often its replies can be read, not that the methods help.
"""

import argparse
import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.metrics.proportions import wilson
from gadfly.models.load import load_model
from gadfly.parsing.rows import read_rows
from gadfly.protocols import Closing, Model
from gadfly.recipes.judge.meta_critique import MetaCritique
from gadfly.recipes.judge.multi_critique import MultiCritique
from gadfly.records import Candidate, Case, Critique, Gold, Problem, Rollout, Sampling, Score, Usage
from gadfly.run.judging import judge_cases, judged

Cases = list[tuple[Problem, Case]]


def read_case(row: Mapping[str, object]) -> tuple[Problem, Case]:
    """A row as a case. The reference critique is made of the label, for MetaCritique alone."""
    steps = tuple(f"{str(step).strip()}\n" for step in _list(row["steps"]))
    wrong, target, stated = row["mistake_index"], str(row["target"]), str(row["answer"])
    right = stated.strip() == target.strip()
    points = [
        "Every step is right." if wrong is None else f"Step {int(str(wrong)) + 1} is the first wrong step."
    ]
    points.append(
        f"The answer {stated} is right." if right else f"The answer {stated} is wrong; it is {target}."
    )
    candidate = Candidate(text="".join(steps), author="PaLM 2", steps=steps)
    problem = Problem(
        id=f"{row['task']}-{row['i']}",
        prompt=str(row["input"]),
        reference=target,
        metadata={"task": str(row["task"]), "answer": candidate.text},
        privileged={"critique": "\n".join(f"- {point}" for point in points)},
    )
    gold = Gold(
        verdict="correct" if wrong is None else "incorrect",
        stepwise=True,
        wrong_step=None if wrong is None else int(str(wrong)),
    )
    return problem, Case(candidates=(candidate,), gold=gold)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise InputError(f"steps must be a list, not {type(value).__name__}")
    return list(value)  # pyright: ignore[reportUnknownArgumentType]


def chosen(path: Path, limit: int, longest: int) -> Cases:
    """`limit` cases in turn from every task, flawed and sound in turn, none longer than `longest`."""
    piles: dict[tuple[str, bool], Cases] = {}
    for _, row in read_rows(path):
        problem, case = read_case(row)
        if len(problem.text) + len(case.candidates[0].text) <= longest:
            key = (str(row["task"]), case.gold.wrong_step is None)
            piles.setdefault(key, []).append((problem, case))
    turns = zip_longest(*piles.values())
    return [pair for turn in turns for pair in turn if pair is not None][:limit]


async def run(model: Model, cases: Cases, tokens: int) -> tuple[list[Rollout], list[Rollout]]:
    """The rollouts of both judges, in the order of the cases."""
    multi: list[Rollout] = []
    sampling = Sampling(max_tokens=tokens)
    judge = MultiCritique(model=model, form="json", sampling=sampling)
    await judge_cases(judge, cases, in_flight=4, on_rollout=multi.append)
    place = {problem.id: index for index, (problem, _) in enumerate(cases)}
    multi.sort(key=lambda rollout: place[rollout.problem.id])
    about: Cases = []
    for rollout, (problem, case) in zip(multi, cases, strict=True):
        if isinstance(rollout.judgement, Critique) and rollout.judgement.text:
            about.append((problem, case.model_copy(update={"critique": rollout.judgement, "gold": Gold()})))
    meta: list[Rollout] = []
    # The schema makes units readable where a small model would write prose.
    critic = MetaCritique(model=model, form="json", sampling=sampling.greedy)
    await judge_cases(critic, about, in_flight=4, on_rollout=meta.append)
    meta.sort(key=lambda rollout: place[rollout.problem.id])
    return multi, meta


def share(hits: int, n: int) -> str:
    """A proportion with Wilson's interval."""
    if n == 0:
        return "none to count"
    found = wilson(hits, n)
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}] ({hits} of {n})"


def tokens_line(rollouts: Iterable[Rollout]) -> str:
    """Calls and tokens of some rollouts."""
    spent = Usage.total([rollout.usage for rollout in rollouts])
    return f"{spent.calls} calls ({spent.replayed} from the cache), {spent.tokens} tokens"


def multi_section(multi: Sequence[Rollout]) -> list[str]:
    """What MultiCritique found."""
    rows = [judged(rollout) for rollout in multi]
    flawed, sound = _of(rows, "incorrect"), _of(rows, "correct")
    hits = sum(row.said == "incorrect" for row in flawed)
    alarms = sum(row.said == "incorrect" for row in sound)
    located = sum(row.step == row.gold_step for row in flawed if row.said == "incorrect")
    unread = [row for row in rows if row.said is None]
    return [
        "## MultiCritique",
        "",
        f"- Cases: {len(rows)} ({len(flawed)} flawed, {len(sound)} sound); {tokens_line(multi)}",
        f"- Verdicts that could not be read or given: {len(unread)}; unsure: "
        f"{sum(row.said == 'unsure' for row in rows)}",
        f"- Detection precision: {share(hits, hits + alarms)}",
        f"- Detection recall, unreadable as missed: {share(hits, len(flawed))}",
        f"- False alarms on sound answers: {share(alarms, len(sound))}",
        f"- First wrong step hit, of flawed answers: {share(located, len(flawed))}",
        f"- For comparison, precision of calling every answer incorrect: {share(len(flawed), len(rows))}",
        "",
    ]


def meta_section(meta: Sequence[Rollout]) -> list[str]:
    """What MetaCritique said of those critiques."""
    scores = [step.output for rollout in meta for step in rollout.steps if step.name == "grade"]
    known = [s.value for s in scores if isinstance(s, Score) and s.value is not None]
    steps = [step.output for r in meta for step in r.steps if step.name in ("critique", "judge_in_json")]
    units = [said for said in steps if isinstance(said, Critique)]
    unread = sum(said.verdict is None for said in units)
    holds = sum(said.verdict == "correct" for said in units)
    mean = f"{sum(known) / len(known):.3f}" if known else "none"
    return [
        "## MetaCritique",
        "",
        f"- Critiques judged: {len(meta)}; {tokens_line(meta)}",
        f"- With an F1: {len(known)}, mean {mean}; without: {len(meta) - len(known)}",
        f"- Unit judgements: {len(units)}, of which {unread} unreadable and {holds} say that the unit holds",
        "- A judge to whom every unit holds gives every critique an F1 of 1: read the line above first.",
        "",
    ]


def failures_section(multi: Sequence[Rollout], most: int = 6) -> list[str]:
    """Texts of cases that went wrong."""
    lines = ["## Where it went wrong", ""]
    for rollout in multi:
        row = judged(rollout)
        if row.said == row.gold and row.step == row.gold_step:
            continue
        text = rollout.judgement.text if isinstance(rollout.judgement, Critique) else "(nothing)"
        lines += [
            f"### {row.item}",
            "",
            f"Label: {row.gold}, step {row.gold_step}. Said: {row.said}, step {row.step}. {row.why}",
            "",
            *(f"    {line}" for line in text[:700].splitlines()),
            "",
        ]
        most -= 1
        if not most:
            break
    return lines


def _of(rows: Sequence[Judged], gold: str) -> list[Judged]:
    return [row for row in rows if row.gold == gold]


async def main() -> None:
    """Run both judges and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=30)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--tokens", type=int, default=160, help="most tokens a reply")
    parser.add_argument("--longest", type=int, default=3000, help="characters of a problem with its answer")
    given = parser.parse_args()
    cases = chosen(given.traces, given.limit, given.longest)
    model = load_model(given.model)
    try:
        multi, meta = await run(model, cases, given.tokens)
    finally:
        if isinstance(model, Closing):
            await model.close()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, rollouts in (("multi", multi), ("meta", meta)):
        text = "".join(rollout.model_dump_json() + "\n" for rollout in rollouts)
        (given.out / f"{name}.jsonl").write_text(text, encoding="utf-8")
    head = [f"# Critiques by {model.id}", "", f"Settings: {json.dumps(vars(given), default=str)}", ""]
    report = "\n".join([*head, *multi_section(multi), *meta_section(meta), *failures_section(multi)])
    (given.out / "report.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    asyncio.run(main())
