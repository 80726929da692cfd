"""A user's text file with one thing a line: principles, seed tasks."""

from pathlib import Path

from gadfly.errors import InputError


def read_lines(path: str, *, what: str) -> tuple[str, ...]:
    """The lines of a file, without empty ones and those that begin with `#`.

    Raises:
        InputError: the file cannot be read, or has no line; the message says `what` is wanted.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    found = tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not found:
        raise InputError(f"{path} holds no {what}: write one a line")
    return found
