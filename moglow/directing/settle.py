"""Sets exact poses in a clip and corrects the frames around them; bones are rigid and planted feet do not move."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array, expmap_to_quat, quat_conjugate, quat_multiply, quat_to_expmap
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of, toe_points
from moglow.motion.foot_lock import move_feet

AROUND = 0.3
"""Time in seconds before and after a frame over which its correction fades out."""


@dataclass(frozen=True, eq=False)
class Settled:
    """An exact pose for a frame: local ``positions`` ``(J, 3)`` and ``rotations`` ``(J, 4)`` of some joints."""

    frame: int
    joints: NDArray[np.intp]
    rotations: Array
    positions: Array | None = None
    """Local positions of all joints; None if the body stays in its position."""


def settled(clip: Clip, poses: Sequence[Settled]) -> Clip:
    """Returns the clip with bit-exact poses in some frames, and a smooth correction of the frames around them.

    The poses should be close to those of the clip. Toes move only as far as the poses require.
    """
    if not poses:
        return clip
    rotations, positions = clip.rotations.copy(), clip.positions.copy()
    moved = np.zeros((len(clip), len(legs_of(clip.skeleton)), 3))
    for pose in poses:
        others = [other.frame for other in poses if other.frame != pose.frame]
        frames, shares = _around(clip, pose.frame, others)
        off = quat_multiply(quat_conjugate(rotations[pose.frame, pose.joints]), pose.rotations[pose.joints])
        turns = expmap_to_quat(shares[:, None, None] * quat_to_expmap(off))
        rotations[frames[:, None], pose.joints] = quat_multiply(
            rotations[frames[:, None], pose.joints], turns
        )
        if pose.positions is not None:
            positions[frames] += shares[:, None, None] * (pose.positions - positions[pose.frame])
            wanted = replace(clip, positions=pose.positions[None], rotations=pose.rotations[None])
            off_toes = toe_points(wanted)[0] - toe_points(clip)[pose.frame]
            moved[frames] += shares[:, None, None] * off_toes
    near = replace(clip, positions=positions, rotations=rotations)
    changed = np.zeros(len(clip), bool)
    for pose in poses:
        changed[_around(clip, pose.frame, [])[0]] = True
    shifts = np.where(changed[:, None, None], toe_points(clip) + moved - toe_points(near), 0.0)
    kept = move_feet(near, np.where(np.abs(shifts) > 1e-9, shifts, 0.0))
    rotations, positions = kept.rotations.copy(), kept.positions.copy()
    for pose in poses:
        rotations[pose.frame, pose.joints] = pose.rotations[pose.joints]
        if pose.positions is not None:
            positions[pose.frame] = pose.positions
    return replace(kept, rotations=rotations, positions=positions)


def _around(clip: Clip, frame: int, others: Sequence[int]) -> tuple[NDArray[np.intp], Array]:
    """Returns the frames around a frame, and weights from 0 to 1 at the frame; 0 at other frames and beyond them."""
    reach = max(1, round(AROUND * clip.fps))
    first = max([frame - reach, *(other for other in others if other < frame)])
    last = min([frame + reach, *(other for other in others if other > frame)])
    frames = np.arange(max(first, 0), min(last, len(clip) - 1) + 1)
    far = np.where(frames < frame, frame - first, last - frame)
    at = 1 - np.abs(frames - frame) / np.maximum(far, 1)
    return frames, at**3 * (10 - 15 * at + 6 * at**2)
