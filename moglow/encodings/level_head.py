"""How figures carry themselves: a head that looks ahead; numpy alone."""

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
    """Returns the clip with its head turned by one rotation, so that on the whole it is upright.

    A head joint leans as its markers please, up to 40° from one subject to the next, and a person who walks looks
    ahead. How the head moves about that stays; a clip of somebody who hangs the head would lose just this. Without a
    head nothing changes.
    """
    head = clip.skeleton.anatomy.roles.get("head")
    if head is None:
        return clip
    world, ahead = clip.world()[1], heading_to_quat(clip.headings())
    up = quat_rotate(quat_conjugate(canonical_rotations(clip.skeleton)[head]), UP)
    leaning = quat_rotate(quat_multiply(quat_conjugate(ahead), world[:, head]), up).mean(0)
    turn = quat_multiply(quat_multiply(ahead, quat_between(leaning, UP)), quat_conjugate(ahead))
    above = world[:, clip.skeleton.parents[head]]
    rotations = np.array(clip.rotations)
    rotations[:, head] = quat_multiply(quat_conjugate(above), quat_multiply(turn, world[:, head]))
    return replace(clip, rotations=rotations)
