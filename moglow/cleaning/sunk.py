"""Planted feet that sink below their usual floor."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.cleaning.damage import Fill, Nearby, interpolated, marked, spliced
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

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        start, stop = self.start, self.stop
        legs = clip.skeleton.anatomy.legs
        leg = next(k for k, leg in enumerate(legs) if leg.hip == self.joints[1])
        raised = interpolated(
            clip, marked(clip, start, stop, self.joints[:1])
        )  # if the hips sank with the foot
        filled = replace(raised, rotations=clip.rotations)
        toes, shifts = toe_points(filled), np.zeros((len(clip), len(legs), 3))
        others = np.arange(len(legs)) != leg
        shifts[start:stop, others] = (toe_points(clip) - toes)[start:stop, others]
        if start > 0 and stop < len(clip) and np.linalg.norm(toes[stop, leg] - toes[start - 1, leg]) < STEP:
            share = np.linspace(0, 1, stop - start + 2)[1:-1, None]
            held = toes[start - 1, leg] + share * (toes[stop, leg] - toes[start - 1, leg])
            shifts[start:stop, leg] = held - toes[start:stop, leg]
        else:
            shifts[start:stop, leg, 1] = np.maximum(self.height - toes[start:stop, leg, 1], 0.0)
        return spliced(clip, move_feet(filled, shifts, spec=LockSpec(blend=1e-3)), slice(start, stop))


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
