"""Critics measured by the answers that their critiques lead to."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import gadfly, serving
from support.judgements import Knowing, Pairs, Sums

from gadfly.errors import InputError
from gadfly.models.scripted import Scripted
from gadfly.protocols import Critic
from gadfly.recipes.judge.baselines import Constant, CopiesReference, FirstShown
from gadfly.records import Completion, Request
from gadfly.run.correcting import Correcting, CriticCorrection, correct_cases, measure_corrections
from gadfly.run.store import read_rollouts
from gadfly.scorers.text import Numeric

pytestmark = pytest.mark.anyio


def adds(request: Request) -> Completion:
    """Gets a sum right only when a reviewer has something to say; alone it is one off."""
    asked = request.messages[-1].content
    first, _, second = asked.split("What is ")[1].split("?")[0].partition(" + ")
    total = int(first) + int(second) + ("reviewer says" not in asked)
    return Completion(text=f"Answer: {total}", model="adds")


def breaks(request: Request) -> Completion:
    """Gets everything wrong."""
    return Completion(text="Answer: -1", model="breaks")


async def corrected(
    critic: Critic, tmp_path: Path, *, reviser: Callable[[Request], Completion] = adds, rounds: int = 1
) -> CriticCorrection:
    setting = Correcting(
        critic=critic, reviser=Scripted.from_function(reviser), scorer=Numeric(), rounds=rounds
    )
    await correct_cases(setting, Sums(size=30).cases(), out=tmp_path / "run")
    return measure_corrections(read_rollouts(tmp_path / "run"), critic="c", reviser="r", rounds=rounds)


async def test_a_critic_that_accepts_everything_changes_nothing(tmp_path: Path) -> None:
    found = await corrected(Constant(says="correct"), tmp_path)
    assert found.found.gain.value == 0
    assert found.found.before.value == pytest.approx(20 / 30)
    assert found.unaccepted == 0


async def test_a_critic_that_rejects_everything_is_worth_what_the_reviser_makes_of_it(tmp_path: Path) -> None:
    found = await corrected(Constant(says="incorrect"), tmp_path / "good")
    assert found.found.after.value == 1
    assert (found.found.flips.wrong_to_right, found.found.flips.right_to_wrong) == (10, 0)
    harmed = await corrected(Constant(says="incorrect"), tmp_path / "bad", reviser=breaks)
    assert harmed.found.after.value == 0
    assert harmed.found.flips.right_to_wrong == 20


async def test_a_knowing_critic_mends_and_harms_less_with_a_bad_reviser(
    tmp_path: Path,
) -> None:
    mended = await corrected(Knowing(), tmp_path / "good")
    assert mended.found.gain.value > 0.2
    harmed = await corrected(Knowing(), tmp_path / "bad", reviser=breaks)
    assert harmed.found.flips.right_to_wrong < 5


async def test_the_gain_over_the_revisers_own_answers_is_told_apart(tmp_path: Path) -> None:
    found = await corrected(Knowing(), tmp_path)
    assert found.direct is not None
    assert found.direct.gain.value == found.found.after.value
    assert found.direct.gain.value > found.found.gain.value


async def test_an_oracles_corrections_are_marked(tmp_path: Path) -> None:
    assert (await corrected(CopiesReference(), tmp_path)).found.saw_reference


async def test_rounds_are_measured_one_by_one(tmp_path: Path) -> None:
    found = await corrected(Constant(says="incorrect"), tmp_path, rounds=3)
    assert [one.round for one in found.by_round] == [1, 2, 3]
    assert [one.gain.value for one in found.by_round] == [pytest.approx(1 / 3)] * 3


async def test_the_reviser_never_sees_the_reference_and_is_not_paid_twice(tmp_path: Path) -> None:
    asked: list[str] = []

    def listen(request: Request) -> Completion:
        asked.append(request.model_dump_json())
        return adds(request)

    setting = Correcting(critic=Knowing(), reviser=Scripted.from_function(listen), scorer=Numeric())
    await correct_cases(setting, Sums(size=9).cases(), out=tmp_path)
    before = len(asked)
    assert not any('"reference"' in one for one in asked)
    await correct_cases(setting, Sums(size=9).cases(), out=tmp_path)
    assert len(asked) == before


async def test_what_cannot_be_corrected_is_refused_with_the_reason(tmp_path: Path) -> None:
    reviser = Scripted.from_function(adds)
    with pytest.raises(InputError, match="no critique to rewrite by"):
        await correct_cases(
            Correcting(critic=FirstShown(), reviser=reviser, scorer=Numeric()),  # pyright: ignore[reportArgumentType]
            Sums().cases(),
        )
    setting = Correcting(critic=Constant(), reviser=reviser, scorer=Numeric())
    with pytest.raises(InputError, match="not one answer to be corrected"):
        await correct_cases(setting, Pairs().cases())
    (problem, case), *_ = Sums().cases()
    with pytest.raises(InputError, match="has no reference"):
        await correct_cases(setting, [(problem.model_copy(update={"reference": None}), case)])


def test_the_command_prints_what_critiques_led_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GADFLY_CACHE_DIR", str(tmp_path / "cache"))
    rows = [
        {"q": f"What is {n} times 7?", "ref": str(7 * n), "a": str(7 * n + n % 2), "ok": 1 - n % 2}
        for n in range(8)
    ]
    Path("s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    columns = ("--map", "problem=q,answer=a,gold=ok,reference=ref")
    with serving() as model:
        words = ("--judges", "constant,constant:says=incorrect", "--reviser", model, "--out", "out")
        ended = gadfly("critics", "s.jsonl", *columns, *words)
    assert ended.code == 0, ended.err
    assert "rewritten by" in ended.out
    found = json.loads(Path("out/critics.json").read_text())
    assert [one["critic"] for one in found["corrections"]] == ["constant", "constant:says=incorrect"]
    assert found["corrections"][0]["found"]["gain"]["value"] == 0
    refused = gadfly("critics", "s.jsonl", *columns, "--reviser", "embedded")
    assert refused.code != 0
    assert "--judges, which is missing" in " ".join(refused.err.split())
