"""Our axes and Blender's: (x, y, z) here is (x, −z, y) there, Y up and Z up. Numpy alone.

Facing +Z becomes facing −Y, which is how characters stand in Blender; left stays +X.
"""

import numpy as np
from numpy.typing import ArrayLike

from moglow.maths.rotations import Array


def to_blender(points: ArrayLike) -> Array:
    """Points ``(..., 3)``, Y up, as Blender's with Z up.

    >>> to_blender([1.0, 2.0, 3.0]).tolist()
    [1.0, -3.0, 2.0]
    """
    x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
    return np.stack([x, -z, y], axis=-1)


def from_blender(points: ArrayLike) -> Array:
    """Points ``(..., 3)`` of Blender, Z up, with Y up; undoes `to_blender`.

    >>> from_blender(to_blender([1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
    return np.stack([x, z, -y], axis=-1)


def quat_to_blender(quats: ArrayLike) -> Array:
    """Rotations ``(..., 4)``, w first as Blender has them too: the same turn about an axis that is renamed."""
    quats = np.asarray(quats, float)
    return np.concatenate([quats[..., :1], to_blender(quats[..., 1:])], axis=-1)
