"""Pin files: directions as rows of CSV or objects of JSON. Needs numpy alone.

The columns, in any order; a row contains values only for those of its direction:

    t        seconds; for a look the time at which it begins
    pose     a motion file, relative to the pin file: the row is a pin
    frame    the frame of the pose in the file; 0 if empty
    joints   groups or names of joints, separated by spaces; all if empty
    world    1 if the figure is at the position in the file
    reach    a joint: the row is a reach
    until    seconds at which a look ends: the row is a look
    x,y,z    the point of a reach or a look, in metres

A JSON file is a list of objects with these keys; ``joints`` may be a list there.
"""

import math
import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from moglow.directing.pins import LARGEST, Direction, Look, Pin, Reach
from moglow.errors import ControlError
from moglow.files.csv_rows import split_rows
from moglow.files.descriptions import parse_json
from moglow.files.numbers import read_number
from moglow.files.reading import read_text

COLUMNS = ("t", "pose", "frame", "joints", "world", "reach", "until", "x", "y", "z")
MOST_BYTES = 10_000_000


def read_pins(file: str | Path) -> list[Direction]:
    """Returns the directions of a pin file, in its order."""
    file = Path(file)
    rows = _json_rows(file) if file.suffix.lower() == ".json" else _csv_rows(file)
    if not rows:
        raise ControlError(f"{file}: no pins; give at least one row")
    return [_direction(row, f"{file}: {place}", file.parent) for place, row in rows]


def _direction(row: Mapping[str, Any], place: str, folder: Path) -> Direction:
    kinds = [kind for kind in ("pose", "reach", "until") if row.get(kind) not in (None, "")]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        raise ControlError(
            f"{place}: has {found}; give one of pose (a pin), reach (a joint) or until (a look)"
        )
    time = _number(row, "t", place)
    if kinds == ["reach"]:
        return Reach(time, _text_of(row, "reach", place), _point(row, place))
    if kinds == ["until"]:
        stop = _number(row, "until", place)
        if not time < stop:
            raise ControlError(f"{place}: until is {stop:g} s, before t at {time:g} s; give a later time")
        return Look(time, stop, _point(row, place))
    frame = _number(row, "frame", place, 0.0)
    if frame != int(frame):
        raise ControlError(f"{place}: frame is {frame:g}; give a whole number")
    joints = row.get("joints") or ""
    names = joints.replace(",", " ").split() if isinstance(joints, str) else joints
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ControlError(f"{place}: joints is {reprlib.repr(joints)}; give names, or a list of names")
    world = _number(row, "world", place, 0.0) != 0.0
    return Pin(time, folder / _text_of(row, "pose", place), int(frame), tuple(names), world)


def _text_of(row: Mapping[str, Any], key: str, place: str) -> str:
    """Returns the name of a file or a joint."""
    value = row[key]
    if not isinstance(value, str) or any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in value):
        raise ControlError(f"{place}: {key} is {reprlib.repr(value)}; give a name")
    return value


def _point(row: Mapping[str, Any], place: str) -> tuple[float, float, float]:
    return _number(row, "x", place), _number(row, "y", place), _number(row, "z", place)


def _number(row: Mapping[str, Any], key: str, place: str, default: float | None = None) -> float:
    value = row.get(key)
    if value in (None, "") and default is not None:
        return default
    number = math.nan
    if isinstance(value, str):
        number = read_number(value)
    elif isinstance(value, int | float):
        number = float(value) if abs(value) <= LARGEST else math.inf
    if not abs(number) <= LARGEST:
        found = "nothing" if value in (None, "") else reprlib.repr(value)
        raise ControlError(f"{place}: {key} is {found}, expected a number of at most {LARGEST:g}")
    return number


def _text(file: Path) -> str:
    return read_text(file, MOST_BYTES, ControlError)


def _known(keys: Sequence[str], place: str) -> None:
    for key in keys:
        if key not in COLUMNS:
            near = get_close_matches(key, COLUMNS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(COLUMNS)}"
            raise ControlError(f"{place}: unknown column {key!r}; {hint}")


def _csv_rows(file: Path) -> list[tuple[str, dict[str, Any]]]:
    found = split_rows(_text(file), file).rows
    if not found:
        raise ControlError(f"{file}: no header; the first row names columns of {', '.join(COLUMNS)}")
    (first, header), *body = found
    names = [name.strip().lower() for name in header]
    _known(names, f"{file}: line {first}")
    rows = []
    for number, row in body:
        if len(row) > len(names):
            raise ControlError(
                f"{file}: line {number} has {len(row)} values, the header names {len(names)} columns"
            )
        rows.append((f"line {number}", dict(zip(names, (value.strip() for value in row), strict=False))))
    return rows


def _json_rows(file: Path) -> list[tuple[str, dict[str, Any]]]:
    found = parse_json(_text(file), str(file), ControlError)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ControlError(f"{file}: expected a list of objects, one for each pin")
    rows = [(f"entry {number}", each) for number, each in enumerate(found, start=1)]
    for place, row in rows:
        _known(list(row), f"{file}: {place}")
    return rows
