"""The driver of self-improvement, with models that answer by rule and a trainer that trains nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from gadfly.cli.improving import Pool, open_pool, split
from gadfly.errors import InputError
from gadfly.models.metered import Metered
from gadfly.models.scripted import Scripted
from gadfly.primitives.answering import Answering
from gadfly.protocols import Model
from gadfly.records import Completion, Problem, Request, Rollout, Sampling, Usage
from gadfly.run.improvement import Improvement
from gadfly.run.store import read_rollouts
from gadfly.run.summary import RunSummary
from gadfly.scorers.text import Numeric
from gadfly.train.evaluating import Exam
from gadfly.train.from_rollouts import prompt_completions
from gadfly.train.improve import Course, Improving, Settings
from gadfly.train.ledger import Ledger, earlier_seconds
from gadfly.train.plan import Plan
from gadfly.train.reading import read_rows
from gadfly.train.round import Round, Tools
from gadfly.train.rows import AnyRow
from gadfly.train.weights import Lesson, Trained, Weights, answering_like, trainable

PROBLEMS = [
    Problem(
        id=f"{a}x{b}",
        prompt=f"Work out {a} times {b} for the {'red' if a % 2 else 'blue'} team.",
        reference=str(a * b),
        answer_kind="number",
    )
    for a in range(11, 19)
    for b in range(21, 29)
]
ANSWERS = {problem.text: problem.reference for problem in PROBLEMS}
GREEDY = Sampling(temperature=0.0)


def player(skill: int, calls: list[str]) -> Scripted:
    """Right on `skill` of ten problems."""

    def answer(request: Request) -> Completion:
        asked = request.messages[-1].content
        calls.append(asked)
        right = int(ANSWERS[asked] or 0) % 10 < skill
        text = f"Answer: {ANSWERS[asked] if right else 0}"
        return Completion(text=text, model="player", usage=Usage(calls=1, input_tokens=3, output_tokens=2))

    return Scripted.from_function(answer, id=f"skill-{skill}")


@dataclass(frozen=True)
class Engines:
    calls: list[str] = field(default_factory=list[str])
    closed: list[bool] = field(default_factory=list[bool])

    def __call__(self, spec: str, /) -> Model:
        return Metered(inner=player(int(spec), self.calls))

    async def close(self) -> None:
        self.closed.append(True)


@dataclass(frozen=True)
class Trainer:
    """Gives the skills it is told, one after the other."""

    skills: tuple[int, ...]
    taught: list[tuple[str, Lesson, int]] = field(default_factory=list[tuple[str, Lesson, int]])

    def __call__(self, start: str, rows: Sequence[AnyRow], lesson: Lesson, out: Path, /) -> Trained:
        skill = self.skills[len(self.taught)]
        self.taught.append((start, lesson, len(rows)))
        weights = Weights(model=str(skill), start=f"weights-{skill}")
        return Trained(
            weights=weights, steps=3, tokens=30, rows=len(rows), seconds=1.0, figures={"loss": 0.5}
        )


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Learn from what is right, from the newest weights."""

    async def __call__(self, round: Round, /) -> None:
        drawn = await round.sample(2, sampling=GREEDY)
        rows = round.write("right", prompt_completions(drawn))
        await round.train("sft", rows, plan=Plan())


def run(
    out: Path, trainer: Trainer, engines: Engines, *, controls: Sequence[Course] = (), settings: Settings
) -> Improvement:
    tools = Tools(
        engines=engines,
        trainer=trainer,
        scorers={"numeric": Numeric()},
        held_out={"held out": PROBLEMS[:16]},
        benchmark="times",
    )
    improving = Improving(
        settings=settings,
        tools=tools,
        exam=Exam(problems=PROBLEMS[:16], pool=2),
        base=Weights(model="5", start=""),
        problems=PROBLEMS[24:],
        validation=PROBLEMS[16:24],
        out=out,
    )

    async def work() -> Improvement:
        return await improving([Course(name="keep", loop=Keep()), *controls])

    return anyio.run(work)


def test_rounds_that_lower_validation_are_rolled_back_and_the_next_starts_from_the_kept_ones(
    tmp_path: Path,
) -> None:
    trainer = Trainer(skills=(8, 1, 9))
    found = run(tmp_path, trainer, Engines(), settings=Settings(rounds=3, per_round=12))
    checkpoints = found.arms[0].checkpoints
    assert [one.standing for one in checkpoints] == ["kept", "rolled back", "kept"]
    assert [one.model for one in checkpoints] == ["skill-8", "skill-1", "skill-9"]
    assert [start for start, _, _ in trainer.taught] == ["", "weights-8", "weights-8"]
    assert "rolled back" in checkpoints[1].notes[0]


def test_an_arm_stops_after_so_many_rounds_rolled_back_in_a_row(tmp_path: Path) -> None:
    trainer = Trainer(skills=(8, 1, 1, 9))
    found = run(tmp_path, trainer, Engines(), settings=Settings(rounds=4, per_round=12, patience=2))
    assert len(found.arms[0].checkpoints) == 3
    assert "stopped early" in found.arms[0].notes[0]


def test_a_second_run_asks_no_model_and_trains_nothing_that_was_rolled_out(tmp_path: Path) -> None:
    settings = Settings(rounds=2, per_round=12)
    first = run(tmp_path, Trainer(skills=(6, 8)), Engines(), settings=settings)
    engines = Engines()
    again = run(tmp_path, Trainer(skills=(6, 8)), engines, settings=settings)
    assert engines.calls == []
    assert again == first


