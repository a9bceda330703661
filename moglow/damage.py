"""What is to be mended in a clip, why, and how: each kind of damage finds and mends itself. Floor 4; numpy alone.

`KINDS` are looked for in their order, each in what those before it have left: limbs that are swapped back do not jump.
What is sound keeps every bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning import despike, fill_gaps, unmislabel_fps
from moglow.clip import Clip
from moglow.contacts import Flags, toe_points
from moglow.faults import find_frozen, find_jumps, find_spikes, hip_lurches, likely_fps
from moglow.feet import LockSpec, carried, carrying_joint, move_feet
from moglow.limb_faults import exchanged, find_held, find_sunk, find_swaps, limb_names, standing_heights
from moglow.rotations import Array, quat_angle, quat_continuous
from moglow.signals import sample_cubic, sample_turns
from moglow.tempo import find_hurries

Fill: TypeAlias = Callable[[Clip, Flags], Clip]
"""Makes up the joints in frames ``(T, J)`` that are marked, and leaves all else as it is to the last bit."""


LONGEST = 2.0
"""Seconds that are made up at most."""
STEP = 0.1
"""Metres: a foot that is this near before and after has stood in between."""


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

    def source(self, frames: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which frames of the file the mended ones are, −1 for new ones, when the clip's are ``frames`` ``(T,)``."""
        return frames

    def obstacle(self, clip: Clip) -> str:
        """Why it cannot be mended; empty where it can."""
        return ""


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
        return _only(clip, carried(clip, -offsets), slice(self.start, self.stop))


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


class Spike(Damage):
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
        filled = interpolated(clip, _mask(clip, self.start, self.stop, self.joints))
        return replace(filled, positions=clip.positions)


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
        filled = fill(clip, _mask(clip, self.start, self.stop, self.joints))
        whole = len(self.joints) == len(clip.skeleton)
        return filled if whole else replace(filled, positions=clip.positions)


class Sunk(Damage):
    kind, remedy = "floor", "the leg bent so that the foot stands on the floor"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        if not clip.skeleton.anatomy.legs:
            return []
        carrier, legs = carrying_joint(clip.skeleton), clip.skeleton.anatomy.legs
        every = tuple(
            joint for leg in legs for joint in (leg.hip, leg.knee, leg.ankle)
        )  # they hang on the same hips
        return [
            cls(
                max(0, fault.start - 1),  # on its way down
                min(len(clip), fault.stop + 1),
                (carrier, *dict.fromkeys([*fault.joints, *every])),
                f"{limb_names(clip.skeleton, fault.joints)} {100 * fault.depth:.0f} cm below the floor",
            )
            for fault in sorted(find_sunk(clip), key=lambda fault: fault.start)
        ]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        start, stop = self.start, self.stop
        legs = clip.skeleton.anatomy.legs
        leg = next(k for k, leg in enumerate(legs) if leg.hip == self.joints[1])
        raised = interpolated(
            clip, _mask(clip, start, stop, self.joints[:1])
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
            lowest = standing_heights(clip)[leg]
            shifts[start:stop, leg, 1] = np.maximum(lowest - toes[start:stop, leg, 1], 0.0)
        return _only(clip, move_feet(filled, shifts, spec=LockSpec(blend=1e-3)), slice(start, stop))


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


KINDS: Sequence[type[Damage]] = (Away, Frozen, Swapped, WrongRate, Spike, Sunk, Hurried)
"""All kinds, in the order in which they are looked for. Only the last may change how many frames there are."""


def _only(clip: Clip, mended: Clip, frames: slice) -> Clip:
    """The clip with some frames of the mended one."""
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[frames], rotations[frames] = mended.positions[frames], mended.rotations[frames]
    return replace(clip, positions=positions, rotations=rotations)


def _mask(clip: Clip, start: int, stop: int, joints: Sequence[int]) -> Flags:
    mask = np.zeros((len(clip), len(clip.skeleton)), bool)
    mask[start:stop, list(joints)] = True
    return mask


def _farthest(clip: Clip, joint: int, start: int, stop: int) -> float:
    around = clip.rotations[start - 1 if start else stop, joint]
    return float(quat_angle(clip.rotations[start:stop, joint], around).max())
