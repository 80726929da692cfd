"""PRM800K: solutions of MATH problems, each step rated by people.

Lightman et al., 2023, arXiv:2305.20050. Four JSONL files, `phase1_train.jsonl` to `phase2_test.jsonl`.
Steps are rated 1, 0 or -1; the first step rated -1 is the wrong one (0, "adds nothing", is not wrong).
In phase 2 the answer is the whole pre-generated solution, and labelling stops at its first error. In
phase 1 it is the trajectory that was chosen, with people's own steps where they wrote one; where none
was chosen at the end, the first completion stands for it. Solutions that labellers gave up, or whose
problem they reported as broken, have no gold. The questions that every labeller got, to screen or
control them, are left out unless `screening=true`. Steps are counted from 0 in both places.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    SHARED_OPTIONS,
    UNKNOWN,
    Pairs,
    RowCases,
    problem_of,
    read_cases,
    stepped,
    verdict_of,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.parsing.spec import truth
from gadfly.records import Case, Gold, content_digest

_DOWNLOAD = "https://github.com/openai/prm800k (folder prm800k/data, by Git LFS)"
_DONE = ("solution", "found_error")
_FLAGS = ("is_quality_control_question", "is_initial_screening_question")

ABOUT = About(
    name="prm800k",
    summary="solutions of MATH problems with every step rated by people",
    licence="MIT",
    citation="Lightman et al., 2023, arXiv:2305.20050",
    example="prm800k:phase2_test.jsonl",
    needs=f"a file of {_DOWNLOAD}",
    options={
        **SHARED_OPTIONS,
        "screening": "also the questions that every labeller got (false)",
    },
)
_UPSTREAM = Upstream(title="PRM800K", download=_DOWNLOAD, files=("phase*.jsonl",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The solutions of the file or folder `target`; the subset is the file's name.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    screening = truth(options.get("screening", "false"), where="prm800k: screening")
    for row in rows:
        if not screening and any(row.has(flag) and row.truth(flag) for flag in _FLAGS):
            continue
        question, label = row.inside("question"), row.inside("label")
        rated = label.each("steps")
        whole = question.texts("pre_generated_steps") if question.has("pre_generated_steps") else []
        taken = [
            _taken(step, whole[place] if place < len(whole) else None) for place, step in enumerate(rated)
        ]
        steps = whole or [text for text, _ in taken]
        if not steps:
            continue
        done = label.maybe("finish_reason") in _DONE
        wrong = next((place for place, (_, rating) in enumerate(taken) if rating == -1), None)
        labelled = done and (wrong is not None or label.text("finish_reason") == "solution")
        name = f"prm800k-{row.source}-{row.index:06d}"
        text = question.text("problem")
        problem = problem_of(
            name,
            text,
            subset=row.source,
            group=content_digest(text)[:16],
            reference=question.maybe("ground_truth_answer"),
            privileged={"solution": question.maybe("ground_truth_solution")},
        )
        gold = Gold()
        if labelled:
            gold = Gold(verdict=verdict_of(wrong is None), stepwise=True, wrong_step=wrong)
        yield problem, Case(candidates=(stepped(steps, UNKNOWN),), gold=gold)


def _taken(step: Fields, planned: str | None) -> tuple[str, float | None]:
    """The text of the step that was gone on with, or was planned, and its rating."""
    offered = step.each("completions") if step.has("completions") else []
    for completion in offered:
        if planned is not None and completion.text("text") == planned:
            return planned, _rating(completion)
    if step.has("chosen_completion"):
        place = step.whole("chosen_completion")
        if not 0 <= place < len(offered):
            raise step.wrong("chosen_completion", f"one of {len(offered)} completions", place)
        return offered[place].text("text"), _rating(offered[place])
    if step.has("human_completion"):
        written = step.raw("human_completion")
        if isinstance(written, dict):
            written = cast(Mapping[str, object], written).get("text")
        return str(written), 1
    return (offered[0].text("text"), _rating(offered[0])) if offered else ("", None)


def _rating(completion: Fields) -> float | None:
    return completion.number("rating") if completion.has("rating") else None
