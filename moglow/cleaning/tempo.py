"""Stretches with another tempo than the clip around them. Needs numpy alone."""

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

_FOUND: MutableMapping[Clip, list["Hurry"]] = WeakKeyDictionary()


@dataclass(frozen=True)
class TempoSpec:
    """The limits of a change of tempo; differences of speeds are differences of logarithms."""

    factors: tuple[float, ...] = (1 / 4, 1 / 3, 1 / 2, 2.0, 3.0, 4.0)
    """Ratios of frame rates that are confused: 30 and 60 fps, or 24 and 120 fps, which is nearest to 4."""
    shortest: float = 0.12
    """Shortest stretch in seconds."""
    longest: float = 1.5
    """Longest stretch in seconds."""
    slowest: float = 0.15
    """Mean speed of the joints in m/s below which speeds are not compared."""
    least: float = 0.45
    """Least change of speed, a factor of 1.6, from one frame to the next."""
    apart: float = 4.0
    """Least ratio of a change to the median change around, to ignore noise."""
    around: int = 6
    """Number of frames before and after over which the median is taken."""
    off: float = 0.35
    """Largest difference of a change from its factor, because the speed of a body changes too."""
    beside: int = 4
    """Number of steps before and after a seam that must differ by the factor."""
    lasting: float = 1.1
    """Largest difference of these from the factor, summed over both seams; that of a twitch is larger."""
    alike: float = 0.8
    """Least cosine between the steps of all joints before and after a change; the direction of motion is kept."""


TEMPO = TempoSpec()


@dataclass(frozen=True)
class Hurry:
    """Frames from ``start`` to before ``stop`` in which time runs ``factor`` times as fast as around them."""

    start: int
    stop: int
    factor: float

    @property
    def why(self) -> str:
        """Returns a description."""
        slower = f"{1 / self.factor:.3g} × too slow"
        return f"all joints run {f'{self.factor:g} × too fast' if self.factor > 1 else slower}"


def find_hurries(clip: Clip, *, spec: TempoSpec = TEMPO) -> list[Hurry]:
    """Returns stretches that begin with a sudden change of all joints' speed by a factor and end with the inverse."""
    steps = _steps(clip)
    changes = speed_changes(steps, clip.fps, spec)
    at = np.flatnonzero(changes)
    sizes = np.linalg.norm(steps, axis=-1) + 1e-9
    pairs: list[tuple[float, Hurry]] = []
    for start in at.tolist():
        ends = start + spec.shortest * clip.fps - 1e-9, start + spec.longest * clip.fps + 1e-9
        near = np.searchsorted(at, ends)
        for stop in (each for each in at[slice(*near)].tolist() if changes[start] * changes[each] < 0):
            factor = min(spec.factors, key=lambda each: _mismatch(steps, start, stop, each))
            off = max(abs(np.log(factor) - changes[start]), abs(np.log(factor) + changes[stop]))
            before, after = (_sped(sizes, seam, spec.beside) for seam in (start, stop))
            lasts = abs(np.log(before / factor)) + abs(np.log(after * factor))
            if off < spec.off and lasts < spec.lasting:
                pairs.append((off + lasts, Hurry(start, stop, factor)))
    found: list[Hurry] = []
    for _, hurry in sorted(pairs, key=lambda pair: pair[0]):  # the strongest evidence first
        if all(hurry.stop < other.start or other.stop < hurry.start for other in found):
            found.append(hurry)
    return sorted(found, key=lambda hurry: hurry.start)


def _steps(clip: Clip) -> Array:
    """Returns the steps ``(T - 1, 3 R)`` of all joints with a role, scaled to the length of a joint's mean step."""
    points = clip.world()[0][:, sorted(set(clip.skeleton.anatomy.roles.values()))]
    steps: Array = np.diff(points, axis=0).reshape(len(clip) - 1, -1) / np.sqrt(points.shape[1])
    return steps


def _sped(sizes: Array, frame: int, count: int) -> float:
    """Returns the ratio of the mean length of ``count`` steps after a frame to that before it."""
    return float(sizes[frame : frame + count].mean() / sizes[max(0, frame - count) : frame].mean())


def _mismatch(steps: Array, start: int, stop: int, factor: float) -> float:
    """Returns the relative residual of parabolas in time fitted to the velocities at both seams.

    Time inside runs ``factor`` times as fast.
    """
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


def speed_changes(steps: Array, fps: float, spec: TempoSpec = TEMPO) -> Array:
    """Returns for each frame the logarithm ``(T,)`` of the ratio of all joints' speed after it to that before.

    ``steps`` ``(T - 1, ...)`` are those of all joints. The trend of the adjacent changes is subtracted, and changes
    that do not exceed the limits are 0.
    """
    found = np.zeros(len(steps) + 1)
    if len(steps) < 4:
        return found
    sizes = np.linalg.norm(steps, axis=-1)
    cosine = (steps[1:] * steps[:-1]).sum(-1) / np.maximum(sizes[1:] * sizes[:-1], 1e-12)
    change = np.diff(np.log(np.maximum(sizes, 1e-9)))
    beside = np.clip(np.pad(change, 1), -0.15, 0.15)
    change = change - (beside[:-2] + beside[2:]) / 2
    fast = np.minimum(sizes[1:], sizes[:-1]) * fps > spec.slowest / 4
    fast &= np.maximum(sizes[1:], sizes[:-1]) * fps > spec.slowest
    for k in np.flatnonzero(fast & (np.abs(change) > spec.least) & (cosine > spec.alike)).tolist():
        around = np.delete(np.abs(change[max(0, k - spec.around) : k + spec.around + 1]), min(k, spec.around))
        if abs(change[k]) > spec.apart * np.median(around):
            found[k + 1] = change[k]
    return found


@dataclass(frozen=True)
class Hurried(Damage):
    """A stretch in which time runs ``factor`` times too fast."""

    factor: float = 1.0
    kind, remedy = "rate", "resampled at the rate of the frames around"

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
        """Returns the fractional original frames ``(T',)`` of the repaired ones."""
        inside = (
            self.start - 1 + np.arange(1, round((self.stop - self.start) * self.factor) + 1) / self.factor
        )
        return np.concatenate([np.arange(self.start), inside, np.arange(self.stop, frames)])
