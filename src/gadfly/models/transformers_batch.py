"""Batches through a torch model: writing many answers at once, reading many texts at once.

Prompts are padded on the left. Equal prompts of a batch are read once. Each answer has its own
temperature, nucleus and random numbers, so that what it is does not depend on its batch mates
beyond the last digits of the arithmetic.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import torch

from gadfly.models.transformers_weights import Loaded
from gadfly.records import FinishReason, Sampling

_NUCLEUS = 256
"""Likeliest tokens looked at first; only where they do not hold the wanted mass are all sorted."""
_LOGITS = 64_000_000
"""Logits held at once when reading: 256 MB."""


class _Cache(Protocol):
    """The keys and values of a batch, one row a text."""

    def batch_select_indices(self, indices: torch.Tensor, /) -> None: ...


@dataclass(eq=False, kw_only=True)
class Writing:
    """An answer under way."""

    prompt: tuple[int, ...]
    sampling: Sampling
    seed: int
    room: int
    """Most tokens it may get."""
    output: list[int] = field(default_factory=list[int])
    """What was generated, the token that ended it included."""
    logprobs: list[float] = field(default_factory=list[float])
    top: list[dict[int, float]] = field(default_factory=list[dict[int, float]])
    shared: int = 0
    """Tokens of the prompt that were read for a batch mate already."""
    finish: FinishReason | None = None
    dropped: bool = False
    """Nobody waits for it any more."""

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def over(self) -> bool:
        """Whether it needs no more tokens."""
        return self.dropped or self.finish is not None


@dataclass(eq=False, kw_only=True)
class Reading:
    """A text to be read after a prompt: its log-probabilities, or its hidden states of one layer."""

    prompt: tuple[int, ...]
    text: tuple[int, ...]
    top_k: int = 0
    layer: int | None = None
    logprobs: list[float] = field(default_factory=list[float])
    top: list[dict[int, float]] = field(default_factory=list[dict[int, float]])
    states: Any = None
    dropped: bool = False


@torch.inference_mode()
def write(loaded: Loaded, rows: Sequence[Writing]) -> None:
    """Generate until every row is over."""
    prompts = list(dict.fromkeys(row.prompt for row in rows))
    ids, mask = _padded(prompts, loaded.device)
    output = loaded.model(
        input_ids=ids, attention_mask=mask, position_ids=_positions(mask), use_cache=True, logits_to_keep=1
    )
    place = {prompt: index for index, prompt in enumerate(prompts)}
    seen: set[tuple[int, ...]] = set()
    for row in rows:
        row.shared = len(row.prompt) if row.prompt in seen else 0
        seen.add(row.prompt)
    alive, cache, logits = list(rows), output.cache, output.logits[:, -1]
    chosen = [place[row.prompt] for row in rows]
    if chosen != list(range(len(prompts))):
        mask, logits = _select(chosen, cache, mask, logits)
    while True:
        tokens = _choose(loaded, alive, logits.float())
        running = [index for index, row in enumerate(alive) if not row.over]
        if not running:
            return
        if len(running) <= len(alive) // 2:
            # Rows that are over go on with the others until half are: shrinking copies the cache.
            mask, tokens = _select(running, cache, mask, tokens)
            alive = [alive[index] for index in running]
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
        logits = loaded.model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=mask.sum(1, keepdim=True) - 1,
            cache=cache,
            use_cache=True,
        ).logits[:, -1]


def _select(rows: list[int], cache: _Cache, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    index = torch.tensor(rows, device=tensors[0].device)
    cache.batch_select_indices(index)
    return tuple(tensor[index] for tensor in tensors)


def _choose(loaded: Loaded, rows: list[Writing], logits: torch.Tensor) -> torch.Tensor:
    """The next token of each row; `logits` is [rows, vocabulary]."""
    heat = torch.tensor([row.sampling.temperature or 1.0 for row in rows], device=logits.device)
    values, ids = (logits / heat[:, None]).softmax(-1).topk(min(_NUCLEUS, logits.shape[1]), dim=-1)
    mass = values.double().cumsum(-1).cpu()
    best = _integers(logits.argmax(-1))
    tokens: list[int] = []
    for index, row in enumerate(rows):
        if row.over or row.sampling.temperature == 0:
            tokens.append(best[index])
            continue
        chance, wanted = row.chance.random(), row.sampling.top_p
        at = _pick(mass[index], wanted, chance)
        if at is not None:
            tokens.append(int(ids[index, at]))
            continue
        every, order = (logits[index] / heat[index]).softmax(-1).sort(descending=True, stable=True)
        cumulative = every.double().cumsum(-1).cpu()
        at = _pick(cumulative / cumulative[-1], wanted, chance)
        tokens.append(int(order[len(order) - 1 if at is None else at]))
    chosen = torch.tensor(tokens, device=logits.device)
    _note(loaded, rows, chosen, logits)
    return chosen


def _pick(mass: torch.Tensor, wanted: float, chance: float) -> int | None:
    """The place whose slice of the nucleus holds `chance`; None where `mass` does not reach so far.

    `mass` is cumulative, likeliest first; the nucleus is the fewest tokens that hold `wanted`.
    """
    reached = int(torch.searchsorted(mass, torch.tensor(wanted, dtype=mass.dtype)))
    if reached < len(mass):
        goal = chance * float(mass[reached])
    elif wanted == 1.0:
        goal = chance
    else:
        return None
    at = int(torch.searchsorted(mass, torch.tensor(goal, dtype=mass.dtype), right=True))
    return min(at, reached) if at < len(mass) or reached < len(mass) else None


def _note(loaded: Loaded, rows: list[Writing], chosen: torch.Tensor, logits: torch.Tensor) -> None:
    """Give every row its token, and see which are over."""
    wanted = [row.sampling.logprobs for row in rows]
    if any(count is not None for count in wanted):
        every = logits.log_softmax(-1)
        own = _floats(every.gather(1, chosen[:, None])[:, 0])
        likeliest = _likeliest(every, max(count or 0 for count in wanted))
    else:
        own, likeliest = [0.0] * len(rows), [dict[int, float]()] * len(rows)
    for index, (row, token) in enumerate(zip(rows, _integers(chosen), strict=True)):
        if row.over:
            continue
        row.output.append(token)
        row.logprobs.append(own[index])
        row.top.append(dict(list(likeliest[index].items())[: row.sampling.logprobs or 0]))
        if token in loaded.ends or (row.sampling.stop and _stopped(loaded, row)):
            row.finish = "stop"
        elif len(row.output) >= row.room:
            row.finish = "length"


def _stopped(loaded: Loaded, row: Writing) -> bool:
    text = loaded.decode(row.output)
    return any(stop in text for stop in row.sampling.stop)


def _likeliest(logprobs: torch.Tensor, count: int) -> list[dict[int, float]]:
    if count == 0:
        return [{}] * len(logprobs)
    values, ids = logprobs.topk(min(count, logprobs.shape[1]), dim=-1)
    return [dict(zip(_integers(i), _floats(v), strict=True)) for i, v in zip(ids, values, strict=True)]


@torch.inference_mode()
def read(loaded: Loaded, rows: Sequence[Reading]) -> None:
    """Fill in what was asked for, in as many passes as memory wants."""
    vocabulary = int(loaded.model.config.get_text_config().vocab_size)
    left = sorted(rows, key=lambda row: len(row.text))
    while left:
        longest = len(left[-1].text) + 1
        count = max(1, _LOGITS // (longest * vocabulary))
        left, part = left[:-count], left[-count:]
        _read_together(loaded, [row for row in part if not row.dropped and row.text])


def _read_together(loaded: Loaded, rows: list[Reading]) -> None:
    if not rows:
        return
    ids, mask = _padded([row.prompt + row.text for row in rows], loaded.device)
    output = loaded.model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=_positions(mask),
        use_cache=False,
        logits_to_keep=max(len(row.text) for row in rows) + 1,
        output_hidden_states=any(row.layer is not None for row in rows),
    )
    for index, row in enumerate(rows):
        size = len(row.text)
        if row.layer is not None:
            row.states = output.hidden_states[row.layer][index, -size:].float().cpu().numpy()
            continue
        # The logits at a token are about the next one.
        every = output.logits[index, -size - 1 : -1].float().log_softmax(-1)
        own = torch.tensor(row.text, device=every.device)
        row.logprobs = _floats(every.gather(1, own[:, None])[:, 0])
        row.top = _likeliest(every, row.top_k)


def _padded(rows: Sequence[tuple[int, ...]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both [rows, longest], the padding on the left."""
    longest = max(map(len, rows))
    ids = torch.tensor([(0,) * (longest - len(row)) + row for row in rows], device=device)
    mask = torch.tensor([(0,) * (longest - len(row)) + (1,) * len(row) for row in rows], device=device)
    return ids, mask


def _positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)


def _integers(tensor: torch.Tensor) -> list[int]:
    return cast(list[int], cast(Any, tensor).tolist())


def _floats(tensor: torch.Tensor) -> list[float]:
    return cast(list[float], cast(Any, tensor).tolist())
