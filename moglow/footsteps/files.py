"""Footprints as CSV: ``t_on,t_off,foot,x,z,heading,height``, one row per footprint. Needs numpy alone.

The units are seconds, metres and degrees; heading 0 is +Z and 90 is +X. Rows may be in any order. ``heading`` and
``height`` are optional: the default heading is that of the clip's own footprint, the default height is 0.
"""

import csv
import io
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

import numpy as np

from moglow.errors import ControlError
from moglow.files.atomic import replacing
from moglow.files.csv_rows import split_rows
from moglow.files.numbers import read_number
from moglow.files.reading import open_input, read_text
from moglow.footsteps.footprints import Footprint, Footprints, in_order

COLUMNS = ("t_on", "t_off", "foot", "x", "z", "heading", "height")
NEEDED = COLUMNS[:5]
FIRST = "# seconds, metres, degrees; heading 0 looks along +Z, 90 along +X\n"
"""The first line of the files that are written."""
LARGEST = 1e6
MOST_BYTES = 20_000_000


def write_footprints(prints: Sequence[Footprint], feet: Sequence[str], file: str | Path) -> None:
    """Writes footprints, rounded to 0.1 ms, 0.1 mm and 0.01°."""
    out = io.StringIO()
    out.write(FIRST)
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in in_order(prints):
        heading = np.degrees(each.heading) + 0.0
        numbers = [
            f"{each.on:.4f}", f"{each.off:.4f}", feet[each.leg],
            f"{each.x:.4f}", f"{each.z:.4f}", f"{heading:.2f}", f"{each.height:.4f}",
        ]  # fmt: skip
        rows.writerow(numbers)
    with replacing(file) as whole:
        whole.write(out.getvalue().encode())


def has_footprints(file: Path) -> bool:
    """Returns whether a file is one that `write_footprints` wrote."""
    with open_input(file, ControlError) as opened:
        return opened.read(len(FIRST)) == FIRST.encode()


def read_footprints(file: str | Path, feet: Sequence[str]) -> Footprints:
    """Reads footprints of a figure with the given feet; a missing heading is NaN."""
    table = split_rows(read_text(Path(file), MOST_BYTES, ControlError), file)
    if not table.rows:
        raise ControlError(f"{file}: no header; the first row names the columns {','.join(COLUMNS)}")
    (first, names), *rows = table.rows
    header = [name.translate(table.decimals).strip().lower() for name in names]
    _check_header(file, first, header)
    found = []
    for line, row in rows:
        if len(row) != len(header):
            raise ControlError(
                f"{file}: line {line} has {len(row)} values, the header names {len(header)} columns"
            )
        values = [value.translate(table.decimals).strip() for value in row]
        found.append(_footprint(file, line, dict(zip(header, values, strict=True)), feet))
    if not found:
        raise ControlError(f"{file}: no footprint after the header; give at least one")
    _check_overlaps(file, found, feet)
    return in_order([each for _, each in found])


def _check_header(file: str | Path, line: int, header: Sequence[str]) -> None:
    for name in header:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {','.join(COLUMNS)}"
            raise ControlError(f"{file}: line {line}: unknown column {name!r}; {hint}")
        if header.count(name) > 1:
            raise ControlError(f"{file}: line {line}: column {name} is there twice")
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise ControlError(f"{file}: line {line}: no column {missing[0]}; footprints need {','.join(NEEDED)}")


def _footprint(
    file: str | Path, line: int, row: dict[str, str], feet: Sequence[str]
) -> tuple[int, Footprint]:
    name = row["foot"].lower()
    if name not in feet:
        near = get_close_matches(name, feet, n=1)
        hint = f"did you mean {near[0]}?" if near else f"this figure has {', '.join(feet)}"
        raise ControlError(f"{file}: line {line}, column foot: there is no foot {row['foot']!r}; {hint}")
    numbers = {key: _number(file, line, key, value) for key, value in row.items() if key != "foot"}
    if numbers["t_on"] < 0:
        raise ControlError(f"{file}: line {line}, column t_on: {numbers['t_on']:g} s; time begins at 0")
    if numbers["t_off"] < numbers["t_on"]:
        raise ControlError(
            f"{file}: line {line}: the foot stands from {numbers['t_on']:g} s to {numbers['t_off']:g} s; "
            "t_off must not be before t_on"
        )
    heading = np.radians(numbers["heading"]) if "heading" in numbers else np.nan
    print_ = Footprint(
        list(feet).index(name),
        numbers["t_on"],
        numbers["t_off"],
        numbers["x"],
        numbers["z"],
        float(heading),
        numbers.get("height", 0.0),
    )
    return line, print_


def _number(file: str | Path, line: int, name: str, text: str) -> float:
    value = read_number(text)
    if not abs(value) <= LARGEST:
        found = repr(text) if text else "nothing"
        raise ControlError(
            f"{file}: line {line}, column {name}: found {found}, expected a number, at most {LARGEST:g}"
        )
    return value


def _check_overlaps(file: str | Path, found: Sequence[tuple[int, Footprint]], feet: Sequence[str]) -> None:
    for leg, name in enumerate(feet):
        own = sorted((row for row in found if row[1].leg == leg), key=lambda row: row[1].on)
        for (_, before), (line, after) in pairwise(own):
            if after.on <= before.off:
                raise ControlError(
                    f"{file}: line {line}: the {name} foot comes down at {after.on:g} s and stands elsewhere until "
                    f"{before.off:g} s; let it leave before"
                )
