"""Poses a body on given feet by inverse kinematics of the legs; the hips sink to reach. Needs numpy alone."""

from dataclasses import replace

import numpy as np

from moglow.maths.rotations import UP, Array, heading_to_quat, quat_between, quat_multiply, quat_rotate
from moglow.maths.two_bone_ik import solve_leg
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of, toe_points
from moglow.motion.foot_lock import (
    LockSpec,
    carried,
    kept_knee,
    knees_ahead,
    sink_to_reach,
    turn_leg,
)

REACH = LockSpec(deepest=0.35)
"""Limits of the hips' descent and of the leg's extension."""


def carried_along(clip: Clip, offsets: Array, headings: Array) -> Clip:
    """Returns the clip, rotated about the vertical through its hips by ``headings`` ``(T,)`` and shifted ``(T, 3)``."""
    hips = clip.world_positions[:, clip.skeleton.anatomy.roles.get("hips", 0)]
    turn, positions, rotations = heading_to_quat(headings), clip.positions.copy(), clip.rotations.copy()
    positions[:, 0] = hips + quat_rotate(turn, positions[:, 0] - hips) + offsets
    rotations[:, 0] = quat_multiply(turn, rotations[:, 0])
    return replace(clip, positions=positions, rotations=rotations)


def on_feet(clip: Clip, toes: Array, turns: Array, *, spec: LockSpec = REACH) -> Clip:
    """Returns the clip with its toe joints at ``toes`` ``(T, L, 3)`` and its feet's world rotations ``(T, L, 4)``.

    Knees keep their direction. The hips sink smoothly if a leg is too short; a foot that is still out of reach is
    placed on the line from its hip to the target.
    """
    world, rotations_of = clip.world()
    legs, own = legs_of(clip.skeleton), toe_points(clip)
    ankles = np.empty_like(toes)
    for k, leg in enumerate(legs):
        back = quat_multiply(turns[:, k], rotations_of[:, leg.ankle] * np.array([1.0, -1.0, -1.0, -1.0]))
        ankles[:, k] = toes[:, k] - quat_rotate(back, own[:, k] - world[:, leg.ankle])
    sink = sink_to_reach(clip, ankles, np.ones(ankles.shape[:2], bool), spec)
    rotations, everywhere, ahead = clip.rotations.copy(), np.arange(len(clip)), knees_ahead(clip)
    for k, leg in enumerate(legs):
        hip, knee, ankle = world[:, leg.hip], world[:, leg.knee], world[:, leg.ankle]
        new_hip = hip - sink[:, None] * UP
        thigh, shin = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
        direction = kept_knee(hip, knee, ankle, ankles[:, k] - new_hip, ahead[:, k])
        new_knee, new_ankle = solve_leg(new_hip, ankles[:, k], thigh, shin, direction)
        swing = quat_between(knee - hip, new_knee - new_hip)
        fold = quat_between(ankle - knee, new_ankle - new_knee)
        turn_leg(clip, rotations, leg, everywhere, swing, fold, turns[:, k])
    return replace(clip, positions=carried(clip, -sink[:, None] * UP).positions, rotations=rotations)
