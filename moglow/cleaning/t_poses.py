"""T-poses at the start and the end of a take: found and cut."""

from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import Array
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from moglow.motion.contacts import ground_speed

ARMS = ("left_upper_arm", "left_forearm", "left_hand", "right_upper_arm", "right_forearm", "right_hand")


@dataclass(frozen=True)
class TPoseSpec:
    """What counts as a T-pose; angles in radians, times in seconds."""

    highest: float = np.radians(30.0)
    """How far arms may point above the horizon."""
    lowest: float = np.radians(-45.0)
    """How far below it."""
    straight: float = 0.93
    """From shoulder to hand, at least this share of the arm's length."""
    sideways: float = 0.8
    """Cosine of the arm's angle to the line of the shoulders, seen from above."""
    slow: float = 0.3
    """Metres a second of the hips: a skipping child's arms fly, a standing actor's do not."""
    within: float = 0.5
    """It begins within this time of the take's end."""
    shortest: float = 0.2
    lowered: float = np.radians(-55.0)
    """Where arms come down afterwards, up to `lowering` seconds are part of it."""
    lowering: float = 1.2


def without_t_poses(clip: Clip, *, spec: TPoseSpec = TPoseSpec()) -> Clip:
    """The clip without a T-pose at its start and its end, and without the arms' way down from it and up to it.

    A clip that is nothing else comes back whole; so does one whose arms were not found.
    """
    if not set(ARMS) <= set(clip.skeleton.anatomy.roles):
        return clip
    posed, height = _t_posed(clip, spec)
    start = _length(posed, height, clip.fps, spec)
    stop = len(clip) - _length(posed[::-1], height[::-1], clip.fps, spec)
    return clip[start:stop] if (start or stop < len(clip)) and start < stop else clip


def _t_posed(clip: Clip, spec: TPoseSpec) -> tuple[Flags, Array]:
    """In which frames ``(T,)`` the body stands in a T-pose, and the elevation ``(T,)`` of the higher arm."""
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
    """How many frames to cut from the start."""
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
