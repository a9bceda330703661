"""Teleports: the whole figure displaced for some frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from moglow.cleaning.damage import Damage, Fill
from moglow.cleaning.frozen import find_frozen
from moglow.cleaning.jumps import find_jumps, hip_lurches
from moglow.motion.clip import Clip
from moglow.motion.foot_lock import carried, carrying_joint


@dataclass(frozen=True)
class Away(Damage):
    """The body leaps by ``leap`` (m) and back by ``back``; ``back`` is None if it does not return."""

    leap: tuple[float, ...] = (0.0, 0.0, 0.0)
    back: tuple[float, ...] | None = None
    kind, remedy = "teleport", "shifted back, continuing the steps before"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        thawed = {stop for _, stop in find_frozen(clip)}  # a leap after a frozen stretch is real motion
        leaps = [jump.frame for jump in find_jumps(clip) if jump.distance and jump.frame not in thawed]
        lurches, found, carrier = hip_lurches(clip), list[Self](), (carrying_joint(clip.skeleton),)
        while leaps:
            start = leaps.pop(0)
            way = lurches[start - 1]
            returns = [
                stop for stop in leaps if np.linalg.norm(lurches[stop - 1] + way) < 0.3 * np.linalg.norm(way)
            ]
            text = f"the body leaps {np.linalg.norm(way):.2f} m"
            if returns:
                stop = returns[0]
                leaps.remove(stop)
                back, text = tuple(lurches[stop - 1].tolist()), f"{text} and back"
                found.append(cls(start, stop, carrier, text, tuple(way.tolist()), back))
            else:
                found.append(cls(start, len(clip), carrier, f"{text} and stays", tuple(way.tolist())))
        return found

    @property
    def lasts(self) -> bool:
        return self.back is None

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        return self.all_mended(clip, [self], fill)

    @classmethod
    def all_mended(cls, clip: Clip, found: Sequence[Self], fill: Fill) -> Clip:
        if not found:
            return clip
        offsets = np.zeros((len(clip), 3))
        for damage in found:
            away = slice(damage.start, damage.stop)
            if damage.back is None:
                offsets[away] += damage.leap
            else:
                share = np.linspace(0, 1, damage.stop - damage.start)[:, None]
                offsets[away] += -share * damage.back + (1 - share) * np.array(damage.leap)
        return carried(clip, -offsets)
