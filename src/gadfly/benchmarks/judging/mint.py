"""MINT: solutions that agents proposed over several turns, and the feedback a critic gave on them.

Wang et al., 2023, arXiv:2309.10691. Upstream's folder `data/outputs` holds a `results.jsonl` for each
agent, critic, turn limit and task, with `state` (history, success, terminate_reason) and `task` (task_id,
prompt, reference); rows with model, feedback, task, id, reference, success, end and history are read as
well. A proposal is a turn with `<solution>...</solution>`: right where it ends a dialogue that succeeded,
wrong where the next turn says so or where the dialogue ends on it without success, else unlabelled. With
`of=answer` each proposal is a case: the turns up to it, without the critic's words, are its steps. With
`of=feedback` each critique of a proposal is: its gold verdict says whether its call ("This is GOOD",
"NOT GOOD", "BAD", "INCORRECT") is right; a critique without such a call has none.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    SHARED_OPTIONS,
    UNKNOWN,
    Pairs,
    RowCases,
    one_of,
    problem_of,
    read_cases,
    stepped,
    verdict_of,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Critique, Gold, Verdict

_DOWNLOAD = "https://github.com/xingyaoww/mint-bench (folder data/outputs)"
_FEEDBACK = "Expert feedback:"
_PROPOSAL = re.compile(r"<solution>.*</solution>", re.DOTALL)
_WRONG = "answer is wrong"
_CALL = re.compile(r"^\W*this is (good|not good|bad|incorrect|not correct|correct)\b", re.IGNORECASE)
_PRAISE = ("good", "correct")

ABOUT = About(
    name="mint",
    summary="solutions that agents proposed over several turns, and a critic's feedback on them",
    licence="Apache-2.0",
    citation="Wang et al., 2023, arXiv:2309.10691",
    example="mint:mint-bench/data/outputs/gpt-3.5-turbo-0613",
    needs=f"a folder or file of {_DOWNLOAD}",
    options={**SHARED_OPTIONS, "of": "what is judged: answer (default) or feedback"},
)
_UPSTREAM = Upstream(title="MINT", download=_DOWNLOAD, files=("**/results.jsonl",))


@dataclass(frozen=True, kw_only=True)
class _Dialogue:
    """A row of either layout."""

    name: str
    prompt: str
    task: str
    agent: str
    critic: str
    reference: str
    success: bool
    broken: bool
    """Ended by an error, so that the last proposal was perhaps never checked."""
    turns: tuple[tuple[str, str], ...]
    """Role and words of each turn after the task."""


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The proposals, or the feedback on them, of the file or folder `target`; the subset is the task.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    of = one_of(options, "of", ("answer", "feedback"))
    for row in rows:
        dialogue = _upstream(row) if row.has("state") else _flat(row)
        yield from _judged(dialogue, of)


def _judged(dialogue: _Dialogue, of: str) -> Pairs:
    for place, truth in _proposals(dialogue):
        words = [_without_feedback(text) for _, text in dialogue.turns[: place + 1]]
        answer = stepped([text for text in words if text], dialogue.agent, join="\n\n")
        problem = problem_of(
            f"mint-{dialogue.name}-turn{place}",
            dialogue.prompt,
            subset=dialogue.task,
            group=dialogue.name,
            reference=dialogue.reference,
        )
        if of == "answer":
            yield problem, Case(candidates=(answer,), gold=Gold(verdict=truth))
            continue
        said = dialogue.turns[place + 1][1] if place + 1 < len(dialogue.turns) else ""
        feedback = said.partition(_FEEDBACK)[2].strip()
        if not feedback:
            continue
        call = _CALL.match(feedback)
        claimed = None if call is None else verdict_of(call.group(1).lower() in _PRAISE)
        critique = Critique(
            target=answer.id, text=feedback, author=dialogue.critic or UNKNOWN, verdict=claimed
        )
        known = claimed is not None and truth is not None
        gold = Gold(verdict=verdict_of(claimed == truth) if known else None)
        yield problem, Case(candidates=(answer,), critique=critique, gold=gold)


def _proposals(dialogue: _Dialogue) -> Iterator[tuple[int, Verdict | None]]:
    """Where a solution was proposed, and whether it was right."""
    last = max((place for place, (role, _) in enumerate(dialogue.turns) if role == "assistant"), default=-1)
    for place, (role, text) in enumerate(dialogue.turns):
        if role != "assistant" or not _PROPOSAL.search(text):
            continue
        answered = dialogue.turns[place + 1][1] if place + 1 < len(dialogue.turns) else ""
        if place == last and dialogue.success:
            yield place, "correct"
        elif _WRONG in answered.partition(_FEEDBACK)[0] or (place == last and not dialogue.broken):
            yield place, "incorrect"
        else:
            yield place, None


def _without_feedback(text: str) -> str:
    return text.partition(_FEEDBACK)[0].strip()


def _turns(row: Fields) -> tuple[tuple[str, str], ...]:
    history = [(turn.text("role"), turn.maybe("content")) for turn in row.each("history")]
    if not history:
        raise row.wrong("history", "a list of turns", [])
    return tuple(history)


def _upstream(row: Fields) -> _Dialogue:
    state, task = row.inside("state"), row.inside("task")
    agent, critic, name = _from_path(row.source)
    return _Dialogue(
        name=f"{row.source}-{task.text('task_id')}",
        prompt=task.text("prompt"),
        task=name or task.maybe("task_name"),
        agent=agent,
        critic=critic,
        reference=str(task.raw("reference")) if task.has("reference") else "",
        success=state.truth("success"),
        broken=state.maybe("terminate_reason") == "error" or state.has("error"),
        turns=_turns(state)[1:],
    )


def _flat(row: Fields) -> _Dialogue:
    agent, critic, task = row.text("model"), row.maybe("feedback"), row.text("task")
    history = _turns(row)
    return _Dialogue(
        name=f"{agent}-{critic or 'None'}-{task}-{row.text('id')}",
        prompt=history[0][1].strip().removeprefix("Task:").strip(),
        task=task,
        agent=agent,
        critic="" if critic == "None" else critic,
        reference=str(row.raw("reference")) if row.has("reference") else "",
        success=row.truth("success"),
        broken=row.maybe("end") == "error",
        turns=history[1:],
    )


def _from_path(source: str) -> tuple[str, str, str]:
    """Agent, critic and task out of `AGENT/F=CRITIC/.../max5_p2+tool+cd/reasoning/gsm8k/results`."""
    parts = source.split("/")
    critic = next((part for part in parts if part.startswith("F=")), "")
    place = parts.index(critic) if critic else 0
    agent = parts[place - 1] if place else ""
    named = critic.removeprefix("F=")
    return agent, "" if named == "None" else named, parts[-2] if len(parts) > 1 else ""
