"""What critics are worth, read from the reports of `gadfly judge` and `gadfly critics`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gadfly.errors import InputError
from gadfly.primitives.fusion import Skill
from gadfly.run.critics import CriticsReport
from gadfly.run.judge_report import JudgeReport

_REPORTS: TypeAdapter[CriticsReport | tuple[JudgeReport, ...] | JudgeReport] = TypeAdapter(
    CriticsReport | tuple[JudgeReport, ...] | JudgeReport
)


def skills_from(path: str | Path) -> tuple[Skill, ...]:
    """The skill of each judge in a `judge.json` or `critics.json`, or in the folder of one, in its order.

    Raises:
        InputError: there is no such file, it is no report, or its judges gave no verdicts on answers of
            both kinds, right ones and wrong ones.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        place = next((f for name in ("critics.json", "judge.json") if (f := place / name).exists()), place)
    try:
        found = _REPORTS.validate_json(place.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the report {path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise InputError(
            f"{path} is no report of judges: give the judge.json or critics.json that `gadfly judge` or "
            "`gadfly critics` wrote"
        ) from error
    if isinstance(found, JudgeReport):
        found = (found,)
    return tuple(skill_of(report) for report in (found if isinstance(found, tuple) else found.reports))


def skill_of(report: JudgeReport) -> Skill:
    """The counts and rates of one judge, smoothed by one report and one silence; unreadable ones left out.

    Raises:
        InputError: it is about something else than verdicts, or about answers of one kind only.
    """
    wrong, right = (_verdicts(report.confusion.get(label, {})) for label in ("incorrect", "correct"))
    if report.kind != "verdict" or not sum(wrong) or not sum(right):
        raise InputError(
            f"the report of {report.judge} has no readable verdicts on both right and wrong answers: "
            "measure it on a benchmark that has both"
        )
    located = report.figure("found in wrong solutions")
    return Skill(
        right=wrong[0] + right[1],
        judged=sum(wrong) + sum(right),
        detection=(wrong[0] + 1) / (sum(wrong) + 2),
        false_alarm=(right[0] + 1) / (sum(right) + 2),
        located=None if located is None else (located.value * located.n + 1) / (located.n + 2),
    )


def _verdicts(said: Mapping[str, int]) -> tuple[int, int]:
    return said.get("incorrect", 0), said.get("correct", 0)
