"""Damage to limbs: swapped, frozen (or the whole figure), through the floor. Floor 4; stands on `damage`."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.clip import Clip
from moglow.contacts import legs_of, toe_points
from moglow.damage import Damage, Fill, Nearby, interpolated, marked, spliced
from moglow.faults import find_frozen
from moglow.feet import LockSpec, carrying_joint, move_feet
from moglow.limb_faults import exchanged, find_held, find_sunk, find_swaps, limb_names, standing_heights

LONGEST = 2.0
"""Seconds that are made up at most."""
STEP = 0.1
"""Metres: a foot that is this near before and after has stood in between."""


class Swapped(Damage):
    kind, remedy = "swap", "left and right exchanged back"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        found = [(fault, limb_names(clip.skeleton, fault.joints)) for fault in find_swaps(clip)]
        return [cls(fault.start, fault.stop, fault.joints, f"{names} are swapped") for fault, names in found]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        frames = np.zeros(len(clip), bool)
        frames[self.start : self.stop] = True
        return exchanged(clip, self.joints, frames)


class Frozen(Damage):
    kind, remedy = "frozen", "made up from the frames around"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        whole = range(len(clip.skeleton))
        found = [
            cls(start + 1, stop, tuple(whole), f"the figure is frozen for {(stop - start) / clip.fps:.2f} s")
            for start, stop in find_frozen(clip)
        ]
        names = clip.skeleton.names
        for held in find_held(clip):
            more = f" and {len(held.joints) - 1} below" if len(held.joints) > 1 else ""
            seconds = (held.stop - held.start) / clip.fps
            text = f"{names[held.joints[0]]}{more} held still for {seconds:.2f} s"
            found.append(cls(held.start, held.stop, held.joints, text))
        return sorted(found, key=lambda damage: damage.start)

    def obstacle(self, clip: Clip) -> str:
        if self.stop - self.start > LONGEST * clip.fps:
            return f"longer than {LONGEST:g} s"
        return "" if self.start > 1 and self.stop < len(clip) - 1 else "no sound frames on one side"

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        filled = fill(clip, marked(clip, self.start, self.stop, self.joints))
        whole = len(self.joints) == len(clip.skeleton)
        return filled if whole else replace(filled, positions=clip.positions)


@dataclass(frozen=True)
class Sunk(Nearby):
    """A leg stands below the ``height`` (m) at which its toe mostly stands."""

    height: float = 0.0
    kind, remedy = "floor", "the leg bent so that the foot stands on the floor"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        if not clip.skeleton.anatomy.legs:
            return []
        carrier, legs = carrying_joint(clip.skeleton), clip.skeleton.anatomy.legs
        heights = dict(zip((leg.hip for leg in legs_of(clip.skeleton)), standing_heights(clip), strict=True))
        every = tuple(
            joint for leg in legs for joint in (leg.hip, leg.knee, leg.ankle)
        )  # they hang on the same hips
        return [
            cls(
                max(0, fault.start - 1),  # on its way down
                min(len(clip), fault.stop + 1),
                (carrier, *dict.fromkeys([*fault.joints, *every])),
                f"{limb_names(clip.skeleton, fault.joints)} {100 * fault.depth:.0f} cm below the floor",
                float(heights[fault.joints[0]]),
            )
            for fault in sorted(find_sunk(clip), key=lambda fault: fault.start)
        ]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        start, stop = self.start, self.stop
        legs = clip.skeleton.anatomy.legs
        leg = next(k for k, leg in enumerate(legs) if leg.hip == self.joints[1])
        raised = interpolated(
            clip, marked(clip, start, stop, self.joints[:1])
        )  # where the hips sank with the foot
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
