"""The seam between rows, losses and weights: an objective says how rows become examples and a loss."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from gadfly.train.codec import Codec
from gadfly.train.rows import AnyRow

if TYPE_CHECKING:  # torch is not loaded for the sake of a name
    from gadfly.train.losses.reduction import Loss
    from gadfly.train.policy import Policy

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)


class LeftOut(Exception):
    """Raised by `example` for a row that says nothing to the objective, such as one without a mark.

    The row is left out and counted under the exception's words.
    """


class Objective(Protocol[E_contra]):
    """What is learned from a batch: the forward passes it takes and the loss it puts on them.

    A published objective is one file: a frozen dataclass whose fields are its hyper-parameters. The
    formula itself is a pure function in `gadfly.train.losses`.
    """

    @property
    def needs_reference(self) -> bool:
        """Whether the weights that training began with are asked as well."""
        ...

    @property
    def needs_head(self) -> bool:
        """Whether the policy is to have a head that gives a number."""
        ...

    def size(self, example: E_contra, /) -> float:
        """What an example counts for in the mean over a batch: tokens, or 1.

        A batch is worked through in parts (gradient accumulation, several devices); each part's loss
        is a mean over its own sizes, and parts are weighted by their sizes, so that the sum is the
        batch's.
        """
        ...

    def length(self, example: E_contra, /) -> int:
        """Tokens of its longest row: examples of like length share a part."""
        ...

    def loss(self, policy: "Policy", examples: Sequence[E_contra], /) -> "Loss":
        """The loss of some examples, with its graph."""
        ...


class RowObjective(Objective[E], Protocol[E]):
    """An objective that learns from written rows."""

    def example(self, row: AnyRow, codec: Codec, /) -> E | None:
        """The row as tokens; None where it is longer than the codec allows.

        Raises:
            InputError: it is a kind of row that this objective cannot learn from.
            LeftOut: the kind is right, but this one says nothing.
        """
        ...
