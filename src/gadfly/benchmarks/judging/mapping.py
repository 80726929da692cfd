"""What `--map` knows: our fields, and how a column of theirs may be meant."""

from collections.abc import Callable, Mapping, Sequence
from math import prod

FIELDS: Mapping[str, str] = {
    "item": "what was judged; the row's number where it is not given",
    "judge": "who judged",
    "subset": "which part of the data it belongs to",
    "group": "what makes rows dependent, such as the question",
    "gold": "what people say; several columns joined by +, or a list, vote",
    "said": "what the judge says",
    "swapped": "what it says with the answers in the other order, naming places (A is then the second)",
    "swapped_back": "the same, but already naming the answers themselves",
    "order": "in which order this row shows the answers: given or swapped",
    "score": "the judge's number, higher for the better answer or for the first of two",
    "first_score": "the judge's number for the first of two answers",
    "second_score": "the judge's number for the second",
    "confidence": "how sure the judge is of what it says, 0 to 1",
    "swapped_score": "score with the answers in the other order, for the place that is then the first",
    "swapped_first_score": "first_score with the answers in the other order",
    "swapped_second_score": "second_score with the answers in the other order",
    "swapped_preference": "preference with the answers in the other order",
    "preference": "a number from 1 (the first is better) to 2 (the second is)",
    "gold_score": "people's number",
    "step": "the first step that the judge calls wrong; @1 where steps are counted from 1",
    "gold_step": "the first wrong step; @1 where steps are counted from 1",
    "saw_reference": "whether the judge saw the right answer",
    "problem": "the question, where a judge is to be run",
    "reference": "the right answer, for judges that may see it",
    "answer": "the one answer that is judged; a list is its steps",
    "first": "the first of two answers",
    "second": "the second of two answers",
    "author": "who wrote the one answer",
    "first_author": "who wrote the first of two",
    "second_author": "who wrote the second of two",
}
HOW: Mapping[str, str] = {
    "@1": "steps are counted from 1",
    "@blank": "an empty cell says that no step is wrong",
    "@under0.5": "a list of numbers: the first wrong step is the first one under 0.5",
    "@brackets": "what stands in [[double brackets]] inside a longer text",
    "@boxed": "what stands in the last \\boxed{} of a longer text",
    "@line": "the last line of a longer text, after its last colon",
    "@pair": "a judge's text that begins with the two scores: the first or the second of them",
    "@largest": "a list of numbers: the place of the largest, from 0 (of two: first or second)",
    "@constant": "no column: the word itself, in every row",
    "@percent": "a number out of 100",
    "@mean": "a list of numbers: their mean; also @min, @max, @last, @product",
    "@places": "in a row of the other order, the column names places; said does so by default",
    "@answers": "in a row of the other order, the column names answers; gold does so by default",
}
"""What may follow a column."""
SWAPPED: Mapping[str, str] = {
    "score": "swapped_score",
    "first_score": "swapped_first_score",
    "second_score": "swapped_second_score",
    "preference": "swapped_preference",
}
"""Numbers of the given order, with the fields for the same numbers of the other order."""
JUDGES = frozenset(
    {"said", "swapped", "swapped_back", "step", "confidence", "saw_reference", *SWAPPED, *SWAPPED.values()}
)
"""Fields that a judge gives."""
PAIRS = frozenset(
    {
        *("swapped", "swapped_back", "order", "first_score", "second_score", "preference", "first", "second"),
        *SWAPPED.values(),
    }
)
"""Fields that only two answers have."""
REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda numbers: sum(numbers) / len(numbers),
    "min": min,
    "max": max,
    "last": lambda numbers: numbers[-1],
    "product": prod,
}
"""What makes one number of a list."""
