"""A recipe's fields as a user gives them: names, types, defaults and what they mean, as text.

The fields of a recipe are its configuration, its command-line flags and its manifest entry. Here
they are read off the class, and text is read into them.
"""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from gadfly.errors import InputError
from gadfly.prompts import Prompt
from gadfly.protocols import Critic, Model, Ranker, Scorer, Solver, TokenModel
from gadfly.records import Record, Sampling

Kind: TypeAlias = Literal[
    "model", "models", "solver", "judge", "judges", "scorer", "prompt", "value", "python"
]

_KINDS: Mapping[object, Kind] = {
    Model: "model",
    TokenModel: "model",
    Solver: "solver",
    Scorer: "scorer",
    Critic: "judge",
    Ranker: "judge",
    Prompt: "prompt",
}
_USUAL = {
    "model": "The model that answers.",
    "sampling.temperature": "0 is greedy.",
    "sampling.top_p": "Nucleus: the share of probability that is sampled from.",
    "sampling.max_tokens": "Upper limit of generated tokens a call.",
    "sampling.stop": "Generation ends before any of these strings.",
    "sampling.logprobs": "Ask for token log-probabilities, with so many alternatives.",
}


@dataclass(frozen=True, kw_only=True)
class FieldEntry:
    """One field that text can fill; a record's fields are entries of their own, as in `sampling.top_p`."""

    name: str
    kind: Kind
    """What the text is: a model, solver or scorer by name, a prompt's file, or a plain value.
    `python`: text cannot give it."""
    type: str
    """The type, for people."""
    annotation: Any
    """The type, for reading a value."""
    default: object
    """None where the field is required or has none."""
    required: bool
    optional: bool
    """Whether `none` may be given."""
    choices: tuple[str, ...]
    doc: str

    @property
    def flag(self) -> str:
        """What the command line calls it."""
        return "--" + self.name.replace("_", "-")

    @property
    def shown_default(self) -> str:
        """The default in a few words; empty where there is nothing to show."""
        if self.default is None:
            return ""
        if isinstance(self.default, Prompt):
            return self.default.name
        if isinstance(self.default, str | int | float):
            return str(self.default)
        if not isinstance(self.default, tuple):
            return ""
        several = cast("tuple[object, ...]", self.default)  # pyright: ignore[reportUnknownMemberType]
        return ", ".join(map(str, several))


def read_fields(recipe: type) -> tuple[FieldEntry, ...]:
    """The fields of a recipe's class, in their order.

    Raises:
        InputError: an annotation names something that cannot be found.
    """
    try:
        hints = get_type_hints(recipe)
    except NameError as error:
        raise InputError(f"{recipe.__qualname__} has a field of unknown type: {error}") from error
    docs = _docstrings(recipe)
    found: list[FieldEntry] = []
    for field in dataclasses.fields(cast(Any, recipe)):
        if not field.init:
            continue
        default = _default(field)
        annotation = hints[field.name]
        if isinstance(annotation, type) and issubclass(annotation, Record) and annotation not in _KINDS:
            found += _record_fields(field.name, annotation, default)
        else:
            doc = docs.get(field.name) or _USUAL.get(field.name, "")
            found.append(_entry(field.name, cast(object, annotation), default, doc))
    return tuple(found)


def read_value(field: FieldEntry, text: str) -> object:
    """Text as a value of the field's type. Only for fields of kind `value` and `prompt`.

    Raises:
        InputError: it is not one.
    """
    if field.optional and text.strip().lower() == "none":
        return None
    if field.kind == "prompt":
        return _read_prompt(field, text)
    if field.choices:
        return _read_choice(field, text)
    adapter: TypeAdapter[object] = TypeAdapter(field.annotation)
    try:
        if get_origin(field.annotation) is tuple:
            return adapter.validate_python(tuple(text.split(",")) if text else ())
        return adapter.validate_python(text)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise InputError(f"{field.name} must be of type {field.type}, not {text!r} ({reason})") from None


