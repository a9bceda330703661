"""Exact quantiles of more values than fit into memory, by counting them twice. Needs numpy alone."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

HALF = 16  # bits of a key that are counted at once
TOP = np.uint32(1 << 31)

Chunks = Callable[[], Iterable[NDArray[np.float32]]]


def quantiles(chunks: Chunks, shares: Sequence[float]) -> list[float]:
    """Returns the quantiles of all values, interpolated linearly between neighbours.

    Args:
        chunks: returns the values in arrays ``(N,)``; called twice, since the upper halves of the numbers are counted
            first, then the lower halves near each quantile. The order and the sizes of the arrays make no difference.
        shares: from 0 to 1.

    >>> quantiles(lambda: [np.array([3, 1], np.float32), np.array([2], np.float32)], [0.0, 0.5, 0.75])
    [1.0, 2.0, 2.5]
    """
    upper = np.zeros(1 << HALF, np.int64)
    for chunk in chunks():
        upper += np.bincount(_keys(chunk) >> HALF, minlength=1 << HALF)
    count = int(upper.sum())
    if not count:
        raise ValueError("quantiles of no values")
    places = [share * (count - 1) for share in shares]
    ranks = sorted({min(int(place) + more, count - 1) for place in places for more in (0, 1)})
    ends = np.cumsum(upper)
    bins = np.searchsorted(ends, ranks, side="right")
    lower = {int(each): np.zeros(1 << HALF, np.int64) for each in bins}
    for chunk in chunks():
        keys = _keys(chunk)
        for each, counts in lower.items():
            counts += np.bincount(keys[keys >> HALF == each] & ((1 << HALF) - 1), minlength=1 << HALF)
    found = {}
    for rank, each in zip(ranks, bins.tolist(), strict=True):
        before = rank - (ends[each - 1] if each else 0)
        low = int(np.searchsorted(np.cumsum(lower[each]), before, side="right"))
        found[rank] = _value((each << HALF) + low)
    return [
        found[int(place)] + (place - int(place)) * (found[min(int(place) + 1, count - 1)] - found[int(place)])
        for place in places
    ]


def _keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Returns whole numbers in the order of the values."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(bits & TOP, ~bits, bits | TOP)


def _value(key: int) -> float:
    """Returns the value of a key."""
    bits = np.uint32(key)
    return float(np.array(bits & ~TOP if bits & TOP else ~bits, np.uint32).view(np.float32))
