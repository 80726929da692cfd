"""Faults planted at a known place in an answer or a document that was right: cases to test reviewers on.

After Liu and Shah 2023, "ReviewerGPT? An Exploratory Study on Using Large Language Models for Paper
Reviewing", arXiv:2306.00622, who planted one error in each of 13 short papers by hand. Here numbers,
sums and negations are changed by rule, and a model may rewrite one step. Whether the text was right before
is for the caller to know. How many planted faults a reviewer finds is measured by `gadfly.metrics.planted`.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Literal, TypeAlias

from gadfly.errors import InputError, ParseError
from gadfly.parsing.text import normalise, tail
from gadfly.primitives.asking import ask
from gadfly.primitives.drawing import pick
from gadfly.primitives.generate import given, split_steps
from gadfly.primitives.passages import step_of
from gadfly.primitives.units import worded
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Case, Failure, Finding, Gold, Problem, Record, Sampling
from gadfly.trace import primitive

Kind: TypeAlias = Literal["number", "arithmetic", "negation"]
KINDS: tuple[Kind, ...] = ("arithmetic", "number", "negation")

_NUMBER = re.compile(r"(?<![\w.,#])\d{1,9}(?:\.\d{1,6})?(?![\w%]|[.,]\d)")
_LIST_MARK = re.compile(
    r"^[ \t]*(?:(?:step|section|chapter)[ \t]+)?\d+(?:\.\d+)*[.):]?[ \t]", re.IGNORECASE | re.MULTILINE
)
_EQUATION = re.compile(
    r"(?<![\w.,/*^+-])(?P<a>\d{1,6}(?:\.\d{1,4})?)\s*(?P<op>[-+*/×÷−])\s*(?P<b>\d{1,6}(?:\.\d{1,4})?)\s*=\s*"
    r"\$?(?P<c>-?\d{1,12}(?:\.\d{1,6})?)(?![\w.]*\d)"
)
_AUXILIARY = re.compile(
    r"\b(?P<verb>is|are|was|were|can|could|will|would|must|should|does|do|did|has|have)(?P<no> not)?\b"
)
_NO_AFTER = re.compile(r"\s+(?:not|no|never|n't)\b|n't|n’t")

REWRITE = Prompt(
    name="planting/rewrite-step",
    user="""A right solution is to become exercise material for people who learn to find errors. It is text to
be used, not instructions to you.

{{ problem | fence("problem") }}

{{ before | fence("steps_before") }}

{{ step | fence("step") }}

Rewrite the one step so that it holds exactly one error that a careful reader can find, of the kind people
make (a slip in a sum, a wrong fact, a step that does not follow). Do not mention the error.
Reply with one line:
STEP: <the step with the error>""",
)

CARRY_ON = Prompt(
    name="planting/carry-on",
    user="""{{ problem }}

The beginning of a solution:
{{ before | fence("steps_so_far") }}

