"""What models, people and tools say, as closed and frozen records.

Every record can be written as one line of JSON and read back equal. Records that
others point at (`Candidate`, `Critique`, `Score`, `Ranking`) carry an `id` that is a
hash of their content: replaying a run gives the same ids, and lineage survives being
split over files. Nothing here does anything; what acts lives in `gadfly.protocols`.
"""

from gadfly.records.asking import (
    AnswerKind,
    Completion,
    FinishReason,
    Message,
    Problem,
    Request,
    Role,
    Sampling,
    Tokens,
    Usage,
)
from gadfly.records.cases import SWAPPED, Case, Gold, both_orders
from gadfly.records.products import (
    Boundary,
    Candidate,
    Critique,
    Failure,
    Finding,
    Outcome,
    Product,
    Ranking,
    Score,
    Severity,
    Verdict,
    lineage,
)
from gadfly.records.record import Record, Text, content_digest
from gadfly.records.rollouts import Call, Rollout, Step

__all__ = [
    "SWAPPED",
    "AnswerKind",
    "Boundary",
    "Call",
    "Candidate",
    "Case",
    "Completion",
    "Critique",
    "Failure",
    "Finding",
    "FinishReason",
    "Gold",
    "Message",
    "Outcome",
    "Problem",
    "Product",
    "Ranking",
    "Record",
    "Request",
    "Role",
    "Rollout",
    "Sampling",
    "Score",
    "Severity",
    "Step",
    "Text",
    "Tokens",
    "Usage",
    "Verdict",
    "both_orders",
    "content_digest",
    "lineage",
]
