"""Frames that lie in several arrays, read as one array: the poses or controls of a corpus in shards."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.normalizer import Floats
from moglow.files.tensors import forget_pages


class Rows:
    """The rows ``(N, D)`` of arrays, one after the other, without copying them.

    >>> rows = Rows([np.zeros((2, 1), np.float32), np.ones((3, 1), np.float32)])
    >>> len(rows), rows[1:3].ravel().tolist(), rows[np.array([[4, 0]])].ravel().tolist()
    (5, [0.0, 1.0], [1.0, 0.0])
    """

    def __init__(self, parts: Sequence[Floats]) -> None:
        self.parts = tuple(parts)
        self._starts = [0, *accumulate(map(len, self.parts))]
        self.shape = (self._starts[-1], self.parts[0].shape[1])
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frames: "int | slice | NDArray[np.integer[Any]]") -> Floats:
        """Returns the rows of a slice, a view where they lie in one array, or of frame numbers from 0, of any shape."""
        if not isinstance(frames, slice):
            return self._chosen(np.asarray(frames))
        start, stop, step = frames.indices(len(self))
        if step != 1:
            return self._chosen(np.arange(start, stop, step))
        first = max(0, min(bisect_right(self._starts, start) - 1, len(self.parts) - 1))
        found: list[Floats] = []
        for part, begin in zip(self.parts[first:], self._starts[first:], strict=False):
            if found and begin >= stop:
                break
            found.append(part[start - begin if not found else 0 : max(stop - begin, 0)])
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _chosen(self, frames: NDArray[np.integer[Any]]) -> Floats:
        flat = frames.ravel()
        which = np.searchsorted(self._starts, flat, side="right") - 1
        out = np.empty((len(flat), self.shape[1]), np.float32)
        for number in np.unique(which):
            here = which == number
            out[here] = self.parts[number][flat[here] - self._starts[number]]
        return out.reshape(*frames.shape, self.shape[1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.concatenate(self.parts).astype(dtype or self.dtype, copy=False)

    def pieces(self) -> Iterator[Floats]:
        """Yields the arrays in order, and frees the memory of each after it."""
        for part in self.parts:
            yield part
            forget_pages(part)


def together(parts: Sequence[Floats]) -> "Floats | Rows":
    """Returns the rows of arrays, one after the other; a single array unchanged."""
    return parts[0] if len(parts) == 1 else Rows(parts)


def parts_of(rows: "Floats | Rows") -> tuple[Floats, ...]:
    """Returns the arrays of rows."""
    return rows.parts if isinstance(rows, Rows) else (rows,)
