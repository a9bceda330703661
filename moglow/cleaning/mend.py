"""Finds all damage in a clip and repairs it where possible. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning.damage import Damage, Fill, interpolated
from moglow.cleaning.frame_rate import WrongRate
from moglow.cleaning.frozen import Frozen
from moglow.cleaning.spike import Spike
from moglow.cleaning.sunk import Sunk
from moglow.cleaning.swap import Swapped
from moglow.cleaning.teleport import Away
from moglow.cleaning.tempo import Hurried
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip

KINDS: Sequence[type[Damage]] = (Away, Frozen, Swapped, WrongRate, Spike, Sunk, Hurried)
"""All kinds of damage, in the order of their repair. Each is searched for in the clip repaired so far, because, for
example, swapped limbs jump. Only the last may change the number of frames."""

FEWEST = 5
"""Least number of frames of a clip in which damage is searched for."""


@dataclass(frozen=True)
class FoundDamage:
    """Damage, and the reason why it was not repaired; empty if it was."""

    damage: Damage
    left: str = ""


@dataclass(frozen=True, eq=False)
class Mended:
    """The repaired clip, the damage found, and the original frame ``(T',)`` of each of its frames, −1 for new ones."""

    original: Clip
    clip: Clip
    found: tuple[FoundDamage, ...]
    source: NDArray[np.intp]

    @cached_property
    def changed(self) -> Flags:
        """Returns flags ``(T', J)`` of joints that differ from the original by any bit; True in new frames."""
        rotations, positions = self.original.rotations[self.source], self.original.positions[self.source]
        differs = (rotations != self.clip.rotations).any(-1) | (positions != self.clip.positions).any(-1)
        flags: Flags = differs | (self.source < 0)[:, None]
        return flags


def mend(clip: Clip, *, fill: Fill = interpolated) -> Mended:
    """Returns the repaired clip with its damage; ``fill`` replaces frozen joints, by default by interpolation."""
    original, listed = clip, list[FoundDamage]()
    source: NDArray[np.intp] = np.arange(len(clip))
    for kind in KINDS if len(clip) >= FEWEST else ():
        found = [FoundDamage(damage, damage.obstacle(clip)) for damage in kind.find(clip)]
        mendable = [each.damage for each in found if not each.left]
        for damage in reversed(mendable):  # from the end, because a repair may renumber the frames after it
            source = damage.source(source)
        clip = kind.all_mended(clip, mendable, fill)
        listed += [each for each in found if not _is_in_replaced(each.damage, listed)]
    return Mended(original, clip, tuple(listed), source)


def _is_in_replaced(damage: Damage, found: Sequence[FoundDamage]) -> bool:
    """Returns whether damage lies in replaced joints, where an interpolated foot may be below the floor."""
    return any(
        isinstance(lost := each.damage, Frozen)
        and not each.left
        and lost.start <= damage.start
        and damage.stop <= lost.stop
        and set(damage.joints) <= set(lost.joints)
        for each in found
    )
