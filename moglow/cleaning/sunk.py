"""Planted feet that sink below their usual floor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.cleaning.damage import Nearby, interpolated, marked
from moglow.cleaning.limbs import DamagedJoints, limb_names
from moglow.maths.rotations import Array
from moglow.maths.signals import runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import ContactSpec, ground_speed, leg_lengths, legs_of, toe_points
from moglow.motion.foot_lock import LockSpec, carrying_joint, move_feet

STEP = 0.1
"""Largest distance in metres between the positions before and after of a foot that is planted in between."""


@dataclass(frozen=True)
class Sunk(Nearby):
    """A leg whose planted toe is below its usual ``height`` (m)."""

    height: float = 0.0
    kind, remedy = "floor", "the leg is bent so that the foot stands on the floor"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        if not clip.skeleton.anatomy.legs:
            return []
        carrier, legs = carrying_joint(clip.skeleton), clip.skeleton.anatomy.legs
        heights = dict(zip((leg.hip for leg in legs_of(clip.skeleton)), standing_heights(clip), strict=True))
        every = tuple(
            joint for leg in legs for joint in (leg.hip, leg.knee, leg.ankle)
        )  # all legs, because the hips carry all of them
        return [
            cls(
                max(0, each.start - 1),  # the frame before, in which the foot moves down
                min(len(clip), each.stop + 1),
                (carrier, *dict.fromkeys([*each.joints, *every])),
                f"{limb_names(clip.skeleton, each.joints)} {100 * each.depth:.0f} cm below the floor",
                float(heights[each.joints[0]]),
            )
            for each in sorted(find_sunk(clip), key=lambda each: each.start)
        ]

    @classmethod
    def together(cls, clip: Clip, found: Sequence[Self]) -> Clip:
        legs = clip.skeleton.anatomy.legs
        carrier = np.zeros((len(clip), len(clip.skeleton)), bool)
        for sunk in found:
            carrier |= marked(clip, sunk.start, sunk.stop, sunk.joints[:1])
        raised = interpolated(clip, carrier)  # if the hips sank with the foot
        filled = replace(raised, rotations=clip.rotations)
        before, toes = toe_points(clip), toe_points(filled)
        shifts = np.zeros((len(clip), len(legs), 3))
        for sunk in found:
            leg = next(k for k, leg in enumerate(legs) if leg.hip == sunk.joints[1])
            sunk._shift(shifts, before, toes, leg)
        moved = move_feet(filled, shifts, spec=LockSpec(blend=1e-3))
        positions, rotations = clip.positions.copy(), clip.rotations.copy()
        for sunk in found:
            frames = slice(sunk.start, sunk.stop)
            positions[frames], rotations[frames] = moved.positions[frames], moved.rotations[frames]
        return replace(clip, positions=positions, rotations=rotations)

    def _shift(self, shifts: Array, before: Array, toes: Array, leg: int) -> None:
        """Writes the ``shifts`` ``(T, L, 3)`` of the feet from ``toes`` with raised hips; ``before`` are the clip's."""
        start, stop = self.start, self.stop
        others = np.arange(shifts.shape[1]) != leg
        shifts[start:stop, others] = before[start:stop, others] - toes[start:stop, others]
        if start > 0 and stop < len(toes) and np.linalg.norm(toes[stop, leg] - toes[start - 1, leg]) < STEP:
            share = np.linspace(0, 1, stop - start + 2)[1:-1, None]
            held = toes[start - 1, leg] + share * (toes[stop, leg] - toes[start - 1, leg])
            shifts[start:stop, leg] = held - toes[start:stop, leg]
        else:
            shifts[start:stop, leg, 1] = np.maximum(self.height - toes[start:stop, leg, 1], 0.0)


def find_sunk(clip: Clip, *, depth: float = 0.025, deepest: float = 0.045) -> list[DamagedJoints]:
    """Returns stretches in which a toe is below its usual height by ``depth``, and at least once by ``deepest``.

    Both are shares of the leg's length. Soft shoes and sloping floors cause 3 cm; a tilted ankle (damage) causes more.
    """
    below, lengths = standing_heights(clip) - toe_points(clip)[..., 1], leg_lengths(clip.skeleton)
    return [
        DamagedJoints(start, stop, (leg.hip, leg.knee, leg.ankle), float(below[start:stop, k].max()))
        for k, leg in enumerate(legs_of(clip.skeleton))
        for start, stop in runs(below[:, k] > depth * lengths[k])
        if below[start:stop, k].max() > deepest * lengths[k]
    ]


def standing_heights(clip: Clip) -> Array:
    """Returns the most frequent height ``(L,)`` of each toe while it is slow.

    Unlike `contacts.toe_floor`, it does not depend on feet that sink for a while. For a toe that is rarely slow, the
    height of all toes is used.
    """
    toes, lengths = toe_points(clip), leg_lengths(clip.skeleton)
    slow = ground_speed(toes, clip.fps) / lengths < ContactSpec().slow
    pooled = toes[..., 1][slow] if slow.any() else toes[..., 1].min(1)
    low = toes[..., 1] < np.median(pooled) + ContactSpec().high * lengths
    often = (slow & low).sum(0) > 0.1 * clip.fps
    heights = [
        np.median(toes[(slow & low)[:, k], k, 1]) if often[k] else np.median(pooled)
        for k in range(len(lengths))
    ]
    return np.array(heights)
