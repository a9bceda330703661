"""Reads the frames of a BVH file into an array and checks every line."""

from collections.abc import Iterator
from typing import BinaryIO, NoReturn

import numpy as np

from moglow.bvh.header import LARGEST_NUMBER, Header, fail, to_number
from moglow.bvh.numbers import Counts, text_to_numbers
from moglow.errors import BvhError
from moglow.maths.rotations import Array

_BLOCK = 1 << 20  # bytes of text read at once; a block fits in the processor's cache
_LONGEST_LINE = 1 << 24


def read_frames(file: BinaryIO, head: bytes, header: Header, size: int | None = None) -> Array:
    """Returns the frames ``(T, C)`` from ``head`` and the rest of ``file``, in degrees and file units.

    Reading stops at the first error. The number of frames in the header and the ``size`` of the file in bytes (None for
    a pipe) therefore limit the memory in use.
    """
    rows = _Rows(header)
    most = (size or len(head) + _BLOCK) // 2 + 1  # each number is followed by a blank
    values = np.empty(min(header.frames * header.width, most))
    for text, line in _blocks(file, head, header):
        try:
            numbers, counts = text_to_numbers(text)
        except ValueError:
            _fail_at_word(text, line, rows.total, header)
        _check_range(numbers, counts, line, rows.total, header)
        before = rows.total
        rows.take(counts, line)
        if rows.total > len(values):
            values = np.concatenate([values[:before], np.empty(max(before, len(numbers)))])
        values[before : rows.total] = numbers
    rows.finish()
    return values[: rows.total].reshape(header.frames, header.width)


def _blocks(file: BinaryIO, rest: bytes, header: Header) -> Iterator[tuple[bytes, int]]:
    """Yields blocks of whole lines that end with ``\\n``, each with the number of its first line."""
    line, more = header.lines, b"\n"
    while more:
        more = file.read(_BLOCK)
        rest += more or b"\n"  # the final newline may be missing
        cut = rest.rfind(b"\n") + 1 or rest.rfind(b"\r") + 1
        text, rest = rest[:cut], rest[cut:]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if len(rest) > _LONGEST_LINE:
            fail(header.source, line, f"a line of more than {_LONGEST_LINE} bytes; export the file again")
        if text:
            yield text, line
        line += text.count(b"\n")


class _Rows:
    """Groups the numbers of the lines into frames and raises an error if they do not fit the header.

    A frame takes one line or several. Some programs wrap all lines at a fixed width; then hardly any line is a whole
    frame, and only the total is checked.
    """

    def __init__(self, header: Header) -> None:
        self.header, self.width = header, header.width
        self.total, self.frames, self.begun = 0, 0, 0
        self.first_line = header.lines  # of the current frame
        self.whole_line = False  # whether some line was a frame
        self.misfit: BvhError | None = None

    def take(self, counts: Counts, line: int) -> None:
        """Adds lines, given the count of numbers in each; ``line`` is the number of the first line."""
        before, limit = self.total, self.header.frames * self.width
        self.total += int(counts.sum())
        if self.begun or self.misfit or np.any((counts != 0) & (counts != self.width)):
            for k in np.flatnonzero(counts):
                self._add(int(counts[k]), line + int(k))
        else:
            self.frames += int(np.count_nonzero(counts))
            self.whole_line |= bool(counts.any())
        if self.misfit and self.whole_line:
            raise self.misfit
        if self.total > limit:
            line += int(np.searchsorted(np.cumsum(counts), limit - before, side="right"))
            found = f"frame {self.header.frames + 1} begins, the header declares {self.header.frames}"
            fail(self.header.source, line, f"{found}; correct Frames: or remove the rest")

    def _add(self, count: int, line: int) -> None:
        self.whole_line |= count == self.width
        if self.misfit:
            return
        if not self.begun:
            self.first_line = line
        self.begun += count
        if self.begun > self.width:
            self.misfit = self._misfit(self.begun - count or count, "mend the line or export the file again")
        elif self.begun == self.width:
            self.frames, self.begun = self.frames + 1, 0

    def _misfit(self, count: int, advice: str) -> BvhError:
        where = f"{self.header.source}: line {self.first_line}"
        declared = f"the hierarchy declares {self.width} channels"
        return BvhError(f"{where}: frame {self.frames + 1} has {count} values, {declared}; {advice}")

    def finish(self) -> None:
        """Raises an error if the file ends too early."""
        if self.total == self.header.frames * self.width:
            return
        if self.misfit or self.begun:
            raise self.misfit or self._misfit(self.begun, "the file is cut off, copy or export it again")
        found = f"the file ends after frame {self.frames}, the header declares {self.header.frames}"
        raise BvhError(f"{self.header.source}: {found}; it is cut off, or Frames: is wrong")


def _check_range(numbers: Array, counts: Counts, line: int, before: int, header: Header) -> None:
    """Raises an error for NaN, infinity and numbers outside the range of real motion."""
    usable = np.abs(numbers) <= LARGEST_NUMBER
    if not usable.all():
        first = int(np.argmin(usable))
        line += int(np.searchsorted(np.cumsum(counts), first, side="right"))
        frame, column = divmod(before + first, header.width)
        where = f"{header.source}: line {line}: frame {frame + 1}, {header.column(column)}"
        to_number(str(numbers[first]), where)


def _fail_at_word(text: bytes, line: int, before: int, header: Header) -> NoReturn:
    """Raises an error that names the first word that is not a number."""
    for words in (row.split() for row in text.split(b"\n")):
        for word in words:
            to_number(
                word.decode("latin-1"), f"{header.source}: line {line}: frame {before // header.width + 1}"
            )
            before += 1
        line += 1
    raise AssertionError("text_to_numbers refused text of which every word is a number")
