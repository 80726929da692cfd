"""A part of JSON Schema: what is wrong with a JSON value, place by place.

Known are type, enum, const, required, properties, additionalProperties, items, minItems, maxItems,
uniqueItems, minLength, maxLength, pattern, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
multipleOf, anyOf, allOf, oneOf, not, and `$ref` into the schema itself. A schema with any other keyword is
refused: a rule that is silently left out would let wrong values through.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from typing import cast

from gadfly.errors import InputError

_NOTES = frozenset({"$schema", "$id", "$defs", "definitions", "title", "description", "default", "examples"})
_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and _is_whole(cast(float, value)),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_DEPTH = 100


def check_schema(schema: object) -> None:
    """Refuse a schema that is not one, or that uses what is not known here.

    Raises:
        InputError: where and what.
    """
    _check(schema, schema, "schema", 0)


def schema_faults(schema: object, value: object, *, most: int = 1000) -> list[str]:
    """What is wrong with a value, one sentence a fault, the first `most`; empty where it fits.

    Raises:
        InputError: the schema cannot be used.
    """
    check_schema(schema)
    return list(islice(_faults(schema, value, schema, "$", 0), most))


def _check(schema: object, root: object, place: str, depth: int) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict) or depth > _DEPTH:
        raise InputError(
            f"{place}: a JSON schema is an object or true or false, nested at most {_DEPTH} deep"
        )
    rules = cast("dict[str, object]", schema)
    unknown = [word for word in rules if word not in _RULES and word not in _NOTES]
    if unknown:
        raise InputError(f"{place}: the JSON schema keyword {unknown[0]!r} is not known here; take it out")
    for word, rule in rules.items():
        inner = f"{place}.{word}"
        if word in ("properties", "$defs", "definitions"):
            if not isinstance(rule, dict):
                raise InputError(f"{inner} must be an object")
            for name, part in cast("dict[str, object]", rule).items():
                _check(part, root, f"{inner}.{name}", depth + 1)
        elif word in ("items", "additionalProperties", "not"):
            _check(rule, root, inner, depth + 1)
        elif word in ("anyOf", "allOf", "oneOf"):
            for number, part in enumerate(_listed(rule, inner)):
                _check(part, root, f"{inner}.{number}", depth + 1)
        else:
            _check_rule(word, rule, root, inner)


def _check_rule(word: str, rule: object, root: object, place: str) -> None:
    if word == "$ref":
        _resolve(rule, root)
    elif word == "type":
        for name in _types(rule):
            if name not in _TYPES:
                raise InputError(f"{place}: no JSON type {name!r}; there are {', '.join(_TYPES)}")
    elif word in ("enum", "required"):
        _listed(rule, place)
    elif word == "pattern":
        try:
            re.compile(str(rule))
        except re.error as error:
            raise InputError(f"{place}: not a regular expression: {error}") from error
    elif word in _LIMITS and not _is_number(rule):
        raise InputError(f"{place} must be a number")
    elif word == "multipleOf" and cast(float, rule) <= 0:
        raise InputError(f"{place} must be above 0")


def _faults(schema: object, value: object, root: object, place: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        yield f"{place}: nested too deep to be checked"
    elif schema is False:
        yield f"{place} must not be there"
    elif isinstance(schema, dict):
        rules = cast("dict[str, object]", schema)
        for word, rule in rules.items():
            if word in _RULES:
                yield from _RULES[word](rule, value, rules, root, place, depth + 1)


def _ref(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    yield from _faults(_resolve(rule, root), value, root, place, depth)


def _type(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if not any(_TYPES[name](value) for name in _types(rule)):
        yield f"{place} must be of type {' or '.join(_types(rule))}, not {_short(value)}"


def _values(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if not any(_same(value, allowed) for allowed in cast("list[object]", rule)):
        yield f"{place} must be one of {_short(rule)}, not {_short(value)}"


def _const(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if not _same(value, rule):
        yield f"{place} must be {_short(rule)}, not {_short(value)}"


def _required(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{place} lacks {name!r}" for name in cast("list[str]", rule) if name not in value)


def _properties(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if isinstance(value, dict):
        held = cast("dict[str, object]", value)
        for name, part in cast("dict[str, object]", rule).items():
            if name in held:
                yield from _faults(part, held[name], root, f"{place}.{name}", depth)


def _additional(
    rule: object, value: object, rules: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    known = cast("dict[str, object]", rules.get("properties", {}))
    if isinstance(value, dict):
        for name, part in cast("dict[str, object]", value).items():
            if name not in known:
                yield from _faults(rule, part, root, f"{place}.{name}", depth)


def _items(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if isinstance(value, list):
        for number, part in enumerate(cast("list[object]", value)):
            yield from _faults(rule, part, root, f"{place}[{number}]", depth)


def _unique(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if rule is True and isinstance(value, list):
        texts = [_canonical(part) for part in cast("list[object]", value)]
        if len(set(texts)) < len(texts):
            yield f"{place} holds the same value twice"


def _pattern(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if isinstance(value, str) and re.search(str(rule), value) is None:
        yield f"{place} must match {rule!r}, and {_short(value)} does not"


def _combined(word: str) -> "_Rule":
    def rule_of(
        rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
    ) -> Iterator[str]:
        parts = cast("list[object]", rule)
        found = [list(_faults(part, value, root, place, depth)) for part in parts]
        fitting = sum(not faults for faults in found)
        if word == "allOf":
            yield from (fault for faults in found for fault in faults)
        elif fitting == 0:
            yield f"{place} fits none of {len(parts)} alternatives; of the first: {found[0][0]}"
        elif word == "oneOf" and fitting > 1:
            yield f"{place} fits {fitting} alternatives, and must fit one"

    return rule_of


def _not(
    rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
) -> Iterator[str]:
    if not list(_faults(rule, value, root, place, depth)):
        yield f"{place} must not be of that form: {_short(value)}"


def _limit(word: str) -> "_Rule":
    measure, holds, says = _LIMITS[word]

    def rule_of(
        rule: object, value: object, _: Mapping[str, object], root: object, place: str, depth: int
    ) -> Iterator[str]:
        size = measure(value)
        if size is not None and not holds(size, cast(float, rule)):
            yield f"{place} {says} {rule}, not {size}"

    return rule_of


def _number(value: object) -> float | None:
    return cast(float, value) if _is_number(value) else None


def _length(value: object) -> float | None:
    return len(value) if isinstance(value, str) else None


def _count(value: object) -> float | None:
    return len(cast("list[object]", value)) if isinstance(value, list) else None


_LIMITS: Mapping[str, tuple[Callable[[object], float | None], Callable[[float, float], bool], str]] = {
    "minimum": (_number, lambda size, limit: size >= limit, "must be at least"),
    "maximum": (_number, lambda size, limit: size <= limit, "must be at most"),
    "exclusiveMinimum": (_number, lambda size, limit: size > limit, "must be above"),
    "exclusiveMaximum": (_number, lambda size, limit: size < limit, "must be below"),
    "multipleOf": (_number, lambda size, limit: _divides(size, limit), "must be a multiple of"),
    "minLength": (_length, lambda size, limit: size >= limit, "must have a length of at least"),
    "maxLength": (_length, lambda size, limit: size <= limit, "must have a length of at most"),
    "minItems": (_count, lambda size, limit: size >= limit, "must have at least so many items:"),
    "maxItems": (_count, lambda size, limit: size <= limit, "must have at most so many items:"),
}

_Rule = Callable[[object, object, Mapping[str, object], object, str, int], Iterator[str]]
_RULES: Mapping[str, _Rule] = {
    "$ref": _ref,
    "type": _type,
    "enum": _values,
    "const": _const,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "uniqueItems": _unique,
    "pattern": _pattern,
    "not": _not,
    **{word: _combined(word) for word in ("anyOf", "allOf", "oneOf")},
    **{word: _limit(word) for word in _LIMITS},
}


def _resolve(rule: object, root: object) -> object:
    if not str(rule).startswith("#"):
        raise InputError(
            f"the JSON schema refers to {rule!r}; only references into itself ('#/...') are known"
        )
    found = root
    for part in str(rule).removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise InputError(f"the JSON schema refers to {rule!r}, which it does not hold")
        found = cast("dict[str, object]", found)[name]
    return found


def _listed(rule: object, place: str) -> Sequence[object]:
    if not isinstance(rule, list) or not rule:
        raise InputError(f"{place} must be a list with something in it")
    return cast("list[object]", rule)


def _types(rule: object) -> list[str]:
    return [str(name) for name in cast("list[object]", rule)] if isinstance(rule, list) else [str(rule)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def _divides(size: float, limit: float) -> bool:
    """In decimals, as written: 0.3 is a multiple of 0.1."""
    try:
        return Fraction(str(size)) % Fraction(str(limit)) == 0
    except ValueError:  # infinity
        return False


def _same(one: object, other: object) -> bool:
    return _canonical(one) == _canonical(other)


def _canonical(value: object) -> str:
    """JSON text in which 1 and 1.0 are one number and true is none."""
    if _is_number(value) and _is_whole(cast(float, value)):
        value = int(cast(float, value))
    return json.dumps(value, sort_keys=True)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
