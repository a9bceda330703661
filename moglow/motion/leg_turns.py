"""Legs of a clip that are turned so that their ankles move, by a compiled kernel. Needs numpy and a C compiler."""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from moglow.anatomy.anatomy import Leg
from moglow.errors import DeviceError
from moglow.files.compiled import load_library
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip

SOURCE = Path(__file__).with_name("leg_turns.c")
WORTH = 16
"""Frames from which on the kernel is used; it is compiled or loaded on first use."""


def turn_legs(clip: Clip, legs: Sequence[Leg], shifts: Array, sink: Array, ahead: Array) -> Array | None:
    """Returns the local rotations after shifts of ankles, or None where numpy must compute them.

    Args:
        clip: the motion.
        legs: its legs.
        shifts: of the ankles ``(T, L, 3)``.
        sink: descent ``(T,)`` of the hips.
        ahead: direction ``(T, L, 3)`` in which the knee of a straight leg bends.
    """
    chains = [(leg.hip, leg.knee, leg.ankle) for leg in legs]
    joints = np.array([[*each, *(clip.skeleton.parents[j] for j in each)] for each in chains], np.int64)
    if len(clip) < WORTH or joints.min() < 0 or (kernel := load_kernel()) is None:
        return None
    rotations = np.array(clip.rotations, float, order="C")
    given = [np.ascontiguousarray(each, float) for each in (*clip.world(), shifts, sink, ahead)]
    shapes = [(*rotations.shape[:2], 3), rotations.shape, *[(len(clip), len(legs), 3)] * 2]
    assert [each.shape for each in given] == [*shapes[:3], (len(clip),), shapes[3]]
    kernel(
        *(*rotations.shape[:2], len(legs), joints.ctypes.data),
        *(each.ctypes.data for each in (*given, rotations)),
    )
    return rotations


@cache
def load_kernel() -> Any:
    """Returns the compiled kernel, or None if this machine cannot make it."""
    try:
        kernel = load_library(SOURCE, ("-ffp-contract=off",)).turn_legs
    except DeviceError:
        return None
    kernel.argtypes = [*[ctypes.c_int64] * 3, *[ctypes.c_void_p] * 7]
    kernel.restype = None
    return kernel
