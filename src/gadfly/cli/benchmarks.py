"""`gadfly benchmarks`: what there is to be answered, and what its checkers let through."""

import anyio

from gadfly.benchmarks.audit import AuditReport, audit, hole_warnings
from gadfly.benchmarks.judging.load import list_judging_benchmarks
from gadfly.benchmarks.load import list_benchmarks, load_benchmark
from gadfly.cli.output import AsJson, Words, application, console, matches, print_json, print_table
from gadfly.errors import InputError

app = application(
    "benchmarks",
    "gadfly benchmarks",
    "gadfly benchmarks audit families",
    "gadfly benchmarks audit problems.jsonl --scorer numeric",
)


@app.default
def listing(words: Words = None, /, *, as_json: AsJson = False) -> None:
    """List the benchmarks there are: those to solve, and those that judges and critics are measured on.

    Args:
        words: Only those that mention these words.
        as_json: As JSON, with every option.
    """
    known = [("solve", about) for about in list_benchmarks()]
    known += [("judge", about) for about in list_judging_benchmarks()]
    found = [(task, about) for task, about in known if matches(words, about.name, about.summary, task)]
    if as_json:
        print_json([{"task": task, **about.model_dump(mode="json")} for task, about in found])
        return
    print_table(
        ("benchmark", "to", "what it asks", "--on", "licence", "needs"),
        [(a.name, task, a.summary, a.example, a.licence, a.needs) for task, a in found],
    )


@app.command(name="audit")
def audit_one(spec: str, /, *, scorer: str | None = None, limit: int = 60, as_json: AsJson = False) -> None:
    """Give constant answers, no answer and the right one to every checker, and report the holes.

    Args:
        spec: A benchmark or a file, as `--on` takes it.
        scorer: Another scorer than the benchmark's own.
        limit: Look at so many problems.
        as_json: As JSON, every probe.
    """
    if limit < 1:
        raise InputError(f"--limit must be 1 or more, not {limit}")
    benchmark = load_benchmark(spec, scorer=scorer)

    async def work() -> AuditReport:
        return await audit(benchmark, limit=limit)

    report = anyio.run(work)
    if as_json:
        print_json({**report.model_dump(mode="json"), "warnings": hole_warnings(report)})
        return
    _print(report)


def _print(report: AuditReport) -> None:
    worst: dict[str, tuple[float, str]] = {}
    for probe in report.probes:
        if probe.kind != "gold":
            worst[probe.family] = max(worst.get(probe.family, (0.0, "")), (probe.undeserved, probe.shown))
    counts = {probe.family: probe.problems for probe in report.probes}
    print_table(
        ("family", "problems", "most full marks for what is not the answer"),
        [
            (
                family or "all",
                str(counts[family]),
                _share(share, shown),
            )
            for family, (share, shown) in worst.items()
        ],
    )
    screen = console()
    warnings = hole_warnings(report)
    for line in warnings:
        screen.print(f"! {line}")
    if not warnings:
        screen.print(f"no hole found in {report.benchmark}, on {report.problems} problems")


def _share(share: float, shown: str) -> str:
    return f"{100 * share:.0f} %" + (f" for {shown}" if share else "")
