"""Tables of figures of speed: written as JSON by each part, as Markdown to the documentation, and compared."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Rows = Mapping[str, Mapping[str, float]]
"""Figures by row and column; the unit is in the name of the column."""
WORD = "speed"
"""The word in the markers of a page: ``<!-- speed -->`` and ``<!-- end of speed -->``."""


def write(path: Path | None, about: str, rows: Rows) -> None:
    """Writes the figures of a part as JSON, for `run.py`; nothing without a path."""
    if path:
        path.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n", "utf-8")


def spelt(value: float | None) -> str:
    """Returns a figure with three significant digits.

    >>> [spelt(value) for value in (0.0312, 4.0, 21162.4, 3e-05, None)]
    ['0.0312', '4', '21,200', '3.0e-05', '']
    """
    if value is None:
        return ""
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}"
    digits = float(f"{value:.3g}")
    return f"{digits:,.0f}" if digits == round(digits) else f"{digits:g}"


def markdown(rows: Rows) -> Iterator[str]:
    """Yields the lines of a table.

    >>> list(markdown({"port": {"ms": 68.71}, "numpy": {"ms": 11.4, "× port": 6.03}}))
    ['| | ms | × port |', '|---|---|---|', '| port | 68.7 |  |', '| numpy | 11.4 | 6.03 |']
    """
    columns = list(dict.fromkeys(column for figures in rows.values() for column in figures))
    yield f"| | {' | '.join(columns)} |"
    yield "|---" * (1 + len(columns)) + "|"
    for name, figures in rows.items():
        yield f"| {name} | {' | '.join(spelt(figures.get(column)) for column in columns)} |"


def page_part(results: Mapping[str, Any]) -> str:
    """Returns the Markdown of all results: the machine, and a table for each part."""
    machine = results["machine"]
    loads = " to ".join(f"{load:g}" for load in results["load"])
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory GB']:g} GB of memory, Python "
        f"{machine['Python']}, numpy {machine['numpy']}, torch {machine['torch']}; load average {loads}; "
        f"{results['minutes']:g} minutes."
    ]
    for name, part in results["parts"].items():
        lines += ["", f"**{name}**: {part.get('about') or part['missing']}"]
        if "rows" in part:
            lines += ["", *markdown(part["rows"])]
    return "\n".join(lines)


def with_tables(page: str, results: Mapping[str, Any]) -> str:
    """Returns a page with the results between its markers.

    >>> results = {"machine": dict.fromkeys(("processor", "cores", "Python", "numpy", "torch"), 0) | {"memory GB": 1},
    ...            "load": [1.0, 2.0], "minutes": 3, "parts": {"bvh": {"missing": "no time was left"}}}
    >>> with_tables("a\\n<!-- speed -->old\\n<!-- end of speed -->\\nb", results).splitlines()[-3:]
    ['**bvh**: no time was left', '<!-- end of speed -->', 'b']
    """
    start, end = f"<!-- {WORD} -->", f"<!-- end of {WORD} -->"
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise ValueError(f"expected one {start} and then one {end} in the page; restore them")
    before, after = page.split(start)[0], page.split(end)[1]
    return f"{before}{start}\n{page_part(results)}\n{end}{after}"


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Returns how two machines differ, or None.

    >>> difference({"processor": "a", "cores": 2}, {"processor": "b", "cores": 2})
    "processor 'a' there, 'b' here"
    """
    for key in ("processor", "cores"):
        if before.get(key) != now.get(key):
            return f"{key} {before.get(key)!r} there, {now.get(key)!r} here"
    return None


def compared(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each figure of both results: before, now, and the quotient."""
    for name, part in now["parts"].items():
        earlier = before["parts"].get(name, {}).get("rows", {})
        for row, figures in part.get("rows", {}).items():
            for column, value in figures.items():
                old = earlier.get(row, {}).get(column)
                if old:
                    shown = f"{spelt(old):>9} {spelt(value):>9} {value / old:7.2f}"
                    yield f"{name:12} {row:24} {column:20} {shown}"
