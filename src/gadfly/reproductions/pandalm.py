"""PandaLM: verdicts on pairs beside three annotators (arXiv:2306.05087).

The tables of the repository's README: agreement of annotators, macro figures of two judges, and
wins, losses and ties of every pair of models by people and by both judges.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from gadfly.errors import InputError
from gadfly.metrics.agreement import cohen_kappa
from gadfly.metrics.detection import classification
from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

CLASSES = ("0", "1", "2")
ANNOTATORS = (1, 2, 3)
JUDGES = ("gpt35", "pandalm")
TIE = "0"
TWO_DECIMALS = 0.005

Verdict: TypeAlias = int | str
_Counts: TypeAlias = tuple[int, int, int]
"""Wins of the model named first, its losses, and ties."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")

    idx: int | str
    cmp_key: str
    annotator1: Literal[0, 1, 2]
    annotator2: Literal[0, 1, 2]
    annotator3: Literal[0, 1, 2]
    gpt35_verdict: Verdict
    pandalm_verdict: Verdict

    def annotated(self) -> tuple[str, str, str]:
        return str(self.annotator1), str(self.annotator2), str(self.annotator3)

    def said(self, judge: str) -> str:
        """A judge's verdict; what is neither 1 nor 2 is a tie, garbage included."""
        verdict = str(self.gpt35_verdict if judge == "gpt35" else self.pandalm_verdict).strip()
        return verdict if verdict in ("1", "2") else TIE


class _Published(BaseModel):
    model_config = ConfigDict(extra="ignore")

    kappa: dict[str, float]
    labels: dict[str, int]
    prf: dict[str, dict[str, float]]
    win_lose_tie: dict[str, dict[str, _Counts]]


def checks(folder: Path) -> Iterator[Check | Note]:
    """Kappas, labels, macro figures in per cent, and three counts a pair of models."""
    published = _published(folder / "published.json")
    rows = list(read_typed(folder / "pairs.jsonl.gz", _Row))
    majorities = [_majority(row) for row in rows]
    kept = [(row, label) for row, label in zip(rows, majorities, strict=True) if label is not None]
    if not kept:
        raise InputError(f"{folder}: no row has a majority of its annotators")
    gold = [label for _, label in kept]
    said = {judge: [row.said(judge) for row, _ in kept] for judge in JUDGES}
    yield from _agreement(rows, published.kappa)
    for label, count in published.labels.items():
        what = f"pairs whose majority label is {label}"
        yield Check(what=what, part="labels", published=count, ours=gold.count(label))
    for judge, figures in published.prf.items():
        yield from _figures(judge, gold, said.get(judge), figures)
    for judge, pairs in published.win_lose_tie.items():
        verdicts = gold if judge == "human" else said.get(judge)
        tallies = {} if verdicts is None else _tallies([row for row, _ in kept], verdicts)
        for pair, counts in pairs.items():
            yield from _tuple(f"{pair}, {judge}", counts, _counts(tallies, pair))
    garbage = sum(_is_garbage(row.gpt35_verdict) + _is_garbage(row.pandalm_verdict) for row in rows)
    yield Note(text=f"{garbage} verdicts could not be read; they count as ties, as in the tables")
    if len(kept) < len(rows):
        yield Note(text=f"{len(rows) - len(kept)} rows left out: three annotators with three labels")


def _agreement(rows: Sequence[_Row], published: dict[str, float]) -> Iterator[Check]:
    labels = {str(number): [row.annotated()[number - 1] for row in rows] for number in ANNOTATORS}
    ours = {
        f"{one}-{other}": cohen_kappa(labels[one], labels[other]) for one, other in combinations(labels, 2)
    }
    for pair, value in published.items():
        yield Check(
            what=f"kappa of annotators {pair}",
            part="kappas",
            published=value,
            ours=ours.get(pair),
            tolerance=TWO_DECIMALS,
        )


def _figures(
    judge: str, gold: Sequence[str], said: Sequence[str] | None, published: dict[str, float]
) -> Iterator[Check]:
    ours: dict[str, float] = {}
    if said is not None:
        found = classification(gold, said, classes=CLASSES)
        ours = {
            "accuracy": found.accuracy,
            "precision": found.precision,
            "recall": found.recall,
            "f1": found.f1,
        }
    for name, value in published.items():
        mine = ours.get(name)
        yield Check(
            what=f"{judge}: {name}",
            part="accuracy, precision, recall and F1",
            published=value,
            ours=None if mine is None else 100 * mine,
            tolerance=TWO_DECIMALS,
        )


def _tuple(what: str, published: _Counts, ours: _Counts | None) -> Iterator[Check]:
    """The three counts of one cell. Two of them printed in each other's place are upstream's slip."""
    turned = ours is not None and sorted(published) == sorted(ours)
    swapped = turned and sum(one != other for one, other in zip(published, ours or (), strict=False)) == 2
    because = f"two counts are transposed in the table: it prints {published}, the records give {ours}"
    for place, name in enumerate(("wins", "losses", "ties")):
        check = Check(
            what=f"{what}: {name}",
            part="wins, losses and ties",
            published=published[place],
            ours=None if ours is None else ours[place],
        )
        yield check.model_copy(update={"upstream": because}) if swapped and not check.matched else check


def _tallies(rows: Sequence[_Row], verdicts: Sequence[str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row, verdict in zip(rows, verdicts, strict=True):
        found.setdefault(row.cmp_key, Counter())[verdict] += 1
    return found


def _counts(tallies: Mapping[str, Counter[str]], pair: str) -> _Counts | None:
    """Of a pair of models "a|b". The model that a row's key names first wrote response 1."""
    one, _, other = pair.partition("|")
    there, back = tallies.get(f"{one}_{other}"), tallies.get(f"{other}_{one}")
    if there is None and back is None:
        return None
    there, back = there or Counter(), back or Counter()
    return there["1"] + back["2"], there["2"] + back["1"], there[TIE] + back[TIE]


def _majority(row: _Row) -> str | None:
    label, count = Counter(row.annotated()).most_common(1)[0]
    return label if count >= 2 else None


def _is_garbage(verdict: Verdict) -> bool:
    return str(verdict).strip() not in (*CLASSES, "Tie")


def _published(path: Path) -> _Published:
    try:
        return _Published.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {place}: {first['msg']}") from None


REPRODUCTION = Reproduction(
    name="pandalm",
    summary="Agreement of annotators, macro figures of two judges, and wins between five models.",
    citation="Wang et al. 2023, PandaLM, arXiv:2306.05087; tables of its repository's README",
    licence="Apache-2.0",
    conventions=(
        "gold: the label of at least two of three annotators",
        "an unreadable verdict is a tie",
        "metrics.detection.classification over the classes 0, 1, 2",
        "metrics.agreement.cohen_kappa, unweighted",
    ),
    checks=checks,
)
