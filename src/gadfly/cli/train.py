"""`gadfly train OBJECTIVE`: weights learn from rows, or from what they answer themselves."""

from gadfly.cli.output import application
from gadfly.errors import InputError

try:
    from gadfly.cli.train_rows import row_commands
    from gadfly.cli.train_sampled import sampled_commands
except ImportError as error:
    raise InputError(
        f'training needs torch, transformers, peft and accelerate ({error}): pip install "gadfly[train]"'
    ) from error

app = application(
    "train",
    "gadfly train sft answers.parquet --out runs/sft",
    "gadfly train dpo pairs.jsonl --model runs/sft/model --holdout 0.1",
    "gadfly train grpo --on families:sums --samples 8 --steps 50",
    "accelerate launch -m gadfly train dpo pairs.parquet --model ./model --full",
    "gadfly train dpo --help",
    summary="Train weights on rows that `gadfly export` or `gadfly collect` wrote, or by rewards for what "
    "they answer themselves.\n\nA LoRA adapter learns, or all weights with --full. The same command goes on "
    "with a training that was stopped. Writes model/ (as transformers reads it), adapter/, a GGUF file where "
    "the weights came from one, log.jsonl and curve.png, and says how to use the result.",
)

for _command in (*row_commands(), *sampled_commands()):
    _lines = "\n".join(f"    {line}" for line in _command.examples)
    app.command(_command.run, name=_command.name, help_epilogue=f"Examples:\n\n{_lines}")