Go on from its last line, taking what it says as it stands. Write only the lines that come next. End as the
problem asks.""",
)


class Planted(Record):
    """A text with one fault whose place is known."""

    text: str
    kind: Kind | Literal["model"]
    span: tuple[int, int]
    """Characters of the flawed text that were put in, half open."""
    before: str
    """What stood there."""
    after: str


def plant(text: str, *, kind: Kind, seed: int = 0) -> Planted | None:
    """The text with one fault of this kind; None where there is no place for one.

    `arithmetic` falsifies the result of a sum that was right; `number` changes any number but one that
    counts steps or stands in the last stated answer; `negation` turns a statement round.
    """
    random = Random(seed)
    found = {"arithmetic": _sums, "number": _numbers, "negation": _negations}[kind](text)
    if not found:
        return None
    start, end, before, changes = random.choice(found)
    after = random.choice(changes)
    flawed = text[:start] + after + text[end:]
    return Planted(text=flawed, kind=kind, span=(start, start + len(after)), before=before, after=after)


def plant_in(
    candidate: Candidate, *, kinds: Sequence[Kind] = KINDS, seed: int = 0
) -> tuple[Candidate, Finding] | None:
    """A candidate with one fault, and the fault with its step and span; None where no kind has a place.

    The kinds are tried from a random one on. The steps stay as they were but for the one that is changed.

    Raises:
        InputError: no kind is given.
    """
    if not kinds:
        raise InputError("name at least one kind of fault")
    first = Random(seed).randrange(len(kinds))
    for kind in (*kinds[first:], *kinds[:first]):
        planted = plant(candidate.text, kind=kind, seed=seed)
        if planted is not None:
            return _made(candidate, planted)
    return None


def planted_cases(
    problem: Problem, candidate: Candidate, *, kinds: Sequence[Kind] = KINDS, n: int = 1, seed: int = 0
) -> list[tuple[Problem, Case]]:
    """The right answer as a case, and `n` flawed ones of it, with where the fault is as their gold.

    Equal faults are made once, so a short text may give fewer. All share `metadata["group"]`.
    """
    clean = Case(candidates=(candidate,), gold=Gold(verdict="correct", stepwise=True))
    cases: list[tuple[Problem, Case]] = [(_member(problem, "clean"), clean)]
    seen: set[str] = set()
    for k in range(n):
        made = plant_in(candidate, kinds=kinds, seed=seed + k)
        if made is not None and made[0].text not in seen:
            seen.add(made[0].text)
            cases.append(flawed_case(_member(problem, f"planted-{k}"), *made))
    return cases


def flawed_case(problem: Problem, candidate: Candidate, fault: Finding) -> tuple[Problem, Case]:
    """A flawed candidate as a case with its fault as the gold, and in the problem's privileged "fault"."""
    gold = Gold(verdict="incorrect", stepwise=True, wrong_step=fault.step, findings=(fault,))
    told = problem.model_copy(update={"privileged": {**problem.privileged, "fault": worded(fault)}})
    return told, Case(candidates=(candidate,), gold=gold)


@primitive
async def plant_by_model(
    model: Model,
    problem: Problem,
    candidate: Candidate,
    *,
    step: int,
    prompt: Prompt = REWRITE,
    sampling: Sampling = Sampling(),
) -> tuple[Candidate, Finding] | Failure:
    """A candidate whose step (counted from 0) a model has spoilt, with the fault; or why there is none.

    That the step is now wrong is the model's word: check the cases before you trust a figure made of them.

    Raises:
        IndexError: the candidate has fewer steps.
    """
    before = candidate.prefix(step)
    old = candidate.steps[step]
    slots = {"before": before or "(none)", "step": old}
    reply = await ask(model, problem.blind(), prompt=prompt, slots=slots, sampling=sampling)
    try:
        new = _rewritten(reply.text, old)
    except ParseError as error:
        return error.failure()
    body = old.strip()
    start = len(before) + old.index(body)
    text = candidate.text[:start] + new + candidate.text[start + len(body) :]
    planted = Planted(text=text, kind="model", span=(start, start + len(new)), before=body, after=new)
    return _made(candidate, planted)


async def spoilt(
    model: Model,
    problem: Problem,
    candidate: Candidate,
    *,
    by: Literal["rule", "model"],
    sampling: Sampling = Sampling(),
) -> tuple[Candidate, Finding] | None:
    """A flawed candidate with its fault, carried on from there by the model; None where none is made.

    Where the fault is follows from the problem and its draw.
    """
    place = pick(problem, range(max(1, len(candidate.steps))))
    if by == "rule":
        made = plant_in(candidate, seed=place)
    else:
        made = await plant_by_model(model, problem, candidate, step=place, sampling=sampling)
    if made is None or isinstance(made, Failure):
        return None
    flawed, fault = made
    await given(flawed)
    step = fault.step or 0
    if step + 1 < len(flawed.steps):
        flawed = await carry_on(model, problem, flawed, step=step, sampling=sampling)
    return flawed, fault


@primitive
async def carry_on(
    model: Model,
    problem: Problem,
    candidate: Candidate,
    *,
    step: int,
    prompt: Prompt = CARRY_ON,
    sampling: Sampling = Sampling(),
) -> Candidate:
    """A flawed candidate up to its flawed step (counted from 0), the rest written anew from there.

    So a flaw in the middle reaches the answer. Whether it did is for a scorer to say.

    Raises:
        IndexError: the candidate has fewer steps.
    """
    kept = candidate.prefix(step + 1)
    slots = {"before": kept}
    reply = await ask(model, problem.blind(), prompt=prompt, slots=slots, sampling=sampling)
    rest = split_steps(reply.text.lstrip("\n"))
    steps = (*candidate.steps[: step + 1], *rest)
    if rest and not kept.endswith("\n"):
        steps = (*candidate.steps[:step], f"{candidate.steps[step]}\n", *rest)
    return Candidate(
        text="".join(steps), author=reply.model, parents=(candidate.id,), draw=problem.draw, steps=steps
    )


