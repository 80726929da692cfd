"""Online DPO: sample, rank by a proxy, prefer the best to the worst, learn, and sample again.

Dong et al. 2024, "RLHF Workflow: From Reward Modeling to Online RLHF", arXiv:2405.07863. In each iteration
the newest weights answer every prompt n times, a proxy of people's preferences ranks the answers, and the
best and the worst become a pair that DPO learns from.
Differs from the paper: each round begins with the newest weights, which are its reference too, and learns
its own pairs, where the paper keeps the first policy as the reference and all pairs so far; the proxy is
given and not trained here; all samples are drawn at one temperature.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from gadfly.primitives.generate import sample
from gadfly.protocols import Model, Ranker, Scorer, SeesReference
from gadfly.records import Candidate, Problem, Ranking, Sampling
from gadfly.trace import primitive
from gadfly.train.collecting import Label, row_makers
from gadfly.train.from_rollouts import preferences
from gadfly.train.plan import Plan
from gadfly.train.round import Round
from gadfly.train.rows import Preference
from gadfly.train.sources import Sourced

PROXY = "proxy"


@primitive
async def ranked(judge: Ranker, problem: Problem, drawn: Sequence[Candidate]) -> Ranking:
    """What a judge makes of all samples, as one step."""
    return await judge(problem, drawn)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Samples, and how a judge ranks them; the best is the answer."""

    model: Model
    judge: Ranker
    samples: int
    sampling: Sampling

    @property
    def sees_reference(self) -> bool:
        """Whether the judge does."""
        return isinstance(self.judge, SeesReference) and self.judge.sees_reference

    async def __call__(self, problem: Problem, /) -> Candidate:
        """Answer one problem."""
        drawn = await sample(self.model, problem.blind(), self.samples, sampling=self.sampling)
        ranking = await ranked(self.judge, problem, drawn)
        named = {one.id: one for one in drawn}
        return named.get(ranking.tiers[0][0], drawn[0]) if ranking.tiers else drawn[0]


@dataclass(frozen=True, kw_only=True)
class OnlineDPO:
    """Best against worst of n, by a scorer or a judge."""

    proxy: Scorer | None = None
    """Marks the answers; what says what is right, where neither is given."""
    judge: Ranker | None = None
    """Ranks the answers, instead of a scorer."""
    samples: int = 8
    """Answers to each problem, the paper's n."""
    margin: float = 0.1
    """Least difference of the marks of a pair."""
    beta: float = 0.1
    """Strength of the pull to the weights that the round began with."""
    likelihood_weight: float = 0.0
    """Of the chosen side's likelihood, which DPO alone lets fall; the paper has none."""
    plan: Plan = Plan(epochs=1)
    sampling: Sampling = Sampling(max_tokens=128, temperature=1.0)

    systems: ClassVar[tuple[int, ...]] = (162,)

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        dropped = Counter[str]()
        if self.judge is not None:
            ranking = Ranked(
                model=round.model(), judge=self.judge, samples=self.samples, sampling=self.sampling
            )
            found = _extremes(await round.rollouts("ranked", ranking, phase="feedback"), dropped)
        else:
            scorers = {} if self.proxy is None else {PROXY: self.proxy}
            drawn = await round.sample(self.samples, sampling=self.sampling, scorers=scorers)
            name = PROXY if scorers else None
            found = preferences(drawn, margin=self.margin, scorer=name, per_problem=1, dropped=dropped)
        pairs = round.write("pairs", found, dropped=dropped)
        settings = {"beta": self.beta, "likelihood_weight": self.likelihood_weight}
        await round.train("dpo", pairs, plan=self.plan, settings=settings)


def _extremes(rollouts: list[Sourced], dropped: Counter[str]) -> Iterator[Preference]:
    """The first of the first tier and the last of the last."""
    for maker in row_makers(rollouts, dropped=dropped):
        ranking = maker.source.outputs("ranked", Ranking)[0]
        if ranking.failure is not None or len(ranking.tiers) < 2:
            maker.leave("unread" if ranking.failure is not None else "tied")
            continue
        best, worst = (maker.source.candidates[ranking.tiers[place][place]] for place in (0, -1))
        yield from maker.prefer(best, worst, Label.by(ranking), strength=ranking.strength)