def assemble(recipe: type, values: Mapping[str, object]) -> object:
    """The recipe with these fields, dotted ones gathered into their records.

    Raises:
        InputError: the recipe or a record refuses them.
    """
    plain: dict[str, object] = {}
    nested: dict[str, dict[str, object]] = {}
    for name, value in values.items():
        head, _, inner = name.partition(".")
        if inner:
            nested.setdefault(head, {})[inner] = value
        else:
            plain[name] = value
    fields = {field.name: field for field in dataclasses.fields(cast(Any, recipe))}
    hints = get_type_hints(recipe)
    try:
        for name, changes in nested.items():
            start = _default(fields[name])
            kept = cast(Record, start).model_dump() if start is not dataclasses.MISSING else {}
            plain[name] = hints[name].model_validate({**kept, **changes})
        return recipe(**plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{recipe.__qualname__} refuses these settings: {error}") from error


def _record_fields(name: str, record: type[Record], default: object) -> list[FieldEntry]:
    docs = _docstrings(record)
    entries: list[FieldEntry] = []
    for inner, info in record.model_fields.items():
        dotted = f"{name}.{inner}"
        if default is not dataclasses.MISSING:
            present = getattr(default, inner)
        else:
            present = (
                dataclasses.MISSING if info.is_required() else info.get_default(call_default_factory=True)
            )
        doc = docs.get(inner) or (_USUAL.get(f"sampling.{inner}", "") if record is Sampling else "")
        entries.append(_entry(dotted, info.annotation, present, doc))
    return entries


def _entry(name: str, annotation: object, default: object, doc: str) -> FieldEntry:
    required = default is dataclasses.MISSING
    parts = _parts(annotation)
    core = parts[0] if len(parts) == 1 else annotation
    kind = _kind(parts)
    return FieldEntry(
        name=name,
        kind=kind,
        type=_type_name(core, kind),
        annotation=annotation,
        default=None if required else default,
        required=required,
        optional=len(parts) < len(get_args(annotation)) and get_origin(annotation) in (Union, UnionType),
        choices=tuple(map(str, get_args(core))) if get_origin(core) is Literal else (),
        doc=" ".join(doc.split()),
    )


def _parts(annotation: object) -> tuple[object, ...]:
    """The members of a union but None; the annotation itself where it is no union."""
    if get_origin(annotation) not in (Union, UnionType):
        return (annotation,)
    return tuple(part for part in get_args(annotation) if part is not NoneType)


def _kind(parts: tuple[object, ...]) -> Kind:
    kinds = {_KINDS.get(part) for part in parts}
    if None not in kinds and len(kinds) == 1:
        return cast(Kind, kinds.pop())
    if len(parts) == 1 and get_origin(parts[0]) is tuple and get_args(parts[0])[0] in (Model, TokenModel):
        return "models"
    if len(parts) == 1 and get_origin(parts[0]) is tuple and get_args(parts[0])[0] in (Critic, Ranker):
        return "judges"
    return "value" if all(map(_is_plain, parts)) else "python"


def _is_plain(part: object) -> bool:
    origin = get_origin(part)
    if origin is tuple:
        return all(_is_plain(inner) for inner in get_args(part) if inner is not Ellipsis)
    return origin is Literal or (isinstance(part, type) and issubclass(part, str | int | float))


def _type_name(core: object, kind: Kind) -> str:
    if kind not in ("value", "python"):
        return {"models": "models, by comma", "judges": "judges, by semicolon", "prompt": "prompt file"}.get(
            kind, kind
        )
    if get_origin(core) is Literal:
        return " | ".join(map(str, get_args(core)))
    if get_origin(core) is tuple:
        return "text, by comma"
    if core is str:
        return "text"
    return core.__name__ if isinstance(core, type) else str(core).replace("typing.", "")


def _default(field: "dataclasses.Field[Any]") -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


@cache
def _docstrings(thing: type) -> dict[str, str]:
    """What stands in quotes below each field; nothing where there is no source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = cast(ast.ClassDef, tree.body[0]).body
    found: dict[str, str] = {}
    for field, below in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[field.target.id] = below.value.value
    return found


def _read_choice(field: FieldEntry, text: str) -> object:
    for part in _parts(field.annotation):
        for choice in get_args(part):
            if str(choice) == text:
                return choice
    raise InputError(f"{field.name} must be one of {', '.join(field.choices)}, not {text!r}")


def _read_prompt(field: FieldEntry, text: str) -> Prompt:
    """A user's template in place of the recipe's; it must have the same slots."""
    path = Path(text).expanduser()
    try:
        template = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{field.name}: cannot read the prompt file {text}: {error}") from error
    usual = field.default if isinstance(field.default, Prompt) else None
    prompt = Prompt(name=path.stem, user=template, system=usual.system if usual else None)
    slots = prompt.slots
    # A prompt may leave the problem out; every other slot is filled and must be there.
    if usual is not None and slots | {"problem"} != usual.slots | {"problem"}:
        raise InputError(
            f"{text} has the slots {', '.join(sorted(slots)) or 'none'}, "
            f"but {field.name} fills {', '.join(sorted(usual.slots))}"
        )
    return prompt
