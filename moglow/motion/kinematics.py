"""Forward kinematics: world positions and rotations from local ones. Needs numpy alone.

Large arrays are computed by a compiled kernel if this machine can make it, with the same bits as in numpy.
"""

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moglow.errors import DeviceError
from moglow.files.compiled import load_library
from moglow.maths.rotations import Array, quat_multiply, quat_rotate

SOURCE = Path(__file__).with_name("kinematics.c")
WORTH = 256
"""Rotations from which on the kernel is used; it is compiled or loaded on first use."""
TOGETHER = 8192
"""Poses times joints that numpy computes at once; their arrays fit in the processor's cache."""


def to_world(parents: Sequence[int], positions: ArrayLike, rotations: ArrayLike) -> tuple[Array, Array]:
    """Returns world positions ``(..., J, 3)`` and rotations ``(..., J, 4)``, given local ones.

    ``parents`` are the parents of the joints; a parent comes before its children, and the root has none.
    """
    places, turns = np.array(positions, float, order="C"), np.array(rotations, float, order="C")
    kernel = load_kernel() if turns.size >= 4 * WORTH and places.shape[:-1] == turns.shape[:-1] else None
    if kernel is None:
        return in_numpy(parents, places, turns)
    above = np.array(parents, np.int64)
    assert len(above) == turns.shape[-2] and (above[1:] < np.arange(1, len(above))).all(), (
        "a parent comes first"
    )
    frames = turns.size // (4 * len(above))
    kernel(above.ctypes.data, frames, len(above), places.ctypes.data, turns.ctypes.data)
    return places, turns


def in_numpy(parents: Sequence[int], places: Array, turns: Array) -> tuple[Array, Array]:
    """Returns the same, computed in numpy; the arrays are overwritten."""
    joints = len(parents)
    levels = _levels(tuple(parents))
    flat_places, flat_turns = places.reshape(-1, joints, 3), turns.reshape(-1, joints, 4)
    together = max(1, TOGETHER // joints)
    for start in range(0, len(flat_turns), together):
        block = slice(start, start + together)
        place, turn = (
            np.ascontiguousarray(values[block].T) for values in (flat_places, flat_turns)
        )  # (3 | 4, J, T)
        for here, above in levels:
            carrier = turn.take(above, 1).transpose(1, 2, 0)
            moved = quat_rotate(carrier, place.take(here, 1).transpose(1, 2, 0)).transpose(2, 0, 1)
            place[:, here] = moved + place.take(above, 1)
            turn[:, here] = quat_multiply(carrier, turn.take(here, 1).transpose(1, 2, 0)).transpose(2, 0, 1)
        flat_places[block], flat_turns[block] = place.T, turn.T
    return places, turns


@lru_cache(maxsize=64)
def _levels(parents: tuple[int, ...]) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]:
    """Returns the joints below the root and their parents, for each depth of the tree."""
    depths = np.zeros(len(parents), np.intp)
    for j, parent in enumerate(parents[1:], start=1):
        depths[j] = depths[parent] + 1
    above, order = np.array(parents), np.argsort(depths, kind="stable")
    levels = np.split(order, np.flatnonzero(np.diff(depths[order])) + 1)
    return tuple((level, above[level]) for level in levels[1:])


@cache
def load_kernel() -> Any:
    """Returns the compiled kernel, or None if this machine cannot make it."""
    try:
        kernel = load_library(SOURCE, ("-ffp-contract=off",)).to_world
    except DeviceError:
        return None
    kernel.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    kernel.restype = None
    return kernel
