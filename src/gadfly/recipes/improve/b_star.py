"""B-STaR: watch exploration and exploitation, and set temperature and threshold anew in every round.

Zeng et al. 2024, "B-STaR: Monitoring and Balancing Exploration and Exploitation in Self-Taught Reasoners",
arXiv:2412.17256. Before each round a part of the problems is sampled at several temperatures; the pair of
temperature and reward threshold with the highest mean balance score (many different right samples, few
wrong ones among those selected) is what the round samples and selects by. Training goes on from the newest
weights.
Differs from the paper: the reward is one scorer (by default what says what is right), where the paper adds
a process reward model to the final answer's; both counts of the balance score are of different texts; the
numbers are ours. The scores of all settings are kept in the round's folder.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from gadfly.protocols import Scorer
from gadfly.records import Sampling
from gadfly.train.balancing import Setting, balance, distinct
from gadfly.train.from_rollouts import prompt_completions
from gadfly.train.plan import Plan
from gadfly.train.round import Round

REWARD = "reward"


@dataclass(frozen=True, kw_only=True)
class BStar:
    """Choose the setting with the best balance, sample and select by it, train."""

    temperatures: tuple[float, ...] = (0.5, 0.7, 0.9, 1.1)
    """Tried in each round."""
    thresholds: tuple[float, ...] = (0.5, 1.0)
    """Least rewards, tried with each temperature."""
    reward: Scorer | None = None
    """Selects the samples; what says what is right, where none is given."""
    probe: int = 64
    """Problems that the settings are tried on."""
    samples: int = 8
    """Answers to each problem; the paper has 64 for mathematics."""
    wanted: int = 2
    """Different right answers of a problem that are enough, and most that are learned."""
    plan: Plan = Plan(epochs=1)
    sampling: Sampling = Sampling(max_tokens=128)

    systems: ClassVar[tuple[int, ...]] = ()

    async def __call__(self, round: Round, /) -> None:
        """One round."""
        setting = await self._balanced(round)
        drawn = await round.sample(
            self.samples, sampling=self._at(setting.temperature), scorers=self._scorers
        )
        dropped = Counter[str]()
        selected = prompt_completions(
            distinct(drawn),
            keep=setting.threshold,
            scorer=self._name,
            per_problem=self.wanted,
            dropped=dropped,
        )
        rows = round.write("selected", selected, dropped=dropped)
        await round.train("sft", rows, plan=self.plan)

    async def _balanced(self, round: Round) -> Setting:
        """The setting of this round; a resumed one has what was decided first."""
        scores: dict[str, float] = {}
        best, highest = Setting(temperature=self.temperatures[0], threshold=self.thresholds[0]), -1.0
        for temperature in self.temperatures:
            drawn = await round.sample(
                self.samples,
                name=f"probe-{temperature:g}",
                sampling=self._at(temperature),
                problems=round.problems[: self.probe],
                scorers=self._scorers,
            )
            for threshold in self.thresholds:
                found = balance(drawn, threshold=threshold, wanted=self.wanted, scorer=self._name)
                scores[f"temperature {temperature:g}, threshold {threshold:g}"] = found
                if found > highest:
                    best, highest = Setting(temperature=temperature, threshold=threshold), found
        round.remember("balance", dict(scores))
        setting = Setting.model_validate(round.remember("setting", best.model_dump()))
        round.note(
            f"temperature {setting.temperature:g} and threshold {setting.threshold:g} balance best: "
            f"{highest:.3f} of {', '.join(f'{score:.3f}' for score in scores.values())}"
        )
        return setting

    def _at(self, temperature: float) -> Sampling:
        return self.sampling.model_copy(update={"temperature": temperature})

    @property
    def _name(self) -> str | None:
        return None if self.reward is None else REWARD

    @property
    def _scorers(self) -> dict[str, Scorer]:
        return {} if self.reward is None else {REWARD: self.reward}
