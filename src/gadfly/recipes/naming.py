"""Recipes as one line of text: names, and settings behind them."""

import re

from gadfly.errors import InputError

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def split_settings(text: str) -> tuple[str, dict[str, str]]:
    """`name:field=value,field=value` taken apart. A value may hold commas, if no `word=` follows one.

    Raises:
        InputError: a part that is not `field=value`, or a field given twice.
    """
    name, _, rest = text.strip().partition(":")
    settings: dict[str, str] = {}
    for part in _split_before_words(rest) if rest else ():
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"{text!r}: {part!r} is not 'field=value'; write {name}:field=value,field=value")
        if key.strip() in settings:
            raise InputError(f"{text!r}: {key.strip()} is given twice")
        settings[key.strip()] = value.strip()
    return name, settings


def split_recipes(text: str) -> list[str]:
    """`a,b:x=1,y=2,c` as its recipes: a part `word=...` belongs to the recipe before it."""
    recipes: list[str] = []
    for part in text.split(","):
        if recipes and ":" in recipes[-1] and (_is_setting(part) or not part.strip()):
            recipes[-1] += "," + part
        elif part.strip():
            recipes.append(part.strip())
    return recipes


def kebab(name: str) -> str:
    """A class's name as the command line writes it: BestOfN is best-of-n."""
    return "-".join(word.lower() for word in _WORDS.findall(name))


def _split_before_words(rest: str) -> list[str]:
    parts: list[str] = []
    for part in rest.split(","):
        if parts and not _is_setting(part):
            parts[-1] += "," + part
        else:
            parts.append(part)
    return parts


def _is_setting(part: str) -> bool:
    return re.match(r"\s*[A-Za-z_][\w.-]*=", part) is not None
