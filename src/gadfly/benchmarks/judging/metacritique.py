"""MetaCritique: critiques by people and models, taken apart into claims that people checked.

Sun et al., 2024, arXiv:2401.04518. Upstream's `annotation_data.json` has for each answer a reference
critique and three critiques with their claims (AIUs); a flat file with one critique a row (fields
critique, aius, precision_labels, recall_labels, f1, critic) is read as well. Each critique is one case:
the critique is what is judged, its value is people's F1 (0 to 1), the reference critique is the gold
critique and its claims the gold findings. The claims and their labels stand in `problem.privileged`:
`aius` and `precision_labels` (is the claim true), `reference_aius` and `recall_labels` (does the critique
cover the claim). A row with no critique to judge, as in `benchmark_data.json`, is an answer with its
reference critique.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from pydantic import JsonValue

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Upstream
from gadfly.benchmarks.judging.cases import (
    SHARED_OPTIONS,
    UNKNOWN,
    Pairs,
    RowCases,
    candidates_of,
    problem_of,
    read_cases,
)
from gadfly.benchmarks.judging.fields import Fields
from gadfly.records import Case, Critique, Finding, Gold

_DOWNLOAD = "https://github.com/GAIR-NLP/MetaCritique/raw/main/data/annotation_data.json"
_SLOTS = ("human_critique", "llm1_critique", "llm2_critique")

ABOUT = About(
    name="metacritique",
    summary="judge critiques whose claims people checked one by one (300)",
    licence="Apache-2.0",
    citation="Sun et al., 2024, arXiv:2401.04518",
    example="metacritique:annotation_data.json",
    needs=f"the file ({_DOWNLOAD})",
    options=SHARED_OPTIONS,
)
_UPSTREAM = Upstream(title="MetaCritique", download=_DOWNLOAD, files=("annotation_data.json",))


def load(target: str, options: Mapping[str, str]) -> RowCases:
    """The critiques of the file or folder `target`; the subset is the question's data set.

    Raises:
        InputError: nothing to read, a row that is not of the format, or an option that cannot be used.
    """
    return read_cases(target, options, about=ABOUT, upstream=_UPSTREAM, convert=_cases)


def _cases(rows: Iterable[Fields], options: Mapping[str, str]) -> Pairs:
    for row in rows:
        name = row.text("index", "shepherd_id") if row.has("index", "shepherd_id") else str(row.index)
        reference = row.inside("gpt4_critique") if isinstance(row.row.get("gpt4_critique"), dict) else None
        words = reference.text("critique") if reference else row.maybe("gpt4_critique")
        claims = reference.texts("aius") if reference and reference.has("aius") else []
        answers = candidates_of([row.text("response")])
        slots = [(slot, row.inside(slot)) for slot in _SLOTS if row.has(slot)]
        if not slots and row.has("critique"):
            slots = [(row.maybe("slot") or "critique", row)]
        for slot, judged in slots or [("answer", None)]:
            problem = problem_of(
                f"metacritique-{name}-{slot.removesuffix('_critique')}",
                row.text("question"),
                subset=row.maybe("dataset"),
                group=name,
                reference=row.maybe("gpt4_answer"),
                privileged=_labels(judged, claims) if judged else {},
            )
            critique = None
            if judged:
                human = "human" if slot == "human_critique" else ""
                author = judged.maybe("model", "critic") or human or UNKNOWN
                critique = Critique(target=answers[0].id, text=judged.text("critique"), author=author)
            gold = Gold(
                value=judged.number("f1_score", "f1") if judged else None,
                critique=words or None,
                findings=tuple(Finding(text=claim) for claim in claims),
            )
            yield problem, Case(candidates=answers, critique=critique, gold=gold)


def _labels(judged: Fields, claims: list[str]) -> dict[str, JsonValue]:
    """The claims and what people said of each.

    Raises:
        InputError: there are not as many labels as claims.
    """
    aius = judged.texts("aius")
    true, covered = _truths(judged, "precision_labels"), _truths(judged, "recall_labels")
    if len(true) != len(aius):
        raise judged.wrong(
            "precision_labels", f"a list of {len(aius)} labels", judged.raw("precision_labels")
        )
    if claims and len(covered) != len(claims):
        raise judged.wrong("recall_labels", f"a list of {len(claims)} labels", judged.raw("recall_labels"))
    return cast(
        dict[str, JsonValue],
        {"aius": aius, "precision_labels": true, "reference_aius": claims, "recall_labels": covered},
    )


def _truths(judged: Fields, field: str) -> list[bool]:
    value = judged.raw(field)
    labels = cast(list[object], value) if isinstance(value, list) else [value]
    if any(label not in (0, 1) for label in labels):
        raise judged.wrong(field, "a list of true and false", judged.raw(field))
    return [bool(label) for label in labels]
