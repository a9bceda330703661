"""Frozen motion: of the whole figure, or of a limb while the body moves."""

from dataclasses import replace
from typing import Self

import numpy as np

from moglow.cleaning.damage import Damage, Fill, marked
from moglow.cleaning.jumps import repeated_frames, turn_steps
from moglow.cleaning.limbs import DamagedJoints, limbs
from moglow.maths.rotations import Array
from moglow.maths.signals import runs
from moglow.motion.clip import Clip


def find_frozen(clip: Clip, *, shortest: float = 0.1, still: float = 1e-6) -> list[tuple[int, int]]:
    """Returns stretches (first frame, one past the last) of a repeated pose, at least ``shortest`` seconds long.

    Poses are equal within ``still`` radians or metres a frame. Even standing people move more than that.
    """
    repeated = repeated_frames(clip, still=still)
    steps = max(2, int(np.ceil(shortest * clip.fps)))
    return [(start, stop + 1) for start, stop in runs(repeated) if stop - start >= steps]


def find_held(
    clip: Clip, *, shortest: float = 0.2, still: float = 1e-6, mostly: float = 0.5
) -> list[DamagedJoints]:
    """Returns joints of limbs whose rotation is constant for at least ``shortest`` seconds while the body moves.

    Joints that are constant for more than the share ``mostly`` of the clip are rigid in the rig and ignored, and so are
    toes, which do not move in a flat foot. A single joint may be at its limit; it counts as frozen only if it jumps at
    the end of the stretch.
    """
    steps = turn_steps(clip)
    held = (steps <= still) & ~repeated_frames(clip, still=still)[:, None]
    held[:, held.mean(0) > mostly] = False
    roles = {joint for role, joint in clip.skeleton.anatomy.roles.items() if not role.endswith("toe")}
    least = max(2, round(shortest * clip.fps))
    found: list[DamagedJoints] = []
    for joints in limbs(clip.skeleton).values():
        stretches: dict[tuple[int, int], list[int]] = {}
        for joint in joints:
            for start, stop in runs(held[:, joint]):
                if joint in roles and stop - start >= least:
                    stretches.setdefault((start + 1, stop + 1), []).append(joint)
        found += [
            DamagedJoints(start, stop, tuple(those))
            for (start, stop), those in stretches.items()
            if len(those) > 1 or _thaws(steps[:, those[0]], stop - 1)
        ]
    return found


def _thaws(steps: Array, stop: int) -> bool:
    """Returns whether a joint's step ``(T - 1,)`` at the end of a stretch is a jump and not the start of a movement."""
    return stop < len(steps) - 1 and bool(steps[stop] - steps[stop + 1] > np.radians(3))


LONGEST = 2.0
"""Longest stretch in seconds that is replaced."""


class Frozen(Damage):
    kind, remedy = "frozen", "replaced by motion between the adjacent frames"

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

    def joined(self, other: Self, fps: float) -> Self:
        whole = super().joined(other, fps)
        what, _, _ = self.why.rpartition(" for ")
        return replace(whole, why=f"{what} for {(whole.stop - whole.start) / fps:.2f} s")

    def obstacle(self, clip: Clip) -> str:
        if self.stop - self.start > LONGEST * clip.fps:
            return f"longer than {LONGEST:g} s"
        return "" if self.start > 1 and self.stop < len(clip) - 1 else "no sound frames on one side"

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        filled = fill(clip, marked(clip, self.start, self.stop, self.joints))
        whole = len(self.joints) == len(clip.skeleton)
        return filled if whole else replace(filled, positions=clip.positions)
