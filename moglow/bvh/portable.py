"""Converts clips to a form that all readers of BVH files interpret in the same way."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from moglow.anatomy.unit_and_axes import UNITS
from moglow.errors import BvhError
from moglow.maths.rotations import quat_multiply, quat_rotate
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Layout, Skeleton

LARGEST_UNIT = 1e9
"""Most metres of a unit."""
SAME_PLACE = 1e-6  # metres, or 1e-4 cm; smaller differences come from rounding in the file
_SHORTEST_TIP = 1e-3  # metres; Blender rejects shorter bones

_PLACE = ("Xposition", "Yposition", "Zposition")
# The sideways axis X is second, so that gimbal lock occurs at a forward lean of 90° and not at a turn.
_TURN = ("Zrotation", "Xrotation", "Yrotation")


def portable(clip: Clip, *, unit: str | float = "cm", keep_root: bool = False) -> Clip:
    """Returns the same motion with a skeleton and layout that all readers interpret in the same way.

    Only the root has position channels, and its OFFSET is zero, since some readers add the two and others replace one
    by the other. All joints have the same rotation order, the axes are those of moglow, end sites have a non-zero
    length, and names are unique and contain no blanks. There are two special cases:

    * A root whose only child moves relative to it (Bandai's ``joint_Root`` above ``Hips``) is merged into that child.
      ``keep_root`` keeps it, for game engines that read root motion from it.
    * Any other joint that moves relative to its parent has position channels and an OFFSET of zero, too.
    """
    clip = clip if keep_root else _without_carrier(clip)
    positions = clip.positions.copy()
    low, high = positions.min(axis=0), positions.max(axis=0)
    moves = np.any(high - low > 2 * SAME_PLACE, axis=-1)
    moves[0] = True
    offsets = np.where(moves[:, None], 0.0, (low + high) / 2)
    positions[:, ~moves] = offsets[~moves]
    skeleton = replace(
        clip.skeleton,
        names=_portable_names(clip.skeleton.names),
        offsets=offsets,
        end_sites=_portable_end_sites(clip.skeleton),
        layout=portable_layout(len(clip.skeleton), unit=unit, moving=np.flatnonzero(moves).tolist()),
    )
    return replace(clip, skeleton=skeleton, positions=positions)


def portable_layout(joints: int, *, unit: str | float = "cm", moving: Sequence[int] = (0,)) -> Layout:
    """Returns a layout with three rotations for each joint, preceded by three positions for the ``moving`` joints."""
    channels = tuple(_PLACE + _TURN if joint in moving else _TURN for joint in range(joints))
    return Layout(channels, unit_to_metres(unit))


def unit_to_metres(unit: str | float) -> float:
    """Returns metres per unit, given the name of a unit; a number is returned as it is.

    >>> unit_to_metres("inch"), unit_to_metres(0.01)
    (0.0254, 0.01)
    """
    if isinstance(unit, str) and unit not in UNITS:
        raise BvhError(f"unit {unit!r} is unknown, expected {', '.join(UNITS)} or metres per unit")
    metres = UNITS[unit] if isinstance(unit, str) else float(unit)
    if not 0 < metres <= LARGEST_UNIT:
        raise BvhError(
            f"a unit of {metres} m, expected metres above 0 and up to {LARGEST_UNIT:g}, such as 0.01"
        )
    return metres


def _without_carrier(clip: Clip) -> Clip:
    """Removes a root whose only child moves relative to it; the child becomes the root and keeps its world motion."""
    skeleton = clip.skeleton
    while (
        len(skeleton) > 1
        and skeleton.children(0) == (1,)
        and all(joint for joint, _ in skeleton.end_sites)
        and np.ptp(clip.positions[:, 1], axis=0).max() > 2 * SAME_PLACE
    ):
        turn, positions, rotations = (
            clip.rotations[:, 0],
            clip.positions[:, 1:].copy(),
            clip.rotations[:, 1:].copy(),
        )
        positions[:, 0] = clip.positions[:, 0] + quat_rotate(turn, positions[:, 0])
        rotations[:, 0] = quat_multiply(turn, rotations[:, 0])
        skeleton = Skeleton(
            names=skeleton.names[1:],
            parents=tuple(parent - 1 for parent in skeleton.parents[1:]),
            offsets=skeleton.offsets[1:],
            end_sites=tuple((joint - 1, tip) for joint, tip in skeleton.end_sites),
            overrides={k: v for k, v in skeleton.overrides.items() if skeleton.names[0] not in (k, v)},
        )
        clip = replace(clip, skeleton=skeleton, positions=positions, rotations=rotations)
    return clip


def _portable_names(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the names without blanks and braces; a number is added to a repeated name."""
    taken: dict[str, None] = {}
    for name in names:
        plain = re.sub(r"[\s{}]+", "_", name) or "joint"
        number = 2
        unique = plain
        while unique in taken:
            unique, number = f"{plain}_{number}", number + 1
        taken[unique] = None
    return tuple(taken)


def _portable_end_sites(skeleton: Skeleton) -> tuple[tuple[int, tuple[float, ...]], ...]:
    """Returns end sites with a non-zero length, at least one for each joint without children."""
    ends = tuple((joint, tip) for joint, tip in skeleton.end_sites if np.linalg.norm(tip) >= _SHORTEST_TIP)
    bare = set(range(len(skeleton))) - set(skeleton.parents) - {joint for joint, _ in ends}
    invented = ((joint, _invented_tip(skeleton, joint)) for joint in sorted(bare))
    return tuple(sorted((*ends, *invented), key=lambda end: end[0]))


def _invented_tip(skeleton: Skeleton, joint: int) -> tuple[float, ...]:
    """Returns the offset of a new end site: a quarter of the joint's bone.

    If the bone is too short, the nearest longer bone above it is used.
    """
    while joint and skeleton.bone_lengths[joint] < 4 * _SHORTEST_TIP:
        joint = skeleton.parents[joint]
    return tuple((skeleton.offsets[joint] / 4).tolist()) if joint else (0.0, 0.1, 0.0)