def test_rows_that_give_an_evaluation_problem_away_are_not_learned_from(tmp_path: Path) -> None:
    planted = PROBLEMS[3].model_copy(update={"id": "planted"})
    tools = Tools(
        engines=Engines(),
        trainer=Trainer(skills=(8,)),
        scorers={"numeric": Numeric()},
        held_out={"held out": PROBLEMS[:16]},
        benchmark="times",
    )
    round = Round(
        index=1,
        path=tmp_path / "round-1",
        problems=[*PROBLEMS[24:34], planted],
        base=Weights(model="10", start=""),
        current={},
        tools=tools,
        ledger=Ledger(tmp_path),
    )

    async def work() -> Path | None:
        return round.write("right", prompt_completions(await round.sample(1, sampling=GREEDY)))

    file = anyio.run(work)
    assert file is not None
    learned = {row.lineage.problem for row in read_rows(file)}
    assert learned == {problem.id for problem in PROBLEMS[24:34]}
    assert '"held out: 11x24":1' in (tmp_path / "round-1" / "right.jsonl.manifest.json").read_text().replace(
        '": ', '":'
    )


def test_a_control_is_given_the_time_of_the_loop_and_not_less_than_one_round(tmp_path: Path) -> None:
    controls = [
        Course(name="again", loop=Keep(), control=True),
        Course(name="votes", loop=None, control=True),
    ]
    settings = Settings(rounds=1, per_round=12, most_rounds=3, votes=16)
    # A training takes a second by its own account: the loop one, the control as many as that buys.
    found = run(tmp_path, Trainer(skills=(6, 7, 8)), Engines(), controls=controls, settings=settings)
    again, votes = found.controls
    assert [one.round for one in again.checkpoints] == [1]
    assert (again.kind, votes.kind) == ("self-training", "inference-only")
    assert votes.checkpoints[0].name == "votes, 16 votes"
    tokens = votes.checkpoints[0].evaluation.answers.tokens
    assert set(tokens) == {16 * 5}


def test_problems_that_give_held_out_ones_away_are_not_learned_from() -> None:
    reworded = PROBLEMS[2].model_copy(
        update={"id": "reworded", "prompt": "For the red team, work out: 11 times 23."}
    )
    pool = Pool(name="times", problems=(*PROBLEMS[:40], reworded), scorer=Numeric())
    parts = split(pool, None, held_out=10, validation=5)
    assert (len(parts.held_out), len(parts.validation)) == (10, 5)
    assert "reworded" not in {problem.id for problem in parts.learning}
    assert parts.given_away == 1


def test_too_few_problems_to_learn_from_are_refused_with_the_ways_to_more() -> None:
    with pytest.raises(InputError, match="--train-on"):
        split(
            Pool(name="few", problems=tuple(PROBLEMS[:10]), scorer=Numeric()), None, held_out=8, validation=2
        )


def test_several_benchmarks_come_in_turn() -> None:
    pool = open_pool("families:sums?n=3;families:products?n=2")
    assert [problem.metadata["family"] for problem in pool.problems] == [
        "sums",
        "products",
        "sums",
        "products",
        "sums",
    ]


def test_a_model_without_weights_cannot_be_trained() -> None:
    with pytest.raises(InputError, match="no weights"):
        trainable("openai:gpt@http://localhost:1/v1")


@pytest.mark.parametrize(
    ("base", "answers"),
    [
        ("transformers:base.gguf?device=cuda&batch=256", "transformers:round-1/model?device=cuda&batch=256"),
        ("embedded?engine=llamacpp", "embedded:round-1/base-Q8_0.gguf?engine=llamacpp"),
        ("embedded", "embedded:round-1/base-Q8_0.gguf"),
        ("llamacpp:base.gguf?slots=4", "llamacpp:round-1/base-Q8_0.gguf?slots=4"),
        ("scripted:base.jsonl", "embedded:round-1/base-Q8_0.gguf"),
    ],
)
def test_trained_weights_answer_by_the_engine_of_the_base_with_its_options(base: str, answers: str) -> None:
    trained = Weights(model="embedded:round-1/base-Q8_0.gguf", start="round-1/model")
    assert answering_like(Weights(model=base, start=""), trained).model == answers


def test_weights_without_a_gguf_file_stay_with_the_engine_that_can_read_them() -> None:
    trained = Weights(model="transformers:round-1/model", start="round-1/model")
    assert answering_like(Weights(model="embedded", start=""), trained) == trained


@pytest.mark.anyio
async def test_the_seconds_of_a_run_are_those_of_all_its_sessions(tmp_path: Path) -> None:
    engines = Engines()
    tools = Tools(
        engines=engines,
        trainer=Trainer(skills=()),
        scorers={"numeric": Numeric()},
        held_out={},
        benchmark="times",
        in_flight=4,
    )
    solver = Answering(model=engines("5"), sampling=GREEDY)
    await tools.run(solver, PROBLEMS[:6], out=tmp_path / "run")
    waited = [one.seconds for one in read_rollouts(tmp_path / "run")]
    again = await tools.run(solver, PROBLEMS[:8], out=tmp_path / "run")
    assert again.new == 2
    assert again.seconds > 0.75 * sum(waited) / 4


def test_the_time_of_a_killed_session_is_that_of_its_rollouts_over_how_many_went_on_at_once() -> None:
    one = Rollout(problem=PROBLEMS[0], solver="s", seconds=3.0)
    summary = RunSummary(rollouts=40, new=10, failed=0, seconds=6.0)
    assert earlier_seconds([one] * 40, summary, in_flight=5) == pytest.approx(18.0)
    assert earlier_seconds([one] * 40, summary, in_flight=100) == pytest.approx(2.25)
    assert earlier_seconds([], RunSummary(rollouts=0, new=0, failed=0), in_flight=5) == 0.0
