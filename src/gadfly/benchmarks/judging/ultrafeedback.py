"""UltraFeedback: four answers to each instruction, marked and criticised by GPT-4.

Cui et al., 2023, arXiv:2310.01377. Split `train` on the hub, or its JSONL files: source, instruction,
completions, each with model, response, annotations, critique, overall_score and fine-grained_score. With
`by=question` the answers are one case, in tiers by mark; with `by=answer` each is a case, with its mark
as value and its critique as the gold critique. The mark is `overall_score` (1 to 10),
`fine-grained_score` or `ratings`, the mean of the four ratings. Where an answer has no mark, the tiers
are left out. An instruction without completions is left out.
"""

import math
from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Upstream
from gadfly.benchmarks.judging.cases import (
    HUB_OPTIONS,
    Pairs,
    RowCases,
    candidates_of,
    one_of,
    problem_of,
    read_cases,
    tiers_of,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Gold, Problem

_DOWNLOAD = "https://huggingface.co/datasets/openbmb/UltraFeedback"
_MARKS = ("overall_score", "fine-grained_score", "ratings")

ABOUT = About(
    name="ultrafeedback",
    summary="answers of many models marked and criticised by GPT-4 (64k instructions)",
    licence="MIT",
    citation="Cui et al., 2023, arXiv:2310.01377",
    example="ultrafeedback:truthful_qa.jsonl",
    needs=f"a file of {_DOWNLOAD}, or the package datasets and 'ultrafeedback:hub'",
    options={
        **HUB_OPTIONS,
        "by": "question (default): its answers in order; answer: each by itself",
        "mark": f"{_MARKS[0]} (default), {_MARKS[1]} or {_MARKS[2]}",
    },
)
_UPSTREAM = Upstream(
    title="UltraFeedback",
    download=_DOWNLOAD,
    files=("*.jsonl",),
    hub=Hub(path="openbmb/UltraFeedback", splits=("train",)),
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The instructions of the file or folder `target`, or of the hub's copy; the subset is the source.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    mark = one_of(options, "mark", _MARKS)
    whole = one_of(options, "by", ("question", "answer")) == "question"
    for row in rows:
        given = row.each("completions")
        if not given:
            continue
        name = f"ultrafeedback-{row.source}-{row.index:05d}"
        marks = [_mark(one, mark) for one in given]
        answers = candidates_of(
            [one.text("response") for one in given], [one.maybe("model") for one in given]
        )
        known = [value for value in marks if value is not None]
        if whole and len(answers) > 1:
            tiers = tiers_of(known) if len(known) == len(marks) else ()
            yield _problem(row, name, name), Case(candidates=answers, gold=Gold(tiers=tiers))
            continue
        for place, (one, answer) in enumerate(zip(given, answers, strict=True)):
            gold = Gold(value=marks[place], critique=one.maybe("critique") or None)
            yield _problem(row, f"{name}-{place}", name), Case(candidates=(answer,), gold=gold)


def _problem(row: Fields, name: str, group: str) -> Problem:
    subset = row.maybe("source") or row.source
    return problem_of(name, row.text("instruction"), subset=subset, group=group, reference=_right(row))


def _right(row: Fields) -> str:
    """The right answers, where upstream has any."""
    answers = row.texts("correct_answers") if row.has("correct_answers") else []
    return "\n".join(answer for answer in answers if answer != "None")


def _mark(one: Fields, mark: str) -> float | None:
    if mark != "ratings":
        return one.number(mark) if one.has(mark) else None
    if not one.has("annotations"):
        return None
    notes = one.inside("annotations")
    ratings = [_rating(notes.inside(aspect)) for aspect in notes.row if isinstance(notes.row[aspect], dict)]
    known = [rating for rating in ratings if rating is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(ratings) else None


def _rating(aspect: Fields) -> float | None:
    """None where GPT-4 gave "N/A"."""
    said = aspect.maybe("Rating").strip()
    return float(said) if said.replace(".", "", 1).isdigit() else None
