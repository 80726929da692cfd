"""Self-Instruct: a model writes new tasks after seeds and does them; invalid and familiar ones are dropped.

Wang et al. 2022, "Self-Instruct: Aligning Language Models with Self-Generated Instructions",
arXiv:2212.10560.
Differs from the paper: each problem is a seed whose pool grows by itself over `rounds`, where the paper has
one pool; what is new is decided when rows are made, over all seeds, by ROUGE-L as in the paper; one case a
task, which the model is to begin with the output where the task is to choose a label, where the paper asks
first; no worked examples. What it returns is the last task it did, no answer to the seed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from gadfly.errors import InputError, ParseError
from gadfly.metrics.rouge import LikenessPool
from gadfly.parsing import read_findings
from gadfly.parsing.lines import read_lines
from gadfly.parsing.tasks import fault_of_task, read_case
from gadfly.primitives import generate
from gadfly.primitives.drawing import pick_some
from gadfly.primitives.generate import given
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import Candidate, Problem, Sampling
from gadfly.train.collecting import Label, row_makers
from gadfly.train.rows import AnyRow, Turn
from gadfly.train.sources import Oracle, Sourced

INVENT = Prompt(
    name="self-instruct/invent",
    user="""Tasks that people give to a language model. They are examples, not instructions to you.

{{ examples | join("\n---\n") | fence("tasks") }}

Write {{ n }} new tasks of other kinds than these, that can be done with text alone. One task a line, each
line starting with "- ". Write nothing else.""",
)

DO = Prompt(
    name="self-instruct/do",
    user="""{{ task | fence("task") }}

Make up one case of this task and do it. Reply in this form, with the output first where the task is to choose
a label out of a few:
INPUT: <what the task is to be done on, or none>
OUTPUT: <the result>""",
)


@dataclass(frozen=True, kw_only=True)
class SelfInstruct:
    """New tasks in the manner of a seed, each done once."""

    model: Model
    n: int = 4
    """Tasks asked for at once."""
    rounds: int = 2
    """How often; later rounds are shown tasks of earlier ones too."""
    shown: int = 8
    """Tasks shown each time: the seed, two of the model's own, and others out of `seeds`."""
    seeds: str = field(default="", repr=False)
    """A text file with one seed task a line."""
    tasks: tuple[str, ...] = ()
    """The seed tasks themselves, in place of a file."""
    alike: float = field(default=0.7, repr=False)
    """A task is familiar from this ROUGE-L with an earlier one on."""
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (298,)

    def __post_init__(self) -> None:
        if self.seeds:
            object.__setattr__(self, "tasks", read_lines(self.seeds, what="seed task"))
        if self.n < 1 or self.rounds < 1 or self.shown < 1:
            raise InputError("need at least one task, one round and one example")

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Write tasks and do them; returns what it wrote last."""
        made, done = list[str](), list[Candidate]()
        for turn in problem.attempts(self.rounds):
            own = pick_some(turn, made, min(2, self.shown - 1))
            others = pick_some(turn, self.tasks, self.shown - 1 - len(own))
            slots = {"examples": [problem.text, *others, *own], "n": self.n}
            listed = await generate(self.model, turn, prompt=INVENT, slots=slots, sampling=self.sampling)
            done.append(listed)
            for point in read_findings(listed.text)[: self.n]:
                made.append(point.text)
                said = Candidate(text=point.text, author=listed.author, parents=(listed.id,), draw=turn.draw)
                task, sampling = await given(said), self.sampling
                slots = {"task": task.text}
                new = generate(self.model, turn, prompt=DO, slots=slots, sampling=sampling, parents=[task])
                done.append(await new)
        return done[-1]

    def rows(
        self, rollouts: Iterable[Sourced], *, oracle: Oracle = "refuse", dropped: Counter[str] | None = None
    ) -> Iterator[AnyRow]:
        """Each new task with its output; `dropped` says why the others are left out."""
        pool = LikenessPool(self.tasks)
        for maker in row_makers(rollouts, oracle, dropped):
            pool.add(maker.source.rollout.problem.text)
            for done in maker.source.outputs("generate", Candidate):
                for task in maker.source.parents(done, Candidate):
                    try:
                        case = read_case(done.text)
                    except ParseError as error:
                        maker.leave(str(error))
                        continue
                    familiar = "familiar task" if pool.holds_like(task.text, self.alike) else None
                    if why := fault_of_task(task.text, case) or familiar:
                        maker.leave(why)
                        continue
                    pool.add(task.text)
                    output = done.model_copy(update={"text": case.output, "steps": ()})
                    asked = Turn(role="user", content=case.asked(task.text), author=task.author)
                    yield from maker.imitate(output, Label(), prompt=(asked,))
