"""What loaders of judging benchmarks share: the benchmark over published rows, and the parts of a case."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Source, Upstream, find_source, refuse_options
from gadfly.benchmarks.judging.fields import Fields
from gadfly.errors import InputError
from gadfly.parsing import kind_of_reference
from gadfly.records import Candidate, Case, Problem, Verdict

UNKNOWN = "unknown"
"""The author of an answer of which nobody says who wrote it."""
FIRST: tuple[tuple[int, ...], ...] = ((0,), (1,))
SECOND: tuple[tuple[int, ...], ...] = ((1,), (0,))
TIE: tuple[tuple[int, ...], ...] = ((0, 1),)
PAIR = {"first": FIRST, "second": SECOND, "tie": TIE}
"""Gold tiers of a pair, by the label of its winner."""

Pairs: TypeAlias = Iterator[tuple[Problem, Case]]
Convert: TypeAlias = Callable[[Iterable[Fields], Mapping[str, str]], Pairs]

SHARED_OPTIONS = {
    "subset": "only these subsets, joined by ',' (all)",
}
HUB_OPTIONS = {**SHARED_OPTIONS, "split": "splits of the hub's copy, joined by ','"}
_CHECKED_WHOLE = 64 * 2**20
"""Bytes up to which every row is read before anything runs; of more only the first case is."""


@dataclass(frozen=True, kw_only=True)
class RowCases:
    """The cases of published rows, made anew each time they are asked for."""

    name: str
    about: About
    source: Source
    convert: Convert
    options: Mapping[str, str]
    subsets: tuple[str, ...] = ()
    """Empty: all."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read, its checksum, its licence and whom to cite."""
        return (*self.source.notes, f"licence: {self.about.licence}; cite {self.about.citation}")

    def cases(self) -> Pairs:
        """The cases in the order of the rows. An id that the upstream gives twice gets "#2" at its end.

        Raises:
            InputError: a row is not of the format, or no case is of the subsets asked for.
        """
        seen: Counter[str] = Counter()
        skipped: dict[str, None] = {}
        kept = 0
        rows = (Fields.of(at, self.source.upstream.title) for at in self.source.rows())
        for problem, case in self.convert(rows, self.options):
            subset = str(problem.metadata.get("subset", ""))
            if self.subsets and subset not in self.subsets:
                skipped[subset] = None
                continue
            seen[problem.id] += 1
            if seen[problem.id] > 1:
                problem = problem.model_copy(update={"id": f"{problem.id}#{seen[problem.id]}"})
            kept += 1
            yield problem, case
        if not kept:
            there = f"; there are {', '.join(skipped)}" if skipped else ""
            wanted = f" of the subset {', '.join(self.subsets)}" if self.subsets else ""
            raise InputError(f"{self.name} has no case{wanted}{there}")


def read_cases(
    target: str, options: Mapping[str, str], *, about: About, upstream: Upstream, convert: Convert
) -> RowCases:
    """The benchmark over the rows of `target`, its rows checked before anything runs.

    Files of more than 64 MiB, and the hub's copies, are checked as far as their first case only.

    Raises:
        InputError: an unknown option, nothing to read, or a row that is not of the format.
    """
    refuse_options(options, about)
    source = find_source(target, about, upstream, split=options.get("split"))
    query = "&".join(f"{key}={value}" for key, value in options.items())
    benchmark = RowCases(
        name=f"{about.name}:{target}" + (f"?{query}" if query else ""),
        about=about,
        source=source,
        convert=convert,
        options=options,
        subsets=tuple(filter(None, options.get("subset", "").split(","))),
    )
    if source.splits or source.size > _CHECKED_WHOLE:
        next(benchmark.cases())
    else:
        for _ in benchmark.cases():
            pass
    return benchmark


def one_of(options: Mapping[str, str], name: str, known: Sequence[str]) -> str:
    """The value of an option with few values; the first of them where it is not given.

    Raises:
        InputError: another value.
    """
    value = options.get(name, known[0])
    if value not in known:
        raise InputError(f"the option {name!r} must be {' or '.join(known)}, not {value!r}")
    return value


def problem_of(
    name: str,
    prompt: str,
    *,
    subset: str = "",
    group: str = "",
    reference: str = "",
    privileged: Mapping[str, JsonValue] | None = None,
) -> Problem:
    """The question behind a case. `group` names what cases share, such as the question."""
    return Problem(
        id=name,
        prompt=prompt,
        reference=reference or None,
        answer_kind=kind_of_reference(reference),
        metadata={"subset": subset, "group": group or name},
        privileged=privileged or {},
    )


def candidates_of(texts: Sequence[str], authors: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """An answer a text; two that would be the same record are told apart by their draw."""
    names = list(authors) if len(authors) == len(texts) else [UNKNOWN] * len(texts)
    pairs = [(text, name or UNKNOWN) for text, name in zip(texts, names, strict=True)]
    return tuple(
        Candidate(text=text, author=name, draw=(place,) if (text, name) in pairs[:place] else ())
        for place, (text, name) in enumerate(pairs)
    )


def stepped(steps: Sequence[str], author: str = "", *, join: str = "\n") -> Candidate:
    """An answer in steps; `join` ends each step but the last, so that the steps together are the text."""
    ended = tuple(f"{step}{join}" for step in steps[:-1]) + tuple(steps[-1:])
    return Candidate(text="".join(ended), author=author or UNKNOWN, steps=ended)


def shuffled(name: str, n: int) -> tuple[int, ...]:
    """An order of `n` answers that depends on the case's name only, so that no place is always the best."""
    return tuple(sorted(range(n), key=lambda place: hashlib.sha256(f"{name} {place}".encode()).digest()))


def tiers_of(marks: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    """Places by falling mark, equal marks together."""
    return tuple(
        tuple(place for place, mark in enumerate(marks) if mark == level)
        for level in sorted(set(marks), reverse=True)
    )


def majority(votes: Sequence[str], *, even: str) -> str | None:
    """The label that most people gave. `even`: what an even split is, "tie" or "unlabelled" (None)."""
    counts = Counter(votes).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return "tie" if even == "tie" else None
    return counts[0][0] if counts else None


def wrong_step_of(row: Fields, field: str, step: int, size: int) -> int:
    """A first wrong step, counted from 0, where the answer has that step.

    Raises:
        InputError: it has not.
    """
    if not 0 <= step < size:
        raise row.wrong(field, f"one of {size} steps", row.row.get(field))
    return step


def verdict_of(right: bool) -> Verdict:
    """The verdict on an answer."""
    return "correct" if right else "incorrect"
