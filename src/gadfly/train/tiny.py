"""A transformer of about a million parameters, one token a character: trainers tried out in seconds.

Its weights are random. It has a chat template like any other model, so that whatever trains and runs it
trains and runs large ones.
"""

import warnings
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from gadfly.models.transformers_weights import quiet

SPECIAL = ("<|end|>", "<|turn|>")
LETTERS = (*(chr(code) for code in range(32, 127)), "\n")
TEMPLATE = (
    "{% for m in messages %}<|turn|>{{ m.role[0] }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>a\n{% endif %}"
)
"""Roles are one letter: at a token a character, whole words of them would be most of a short chat."""


def write_tiny(
    folder: Path,
    *,
    seed: int = 0,
    width: int = 128,
    layers: int = 4,
    context: int = 256,
    spread: float = 0.02,
) -> Path:
    """Write a small Llama with its tokenizer, in the layout of transformers.

    Args:
        folder: Made if it is not there.
        seed: Of the weights.
        width: Of the hidden states; a multiple of 32.
        layers: How many.
        context: Most tokens, and so characters, of a prompt with its answer.
        spread: Standard deviation of the weights; a large one makes an untrained model babble variedly.

    Returns:
        The folder.
    """
    size = _write_tokenizer(folder)
    config = transformers.LlamaConfig(
        vocab_size=size,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=max(1, width // 64),
        max_position_embeddings=context,
        initializer_range=spread,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    with cast(Any, torch).random.fork_rng(devices=[]):
        cast(Any, torch).manual_seed(seed)
        model = cast(Any, transformers.LlamaForCausalLM)(config)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the library's own words to itself
        model.save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path) -> int:
    """One token a character, so that every text has one tokenization; the number of tokens."""
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, "<unk>", *LETTERS])}
    tokenizer = cast(Any, Tokenizer)(cast(Any, models.WordLevel)(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = cast(Any, pre_tokenizers.Split)(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(
        [cast(Any, AddedToken)(token, special=True, normalized=False) for token in SPECIAL]
    )
    fast = cast(Any, transformers.PreTrainedTokenizerFast)(
        tokenizer_object=tokenizer, eos_token="<|end|>", unk_token="<unk>", chat_template=TEMPLATE
    )
    fast.save_pretrained(folder)
    return len(fast)
