"""The exact value of an arithmetic expression that a model wrote: a small reader, nothing is run."""

import re
from fractions import Fraction

from gadfly.errors import ParseError

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<mark>[-+*/()]))")
DEEPEST = 60
"""How deep parentheses and signs may stand in one another."""
LONGEST = 1000
"""Characters: no sum that anybody wrote by hand is longer."""


def read_arithmetic(text: str) -> Fraction:
    """The value of numbers joined by `+ - * /` and parentheses, with signs, in exact fractions.

    No powers, no names and no products without a sign, so no text can ask for much work.

    Raises:
        ParseError: the text is no such expression, divides by zero, or is too long or too deep.
    """
    if len(text) > LONGEST:
        raise ParseError(f"an expression of {len(text)} characters; at most {LONGEST} are read")
    tokens = _tokens(text)
    value, end = _sum(tokens, 0, 0)
    if end < len(tokens):
        raise ParseError(f"{tokens[end]!r} does not belong in {text.strip()[:60]!r}")
    return value


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at, stop = 0, len(text.rstrip())
    while at < stop:
        found = _TOKEN.match(text, at)
        if not found:
            raise ParseError(f"no arithmetic: {text[at : at + 20].strip()!r} in {text.strip()[:60]!r}")
        tokens.append(found["number"] or found["mark"])
        at = found.end()
    return tokens


def _sum(tokens: list[str], at: int, depth: int) -> tuple[Fraction, int]:
    value, at = _product(tokens, at, depth)
    while at < len(tokens) and tokens[at] in "+-":
        right, after = _product(tokens, at + 1, depth)
        value = value + right if tokens[at] == "+" else value - right
        at = after
    return value, at


def _product(tokens: list[str], at: int, depth: int) -> tuple[Fraction, int]:
    value, at = _atom(tokens, at, depth)
    while at < len(tokens) and tokens[at] in "*/":
        right, after = _atom(tokens, at + 1, depth)
        if tokens[at] == "*":
            value *= right
        elif right:
            value /= right
        else:
            raise ParseError("a division by zero")
        at = after
    return value, at


def _atom(tokens: list[str], at: int, depth: int) -> tuple[Fraction, int]:
    if depth > DEEPEST:
        raise ParseError(f"an expression more than {DEEPEST} deep")
    if at >= len(tokens):
        raise ParseError("the expression ends too early")
    token = tokens[at]
    if token in "+-":
        value, after = _atom(tokens, at + 1, depth + 1)
        return (-value if token == "-" else value), after
    if token == "(":
        value, after = _sum(tokens, at + 1, depth + 1)
        if after >= len(tokens) or tokens[after] != ")":
            raise ParseError("a parenthesis is not closed")
        return value, after + 1
    if token in "*/)":
        raise ParseError(f"{token!r} where a number belongs")
    return Fraction(token), at + 1
