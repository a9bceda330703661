"""Twists the upper body of a steered figure, so that a turn is visible before the model turns the rest."""

from numpy.typing import ArrayLike

from moglow.maths.rotations import Array, heading_to_quat, quat_multiply
from moglow.motion.skeleton import Skeleton


def twisted(rotations: Array, skeleton: Skeleton, angles: ArrayLike) -> Array:
    """Returns local rotations ``(..., J, 4)`` with the angles ``(...)`` of `Steering.twisting`.

    The twist is at the lowest joint of the spine: hips, legs and the path stay as they are.
    """
    spine = skeleton.anatomy.roles.get("spine")
    if spine is None:
        return rotations
    turned = rotations.copy()
    turned[..., spine, :] = quat_multiply(heading_to_quat(angles), rotations[..., spine, :])
    return turned
