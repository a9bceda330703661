"""Reads JSON and TOML with limits; errors are one line that names the place.

`parse_json` and `read_toml` turn text into plain tables; `moglow.files.tables.from_table` turns a table into a
dataclass and names invalid keys.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moglow.errors import FileFormatError, MoglowError
from moglow.files.reading import read_text

LARGEST_TOML = 1_000_000
LARGEST_JSON = 100_000_000
"""Bytes; a list of splits has a few megabytes, the description of a corpus grows with its number of clips."""
_LONG_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+[ \t]*\.[ \t]*){32}""")


def parse_json(text: str | bytes, place: str, error: type[MoglowError] = FileFormatError) -> Any:
    """Returns the value of a JSON text; error messages begin with ``place``.

    >>> parse_json('{"a": [1, 2]}', "a.json")
    {'a': [1, 2]}
    >>> parse_json("[" * 100_000, "a.json")
    Traceback (most recent call last):
    moglow.errors.FileFormatError: a.json: the JSON is nested too deeply; make the file again
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise error(f"{place}: the JSON is nested too deeply; make the file again") from None
    except ValueError as reason:  # invalid JSON, invalid UTF-8 or an integer of thousands of digits
        raise error(
            f"{place}: is no JSON that can be read ({_reason(reason)}); make the file again"
        ) from None


def parse_json_table(
    text: str | bytes, place: str, error: type[MoglowError] = FileFormatError
) -> Mapping[str, Any]:
    """Returns the object of a JSON text as a dict; raises ``error`` for any other value."""
    table = parse_json(text, place, error)
    if not isinstance(table, Mapping):
        raise error(f"{place}: expected a table of keys and values in JSON, found {type(table).__name__}")
    return table


def read_json(
    path: str | Path, error: type[MoglowError] = FileFormatError, *, most: int = LARGEST_JSON
) -> Any:
    """Returns the value of a JSON file."""
    return parse_json(read_text(path, most, error), str(path), error)


def parse_toml(text: str, place: str, error: type[MoglowError] = FileFormatError) -> dict[str, Any]:
    """Returns the tables of a TOML text.

    >>> parse_toml("x = 1_0", "a.toml")
    {'x': 10}
    """
    import tomllib  # takes milliseconds, which commands that read no TOML do not need

    # `tomllib` takes quadratic time in the number of parts of a dotted key.
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise error(f"{place}: line {line} has a key of more than 32 parts; no key of ours has more than 4")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise error(f"{place}: the TOML is nested too deeply; simplify it") from None
    except ValueError as reason:
        raise error(f"{place}: not a TOML file ({_reason(reason)}); correct it") from None


def read_toml(path: str | Path, error: type[MoglowError] = FileFormatError) -> dict[str, Any]:
    """Returns the tables of a TOML file."""
    return parse_toml(read_text(path, LARGEST_TOML, error).replace("\r\n", "\n"), str(path), error)


def _reason(error: ValueError) -> str:
    """Returns the reason why a text cannot be read, without Python's advice on integers of thousands of digits."""
    return (
        "a whole number has thousands of digits" if "integer string conversion" in str(error) else str(error)
    )
