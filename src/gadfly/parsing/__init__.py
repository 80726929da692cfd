"""Reading what models wrote: a value, or `ParseError`. Nothing here guesses."""

from gadfly.parsing.answers import (
    answer_instruction,
    answer_key,
    final_answer,
    kind_of_reference,
    read_choice,
    read_number,
)
from gadfly.parsing.judgements import read_findings, read_label, read_rating, read_verdict
from gadfly.parsing.structured import read_json

__all__ = [
    "answer_instruction",
    "answer_key",
    "final_answer",
    "kind_of_reference",
    "read_choice",
    "read_findings",
    "read_json",
    "read_label",
    "read_number",
    "read_rating",
    "read_verdict",
]
