"""Converts plain tables (TOML, JSON) to frozen dataclasses and back, with helpful error messages.

A dataclass is its own schema. The annotation of a field gives the type of its value, a default makes the field
optional, and `__post_init__` checks further conditions (a `ValueError` there becomes an error that names the place).
"""

import dataclasses
import difflib
import reprlib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt

from moglow.errors import MoglowError, RecipeError

T = TypeVar("T")

LARGEST_INTEGER = 2**63 - 1
LARGEST = 1e100
"""Largest number, whose square is finite too."""

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


@dataclasses.dataclass(frozen=True)
class Numbers:
    """An annotation for arrays: ``Annotated[Array, Numbers(None, 3)]`` is an array of any number of rows of 3.

    In ``shape``, None stands for any length. With ``whole``, all values must be integers. All values must be finite and
    at most `LARGEST`.
    """

    shape: tuple[int | None, ...]
    whole: bool = False

    def __init__(self, *shape: int | None, whole: bool = False) -> None:
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "whole", whole)

    def __str__(self) -> str:
        sizes = " × ".join("n" if size is None else str(size) for size in self.shape)
        return f"a list of {'whole ' if self.whole else ''}numbers, {sizes}"

    def read(self, value: object) -> npt.NDArray[Any] | None:
        """Converts nested lists to an array; returns None if its shape or type does not match."""
        if not isinstance(value, list | tuple):
            return None
        try:
            array = np.array(value)
        except (ValueError, OverflowError):  # rows of different lengths or integers that overflow
            return None
        if not array.size:
            array = np.zeros(array.shape + tuple(size or 0 for size in self.shape[array.ndim :]), int)
        fits = len(self.shape) == array.ndim and all(
            size in (None, found) for size, found in zip(self.shape, array.shape, strict=True)
        )
        if not fits or array.dtype.kind not in ("iu" if self.whole else "iuf"):
            return None
        if not self.whole and not (np.abs(array.astype(float)) <= LARGEST).all():
            return None
        return array.astype(np.intp if self.whole else float)


def from_table(
    cls: type[T],
    table: object,
    place: str,
    error: type[MoglowError] = RecipeError,
    *,
    finite: bool = True,
) -> T:
    """Converts a table to the dataclass `cls`; raises ``error`` for unknown keys, wrong types and missing keys.

    `place`, such as "recipe.toml: [training]", begins every message. With `finite`, NaN and infinity are errors, too;
    without it they are accepted, as needed for measured values.

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
            raise error(f"{place} does not know {_shown_key(key)}; {suggestion(str(key), fields)}")
    hints = typing.get_type_hints(cls, include_extras=True)
    values = {key: _value(hints[key], value, f"{place} {key}", error, finite) for key, value in table.items()}
    for name, field in fields.items():
        optional = not (field.default is field.default_factory is dataclasses.MISSING)
        if name not in values and not optional:
            raise error(f"{place} needs {name!r} ({_wanted(hints[name])})")
    try:
        return cls(**values)
    except ValueError as reason:
        raise error(f"{place} {reason}") from reason


def to_table(value: Any) -> Any:
    """Converts a dataclass to plain dicts, lists, numbers and text; the inverse of `from_table`.

    Values that are None are left out, since TOML has no null.
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
    """Returns a question with the known word closest to a wrong one, or the list of all known words."""
    known, wrong = list(known), wrong[:100]
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _value(hint: Any, value: Any, place: str, error: type[MoglowError], finite: bool) -> Any:
    """Converts `value` to the type of the annotation `hint` and checks it recursively."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):  # `X | None`, the only union in use
        return None if value is None else _value(arguments[0], value, place, error, finite)
    if origin is Annotated:
        (numbers,) = hint.__metadata__
        array = numbers.read(value)
        if array is None:
            raise error(f"{place} should be {numbers}, it is {_shown(value)}")
        return array
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
        return tuple(
            _value(kind, item, f"{place}[{i}]", error, finite) for i, (kind, item) in enumerate(pairs)
        )
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {
            key: _value(arguments[1], item, f"{place}.{key}", error, finite) for key, item in value.items()
        }
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        inner = place.replace("] ", ".", 1) + "]" if "] " in place else place
        return from_table(hint, value, inner, error, finite=finite)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_INTEGER:
        raise error(f"{place} is a number of more than 63 bits; give a smaller one")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if finite and hint is float and isinstance(value, float) and not abs(value) <= LARGEST:
        raise error(f"{place} is {value}; give a finite number, at most {LARGEST:g}")
    if hint is Path and isinstance(value, str):
        return Path(value)
    if origin is None and isinstance(value, hint) and not (hint is not bool and isinstance(value, bool)):
        return value
    raise error(f"{place} should be {_wanted(hint)}, it is {_shown(value)}")


def _wanted(hint: Any) -> str:
    """Returns a description of the type that an annotation expects."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _wanted(arguments[0])
    if origin is Annotated:
        return str(hint.__metadata__[0])
    if origin is tuple:
        return f"a list, each {_wanted(arguments[0])}"
    if origin is not None or dataclasses.is_dataclass(hint):
        return "a table"
    return WORDS.get(hint, str(hint))


def _shown_key(key: object) -> str:
    text = str(key)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _shown(value: object) -> str:
    """Returns a value as the user wrote it and its type, shortened to one line."""
    kind = "a list" if isinstance(value, list | tuple) else "a table" if isinstance(value, Mapping) else None
    kind = kind or WORDS.get(type(value), type(value).__name__)
    text = reprlib.repr(value) if isinstance(value, list | tuple | Mapping) else repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({kind})"
