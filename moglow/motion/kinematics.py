"""Forward kinematics: world positions and rotations from local ones. Needs numpy alone.

Large arrays are computed by a compiled kernel if this machine can make it, with the same bits as in numpy.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from moglow.errors import DeviceError
from moglow.files.compiled import load_library
from moglow.maths.rotations import Array, quat_multiply, quat_rotate

SOURCE = Path(__file__).with_name("kinematics.c")
WORTH = 256
"""Rotations from which on the kernel is used; it is compiled or loaded on first use."""


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
    """Returns the same, computed in numpy joint by joint; the arrays are overwritten."""
    for j, parent in enumerate(parents[1:], start=1):
        turn = turns[..., parent, :]
        places[..., j, :] = quat_rotate(turn, places[..., j, :]) + places[..., parent, :]
        turns[..., j, :] = quat_multiply(turn, turns[..., j, :])
    return places, turns


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
