"""What is to be mended in a clip, why, and how: each kind of damage finds and mends itself. Floor 4; numpy alone.

Here is what befalls joints and the body; what befalls limbs is in `limb_damage`. What is sound keeps every bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning import despike, fill_gaps, unmislabel_fps
from moglow.clip import Clip
from moglow.contacts import Flags
from moglow.faults import find_frozen, find_jumps, find_spikes, hip_lurches, likely_fps
from moglow.feet import carried, carrying_joint
from moglow.rotations import Array, quat_angle, quat_continuous
from moglow.signals import sample_cubic, sample_turns
from moglow.tempo import find_hurries

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


@dataclass(frozen=True)
class WrongRate(Damage):
    """All frames are sound, and there are ``fps`` of them a second."""

    fps: float = 0.0
    kind, remedy = "fps", "the frames are the same, their rate is put right"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        steady = clip
        for hurry in reversed(Hurried.find(clip)):
            steady = hurry.mended(steady, interpolated)
        likely = likely_fps(
            despike(steady)
        )  # neither a stretch that hurries nor a foot that jumps tells of the rest
        if likely is None or likely == clip.fps:
            return []
        return [
            cls(0, len(clip), (), f"feet swing as if at {likely:g} fps, the file says {clip.fps:g}", likely)
        ]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        return unmislabel_fps(clip, self.fps)


@dataclass(frozen=True)
class Away(Damage):
    """The body leaps by ``leap`` (m) and back by ``back``; or, where it does not come back, it is moved for good."""

    leap: tuple[float, ...] = (0.0, 0.0, 0.0)
    back: tuple[float, ...] | None = None
    kind, remedy = "teleport", "shifted back to where its steps lead"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        thawed = {stop for _, stop in find_frozen(clip)}  # after a frozen stretch the motion has gone on
        leaps = [jump.frame for jump in find_jumps(clip) if jump.distance and jump.frame not in thawed]
        lurches, found, carrier = hip_lurches(clip), list[Self](), (carrying_joint(clip.skeleton),)
        while leaps:
            start = leaps.pop(0)
            way = lurches[start - 1]
            returns = [
                stop for stop in leaps if np.linalg.norm(lurches[stop - 1] + way) < 0.3 * np.linalg.norm(way)
            ]
            text = f"the body leaps {np.linalg.norm(way):.2f} m at {start}"
            if returns:
                stop = returns[0]
                leaps.remove(stop)
                back, text = tuple(lurches[stop - 1].tolist()), f"{text} and back at {stop}"
                found.append(cls(start, stop, carrier, text, tuple(way.tolist()), back))
            else:
                found.append(cls(start, len(clip), carrier, f"{text} and stays", tuple(way.tolist())))
        return found

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        offsets = np.zeros((len(clip), 3))
        offsets[self.start : self.stop] = self.leap
        if self.back is not None:
            share = np.linspace(0, 1, self.stop - self.start)[:, None]
            offsets[self.start : self.stop] = -share * self.back + (1 - share) * np.array(self.leap)
        return spliced(clip, carried(clip, -offsets), slice(self.start, self.stop))


class Spike(Nearby):
    kind, remedy = "spike", "a smooth curve between the frames around"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        spikes, names = find_spikes(clip), clip.skeleton.names
        away = [_farthest(clip, joint, start, stop) for joint, start, stop in spikes]
        return [
            cls(start, stop, (joint,), f"{names[joint]} turns {np.degrees(angle):.0f}° away and back")
            for (joint, start, stop), angle in sorted(
                zip(spikes, away, strict=True), key=lambda pair: pair[0][1:]
            )
        ]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        filled = interpolated(clip, marked(clip, self.start, self.stop, self.joints))
        return replace(filled, positions=clip.positions)


@dataclass(frozen=True)
class Hurried(Damage):
    """Time runs ``factor`` times too fast."""

    factor: float = 1.0
    kind, remedy = "rate", "resampled at the rate around it"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        everything = tuple(range(len(clip.skeleton)))
        return [
            cls(
                hurry.start + 1,
                hurry.stop + 1,
                everything,
                hurry.why,
                hurry.factor,
            )
            for hurry in find_hurries(clip)
        ]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        at = self._times(len(clip))
        exact = at == np.round(at)
        positions = sample_cubic(clip.positions, at)
        rotations = sample_turns(quat_continuous(clip.rotations), at)
        kept = at[exact].astype(int)
        positions[exact], rotations[exact] = clip.positions[kept], clip.rotations[kept]
        return replace(clip, positions=positions, rotations=rotations)

    def source(self, frames: NDArray[np.intp]) -> NDArray[np.intp]:
        at = self._times(len(frames))
        return np.where(at == np.round(at), frames[np.round(at).astype(int)], -1)

    def _times(self, frames: int) -> Array:
        """The fractional frames ``(T',)`` of the clip that the mended ones are."""
        inside = (
            self.start - 1 + np.arange(1, round((self.stop - self.start) * self.factor) + 1) / self.factor
        )
        return np.concatenate([np.arange(self.start), inside, np.arange(self.stop, frames)])


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


def _farthest(clip: Clip, joint: int, start: int, stop: int) -> float:
    around = clip.rotations[start - 1 if start else stop, joint]
    return float(quat_angle(clip.rotations[start:stop, joint], around).max())