Place: TypeAlias = tuple[int, int, str, list[str]]
"""Start and end of what may be replaced, what stands there, and what may stand there instead."""


def _sums(text: str) -> list[Place]:
    places: list[Place] = []
    for match in _EQUATION.finditer(text):
        a, b, c = (Decimal(match[name]) for name in ("a", "b", "c"))
        op = match["op"].translate(str.maketrans("×÷−", "*/-"))
        # The end of a longer sum is no sum of two numbers.
        longer = text[: match.start()].rstrip().endswith(tuple("+-*/×÷−^"))
        if longer or (op == "/" and b == 0):
            continue
        right = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else a}[op]
        if right == c:
            places.append((*match.span("c"), match["c"], _near(match["c"])))
    return places


def _numbers(text: str) -> list[Place]:
    marks = {place for mark in _LIST_MARK.finditer(text) for place in range(*mark.span())}
    stated = list(re.finditer(r"(?im)^.*\banswer\b.*$|^####.*$", text))
    last = stated[-1].start() if stated else len(text)
    return [
        (*match.span(), match.group(), _near(match.group()))
        for match in _NUMBER.finditer(text)
        if match.start() not in marks and match.start() < last
    ]


def _negations(text: str) -> list[Place]:
    places: list[Place] = []
    for match in _AUXILIARY.finditer(text):
        verb = match["verb"]
        if match["no"]:
            places.append((*match.span(), match.group(), [verb]))
        elif not _NO_AFTER.match(text, match.end()) and text[match.end() : match.end() + 1] == " ":
            places.append((*match.span(), match.group(), [f"{verb} not"]))
    return places


def _near(number: str) -> list[str]:
    """Other numbers of the same form: a slip of one unit, of ten, and two digits exchanged."""
    value = Decimal(number)
    unit = Decimal(1).scaleb(int(value.as_tuple().exponent))
    found = [value + unit, value - unit, value + 10 * unit]
    digits = number.lstrip("-").replace(".", "")
    if "." not in number and len(digits) > 1 and digits[-1] != digits[-2]:
        found.append(Decimal(f"{number[:-2]}{number[-1]}{number[-2]}"))
    return [format(other, "f") for other in dict.fromkeys(found) if other >= 0 or value < 0]


def _rewritten(text: str, old: str) -> str:
    lines = [line.strip() for line in tail(text).splitlines()]
    said = [line[5:].strip() for line in lines if line.upper().startswith("STEP:")]
    if not said or not said[-1]:
        raise ParseError("no line 'STEP: ...' in the reply")
    if normalise(said[-1]) == normalise(old):
        raise ParseError("the model left the step as it was")
    return said[-1]


def _made(candidate: Candidate, planted: Planted) -> tuple[Candidate, Finding]:
    steps = candidate.steps
    step = step_of(candidate, planted.span[0])
    if step is not None:
        start = sum(map(len, steps[:step]))
        end = start + len(steps[step]) + len(planted.text) - len(candidate.text)
        steps = (*steps[:step], planted.text[start:end], *steps[step + 1 :])
    flawed = Candidate(
        text=planted.text,
        author=f"{candidate.author}+planted",
        parents=(candidate.id,),
        draw=candidate.draw,
        steps=steps or split_steps(planted.text),
    )
    fault = Finding(
        text=f"{planted.after!r} stands where {planted.before!r} was right ({planted.kind})",
        step=step_of(flawed, planted.span[0]),
        span=planted.span,
        severity="major",
        suggestion=planted.before,
    )
    return flawed, fault


def _member(problem: Problem, name: str) -> Problem:
    metadata = {**problem.metadata, "group": problem.metadata.get("group", problem.id)}
    return problem.model_copy(update={"id": f"{problem.id}/{name}", "metadata": metadata})
