"""Help from whoever knows the right answer, from a question that leads there to the answer itself.

A hint is a critique of no answer (its target is the problem's id) whose author saw the reference, and
parent of the answer that it led to: so everything made of that answer is marked as an oracle's.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from gadfly.primitives.asking import ask, reference_for
from gadfly.primitives.generate import generate, split_steps
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Critique, Problem, Sampling
from gadfly.trace import primitive

Help: TypeAlias = Literal["question", "beginning", "answer"]
"""From weak to strong: a leading question, the first half of the right answer, the right answer."""

QUESTION = Prompt(
    name="hints/question",
    user="""{{ problem | fence("problem") }}

The right answer, for you alone:
{{ reference | fence("reference") }}

Ask a student one short question that leads to the next step. Do not tell the answer or a part of it.""",
)
HINTED = Prompt(
    name="hints/hinted",
    user="""{{ problem }}

A hint, for you alone:
{{ hint | fence("hint") }}
Solve the problem as if you had found the way yourself: show your steps, and do not speak of the hint. End as
the problem asks.""",
)


@primitive
async def hint(
    guide: Model, problem: Problem, *, help: Help, prompt: Prompt = QUESTION, sampling: Sampling = Sampling()
) -> Critique:
    """What a student is told of a problem's right answer.

    Raises:
        InputError: the problem has no reference.
    """
    if help == "question":
        slots = {"reference": reference_for(prompt, problem)}
        reply = await ask(guide, problem, prompt=prompt, slots=slots, sampling=sampling)
        return Critique(target=problem.id, text=reply.text, author=reply.model, saw_reference=True)
    reference = reference_for(prompt, problem)
    told = reference if help == "answer" else f"It begins: {beginning(reference)}"
    return Critique(target=problem.id, text=told, author="answer key", saw_reference=True)


def beginning(reference: str) -> str:
    """The first half: of its lines; or of its words, or of its letters where it is one word."""
    lines, words = split_steps(reference), reference.split()
    if len(lines) > 1:
        return "".join(lines[: len(lines) // 2]).strip()
    if len(words) > 1:
        return " ".join(words[: len(words) // 2])
    return reference[: len(reference) // 2]


@dataclass(frozen=True, kw_only=True)
class Hinted:
    """An answer with help."""

    model: Model
    help: Help = "answer"
    guide: Model | None = None
    """Who asks the leading question; the model itself, where none is given."""
    prompt: Prompt = HINTED
    asking: Prompt = QUESTION
    sampling: Sampling = Sampling()

    sees_reference: ClassVar[bool] = True

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Answer one problem."""
        given = await hint(
            self.guide or self.model,
            problem,
            help=self.help,
            prompt=self.asking,
            sampling=self.sampling.greedy,
        )
        return await generate(
            self.model,
            problem,
            prompt=self.prompt,
            slots={"hint": given.text},
            sampling=self.sampling,
            parents=[given],
        )
