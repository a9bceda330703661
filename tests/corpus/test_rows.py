"""Rows of several arrays are read as those of their concatenation."""

from typing import Any

import numpy as np
import pytest

from moglow.corpus.rows import Rows, parts_of, together

PARTS = [
    np.random.default_rng(k).standard_normal((size, 3)).astype(np.float32) for k, size in enumerate((4, 1, 6))
]
WHOLE = np.concatenate(PARTS)


@pytest.mark.parametrize(
    "frames",
    [
        *(slice(start, stop) for start in range(12) for stop in range(12)),
        *(slice(None), slice(2, 10, 3), slice(-3, None), slice(None, None, -1)),
        *(np.array([10, 0, 4, 3]), np.array([[5, 5], [0, 9]]), np.array([], int)),
    ],
    ids=str,
)
def test_rows_are_those_of_the_whole(frames: Any) -> None:
    found = Rows(PARTS)[frames]
    assert found.dtype == np.float32 and np.array_equal(found, WHOLE[frames])


def test_a_slice_in_one_array_is_a_view() -> None:
    rows = Rows(PARTS)
    assert np.shares_memory(rows[5:9], PARTS[2]) and np.shares_memory(rows[0:4], PARTS[0])


def test_the_whole_and_its_parts() -> None:
    rows = Rows(PARTS)
    assert np.array_equal(np.asarray(rows), WHOLE) and rows.shape == WHOLE.shape and len(rows) == len(WHOLE)
    assert [part is own for part, own in zip(rows.pieces(), PARTS, strict=True)] == [True] * 3
    assert together(PARTS[:1]) is PARTS[0] and parts_of(PARTS[0]) == (PARTS[0],)
    assert parts_of(together(PARTS)) == tuple(PARTS)
