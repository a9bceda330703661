"""Conversion between the library's axes (Y up) and Blender's (Z up): (x, y, z) ↔ (x, −z, y). Needs numpy alone.

Facing +Z becomes facing −Y, the usual direction of characters in Blender; left is +X in both.
"""

import numpy as np
from numpy.typing import ArrayLike

from moglow.maths.rotations import Array


def to_blender(points: ArrayLike) -> Array:
    """Returns points ``(..., 3)``, Y up, in Blender's axes, Z up.

    >>> to_blender([1.0, 2.0, 3.0]).tolist()
    [1.0, -3.0, 2.0]
    """
    x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
    return np.stack([x, -z, y], axis=-1)


def from_blender(points: ArrayLike) -> Array:
    """Returns points ``(..., 3)`` of Blender, Z up, in the library's axes, Y up; the inverse of `to_blender`.

    >>> from_blender(to_blender([1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
    return np.stack([x, z, -y], axis=-1)


def quat_to_blender(quats: ArrayLike) -> Array:
    """Returns rotations ``(..., 4)``, w first, in Blender's axes: the same angle about the converted axis."""
    quats = np.asarray(quats, float)
    return np.concatenate([quats[..., :1], to_blender(quats[..., 1:])], axis=-1)


def quat_from_blender(quats: ArrayLike) -> Array:
    """Returns rotations ``(..., 4)`` of Blender's axes in the library's axes; the inverse of `quat_to_blender`."""
    quats = np.asarray(quats, float)
    return np.concatenate([quats[..., :1], from_blender(quats[..., 1:])], axis=-1)
