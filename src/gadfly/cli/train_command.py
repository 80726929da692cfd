"""What the commands of `gadfly train` have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Annotated, TypeAlias

from gadfly.cli.flags import flag

OUT: TypeAlias = Annotated[
    str | None,
    flag(
        "The folder for weights, log and curve; the same command continues what it holds. By default one "
        "under runs/, named after what is trained.",
    ),
]

_TITLES: Mapping[str, str] = {
    "sft": "SFT: answers, critiques or corrections are imitated, each row with its weight.",
    "dpo": "DPO on pairs; cDPO with --label-smoothing, RPO with --likelihood-weight.",
    "ipo": "IPO on pairs: the lead over the reference is brought to a set size.",
    "hinge": "SLiC's hinge on pairs.",
    "simpo": "SimPO on pairs: mean log-probabilities and a margin, no reference.",
    "orpo": "ORPO on pairs: imitation and odds ratio in one, no reference.",
    "reward": "A reward model from pairs (Bradley and Terry).",
    "reward-marks": "A reward model from marks or labels.",
    "grpo": "GRPO: answers better than others to the same problem become likelier.",
    "rloo": "RLOO: REINFORCE with the mean of the other answers as the baseline.",
    "reinforce": "REINFORCE with the mean of the batch as the baseline.",
}
"""First lines of help where one module stands behind several commands."""


def about(name: str, docstring: str) -> str:
    """The help of a command: what its module says, under a title of its own where it has one."""
    paragraphs = cleandoc(docstring).split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return f"{_TITLES[name]}\n\n{text}" if name in _TITLES else text


@dataclass(frozen=True, kw_only=True)
class TrainCommand:
    """One objective as a command."""

    name: str
    run: Callable[..., None]
    examples: tuple[str, ...]
