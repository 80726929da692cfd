"""Reports of judges: the biases they name, what is undefined, the pictures, the page and the comparison."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console

from gadfly.errors import InputError
from gadfly.metrics.judged import Judged
from gadfly.run.critics import compare_judges, grids, print_critics
from gadfly.run.judge_figures import MOST, draw_judge, write_judge_figures
from gadfly.run.judge_measure import measure
from gadfly.run.judge_page import judge_page
from gadfly.run.judge_report import JudgeFigure, JudgeReport
from gadfly.run.judge_table import ORACLE, print_judge

PLACES = ("first", "second")


def pairs(judge: str, *, longer: bool, size: int = 60) -> list[Judged]:
    """Both orders of pairs by two authors; the judge takes the longer answer, or what people take."""
    rows: list[Judged] = []
    for number in range(size):
        gold, long = PLACES[number % 2], PLACES[number // 2 % 2]
        said = long if longer else gold
        if number % 10 == 0:
            said = PLACES[1 - PLACES.index(said)]
        lengths = (200, 100) if long == "first" else (100, 200)
        for swapped in (False, True):
            rows.append(
                Judged(
                    item=str(number),
                    judge=judge,
                    gold=gold,
                    said=said,
                    swapped=swapped,
                    lengths=lengths,
                    authors=("me", "you") if long == "first" else ("you", "me"),
                )
            )
    return rows


def verdicts(judge: str, said: Sequence[str | None], *, saw: bool = False, item: str = "") -> list[Judged]:
    return [
        Judged(
            item=f"{item}{number}",
            judge=judge,
            gold="correct" if number % 3 else "incorrect",
            said=one,
            why="" if one else "no line",
            lengths=(10 + 50 * (one == "correct") + number % 20,),
            saw_reference=saw,
        )
        for number, one in enumerate(said)
    ]


def report(rows: Sequence[Judged], *, model: str = "") -> JudgeReport:
    return measure(rows, benchmark="b", judge=rows[0].judge, model=model)


def figures(of: JudgeReport, title: str) -> dict[str, JudgeFigure]:
    sections = {section.title: section for section in of.sections}
    return {figure.name: figure for figure in sections[title].figures} if title in sections else {}


def printed(of: JudgeReport) -> str:
    out = io.StringIO()
    print_judge(of, Console(file=out, width=100, markup=False))
    return out.getvalue()


# ---------------------------------------------------------------- biases


def test_a_judge_that_takes_the_longer_answer_is_reported_with_a_length_bias() -> None:
    found = figures(report(pairs("j", longer=True)), "Length and authors")
    share, more, slope = (
        found[name].found
        for name in ("prefers the longer answer", "more than people do", "slope over length")
    )
    assert share is not None
    assert more is not None
    assert slope is not None
    assert share.value == pytest.approx(0.9)
    assert more.value == pytest.approx(0.4)
    assert more.low > 0
    assert slope.low > 0


def test_a_judge_that_follows_people_has_no_length_bias() -> None:
    found = figures(report(pairs("j", longer=False)), "Length and authors")
    more = found["more than people do"].found
    assert more is not None
    assert more.low <= 0 <= more.high


@pytest.mark.parametrize("model", ["me", "openai:me@http://localhost/v1", "openai:org/me?seed=1"])
def test_a_judge_is_known_among_the_authors_by_its_models_name(model: str) -> None:
    found = figures(report(pairs("pairwise", longer=True), model=model), "Length and authors")
    own = found["prefers its own more than people do"].found
    lost = found["its own where people prefer the other"].found
    assert own is not None
    assert own.value == pytest.approx(0.4)
    assert lost is not None
    assert lost.value == pytest.approx(0.9)


def test_of_a_judge_that_wrote_none_of_the_answers_no_self_preference_is_told() -> None:
    found = figures(
        report(pairs("j", longer=True), model="openai:other@http://localhost/v1"), "Length and authors"
    )
    assert not [name for name in found if "own" in name]


def test_a_critic_that_calls_long_answers_correct_has_a_slope_over_length() -> None:
    said = ["correct" if number % 4 < 2 else "incorrect" for number in range(80)]
    # Every fifth length is that of the other verdict, or no finite slope would fit.
    rows = [
        row.model_copy(update={"lengths": (70 - row.lengths[0],)}) if int(row.item) % 5 == 0 else row
        for row in verdicts("c", said)
    ]
    slope = figures(report(rows), "Length and authors")["slope over length"].found
    assert slope is not None
    assert slope.low > 0


def test_without_lengths_nothing_is_said_of_length() -> None:
    rows = [row.model_copy(update={"lengths": ()}) for row in verdicts("c", ["correct"] * 60)]
    assert figures(report(rows), "Length and authors") == {}


# ---------------------------------------------------------------- what is undefined


def test_the_precision_of_a_critic_that_calls_nothing_wrong_is_not_there_and_not_zero() -> None:
    found = figures(report(verdicts("c", ["correct"] * 60)), "Skill")["precision on wrong answers"]
    assert found.found is None
    assert found.why == "it calls no answer wrong"


def test_three_labels_get_macro_figures_and_two_do_not() -> None:
    rows = pairs("j", longer=False)
    assert "macro F1" not in figures(report(rows), "Skill")
    tied = [row.model_copy(update={"gold": "tie"}) if int(row.item) < 10 else row for row in rows]
    assert "macro F1" in figures(report(tied), "Skill")


def test_failures_are_counted_beside_their_first_examples() -> None:
    found = report(verdicts("c", ["correct"] * 55 + [None] * 5))
    assert found.failures == {"missed error": 19, "unreadable": 5}
    assert "missed error 19 times, as in item 0: people say incorrect, the judge says correct" in printed(
        found
    )


# ---------------------------------------------------------------- oracles


def test_every_table_of_an_oracle_says_so() -> None:
    rows = verdicts("peeks", ["correct" if n % 3 else "incorrect" for n in range(60)], saw=True)
    rows = [row.model_copy(update={"subset": "ab"[int(row.item) % 2]}) for row in rows]
    peeks, blind = report(rows), report(verdicts("blind", ["correct"] * 60))
    heads = [line for line in printed(peeks).splitlines() if "value [95" in line or "people say, the" in line]
    assert len(heads) >= 3
    assert all(ORACLE in head for head in heads)
    found = compare_judges([blind, peeks], {"blind": verdicts("blind", ["correct"] * 60), "peeks": rows})
    for grid in grids(found):
        assert any(f"peeks {ORACLE}" in cell for cell in (*grid.headings, *(row[0] for row in grid.rows)))


# ---------------------------------------------------------------- side by side


def test_judges_are_held_against_the_first_that_has_judged_what_others_have() -> None:
    rows = {
        "alone": verdicts("alone", ["correct"] * 60, item="x"),
        "one": verdicts("one", ["correct"] * 60),
        "two": verdicts("two", ["incorrect"] * 60),
    }
    found = compare_judges([report(mine) for mine in rows.values()], rows)
    (difference,) = found.differences
    assert (difference.baseline, difference.judge) == ("one", "two")
    assert found.apart == ("alone",)
    out = io.StringIO()
    print_critics(found, Console(file=out, width=100, markup=False))
    assert "judged nothing that one did: alone" in out.getvalue()


def test_judges_of_which_no_two_have_judged_the_same_are_refused() -> None:
    rows = {name: verdicts(name, ["correct"] * 60, item=name) for name in ("a", "b", "c")}
    with pytest.raises(InputError, match="nothing can be compared"):
        compare_judges([report(mine) for mine in rows.values()], rows)


def test_the_page_of_a_comparison_holds_its_tables_and_every_judges_picture(tmp_path: Path) -> None:
    rows = {name: verdicts(name, [said] * 60) for name, said in (("one", "correct"), ("two", "incorrect"))}
    found = compare_judges([report(mine) for mine in rows.values()], rows)
    pictures = write_judge_figures(found.reports, tmp_path)
    assert {judge: path.name for judge, path in pictures.items()} == {
        "one": "judge.png",
        "two": "judge-2.png",
    }
    images = {judge: path.read_bytes() for judge, path in pictures.items()}
    page = judge_page(found.reports, pictures=images, grids=grids(found))
    assert page.count("<img ") == 2
    for words in ("against one", "kappa between judges", "McNemar p", "missed error", "gadfly critics"):
        assert words in page


# ---------------------------------------------------------------- pictures


def test_no_label_of_one_picture_lies_over_the_other() -> None:
    rows = pairs("j", longer=True)
    turned = [
        row.model_copy(update={"said": PLACES[int(row.swapped)] if int(row.item) % 2 else row.said})
        for row in rows
    ]
    figure = draw_judge(report([*turned[:40], *pairs("j", longer=True)[40:]]))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    confusion, together = figure.axes
    right_edge = confusion.get_window_extent().x1
    labels = [label.get_window_extent(canvas.get_renderer()) for label in together.get_yticklabels()]
    assert len(labels) > 1
    assert all(label.x0 > right_edge for label in labels)


def test_only_so_many_judges_of_one_file_get_pictures(tmp_path: Path) -> None:
    many = [report(verdicts(f"j{number}", ["correct"] * 9)) for number in range(MOST + 1)]
    assert len(write_judge_figures(many, tmp_path)) == MOST
