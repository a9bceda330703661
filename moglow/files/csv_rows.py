"""Rows of a CSV text with their line numbers: comments are kept apart, blank lines left out, the delimiter is found."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moglow.errors import ControlError


@dataclass(frozen=True)
class CsvRows:
    """The line number and the values of each row, the header first, the delimiter, and comments with line numbers."""

    rows: tuple[tuple[int, list[str]], ...]
    delimiter: str
    comments: tuple[tuple[int, str], ...]

    @property
    def decimals(self) -> Mapping[int, str]:
        """What `str.translate` needs to read a number: where commas do not separate values, they are decimal."""
        return {} if self.delimiter == "," else {ord(","): "."}


def split_rows(text: str, source: str | Path) -> CsvRows:
    """Returns the rows of a text; raises `ControlError` with the source and the line where a quote is left open.

    >>> split_rows("# feet\\nt; x\\n\\n1; 2,5", "steps.csv")
    CsvRows(rows=((2, ['t', 'x']), (4, ['1', '2,5'])), delimiter=';', comments=((1, '# feet'),))
    """
    written = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    comments = tuple((number, line) for number, line in written if line.lstrip().startswith("#"))
    lines = [(number, line) for number, line in written if not line.lstrip().startswith("#")]
    if not lines:
        return CsvRows((), ",", comments)
    delimiter = max(",;\t", key=lines[0][1].count)
    reader = csv.reader((line for _, line in lines), delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [(number, row) for (number, _), row in zip(lines, reader, strict=False)]
    except csv.Error as error:
        number = lines[min(reader.line_num, len(lines)) - 1][0]
        raise ControlError(
            f"{source}: line {number}: cannot be read ({error}); is a quote left open?"
        ) from error
    return CsvRows(tuple(rows), delimiter, comments)
