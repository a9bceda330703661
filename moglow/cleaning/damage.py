"""The base class of all kinds of damage, and functions that they share.

Values outside the damage do not change by a bit.
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
"""A function that replaces the joints marked in flags ``(T, J)`` and leaves all other values bit for bit the same."""


NEAR = 8
"""Frames before and after the damage that are enough to interpolate it."""


def in_words(start: int, stop: int) -> str:
    """Returns frames ``start`` to before ``stop`` in words, with the last one included.

    >>> in_words(3, 4), in_words(3, 9)
    ('3', '3 to 8')
    """
    return f"{start}" if stop - start == 1 else f"{start} to {stop - 1}"


def interpolated(clip: Clip, missing: Flags) -> Clip:
    """Returns the clip with gaps of any length interpolated by `fill_gaps`."""
    return fill_gaps(clip, missing, longest=np.inf)


@dataclass(frozen=True)
class Damage(ABC):
    """Damage of ``joints`` in the frames from ``start`` to before ``stop``."""

    start: int
    stop: int
    joints: tuple[int, ...]
    why: str
    kind: ClassVar[str]
    remedy: ClassVar[str]

    @classmethod
    @abstractmethod
    def find(cls, clip: Clip) -> list[Self]:
        """Returns all damage of this kind in a clip, in order of time."""

    @abstractmethod
    def mended(self, clip: Clip, fill: Fill) -> Clip:
        """Returns the repaired clip; only the damaged frames change."""

    @classmethod
    def all_mended(cls, clip: Clip, found: Sequence[Self], fill: Fill) -> Clip:
        """Returns the clip with all ``found`` damage, in order of time, repaired."""
        for damage in reversed(found):  # from the end, because a repair may renumber the frames after it
            clip = damage.mended(clip, fill)
        return clip

    @property
    def lasts(self) -> bool:
        """Whether the damage lasts to the end of the clip."""
        return False

    def joined(self, other: Self, fps: float) -> Self:
        """Returns the union of this damage and an overlapping part of it."""
        return replace(self, start=min(self.start, other.start), stop=max(self.stop, other.stop))

    def source(self, frames: NDArray[np.intp]) -> NDArray[np.intp]:
        """Returns the file's frame of each repaired frame, −1 for a new one, given those of the clip's ``(T,)``."""
        return frames

    def obstacle(self, clip: Clip) -> str:
        """Returns the reason why the damage cannot be repaired, or an empty string."""
        return ""


class Nearby(Damage):
    """Damage that is repaired from the adjacent frames alone, so that long takes are not copied for each repair."""

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
    """Returns the clip with ``frames`` of the repaired one."""
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[frames], rotations[frames] = mended.positions[frames], mended.rotations[frames]
    return replace(clip, positions=positions, rotations=rotations)


def marked(clip: Clip, start: int, stop: int, joints: Sequence[int]) -> Flags:
    """Returns flags ``(T, J)``, True for the joints from ``start`` to before ``stop``."""
    mask = np.zeros((len(clip), len(clip.skeleton)), bool)
    mask[start:stop, list(joints)] = True
    return mask
