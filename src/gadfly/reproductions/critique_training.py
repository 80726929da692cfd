"""Critique data: Shepherd's sources counted, and what Self-Refine's later attempts do.

Shepherd (arXiv:2308.04592), Self-Refine (arXiv:2303.17651).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from gadfly.parsing.typed_rows import read_typed
from gadfly.reproductions.check import Check, Note, Reproduction

SOURCES: Mapping[str, tuple[str, int]] = {
    "Entailment Bank": ("entailment_bank", 11),
    "Proofwriter": ("proofwriter", 162),
    "GSM8K": ("GSM8K", 431),
    "PIQA": ("PIQA", 246),
    "CosmosQA": ("cosmosqa", 143),
    "e-SNLI": ("ESNLI", 65),
    "Adversarial NLI": ("anli", 68),
    "ECQA": ("ECQA", 118),
    "GPT-3 summarization": ("era", 26),
    "DeFacto": ("DeFacto", 29),
}
"""The README's table: source, its name in the field `dataset`, number of prompts."""
TOTAL = 1317
ATTEMPTED = "gpt4"
ATTEMPTS = 5
_SUCCESS = re.compile(r"\bvery positive\b", re.IGNORECASE)
_VERDICT = re.compile(r"\b(?:positive|negative|neutral|mixed)\b", re.IGNORECASE)
"""What a sentiment that can be read names."""


class _Feedback(BaseModel):
    dataset: str
    question: str


class _Attempt(BaseModel):
    model: str
    attempt: int
    transferred_review_sentiment: str


def _checks(folder: Path) -> Iterator[Check | Note]:
    rows = list(read_typed(folder / "shepherd.jsonl.gz", _Feedback))
    counts = Counter(row.dataset for row in rows)
    for source, (name, published) in SOURCES.items():
        yield Check(what=f"Shepherd, README, {source}", published=published, ours=counts[name])
    yield Check(what="Shepherd, rows in all", published=TOTAL, ours=len(rows))
    distinct = Counter(dataset for dataset, _ in {(row.dataset, row.question) for row in rows})
    repeated = [f"{name} {counts[name]} rows, {distinct[name]} questions" for name in sorted(counts)]
    repeated = [
        text for text, name in zip(repeated, sorted(counts), strict=True) if distinct[name] < counts[name]
    ]
    unlisted = {name: counts[name] for name in sorted(set(counts) - {name for name, _ in SOURCES.values()})}
    yield Note(
        text="the README's numbers of prompts count rows by the field `dataset`"
        + (f"; distinct questions are fewer: {', '.join(repeated)}" if repeated else "")
    )
    if unlisted:
        yield Note(
            text=f"{sum(unlisted.values())} rows are of sources that the table leaves out: "
            + ", ".join(f"{name} {count}" for name, count in unlisted.items())
        )
    yield _over_refinement(list(read_typed(folder / "selfrefine_yelp.jsonl.gz", _Attempt)))


def _over_refinement(rows: list[_Attempt]) -> Note:
    """Success by attempt under both conventions: the model asks for more after it has succeeded."""
    wrong: list[str] = []
    left_out: list[str] = []
    for attempt in range(ATTEMPTS):
        texts = [
            row.transferred_review_sentiment
            for row in rows
            if row.model == ATTEMPTED and row.attempt == attempt
        ]
        good = sum(bool(_SUCCESS.search(text)) for text in texts)
        read = sum(bool(_VERDICT.search(text)) for text in texts)
        wrong.append(f"{100 * good / len(texts):.1f}" if texts else "none")
        left_out.append(f"{100 * good / read:.1f}" if read else "none")
    return Note(
        text="Self-Refine on Yelp, GPT-4: judged very positive by attempt "
        f'{", ".join(wrong)} % under unreadable="wrong", and {", ".join(left_out)} % under '
        'unreadable="left out" (a text for which the judge of sentiment names none)'
    )


REPRODUCTION = Reproduction(
    name="critique_training",
    summary="the ten counts of Shepherd's table of sources",
    citation="Wang et al. 2023, Shepherd, arXiv:2308.04592; Madaan et al. 2023, arXiv:2303.17651",
    licence="CC BY-NC 4.0 (Shepherd); Apache-2.0 (Self-Refine; reviews under Yelp's terms)",
    conventions=("Shepherd: rows by their field dataset", 'Self-Refine: unreadable="wrong"'),
    checks=_checks,
)
