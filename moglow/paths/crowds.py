"""Path files of several figures: a column ``id`` names the figure of each row, and ``crowd.csv#anna`` is her path.

The rows of figures may be mixed; the other columns are those of a path file of one figure.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from moglow.errors import ControlError
from moglow.files.csv_rows import CsvRows
from moglow.paths.csv_table import read_rows

ID = "id"
LONGEST_ID = 100
"""The most characters of an id."""


def split_source(source: str | Path) -> tuple[str | Path, str | None]:
    """Returns the file of a path, and the figure in it if the path names one.

    >>> split_source("crowd.csv#anna"), split_source("line")
    (('crowd.csv', 'anna'), ('line', None))
    """
    file, mark, figure = str(source).partition("#")
    return (source, None) if not mark or Path(source).exists() else (file, figure.strip())


def figures_of(source: str | Path) -> tuple[str, ...]:
    """Returns the figures of a path file in the order of their first rows; none for a preset or one path."""
    place = Path(source)
    if not place.is_file():
        return ()
    about = place.stat()
    return tuple(_figures(str(source), about.st_mtime_ns, about.st_size))


def number_of(source: str | Path) -> int:
    """Returns the number of a figure in its file, from 0; 0 for a path of its own."""
    file, figure = split_source(source)
    figures = figures_of(file) if figure is not None else ()
    return figures.index(figure) if figure in figures else 0


def read_figure(source: str | Path) -> CsvRows:
    """Returns the header and the rows of a path file, or of one figure of a file, without the column of ids."""
    file, figure = split_source(source)
    figures = figures_of(file)
    about = Path(file).stat()
    if not figures and figure is None:
        return read_rows(file)
    if not figures:
        raise ControlError(
            f"{source}: {file} has no column {ID} and so no figure {figure!r}; give the file alone"
        )
    if figure is None:
        raise ControlError(f"{file}: holds {len(figures)} figures; name one, as in {file}#{figures[0]}")
    if figure not in figures:
        raise ControlError(
            f"{source}: {file} has no figure {figure!r}; its first are {', '.join(figures[:5])}"
        )
    return _figures(str(file), about.st_mtime_ns, about.st_size)[figure]


def by_figure(table: CsvRows, source: str | Path) -> Mapping[str, CsvRows]:
    """Returns the header and rows of each figure, without the column of ids; empty for a table without it."""
    if not table.rows:
        return {}
    (first, header), *rows = table.rows
    names = [name.strip().lower() for name in header]
    if ID not in names:
        return {}
    at = names.index(ID)
    found: dict[str, list[tuple[int, list[str]]]] = {}
    for line, row in rows:
        figure = row[at].strip() if at < len(row) else ""
        if not 0 < len(figure) <= LONGEST_ID:
            what = f"{len(figure)} characters" if figure else "nothing"
            raise ControlError(f"{source}: line {line}, column {ID}: {what}; name the figure of the row")
        found.setdefault(figure, []).append((line, row[:at] + row[at + 1 :]))
    if not rows:
        raise ControlError(f"{source}: no rows after the header; give at least one")
    rest = first, header[:at] + header[at + 1 :]
    return {figure: CsvRows((rest, *own), table.delimiter, table.comments) for figure, own in found.items()}


@lru_cache(maxsize=2)
def _figures(source: str, changed: int, size: int) -> Mapping[str, CsvRows]:
    """Returns the rows of each figure of a file, which is read once for all of them."""
    return by_figure(read_rows(source), source)
