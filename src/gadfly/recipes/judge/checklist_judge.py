"""TICK: a checklist written for the instruction, and the share of its questions answered with yes.

Cook et al. 2024, "TICKing All the Boxes: Generated Checklists Improve LLM Evaluation and
Generation", arXiv:2410.03608, section 3.
Differs from the paper: prompts in our words and without worked examples; a fixed most of questions;
a question whose answer cannot be read counts as no, which the paper does not speak of: left out, it would
raise the rate of answers that are hard to judge. The explanation names each such question.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from gadfly.errors import ParseError
from gadfly.primitives import tick, verdict_score, write_checklist
from gadfly.primitives.checklist import TICK, WRITE
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Critique, Problem, Sampling, Score

_SAID = {"correct": "yes", "incorrect": "no", None: "unreadable"}


@dataclass(frozen=True, kw_only=True)
class Tick:
    """The pass rate of an answer on the checklist of its instruction."""

    model: Model
    unreadable: Literal["no", "left out"] = "no"
    """What a question counts whose answer cannot be read; with none readable there is no rate."""
    items: int = 8
    """Most questions of a checklist (the paper's has 2 to 8)."""
    write_prompt: Prompt = WRITE
    prompt: Prompt = TICK
    sampling: Sampling = Sampling(temperature=0.0)

    systems: ClassVar[tuple[int, ...]] = (202,)

    async def __call__(self, problem: Problem, candidate: Candidate, /) -> Score:
        """Mark one answer. Writing the checklist is the same request for every answer."""
        sampling = self.sampling
        questions = await write_checklist(
            self.model, problem, items=self.items, prompt=self.write_prompt, sampling=sampling
        )
        if not questions:
            failure = ParseError("no checklist could be read").failure()
            return Score(target=candidate.id, value=None, author=self.model.id, failure=failure)
        ticks = await tick(self.model, problem, candidate, questions, prompt=self.prompt, sampling=sampling)
        counted: list[Critique] = ticks
        if self.unreadable == "no" and any(one.verdict for one in ticks):
            counted = [t if t.verdict else t.model_copy(update={"verdict": "incorrect"}) for t in ticks]
        rate = await verdict_score(candidate, counted)
        answered = zip(questions, ticks, strict=True)
        explanation = "\n".join(f"- {question} {_SAID.get(t.verdict, 'unsure')}" for question, t in answered)
        return rate.model_copy(update={"explanation": explanation})
