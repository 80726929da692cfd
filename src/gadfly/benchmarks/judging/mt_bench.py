"""MT-Bench human judgements: pairs of dialogues of two turns, compared by experts.

Zheng et al., 2023, arXiv:2306.05685. Splits `human` (3,355 votes) and `gpt4_pair` on the hub, or their
rows as a file: question_id, model_a, model_b, winner ("model_a", "model_b", "tie" or "tie
(inconsistent)"), judge, turn (1 or 2), conversation_a and conversation_b. Votes on the same two dialogues
make one case, whichever of the two was called a; `votes=each` makes a case of each, as the paper counts
them. Of a first turn the answer is the reply; of a second turn the answer is both replies, a step each,
and the question both questions.
"""

from collections.abc import Iterable, Mapping

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Upstream
from gadfly.benchmarks.judging.cases import (
    HUB_OPTIONS,
    PAIR,
    UNKNOWN,
    Pairs,
    RowCases,
    candidates_of,
    majority,
    one_of,
    problem_of,
    read_cases,
    stepped,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Candidate, Case, Gold, Problem

_DOWNLOAD = "https://huggingface.co/datasets/lmsys/mt_bench_human_judgments"
_WINNERS = ("model_a", "model_b")

ABOUT = About(
    name="mt-bench",
    summary="compare two dialogues as experts did (80 questions, 6 models, 3,355 votes)",
    licence="CC BY 4.0",
    citation="Zheng et al., 2023, arXiv:2306.05685",
    example="mt-bench:human.jsonl",
    needs=f"the rows of {_DOWNLOAD} as JSONL, or the package datasets and 'mt-bench:hub'",
    options={
        **HUB_OPTIONS,
        "votes": "majority of a pair's votes (default), or each vote a case",
        "even": "what an even split is: tie (default) or unlabelled",
    },
)
_UPSTREAM = Upstream(
    title="MT-Bench",
    download=_DOWNLOAD,
    files=("human*.jsonl", "human*.json"),
    hub=Hub(path="lmsys/mt_bench_human_judgments", splits=("human",)),
)


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The pairs of the file or folder `target`, or of the hub's copy; subsets are `turn-1` and `turn-2`.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    even = one_of(options, "even", ("tie", "unlabelled"))
    if one_of(options, "votes", ("majority", "each")) == "each":
        for row in rows:
            yield _case([row], even, row.maybe("judge"))
        return
    pairs: dict[tuple[str, ...], list[Fields]] = {}
    for row in rows:
        models = sorted((row.text("model_a"), row.text("model_b")))
        pairs.setdefault((row.text("question_id"), row.text("turn"), *models), []).append(row)
    for votes in pairs.values():
        yield _case(votes, even, "")


def _case(rows: list[Fields], even: str, judge: str) -> tuple[Problem, Case]:
    row = rows[0]
    models = (row.text("model_a"), row.text("model_b"))
    turn, question = row.whole("turn"), row.text("question_id")
    if turn not in (1, 2):
        raise row.wrong("turn", "1 or 2", turn)
    votes = [_vote(vote, swapped=vote.text("model_a") != models[0]) for vote in rows]
    asked = [text for role, text in _said(row, "conversation_a") if role == "user"][:turn]
    name = f"mt-bench-{question}-turn{turn}-{models[0]}-{models[1]}"
    problem = problem_of(
        f"{name}-{judge}" if judge else name,
        asked[0] if turn == 1 else "\n\n".join(f"[Question {n}]\n{text}" for n, text in enumerate(asked, 1)),
        subset=f"turn-{turn}",
        group=f"mt-bench-{question}",
        privileged={"votes": [*votes]},
    )
    sides = zip(("conversation_a", "conversation_b"), models, strict=True)
    answers = tuple(_answer(row, side, model, turn) for side, model in sides)
    if answers[0] == answers[1]:
        answers = candidates_of([answer.text for answer in answers], models)
    winner = majority(votes, even=even)
    return problem, Case(candidates=answers, gold=Gold(tiers=PAIR[winner] if winner else ()))


def _vote(row: Fields, *, swapped: bool) -> str:
    winner = row.text("winner")
    if winner.startswith("tie"):
        return "tie"
    if winner not in _WINNERS:
        raise row.wrong("winner", "model_a, model_b or tie", winner)
    return "first" if (winner == "model_a") is not swapped else "second"


def _answer(row: Fields, side: str, model: str, turn: int) -> Candidate:
    replies = [text for role, text in _said(row, side) if role == "assistant"][:turn]
    if len(replies) < turn:
        raise row.wrong(side, f"a dialogue of {turn} replies", len(replies))
    if turn == 1:
        return Candidate(text=replies[0], author=model or UNKNOWN)
    return stepped([f"[Answer {n}]\n{text}" for n, text in enumerate(replies, 1)], model, join="\n\n")


def _said(row: Fields, side: str) -> list[tuple[str, str]]:
    turns = [(message.text("role"), message.maybe("content")) for message in row.each(side)]
    if not any(role == "user" for role, _ in turns):
        raise row.wrong(side, "a dialogue that a user begins", turns)
    return turns
