"""Frozen motion: the whole figure, or a limb that holds still while the body moves."""

from dataclasses import replace
from typing import Self

import numpy as np

from moglow.cleaning.damage import Damage, Fill, marked
from moglow.cleaning.jumps import repeated_frames, turn_steps
from moglow.cleaning.limbs import LimbFault, limbs
from moglow.maths.rotations import Array
from moglow.maths.signals import runs
from moglow.motion.clip import Clip


def find_frozen(clip: Clip, *, shortest: float = 0.1, still: float = 1e-6) -> list[tuple[int, int]]:
    """Stretches (first frame, one past the last) of the same pose over and over, at least ``shortest`` seconds long.

    Not even a figure that stands is so still (``still`` radians or metres a frame): the capture had lost it.
    """
    repeated = repeated_frames(clip, still=still)
    steps = max(2, int(np.ceil(shortest * clip.fps)))
    return [(start, stop + 1) for start, stop in runs(repeated) if stop - start >= steps]


def find_held(
    clip: Clip, *, shortest: float = 0.2, still: float = 1e-6, mostly: float = 0.5
) -> list[LimbFault]:
    """Joints of limbs that keep their turn for ``shortest`` seconds and more while the body moves on.

    Joints that keep it for more than ``mostly`` of the clip are built so: hinges that the capture never turned. Toes
    keep it as long as their foot is flat, and one joint alone may have come to its stop: it is believed to be frozen
    only if it jumps when it is free again.
    """
    steps = turn_steps(clip)
    held = (steps <= still) & ~repeated_frames(clip, still=still)[:, None]
    held[:, held.mean(0) > mostly] = False
    roles = {joint for role, joint in clip.skeleton.anatomy.roles.items() if not role.endswith("toe")}
    least = max(2, round(shortest * clip.fps))
    found: list[LimbFault] = []
    for joints in limbs(clip.skeleton).values():
        stretches: dict[tuple[int, int], list[int]] = {}
        for joint in joints:
            for start, stop in runs(held[:, joint]):
                if joint in roles and stop - start >= least:
                    stretches.setdefault((start + 1, stop + 1), []).append(joint)
        found += [
            LimbFault(start, stop, tuple(those))
            for (start, stop), those in stretches.items()
            if len(those) > 1 or _thaws(steps[:, those[0]], stop - 1)
        ]
    return found


def _thaws(steps: Array, stop: int) -> bool:
    """Whether a joint's step ``(T - 1,)`` out of a stretch is a jump, and not the first of a movement."""
    return stop < len(steps) - 1 and bool(steps[stop] - steps[stop + 1] > np.radians(3))


LONGEST = 2.0
"""Seconds that are made up at most."""


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
