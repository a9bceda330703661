"""Frozen dataclasses out of plain tables (TOML, JSON) and back, with errors that help.

A dataclass is its own schema: the field's annotation says what a table may hold, its default makes it optional,
and `__post_init__` checks the rest (a `ValueError` there becomes an error that names the place).
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from moglow.errors import MoglowError, RecipeError

T = TypeVar("T")

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


def from_table(cls: type[T], table: object, place: str, error: type[MoglowError] = RecipeError) -> T:
    """Returns the dataclass `cls` filled from a table; unknown keys, wrong types and missing keys are refused.

    `place` begins every message, such as "recipe.toml: [training]".

    >>> @dataclasses.dataclass(frozen=True)
    ... class Training:
    ...     steps: int = 1000
    ...     rate: float = 1e-3
    >>> from_table(Training, {"steps": 5, "rate": 1}, "walk.toml: [training]")
    Training(steps=5, rate=1.0)
    >>> from_table(Training, {"stpes": 5}, "walk.toml: [training]")
    Traceback (most recent call last):
    moglow.errors.RecipeError: walk.toml: [training] does not know 'stpes'; did you mean 'steps'?
    """
    if not isinstance(table, Mapping):
        raise error(f"{place} should be a table of keys and values, it is {_shown(table)}")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise error(f"{place} does not know {key!r}; {suggestion(str(key), fields)}")
    hints = typing.get_type_hints(cls)
    values = {key: _value(hints[key], value, f"{place} {key}", error) for key, value in table.items()}
    for name, field in fields.items():
        optional = not (field.default is field.default_factory is dataclasses.MISSING)
        if name not in values and not optional:
            raise error(f"{place} needs {name!r} ({_wanted(hints[name])})")
    try:
        return cls(**values)
    except ValueError as reason:
        raise error(f"{place} {reason}") from reason


def to_table(value: Any) -> Any:
    """Returns a dataclass as plain dicts, lists, numbers and text, which `from_table` takes back.

    Keys that are None are left out: TOML knows no null.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return {name: to_table(item) for name, item in pairs.items() if item is not None}
    if isinstance(value, Mapping):
        return {str(key): to_table(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_table(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def suggestion(wrong: str, known: typing.Iterable[str]) -> str:
    """Returns the known word that is nearest to a wrong one as a question, else the list of all."""
    known = list(known)
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _value(hint: Any, value: Any, place: str, error: type[MoglowError]) -> Any:
    """Returns `value` as the annotation `hint` asks for it, checked all the way down."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):  # `X | None`, the only union in use
        return None if value is None else _value(arguments[0], value, place, error)
    if origin is typing.Literal:
        if value not in arguments:
            choices = ", ".join(map(repr, arguments))
            raise error(f"{place} should be one of {choices}, it is {_shown(value)}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise error(f"{place} should have {len(kinds)} values, it has {len(value)}")
        pairs = zip(kinds, value, strict=True)
        return tuple(_value(kind, item, f"{place}[{i}]", error) for i, (kind, item) in enumerate(pairs))
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {key: _value(arguments[1], item, f"{place}.{key}", error) for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_table(hint, value, place.replace("] ", ".", 1) + "]" if "] " in place else place, error)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if origin is None and isinstance(value, hint) and not (hint is not bool and isinstance(value, bool)):
        return value
    raise error(f"{place} should be {_wanted(hint)}, it is {_shown(value)}")


def _wanted(hint: Any) -> str:
    """Returns what an annotation asks for, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _wanted(arguments[0])
    if origin is tuple:
        return f"a list, each {_wanted(arguments[0])}"
    if origin is not None or dataclasses.is_dataclass(hint):
        return "a table"
    return WORDS.get(hint, str(hint))


def _shown(value: object) -> str:
    """Returns a value as a user wrote it, with its kind, cut to one short line."""
    kind = "a list" if isinstance(value, list | tuple) else "a table" if isinstance(value, Mapping) else None
    kind = kind or WORDS.get(type(value), type(value).__name__)
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({kind})"
