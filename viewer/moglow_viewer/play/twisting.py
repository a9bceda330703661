"""Twists the upper body of a steered figure, so that a turn is visible before the model turns the rest."""

import numpy as np
from numpy.typing import ArrayLike

from moglow.maths.rotations import Array, expmap_to_quat, quat_multiply
from moglow.motion.skeleton import Skeleton


def twisted(rotations: Array, skeleton: Skeleton, angles: ArrayLike) -> Array:
    """Returns local rotations ``(..., J, 4)`` with the angles ``(...)`` of `Steering.twisting`.

    The twist is at the lowest joint of the spine: hips, legs and the path stay as they are.
    """
    spine = skeleton.anatomy.roles.get("spine")
    if spine is None:
        return rotations
    turn = expmap_to_quat(np.asarray(angles, float)[..., None] * [0.0, 1.0, 0.0])
    turned = rotations.copy()
    turned[..., spine, :] = quat_multiply(turn, rotations[..., spine, :])
    return turned
