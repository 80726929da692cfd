"""Self-contradiction: finds sentences of an answer that the model contradicts when asked again.

Mündler et al. 2024, "Self-contradictory Hallucinations of Large Language Models: Evaluation, Detection
and Mitigation", arXiv:2305.15852.
Differs from the paper: the point of a sentence is named by the model, where the paper extracts triples of
subject, relation and object; the other sentence is written from the context and that point; the answer
is judged after it was written, where the paper can do so while it is written; removal is left to a
reviser, which gets each contradicted sentence with its place and the other version.
"""

from dataclasses import dataclass
from typing import ClassVar

from gadfly.concurrency import each
from gadfly.errors import ParseError
from gadfly.primitives.contradiction import contradicted
from gadfly.primitives.critique import Target, said
from gadfly.primitives.passages import Span, gather, sentences, step_of
from gadfly.protocols import Model
from gadfly.records import Candidate, Critique, Finding, Problem, Sampling


@dataclass(frozen=True, kw_only=True)
class SelfContradiction:
    """A finding for every sentence that contradicts another sentence on the same point."""

    model: Model
    """Who writes the other sentences: to test a model's own text, the model that wrote it."""
    judge: Model | None = None
    """Who compares; the model itself where none is given."""
    alternatives: int = 1
    """Other sentences for each sentence; one that contradicts is enough."""
    shortest: int = 3
    """Words below which a sentence states nothing and is passed over."""
    most: int = 40
    """Sentences looked at, from the beginning."""
    sampling: Sampling = Sampling(max_tokens=200)

    systems: ClassVar[tuple[int, ...]] = (50,)

    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Check every sentence of one answer."""
        text = said(target)
        spans = [s for s in sentences(text) if len(text[slice(*s)].split()) >= self.shortest][: self.most]
        tried = [(span, turn) for span in spans for turn in problem.blind().attempts(self.alternatives)]

        async def one(pair: tuple[Span, Problem]) -> tuple[Critique, Candidate]:
            (start, end), turn = pair
            return await contradicted(
                self.model,
                turn,
                text[:start].strip(),
                text[start:end],
                judge=self.judge,
                sampling=self.sampling,
            )

        found = await each(one, tried)
        findings: dict[Span, Finding] = {}
        for (span, _), (check, other) in zip(tried, found, strict=True):
            if check.verdict == "incorrect":
                findings.setdefault(span, _finding(text, span, other, target))
        checks = [check for check, _ in found]
        if not checks:
            failure = ParseError(f"no sentence of {self.shortest} words or more").failure()
            checks = [Critique(target=target.id, text="", author=self.model.id, failure=failure)]
        return await gather(target, checks, tuple(findings.values()), author=self.model.id)


def _finding(text: str, span: Span, other: Candidate, target: Target) -> Finding:
    sentence, again = text[slice(*span)], " ".join(other.text.split())
    return Finding(
        text=f"Asked again on the same point, the model contradicts {sentence!r}: it says {again!r}.",
        step=step_of(target, span[0]) if isinstance(target, Candidate) else None,
        span=span,
        severity="major",
        suggestion="Leave out what the two versions disagree on, or check it.",
    )
