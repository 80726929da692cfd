"""Who answers in loops on the small world: the small model, and rules for what it cannot answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from gadfly.models.load import load_model
from gadfly.protocols import Closing, Model
from gadfly.records import Completion, Request, Usage

Rule = tuple[str, Callable[[str, int], str]]
"""Words of a prompt, and what is said to a prompt with these words in a draw."""


def luck(*said: object) -> float:
    """From 0 to 1, the same for the same words."""
    return int(sha256(repr(said).encode()).hexdigest()[:8], 16) / 16**8


def between(asked: str, tag: str) -> str:
    """What stands inside a tag."""
    return asked.split(f"<{tag}>\n", 1)[1].split(f"\n</{tag}>", 1)[0]


@dataclass(frozen=True)
class Playing:
    """The small model, and rules for the prompts that it cannot answer."""

    small: Model
    rules: Sequence[Rule]

    @property
    def id(self) -> str:
        return self.small.id

    async def complete(self, request: Request, /) -> Completion:
        asked = request.messages[-1].content
        for mark, rule in self.rules:
            if mark in asked:
                text = rule(asked, request.draw[-1] if request.draw else 0)
                return Completion(text=text, model=self.id, usage=Usage(calls=1))
        return await self.small.complete(request)


@dataclass(frozen=True)
class Opened:
    """Engines: the small model by its weights, with the rules beside it."""

    rules: Sequence[Rule] = ()
    models: dict[str, Model] = field(default_factory=dict[str, Model])

    def __call__(self, spec: str, /) -> Model:
        if spec not in self.models:
            self.models[spec] = load_model(spec, cache=None)
        return Playing(self.models[spec], self.rules)

    async def close(self) -> None:
        for model in self.models.values():
            if isinstance(model, Closing):
                await model.close()
        self.models.clear()
