"""Cuts T-poses at the start and the end of a take."""

from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import Array
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from moglow.motion.contacts import ground_speed

ARMS = ("left_upper_arm", "left_forearm", "left_hand", "right_upper_arm", "right_forearm", "right_hand")


@dataclass(frozen=True)
class TPoseSpec:
    """The limits of a T-pose; angles in radians, times in seconds."""

    highest: float = np.radians(30.0)
    """Largest elevation of the arms."""
    lowest: float = np.radians(-45.0)
    """Smallest elevation of the arms."""
    straight: float = 0.93
    """Least distance from shoulder to hand, relative to the arm's length."""
    sideways: float = 0.8
    """Least cosine of the arm's angle to the line of the shoulders, seen from above."""
    slow: float = 0.3
    """Largest speed of the hips in m/s; raised arms in fast motion, such as skipping, are no T-pose."""
    within: float = 0.5
    """Largest time between the T-pose and the end of the take."""
    shortest: float = 0.2
    """Shortest duration of a T-pose."""
    lowered: float = np.radians(-55.0)
    """Elevation below which the arms are lowered."""
    lowering: float = 1.2
    """Longest time in which the arms are lowered; it is cut too."""


def without_t_poses(clip: Clip, *, spec: TPoseSpec = TPoseSpec()) -> Clip:
    """Returns the clip without T-poses at its start and end, and without the movement of the arms from and to them.

    A clip that is all T-pose, or whose arms were not found, is returned unchanged.
    """
    if not set(ARMS) <= set(clip.skeleton.anatomy.roles):
        return clip
    posed, height = _t_posed(clip, spec)
    start = _length(posed, height, clip.fps, spec)
    stop = len(clip) - _length(posed[::-1], height[::-1], clip.fps, spec)
    return clip[start:stop] if (start or stop < len(clip)) and start < stop else clip


def _t_posed(clip: Clip, spec: TPoseSpec) -> tuple[Flags, Array]:
    """Returns whether each frame ``(T,)`` is a T-pose, and the elevation ``(T,)`` of the higher arm."""
    world, roles = clip.world()[0], clip.skeleton.anatomy.roles
    posed = ground_speed(world[:, roles.get("hips", 0)], clip.fps) < spec.slow
    elevations = []
    across = world[:, roles["left_upper_arm"]] - world[:, roles["right_upper_arm"]]
    for side, outwards in (("left", across), ("right", -across)):
        shoulder, elbow, hand = (
            world[:, roles[f"{side}_{part}"]] for part in ("upper_arm", "forearm", "hand")
        )
        arm = hand - shoulder
        reach = np.linalg.norm(arm, axis=-1)
        length = np.linalg.norm(elbow - shoulder, axis=-1) + np.linalg.norm(hand - elbow, axis=-1)
        elevation = np.arcsin(np.clip(arm[:, 1] / np.maximum(reach, 1e-9), -1, 1))
        flat, line = arm[:, [0, 2]], outwards[:, [0, 2]]
        aligned = (flat * line).sum(-1)
        sizes = np.linalg.norm(flat, axis=-1) * np.linalg.norm(line, axis=-1)
        posed = posed & (elevation > spec.lowest) & (elevation < spec.highest)
        posed = posed & (reach > spec.straight * length) & (aligned > spec.sideways * sizes)
        elevations.append(elevation)
    return posed, np.max(elevations, axis=0)


def _length(posed: Flags, height: Array, fps: float, spec: TPoseSpec) -> int:
    """Returns the number of frames to cut from the start."""
    early = np.flatnonzero(posed[: max(1, round(spec.within * fps))])
    if not early.size:
        return 0
    stop = int(early[0])
    while stop < len(posed) and posed[stop]:
        stop += 1
    if stop - early[0] < spec.shortest * fps and early[0] > 0:
        return 0
    lowered = np.flatnonzero(height[stop : stop + round(spec.lowering * fps)] < spec.lowered)
    return stop + int(lowered[0]) if lowered.size else stop
