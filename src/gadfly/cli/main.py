"""The command `gadfly`."""

import sys
from collections.abc import Sequence

from cyclopts import App

from gadfly.cli.errors import guarded, say_first_retry

_COMMANDS = (
    ("compare", "compare:compare", "Methods on the same problems, against voting at equal tokens."),
    ("run", "run:app", "One recipe on a benchmark or a file of your own."),
    ("judge", "judge:judge", "One judge or critic on things that people have judged."),
    ("critics", "critics:critics", "Several critics or judges side by side on the same things."),
    ("reproduce", "reproduce:reproduce", "Published numbers, computed again from their raw records."),
    ("collect", "collect:app", "Training rows made by one method: ratings, critiques, revisions, steps."),
    ("export", "export:export", "What runs came to, as rows to train on."),
    ("train", "train:app", "Weights that learn from rows, or from rewards for their own answers."),
    ("improve", "improve:app", "A loop that trains a model on what it says itself, beside its controls."),
    ("show", "show:show", "One rollout of a run as a tree, or a comparison's table."),
    ("recipes", "listings:recipes", "The methods there are."),
    ("benchmarks", "benchmarks:app", "The problems there are; `audit` tries their checkers."),
    ("models", "listings:models", "The model backends there are, and what each can do."),
    ("systems", "listings:systems", "The field's published systems, and which of them run here."),
)

_EPILOGUE = """Examples:

    gadfly compare
    gadfly compare --on problems.jsonl --model openai:MODEL@http://localhost:8000/v1
    gadfly run self-refine --rounds 2 --limit 20
    gadfly show runs/self-refine-families-embedded --improved
    gadfly improve rest-em --controls self-consistency
    gadfly COMMAND --help

--debug, anywhere, shows the traceback of an error."""


def build(named: str = "") -> App:
    """The application; a command's module is imported when the command is named.

    The named command's help is its own; of the others, only the summary is known.
    """
    app = App(
        name="gadfly",
        help="Make language models better through critique, and measure honestly whether it helped.",
        help_format="plaintext",
        help_epilogue=_EPILOGUE,
        version=_version,
        version_flags=["--version"],
        suppress_keyboard_interrupt=False,
    )
    for name, place, summary in _COMMANDS:
        app.command(f"gadfly.cli.{place}", name=name, help=None if name == named else summary)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the process's own where none is given. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    words = [word for word in given if word != "--debug"]
    app = build(words[0] if words else "")
    say_first_retry()
    return guarded(
        lambda: app(
            words,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        ),
        debug=debug,
    )


def _version() -> str:
    from importlib.metadata import version

    return f"gadfly {version('gadfly')}"


if __name__ == "__main__":
    sys.exit(main())
