"""Rotations of legs from feet and hips, and the height of the hips that all legs can reach."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import (
    Array,
    axis_angle_to_quat,
    heading_to_quat,
    heading_to_vector,
    matrix_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
)
from moglow.maths.two_bone_ik import across_leg, solve_leg
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath
from scripts.procedural.feet import FootMotion, Sole

REACH = 0.998
"""Largest used share of a leg's length, to avoid straight knees."""


@dataclass(frozen=True)
class LegBones:
    """Joint numbers from the hip down to the toe; ``bends`` is +1 for a knee, −1 for an elbow."""

    hip: int
    knee: int
    ankle: int
    toe: int
    sole: Sole
    bends: float = 1.0


def ceiling(skeleton: Skeleton, leg: LegBones, foot: FootMotion, hip: Array) -> Array:
    """Returns how far in metres ``(T,)`` a hip ``(T, 3)`` may rise until the leg is straight; negative if too high."""
    ankle = foot.ankle(leg.sole)
    reach = REACH * (skeleton.bone_lengths[leg.knee] + skeleton.bone_lengths[leg.ankle])
    across = np.linalg.norm((hip - ankle)[:, [0, 2]], axis=-1)
    out: Array = ankle[:, 1] + np.sqrt(np.maximum(reach**2 - across**2, 0.0)) - hip[:, 1]
    return out


def lowering(rooms: Sequence[Array], fps: float) -> Array:
    """Returns a smooth descent ``(T,)`` after which each of the ``rooms`` ``(T,)`` is at least zero.

    It is the moving maximum of the shortage, averaged over a window of the same width, and so at least the shortage.
    """
    reach = max(1, round(0.06 * fps))
    shortage = np.pad(np.maximum(-np.min(rooms, axis=0), 0.0), 2 * reach, mode="edge")
    largest = np.lib.stride_tricks.sliding_window_view(shortage, 2 * reach + 1).max(-1)
    weights = 1 + np.cos(np.pi * np.arange(-reach, reach + 1) / (reach + 1))
    return np.convolve(largest, weights / weights.sum(), "valid")


def pose_leg(
    skeleton: Skeleton, leg: LegBones, foot: FootMotion, hip: Array, heading: Array, world: Array
) -> None:
    """Writes the world rotations ``(T, J, 4)`` of a leg whose hip joint is at ``hip`` ``(T, 3)``."""
    thigh, shin = skeleton.bone_lengths[leg.knee], skeleton.bone_lengths[leg.ankle]
    ankle = foot.ankle(leg.sole)
    middle = heading + 0.6 * (foot.heading - heading)  # a knee points between the hips and the foot
    ahead = heading_to_vector(middle) * leg.bends
    direction = np.stack([ahead[:, 0], np.zeros(len(ahead)), ahead[:, 1]], axis=-1)
    knee, reached = solve_leg(hip, ankle, thigh, shin, direction)
    upward = (hip - reached) / np.linalg.norm(hip - reached, axis=-1, keepdims=True)
    left = np.cross(upward, across_leg(-upward, direction)) * leg.bends
    world[:, leg.hip] = _bone_frame(left, (hip - knee) / thigh, skeleton.offsets[leg.knee])
    world[:, leg.knee] = _bone_frame(left, (knee - reached) / shin, skeleton.offsets[leg.ankle])
    turn = heading_to_quat(foot.heading)
    world[:, leg.ankle] = quat_multiply(turn, pitched(foot.pitch))
    world[:, leg.toe] = quat_multiply(turn, pitched(foot.pitch + foot.toe_pitch))


def pitched(pitch: Array) -> Array:
    """Returns the rotation ``(T, 4)`` that lifts the forward direction by an angle."""
    return axis_angle_to_quat(np.array([1.0, 0.0, 0.0]), -pitch)


def rolled(roll: Array) -> Array:
    """Returns the rotation ``(T, 4)`` that lifts the left side by an angle."""
    return axis_angle_to_quat(np.array([0.0, 0.0, 1.0]), roll)


def hip_position(skeleton: Skeleton, leg: LegBones, girdle: Array, turn: Array) -> Array:
    """Returns the position of a hip joint; its girdle is at ``girdle`` ``(T, 3)`` with rotation ``turn`` ``(T, 4)``."""
    return girdle + quat_rotate(turn, skeleton.offsets[leg.hip])


def stand_on(
    skeleton: Skeleton,
    path: ControlPath,
    legs: Sequence[LegBones],
    feet: Sequence[FootMotion],
    hips: Array,
    joints: Sequence[Array],
    world: Array,
) -> Clip:
    """Returns the clip of a trunk on its feet, lowered where a leg would be too short.

    ``hips`` ``(T, 3)`` is the root, ``joints`` are the positions of the legs' hip joints before lowering, and ``world``
    ``(T, J, 4)`` has the trunk's rotations; those of the legs are written into it.
    """
    rooms = [ceiling(skeleton, *of_leg) for of_leg in zip(legs, feet, joints, strict=True)]
    descent = np.zeros_like(hips)
    descent[:, 1] = lowering(rooms, path.fps)
    for leg, foot, joint in zip(legs, feet, joints, strict=True):
        pose_leg(skeleton, leg, foot, joint - descent, path.headings, world)
    positions = np.broadcast_to(skeleton.offsets, (len(path), len(skeleton), 3)).copy()
    positions[:, 0] = hips - descent
    return Clip(skeleton, positions, world_to_local(skeleton, world), path.fps)


def world_to_local(skeleton: Skeleton, world: Array) -> Array:
    """Returns the local rotations ``(T, J, 4)`` of world ones."""
    local = world.copy()
    local[:, 1:] = quat_multiply(quat_conjugate(world[:, list(skeleton.parents[1:])]), world[:, 1:])
    return local


def _bone_frame(left: Array, up: Array, bone: Array) -> Array:
    """Returns the rotation from +X to ``left`` and from the bone, which is in the plane x = 0, to −``up``."""
    frame = np.stack([left, up, np.cross(left, up)], axis=-1)
    tilt = np.arctan2(-bone[2], -bone[1])  # of a bone that is not vertical at rest
    return quat_multiply(matrix_to_quat(frame), pitched(np.full(len(up), tilt)))
