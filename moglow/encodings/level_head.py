"""A correction of the head's pose. Needs numpy alone."""

from dataclasses import replace

import numpy as np

from moglow.maths.rotations import (
    UP,
    heading_to_quat,
    quat_between,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
)
from moglow.motion.canonical_pose import canonical_rotations
from moglow.motion.clip import Clip


def level_head(clip: Clip) -> Clip:
    """Returns the clip with its head turned by one rotation, so that it is upright on average.

    The lean of a head joint depends on the markers and differs by up to 40° between subjects. The head's movement about
    its mean is kept, but a clip of a person with a bent head loses the bend. A clip without a head joint is unchanged.
    """
    head = clip.skeleton.anatomy.roles.get("head")
    if head is None:
        return clip
    world, ahead = clip.world_rotations, heading_to_quat(clip.headings())
    up = quat_rotate(quat_conjugate(canonical_rotations(clip.skeleton)[head]), UP)
    leaning = quat_rotate(quat_multiply(quat_conjugate(ahead), world[:, head]), up).mean(0)
    turn = quat_multiply(quat_multiply(ahead, quat_between(leaning, UP)), quat_conjugate(ahead))
    above = world[:, clip.skeleton.parents[head]]
    rotations = np.array(clip.rotations)
    rotations[:, head] = quat_multiply(quat_conjugate(above), quat_multiply(turn, world[:, head]))
    return replace(clip, rotations=rotations)
