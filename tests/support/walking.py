"""A walking figure on any rig of `tests.support.rigs`, with exactly known contacts, for tests of feet and
retargeting.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import IDENTITY, Array, euler_to_quat, quat_conjugate, quat_multiply, quat_rotate
from moglow.maths.two_bone_ik import aim, solve_leg
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.support.rigs import Rig

DUTY = 0.6
"""Share of a stride during which a foot stands."""


def skeleton_of(rig: Rig) -> Skeleton:
    """Returns the rig as a skeleton, in the pose of `tests.support.rigs`."""
    offsets = rig.rest - np.where(np.array(rig.parents)[:, None] >= 0, rig.rest[list(rig.parents)], 0.0)
    return Skeleton(rig.names, rig.parents, offsets)


def walk(
    skeleton: Skeleton, *, seconds: float = 4.0, fps: float = 30.0, speed: float = 1.0, slip: float = 0.0
) -> tuple[Clip, NDArray[np.bool_]]:
    """A walk straight ahead with swinging arms, and which feet stand in which frame.

    Standing feet stay exactly where they are, but for ``slip``: the speed at which they slide along.
    """
    clip = Clip.at_rest(skeleton, frames=round(seconds * fps) + 1, fps=fps)
    positions, rotations, time = clip.positions.copy(), clip.rotations.copy(), clip.times
    hips, anatomy = skeleton.anatomy.roles["hips"], skeleton.anatomy
    shift = np.stack([0 * time, -0.08 + 0.01 * np.cos(4 * np.pi * time), speed * time], axis=-1)
    positions[:, hips] += shift
    planted = np.zeros((len(clip), len(anatomy.legs)), bool)
    rest = skeleton.rest_positions
    for k, leg in enumerate(anatomy.legs):
        stride, phase = np.divmod(time + 0.5 * k, 1.0)
        planted[:, k] = phase < DUTY
        swing = np.clip((phase - DUTY) / (1 - DUTY), 0, 1)
        # In the middle of its stance a foot is under the hip.
        start = stride - 0.5 * k + DUTY / 2
        way = speed * (start + swing**2 * (3 - 2 * swing)) + slip * np.where(
            phase < DUTY, phase - DUTY / 2, 0.0
        )
        lift = 0.12 * np.sin(np.pi * swing) ** 2
        hip = rest[leg.hip] + shift
        ankle = rest[leg.ankle] + np.stack([0 * time, lift, way], axis=-1)
        thigh, shin = rest[leg.knee] - rest[leg.hip], rest[leg.ankle] - rest[leg.knee]
        ahead = np.array([0.0, 0.0, -1.0 if leg.front else 1.0])
        knee, ankle = solve_leg(hip, ankle, np.linalg.norm(thigh), np.linalg.norm(shin), ahead)
        upper, lower = aim(IDENTITY, thigh, knee - hip), aim(IDENTITY, shin, ankle - knee)
        rotations[:, leg.hip] = upper
        rotations[:, leg.knee] = quat_multiply(quat_conjugate(upper), lower)
        rotations[:, leg.ankle] = quat_conjugate(lower)
        if f"{leg.side}_upper_arm" in anatomy.roles:
            _swing_arm(rotations, anatomy.roles, leg.side, 0.4 * np.sin(2 * np.pi * (time + 0.5 * k)))
    return Clip(skeleton, positions, rotations, fps), planted


def _swing_arm(rotations: Array, roles: Mapping[str, int], side: str, swing: Array) -> None:
    """Lets a hanging arm swing, its elbow bent."""
    sign = 1.0 if side == "right" else -1.0
    down, bent = np.full_like(swing, 1.2 * sign), np.full_like(swing, 0.5 * sign)
    rotations[:, roles[f"{side}_upper_arm"]] = euler_to_quat(np.stack([swing, down], axis=-1), "XZ")
    rotations[:, roles[f"{side}_forearm"]] = euler_to_quat(bent[:, None], "Y")


def rebased(clip: Clip, turns: Array) -> Clip:
    """The same motion on a skeleton whose joint frames are turned by ``turns (J, 4)``: its zero pose is another one."""
    skeleton, parents = clip.skeleton, clip.skeleton.parents
    above = np.array([turns[p] if p >= 0 else IDENTITY for p in parents])
    offsets = quat_rotate(quat_conjugate(above), skeleton.offsets)
    positions = quat_rotate(quat_conjugate(above), clip.positions)
    rotations = quat_multiply(quat_multiply(quat_conjugate(above), clip.rotations), turns)
    return Clip(Skeleton(skeleton.names, parents, offsets), positions, rotations, clip.fps)
