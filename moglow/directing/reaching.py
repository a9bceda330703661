"""Turns the joints of a limb so that its end is at a point. Needs numpy alone."""

import numpy as np

from moglow.directing.settle import Settled
from moglow.maths.rotations import Array, quat_between, quat_conjugate, quat_multiply
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton

NEAR = 1e-6
"""Tolerance in metres."""
ROUNDS = 200


def limb_of(skeleton: Skeleton, joint: int) -> list[int]:
    """Returns the joints above a joint that move it without the trunk, from its parent up to the branch."""
    limb, above = [], skeleton.parents[joint]
    while above > 0 and len(skeleton.children(above)) == 1:
        limb.append(above)
        above = skeleton.parents[above]
    return limb or ([above] if above >= 0 else [])


def reached(clip: Clip, frame: int, joint: int, point: Array) -> Settled:
    """Returns the limb in a frame with a joint at a point, or as near as possible, by cyclic coordinate descent."""
    skeleton, limb = clip.skeleton, limb_of(clip.skeleton, joint)
    one = clip[frame : frame + 1]
    rotations = one.rotations[0].copy()
    for _ in range(ROUNDS):
        world, turns = skeleton.forward_kinematics(one.positions[0], rotations)
        if not limb or np.linalg.norm(world[joint] - point) < NEAR:
            break
        for each in limb:
            world, turns = skeleton.forward_kinematics(one.positions[0], rotations)
            swing = quat_between(world[joint] - world[each], point - world[each])
            above = turns[skeleton.parents[each]]
            rotations[each] = quat_multiply(quat_conjugate(above), quat_multiply(swing, turns[each]))
    return Settled(frame, np.array(limb, np.intp), rotations, one.positions[0])
