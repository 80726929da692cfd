"""Learner feedback: helps a student without giving the answer away, and says nothing rather than mislead.

Phung et al. 2023, "Generating High-Precision Feedback for Programming Syntax Errors using Large Language
Models", arXiv:2302.04662: feedback is tried out on a simulated student before it is released.
Differs from the paper: any subject, not only syntax errors, with one prompt a subject; the right solution
is the problem's reference, where the paper has a model repair the program; the student's work is checked by
a scorer; feedback that holds the answer is refused by rule; the student may have a hidden profile, an idea
of Wang et al. 2024, arXiv:2405.19660 (simulated patients), and the one who gives feedback never sees it;
the numbers of tries and drafts and the threshold are ours.
"""

from dataclasses import dataclass
from typing import ClassVar

from gadfly.errors import InputError
from gadfly.primitives.critique import Target, critique, said
from gadfly.primitives.mending import Mender, is_right, leak, trial, withheld
from gadfly.primitives.teaching import ADVICE, FEEDBACK, STUDENT, Subject
from gadfly.prompts import Prompt
from gadfly.protocols import Model, Scorer
from gadfly.records import Candidate, Critique, Problem, Sampling
from gadfly.trace import primitive


@dataclass(frozen=True, kw_only=True)
class LearnerFeedback:
    """Feedback that a simulated student could use, or none, with the reason."""

    model: Model
    """Who writes the feedback, beside the right solution."""
    student: Model | None = None
    """Who tries the feedback out; better weaker than the model, which it is where none is given."""
    subject: Subject = "math"
    threshold: float = 0.5
    """Share of tries that must succeed: higher releases less, and less that is bad. 0 releases all."""
    trials: int = 5
    """Tries of the simulated student."""
    drafts: int = 2
    """Feedbacks written before giving up."""
    profile: str = "You know the basics, and you believe your work is right."
    """What the simulated student is like; shown to nobody else."""
    scorer: Scorer | None = None
    """Decides whether work is right; none: it must state the reference. Writing needs one."""
    feedback: Prompt = FEEDBACK
    attempt: Prompt = STUDENT
    sampling: Sampling = Sampling()

    systems: ClassVar[tuple[int, ...]] = (147,)
    sees_reference: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.subject == "writing" and self.scorer is None:
            raise InputError("writing has no answer to compare with: give a scorer, such as a judge")
        if not 0 <= self.threshold <= 1 or self.trials < 1 or self.drafts < 1:
            raise InputError("need a threshold of 0 to 1, and at least one trial and one draft")

    async def __call__(self, problem: Problem, target: Target, /) -> Critique:
        """Write feedback on one student's work; withheld feedback has no verdict."""
        return await self.released(problem, target)

    @primitive
    async def released(self, problem: Problem, target: Target, /) -> Critique:
        """The first draft that holds, as one step, or the reason why there is none."""
        text = said(target)
        work = target if isinstance(target, Candidate) else Candidate(text=text, author=target.author)
        if await is_right(problem, work, self.scorer):
            return Critique(
                target=target.id,
                text="Your work is right. Well done.",
                author="scorer",
                verdict="correct",
                saw_reference=True,
            )
        draft, reason = None, ("", "")
        for turn in problem.attempts(self.drafts):
            slots = {"advice": ADVICE[self.subject], "leaked": reason[0] == "GivesAway"}
            draft = await critique(
                self.model, turn, target, prompt=self.feedback, slots=slots, sampling=self.sampling
            )
            reason = await self._refused(turn, work, draft)
            if not reason[0]:
                return draft
        assert draft is not None
        return withheld(draft, *reason)

    async def _refused(self, problem: Problem, work: Candidate, draft: Critique) -> tuple[str, str]:
        """Why a draft is not released, as a name and a sentence; empty where it is."""
        if draft.verdict is None:
            return "Unreadable", draft.failure.message if draft.failure else "no verdict"
        if draft.accepts:
            return "CallsWrongRight", "the feedback calls work right that is not known to be"
        given = leak(problem, work, draft.text)
        if given is not None:
            return "GivesAway", f"the feedback holds {given!r} of the right solution"
        if not self.threshold:
            return "", ""
        mender = Mender(
            model=self.student or self.model,
            prompt=self.attempt,
            slots={"profile": self.profile},
            sampling=self.sampling,
        )
        tried = await trial(mender, problem, work, draft, scorer=self.scorer, trials=self.trials)
        if (tried.value or 0.0) < self.threshold:
            return "NotUsable", f"{tried.explanation}; the threshold is {self.threshold:g}"
        return "", ""
