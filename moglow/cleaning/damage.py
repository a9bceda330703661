"""The base of all kinds of damage: what is to be mended in a clip, why, and how.

Here is what befalls joints and the body; what befalls limbs is in `limb_damage`. What is sound keeps every bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning.gaps import fill_gaps
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip

Fill: TypeAlias = Callable[[Clip, Flags], Clip]
"""Makes up the joints in frames ``(T, J)`` that are marked, and leaves all else as it is to the last bit."""


NEAR = 8
"""Frames to each side that a curve is drawn by, and a few more."""


def in_words(start: int, stop: int) -> str:
    """Frames for a person to read, the last one included.

    >>> in_words(3, 4), in_words(3, 9)
    ('3', '3 to 8')
    """
    return f"{start}" if stop - start == 1 else f"{start} to {stop - 1}"


def interpolated(clip: Clip, missing: Flags) -> Clip:
    """The fill that knows nothing of bodies: `fill_gaps` for any length."""
    return fill_gaps(clip, missing, longest=np.inf)


@dataclass(frozen=True)
class Damage(ABC):
    """Frames ``start`` up to ``stop`` of some joints that are wrong."""

    start: int
    stop: int
    joints: tuple[int, ...]
    why: str
    kind: ClassVar[str]
    remedy: ClassVar[str]

    @classmethod
    @abstractmethod
    def find(cls, clip: Clip) -> list[Self]:
        """All damage of this kind in a clip, in order of time."""

    @abstractmethod
    def mended(self, clip: Clip, fill: Fill) -> Clip:
        """The clip without it; only its frames change."""

    @classmethod
    def all_mended(cls, clip: Clip, found: Sequence[Self], fill: Fill) -> Clip:
        """The clip without some damage of this kind, in order of time."""
        for damage in reversed(found):  # the frames before it keep their numbers
            clip = damage.mended(clip, fill)
        return clip

    @property
    def lasts(self) -> bool:
        """Whether it stays to the end of the clip, however long that is."""
        return False

    def joined(self, other: Self, fps: float) -> Self:
        """This damage and its other part, which overlaps it, as one."""
        return replace(self, start=min(self.start, other.start), stop=max(self.stop, other.stop))

    def source(self, frames: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which frames of the file the mended ones are, −1 for new ones, when the clip's are ``frames`` ``(T,)``."""
        return frames

    def obstacle(self, clip: Clip) -> str:
        """Why it cannot be mended; empty where it can."""
        return ""


class Nearby(Damage):
    """Damage that is mended by what is beside it, so that a long take is not copied for each."""

    @classmethod
    def all_mended(cls, clip: Clip, found: Sequence[Self], fill: Fill) -> Clip:
        positions, rotations = clip.positions.copy(), clip.rotations.copy()
        for damage in reversed(found):
            near = slice(max(0, damage.start - NEAR), damage.stop + NEAR)
            part = replace(clip, positions=positions[near], rotations=rotations[near])
            start, stop = damage.start - near.start, damage.stop - near.start
            mended = replace(damage, start=start, stop=stop).mended(part, fill)
            positions[near], rotations[near] = mended.positions, mended.rotations
        return replace(clip, positions=positions, rotations=rotations) if found else clip


def spliced(clip: Clip, mended: Clip, frames: slice) -> Clip:
    """The clip with some frames of the mended one."""
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[frames], rotations[frames] = mended.positions[frames], mended.rotations[frames]
    return replace(clip, positions=positions, rotations=rotations)


def marked(clip: Clip, start: int, stop: int, joints: Sequence[int]) -> Flags:
    """Some joints in some frames, as flags ``(T, J)``."""
    mask = np.zeros((len(clip), len(clip.skeleton)), bool)
    mask[start:stop, list(joints)] = True
    return mask
