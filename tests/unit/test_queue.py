"""People asked through files: nothing is lost, nothing is asked twice."""

import json
import os
from pathlib import Path

import anyio
import pytest

from gadfly.concurrency import each
from gadfly.errors import InputError, WaitingForPerson
from gadfly.primitives.queue import QueuedPersonCritic
from gadfly.recipes.judge.queued_person import QueuedPerson
from gadfly.records import Candidate, Case, Problem
from gadfly.run.judging import judge_cases
from gadfly.run.manifest import describe
from gadfly.run.store import read_rollouts

pytestmark = pytest.mark.anyio

PROBLEM = Problem(id="p", prompt="What is 2 + 3?", reference="5")
SIX, FIVE = (Candidate(text=text, author="m") for text in ("It is 6.", "It is 5."))


def queue(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "queue.jsonl").read_text("utf-8").splitlines()]


async def asked_for(folder: Path, questions: int) -> None:
    while not (folder / "queue.jsonl").exists() or len(queue(folder)) < questions:  # noqa: ASYNC110
        await anyio.sleep(0.01)


def answer(folder: Path, *lines: str) -> None:
    with (folder / "answers.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def line(name: str, verdict: str = "incorrect", **more: object) -> str:
    return json.dumps({"id": name, "verdict": verdict, **more})


async def ask(critic: QueuedPersonCritic, target: Candidate = SIX) -> str:
    with pytest.raises(WaitingForPerson) as caught:
        await critic(PROBLEM, target)
    return str(caught.value)


async def test_a_question_shows_the_problem_and_the_answer_and_not_who_wrote_it(tmp_path: Path) -> None:
    await ask(QueuedPersonCritic(folder=tmp_path, wait=False))
    (asked,) = queue(tmp_path)
    assert set(asked) == {"id", "kind", "problem", "answer"}
    assert (asked["kind"], asked["problem"], asked["answer"]) == ("candidate", "What is 2 + 3?", "It is 6.")


async def test_the_same_question_is_written_once_by_whoever_asks_and_however_often(tmp_path: Path) -> None:
    critics = [QueuedPersonCritic(folder=tmp_path, wait=False) for _ in range(4)]
    await each(ask, critics * 3)
    await ask(QueuedPersonCritic(folder=tmp_path, wait=False), SIX.model_copy(update={"author": "other"}))
    assert len(queue(tmp_path)) == 1
    await ask(critics[0], FIVE)
    assert len(queue(tmp_path)) == 2


async def test_an_answer_becomes_a_critique(tmp_path: Path) -> None:
    critic = QueuedPersonCritic(folder=tmp_path, wait=False)
    await ask(critic)
    name = queue(tmp_path)[0]["id"]
    answer(tmp_path, line(name, findings=["step 1: [major] 2 + 3 is 5 -> write 5"], text="Look.", by="Ada"))
    said = await critic(PROBLEM, SIX)
    assert (said.target, said.verdict, said.author) == (SIX.id, "incorrect", "person Ada")
    assert (said.findings[0].step, said.findings[0].severity) == (0, "major")
    assert said.text.startswith("Look.\n- step 1")
    assert said.failure is None


async def test_an_answer_without_a_verdict_is_unscored_with_a_reason(tmp_path: Path) -> None:
    critic = QueuedPersonCritic(folder=tmp_path, wait=False)
    await ask(critic)
    answer(tmp_path, json.dumps({"id": queue(tmp_path)[0]["id"], "text": "Hm."}))
    said = await critic(PROBLEM, SIX)
    assert said.verdict is None
    assert said.failure is not None
    assert "no verdict" in said.failure.message


async def test_waiting_ends_when_the_answer_comes(tmp_path: Path) -> None:
    critic = QueuedPersonCritic(folder=tmp_path, every=0.01)
    said: list[str | None] = []

    async def wait(target: Candidate) -> None:
        said.append((await critic(PROBLEM, target)).verdict)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(wait, SIX)
            group.start_soon(wait, FIVE)
            await asked_for(tmp_path, 2)
            for asked in queue(tmp_path):
                answer(tmp_path, line(asked["id"], "correct" if "5." in asked["answer"] else "incorrect"))
    assert sorted(map(str, said)) == ["correct", "incorrect"]


async def test_an_unreadable_line_is_reported_once_by_its_number_and_passed_over(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    critic = QueuedPersonCritic(folder=tmp_path, wait=False, report=told.append)
    await ask(critic)
    name = queue(tmp_path)[0]["id"]
    answer(tmp_path, "not json", line(name, "perhaps"), "", line(name, "correct", mood="fine"))
    for _ in range(3):
        await ask(critic)
    assert len(told) == 3
    assert all(
        f"answers.jsonl:{number}: not read" in said for number, said in zip((1, 2, 4), told, strict=True)
    )
    answer(tmp_path, line(name, "correct"))
    assert (await critic(PROBLEM, SIX)).verdict == "correct"
    assert len(told) == 3


async def test_a_half_written_last_answer_is_waited_for_in_silence(tmp_path: Path) -> None:
    told: list[str] = []
    critic = QueuedPersonCritic(folder=tmp_path, wait=False, report=told.append)
    await ask(critic)
    whole = line(queue(tmp_path)[0]["id"])
    (tmp_path / "answers.jsonl").write_text(whole[:20], encoding="utf-8")
    await ask(critic)
    assert told == []
    (tmp_path / "answers.jsonl").write_text(whole, encoding="utf-8")
    assert (await critic(PROBLEM, SIX)).verdict == "incorrect"


async def test_of_several_answers_the_last_counts(tmp_path: Path) -> None:
    critic = QueuedPersonCritic(folder=tmp_path, wait=False)
    await ask(critic)
    name = queue(tmp_path)[0]["id"]
    answer(tmp_path, line(name, "incorrect"), line(name, "correct"))
    assert (await critic(PROBLEM, SIX)).verdict == "correct"


@pytest.mark.parametrize("cut", [1, 10, 40])
async def test_a_question_torn_by_a_kill_is_written_again_and_whole(tmp_path: Path, cut: int) -> None:
    await ask(QueuedPersonCritic(folder=tmp_path, wait=False))
    await ask(QueuedPersonCritic(folder=tmp_path, wait=False), FIVE)
    file = tmp_path / "queue.jsonl"
    before = file.read_bytes()
    os.truncate(file, len(before) - cut)
    await ask(QueuedPersonCritic(folder=tmp_path, wait=False), FIVE)
    assert queue(tmp_path) == [json.loads(text) for text in before.splitlines()]


async def test_a_run_that_does_not_wait_is_finished_by_a_later_session(tmp_path: Path) -> None:
    judge = QueuedPerson(folder=str(tmp_path / "people"))
    cases = [
        (Problem(id=target.text, prompt="What is 2 + 3?"), Case(candidates=(target,)))
        for target in (SIX, FIVE)
    ]
    run = tmp_path / "run"
    await judge_cases(judge, cases, out=run)
    first = list(read_rollouts(run))
    assert [rollout.failure.type for rollout in first if rollout.failure] == ["WaitingForPerson"] * 2
    asked = queue(tmp_path / "people")
    answer(tmp_path / "people", line(next(a["id"] for a in asked if a["answer"] == "It is 6.")))
    await judge_cases(QueuedPerson(folder=str(tmp_path / "people")), cases, out=run)
    after = {rollout.problem.id: rollout for rollout in read_rollouts(run)}
    assert after["It is 6."].failure is None
    assert after["It is 5."].failure is not None
    assert len(after) == 2
    assert queue(tmp_path / "people") == asked


def test_the_folder_stays_out_of_the_manifest(tmp_path: Path) -> None:
    assert str(tmp_path) not in json.dumps(describe(QueuedPerson(folder=str(tmp_path))))


def test_a_queue_must_pause_between_looks() -> None:
    with pytest.raises(InputError, match="wait some time"):
        QueuedPerson(folder="x", every=0)
