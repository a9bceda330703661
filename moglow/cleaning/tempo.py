"""Stretches that run at another rate than the clip around them; numpy alone."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from typing import Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning.damage import Damage, Fill
from moglow.maths.rotations import Array, quat_continuous
from moglow.maths.signals import sample_cubic, sample_turns
from moglow.motion.clip import Clip

FACTORS = (1 / 4, 1 / 3, 1 / 2, 2.0, 3.0, 4.0)
"""By which rates are taken for each other: 30 for 60, 24 for 120 is rare and looks like 4."""
SLOWEST = 0.15
"""Metres a second of the mean joint: what is slower has no speed to compare."""
LEAST = 0.45
"""The logarithm of the smallest change of speed that counts: 1.6 times from one frame to the next."""
APART = 4.0
"""Times the median change around: where all is noise nothing stands out."""
AROUND = 6
"""Frames to both sides that are looked at for it."""
OFF = 0.35
"""How far, as a logarithm, a change of speed may be off its factor: bodies change their speed by themselves."""
BESIDE = 4
"""Steps to each side of a seam that must differ by the factor too …"""
LASTING = 1.1
"""… up to this, as a logarithm, at both seams together: a twitch does not last."""
ALIKE = 0.8
"""Cosine between the steps of all joints before and after a change of rate: the way goes on, only faster."""


_FOUND: MutableMapping[Clip, list["Hurry"]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Hurry:
    """Frames ``start`` up to ``stop`` in which time runs ``factor`` times as fast as around them."""

    start: int
    stop: int
    factor: float

    @property
    def why(self) -> str:
        """It in words."""
        slower = f"{1 / self.factor:.3g} × too slow"
        return f"all joints run {f'{self.factor:g} × too fast' if self.factor > 1 else slower}"


def find_hurries(clip: Clip, *, shortest: float = 0.12, longest: float = 1.5) -> list[Hurry]:
    """Stretches that begin with all joints at once a factor faster or slower, and end with the opposite."""
    steps = _steps(clip)
    changes = speed_changes(steps, clip.fps)
    at = np.flatnonzero(changes)
    sizes = np.linalg.norm(steps, axis=-1) + 1e-9
    pairs: list[tuple[float, Hurry]] = []
    for start in at.tolist():
        near = np.searchsorted(at, [start + shortest * clip.fps - 1e-9, start + longest * clip.fps + 1e-9])
        for stop in (each for each in at[slice(*near)].tolist() if changes[start] * changes[each] < 0):
            factor = min(FACTORS, key=lambda each: _mismatch(steps, start, stop, each))
            off = max(abs(np.log(factor) - changes[start]), abs(np.log(factor) + changes[stop]))
            lasts = abs(np.log(_sped(sizes, start) / factor)) + abs(np.log(_sped(sizes, stop) * factor))
            if off < OFF and lasts < LASTING:
                pairs.append((off + lasts, Hurry(start, stop, factor)))
    found: list[Hurry] = []
    for _, hurry in sorted(pairs, key=lambda pair: pair[0]):  # the clearest first
        if all(hurry.stop < other.start or other.stop < hurry.start for other in found):
            found.append(hurry)
    return sorted(found, key=lambda hurry: hurry.start)


def _steps(clip: Clip) -> Array:
    """The steps ``(T - 1, 3 R)`` of all joints that have a role, weighed so that their length is the mean joint's."""
    points = clip.world()[0][:, sorted(set(clip.skeleton.anatomy.roles.values()))]
    steps: Array = np.diff(points, axis=0).reshape(len(clip) - 1, -1) / np.sqrt(points.shape[1])
    return steps


def _sped(sizes: Array, frame: int) -> float:
    """How many times as long the steps after a frame are as those before it, over `BESIDE` steps each."""
    return float(sizes[frame : frame + BESIDE].mean() / sizes[max(0, frame - BESIDE) : frame].mean())


def _mismatch(steps: Array, start: int, stop: int, factor: float) -> float:
    """How far the velocities around both seams are from a parabola in time, if time runs a factor faster inside."""
    off, three = 0.0, np.arange(3)
    for seam, inward in ((start, 1), (stop - 1, -1)):
        outside, inside = (
            np.clip(at, 0, len(steps) - 1) for at in (seam - inward * (three + 1), seam + inward * three)
        )
        times = np.concatenate([-(three + 0.5), factor * (three + 0.5)])
        velocities = np.concatenate([steps[outside], steps[inside] / factor])
        powers = np.vander(times, 3)
        fitted = powers @ np.linalg.lstsq(powers, velocities, rcond=None)[0]
        off += float(np.square(velocities - fitted).sum() / np.square(velocities).sum())
    return off


def speed_changes(steps: Array, fps: float) -> Array:
    """For each frame the logarithm ``(T,)`` of how much faster all joints leave it than they came, by their `_steps`
    ``(T - 1, ...)``; 0 where that is nothing out of the common.

    A body's speed grows by itself: of a change, what those beside it foretell is taken off.
    """
    found = np.zeros(len(steps) + 1)
    if len(steps) < 4:
        return found
    sizes = np.linalg.norm(steps, axis=-1)
    cosine = (steps[1:] * steps[:-1]).sum(-1) / np.maximum(sizes[1:] * sizes[:-1], 1e-12)
    change = np.diff(np.log(np.maximum(sizes, 1e-9)))
    beside = np.clip(np.pad(change, 1), -0.15, 0.15)
    change = change - (beside[:-2] + beside[2:]) / 2
    fast = np.minimum(sizes[1:], sizes[:-1]) * fps > SLOWEST / 4
    fast &= np.maximum(sizes[1:], sizes[:-1]) * fps > SLOWEST
    for k in np.flatnonzero(fast & (np.abs(change) > LEAST) & (cosine > ALIKE)).tolist():
        around = np.delete(np.abs(change[max(0, k - AROUND) : k + AROUND + 1]), min(k, AROUND))
        if abs(change[k]) > APART * np.median(around):
            found[k + 1] = change[k]
    return found


@dataclass(frozen=True)
class Hurried(Damage):
    """Time runs ``factor`` times too fast."""

    factor: float = 1.0
    kind, remedy = "rate", "resampled at the rate around it"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        if clip not in _FOUND:
            _FOUND[clip] = find_hurries(clip)
        everything = tuple(range(len(clip.skeleton)))
        return [
            cls(
                hurry.start + 1,
                hurry.stop + 1,
                everything,
                hurry.why,
                hurry.factor,
            )
            for hurry in _FOUND[clip]
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
