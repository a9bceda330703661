"""Reads the table of a path file: delimiter, header and numbers; errors name the line and column."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from moglow.errors import ControlError
from moglow.files.csv_rows import CsvRows, split_rows
from moglow.files.numbers import read_number
from moglow.files.reading import read_text
from moglow.maths.rotations import Array

UNITS = {
    "t": "seconds",
    "x": "metres",
    "z": "metres",
    "heading": "degrees",
    "forward": "metres a second",
    "sideways": "metres a second",
    "turn": "degrees a second",
}
LAYOUTS: Mapping[
    tuple[str, ...], tuple[str, ...]
] = {  # required columns of each kind of path, and its optional columns
    ("t", "x", "z"): ("heading", "style"),
    ("forward", "sideways", "turn"): ("style",),
    ("x", "z"): ("heading", "style"),
}
LARGEST = 1e6
"""The largest value, 1,000 km or 11 days; larger ones raise an error."""
MOST_BYTES = 100_000_000
MOST_LINES = 2_000_000
MOST_COLUMNS = 50
LONGEST_FIELD = 1000
"""The most characters of a field."""
RATES = (1.0, 1000.0)
"""The range of frame rates that a comment may give."""
_RATE = re.compile(r"\bfps\b\s*(?:[:=]\s*)?([0-9.]+(?:e[+-]?[0-9]+)?)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Table:
    """Numeric columns ``(N,)`` by name, the style and line number of each row, and the frame rate if given."""

    source: str
    columns: Mapping[str, Array]
    styles: tuple[str, ...] | None
    lines: tuple[int, ...]
    fps: float | None

    def __len__(self) -> int:
        return len(self.lines)

    def stacked(self, *names: str) -> Array:
        """Returns columns as one array ``(N, len(names))``."""
        return np.stack([self.columns[name] for name in names], axis=-1)

    def complaint(self, row: int, column: str, what: str) -> ControlError:
        """Returns an error that names the file, the line and the column."""
        return ControlError(f"{self.source}: line {self.lines[row]}, column {column}: {what}")


def read_rows(path: str | Path) -> CsvRows:
    """Returns the rows of a path file as text, the header first."""
    text = read_text(path, MOST_BYTES, ControlError)
    if "\0" in text:
        raise ControlError(f"{path}: not a text file; give a CSV file with columns t,x,z")
    if text.count("\n") > MOST_LINES:
        raise ControlError(f"{path}: more than {MOST_LINES} lines; give a path with fewer rows")
    table = split_rows(text, path)
    if not table.rows:
        raise ControlError(f"{path}: no header; the first row names the columns, such as t,x,z")
    return table


def read_table(path: str | Path, rows_of: Callable[[str | Path], CsvRows] = read_rows) -> Table:
    """Reads a table; its columns must match one of `LAYOUTS`. ``rows_of`` returns its rows as text."""
    table = rows_of(path)
    (first, header), *rows = table.rows
    names = _check_header(path, first, [name.strip().lower() for name in header])
    if not rows:
        raise ControlError(f"{path}: no rows after the header; give at least one")
    numbers = [number for number, _ in rows]
    columns: dict[str, list[str]] = {name: [] for name in names}
    for number, row in rows:
        if len(row) < len(names) or any(map(str.strip, row[len(names) :])):
            raise ControlError(
                f"{path}: line {number} has {len(row)} values, the header names {len(names)} columns"
            )
        for name, value in zip(names, row, strict=False):
            columns[name].append(value.strip())
    styles = _fill_styles(path, numbers, columns.pop("style")) if "style" in columns else None
    values = {
        name: _numbers(path, numbers, name, [value.translate(table.decimals) for value in column])
        for name, column in columns.items()
    }
    return Table(str(path), values, styles, tuple(numbers), _rate(path, table.comments))


def _check_header(path: str | Path, line: int, names: list[str]) -> list[str]:
    place = f"{path}: line {line}"
    while names and not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise ControlError(
            f"{place}: {len(names)} columns; the first row names columns of {', '.join(UNITS)}"
        )
    for name in names:
        if name not in UNITS and name != "style":
            near = get_close_matches(name, [*UNITS, "style"], n=1)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else f"the first row names columns of {', '.join(UNITS)}, style"
            )
            raise ControlError(f"{place}: unknown column {_shown(name)}; {hint}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ControlError(f"{place}: column {repeated[0]} is there twice")
    kinds = [kind for kind in LAYOUTS if set(kind) <= set(names)]
    if not kinds:
        raise ControlError(
            f"{place}: columns {','.join(names)}; expected t,x,z or x,z or forward,sideways,turn"
        )
    spare = [name for name in names if name not in (*kinds[0], *LAYOUTS[kinds[0]])]
    if spare:
        raise ControlError(f"{place}: column {spare[0]} does not go with {','.join(kinds[0])}; leave it out")
    return names


def _numbers(path: str | Path, lines: Sequence[int], name: str, values: Sequence[str]) -> Array:
    out = np.empty(len(values))
    for row, value in enumerate(values):
        out[row] = read_number(value)
        if not abs(out[row]) <= LARGEST:
            found = _shown(value) if value else "nothing"
            wanted = f"a number of {UNITS[name]}, at most {LARGEST:g}"
            raise ControlError(f"{path}: line {lines[row]}, column {name}: found {found}, expected {wanted}")
    return out


def _fill_styles(path: str | Path, lines: Sequence[int], values: list[str]) -> tuple[str, ...]:
    if not values[0]:
        raise ControlError(
            f"{path}: line {lines[0]}, column style: nothing; name the style that the path begins in"
        )
    for row, value in enumerate(values):
        if len(value) > LONGEST_FIELD:
            raise ControlError(
                f"{path}: line {lines[row]}, column style: {len(value)} characters; name a style of the model"
            )
        values[row] = value or values[row - 1]
    return tuple(values)


def _rate(path: str | Path, comments: Sequence[tuple[int, str]]) -> float | None:
    """Returns the frame rate in the first comment with ``fps`` and a number, or None."""
    for number, line in comments:
        if found := _RATE.search(line):
            rate = read_number(found[1].rstrip("."))
            if not RATES[0] <= rate <= RATES[1]:
                wanted = f"expected {RATES[0]:g} to {RATES[1]:g} frames a second"
                raise ControlError(f"{path}: line {number}: fps is {_shown(found[1])}, {wanted}")
            return rate
    return None


def _shown(text: str) -> str:
    """Returns a value for a message, quoted and shortened."""
    return repr(text if len(text) <= 30 else text[:27] + "...")
