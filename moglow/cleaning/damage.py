"""The base class of all kinds of damage, and functions that they share.

Values outside the damage do not change by a bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeAlias, TypeVar

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
    @abstractmethod
    def together(cls, clip: Clip, found: Sequence[Self]) -> Clip:
        """Returns the repaired clip; there are at least ``2 * NEAR`` frames between the damage, in order of time."""

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        return self.together(clip, [self])

    @classmethod
    def all_mended(cls, clip: Clip, found: Sequence[Self], fill: Fill) -> Clip:
        """Returns the repaired clip; damage that is far apart is repaired as one short clip of all frames around it."""
        if not found:
            return clip
        positions, rotations = clip.positions.copy(), clip.rotations.copy()
        for some in _apart(found):
            around = [slice(max(0, each.start - NEAR), min(len(clip), each.stop + NEAR)) for each in some]
            frames = np.concatenate([np.arange(near.start, near.stop) for near in around])
            begins = np.cumsum([0, *(near.stop - near.start for near in around)]).tolist()
            moved = [
                replace(each, start=begin + each.start - near.start, stop=begin + each.stop - near.start)
                for each, near, begin in zip(some, around, begins, strict=False)
            ]
            part = replace(clip, positions=positions[frames], rotations=rotations[frames])
            mended = cls.together(part, moved)
            positions[frames], rotations[frames] = mended.positions, mended.rotations
        return replace(clip, positions=positions, rotations=rotations)


N = TypeVar("N", bound=Damage)


def _apart(found: Sequence[N]) -> list[list[N]]:
    """Returns damage in groups without frames in common, each in order of time.

    Of two that have frames in common, the later one is in an earlier group.
    """
    groups: list[list[N]] = []
    latest: list[tuple[N, int]] = []  # with the group of each, from the last damage to the first
    for each in sorted(found, key=lambda one: one.start, reverse=True):
        latest = [(one, group) for one, group in latest if one.start - NEAR < each.stop + NEAR]
        group = max((group + 1 for _, group in latest), default=0)
        latest.append((each, group))
        groups += [[] for _ in range(len(groups), group + 1)]
        groups[group].insert(0, each)
    return groups


def marked(clip: Clip, start: int, stop: int, joints: Sequence[int]) -> Flags:
    """Returns flags ``(T, J)``, True for the joints from ``start`` to before ``stop``."""
    mask = np.zeros((len(clip), len(clip.skeleton)), bool)
    mask[start:stop, list(joints)] = True
    return mask
