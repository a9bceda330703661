"""A clip made whole: all damage found, and mended where that can be done; numpy alone."""

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
"""All kinds, in the order in which they are looked for, each in what those before it have left: limbs that are swapped
back do not jump. Only the last may change how many frames there are."""

FEWEST = 5
"""Frames of a clip in which anything can be told from anything."""


@dataclass(frozen=True)
class Finding:
    """Damage that was found, and why it was left as it is; empty where it was mended."""

    damage: Damage
    left: str = ""


@dataclass(frozen=True, eq=False)
class Mended:
    """The mended clip, what was found, and which frame of the original each of its frames is ``(T',)``, −1 for none."""

    original: Clip
    clip: Clip
    findings: tuple[Finding, ...]
    source: NDArray[np.intp]

    @cached_property
    def changed(self) -> Flags:
        """Which joints in which frames ``(T', J)`` are not what they were, to the last bit; all of a new frame."""
        rotations, positions = self.original.rotations[self.source], self.original.positions[self.source]
        differs = (rotations != self.clip.rotations).any(-1) | (positions != self.clip.positions).any(-1)
        flags: Flags = differs | (self.source < 0)[:, None]
        return flags


def mend(clip: Clip, *, fill: Fill = interpolated) -> Mended:
    """Finds all damage in a clip and mends what can be mended; ``fill`` makes up what is lost for longer."""
    original, findings = clip, list[Finding]()
    source: NDArray[np.intp] = np.arange(len(clip))
    for kind in KINDS if len(clip) >= FEWEST else ():
        found = [Finding(damage, damage.obstacle(clip)) for damage in kind.find(clip)]
        mendable = [each.damage for each in found if not each.left]
        for damage in reversed(mendable):  # the frames before it keep their numbers
            source = damage.source(source)
        clip = kind.all_mended(clip, mendable, fill)
        findings += [each for each in found if not _made_up(each.damage, findings)]
    return Mended(original, clip, tuple(findings), source)


def _made_up(damage: Damage, findings: Sequence[Finding]) -> bool:
    """Whether damage lies in what was made up for joints that were lost: a curve may sink a foot, the take did not."""
    return any(
        isinstance(lost := each.damage, Frozen)
        and not each.left
        and lost.start <= damage.start
        and damage.stop <= lost.stop
        and set(damage.joints) <= set(lost.joints)
        for each in findings
    )
