"""Wrong frame rates, detected from the duration of the feet's swings."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from moglow.cleaning.damage import Damage, Fill, interpolated
from moglow.cleaning.spike import despike
from moglow.cleaning.tempo import Hurried
from moglow.errors import ClipError
from moglow.maths.rotations import (
    Array,
)
from moglow.maths.signals import runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import leg_lengths


@dataclass(frozen=True)
class WrongRate(Damage):
    """A wrong frame rate of a clip with sound frames; the right one is ``fps``."""

    fps: float = 0.0
    kind, remedy = "fps", "the frame rate is corrected, the frames do not change"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        steady = clip
        for hurry in reversed(Hurried.find(clip)):
            steady = hurry.mended(steady, interpolated)
        likely = likely_fps(despike(steady))  # wrong tempo and spikes would distort the swings
        if likely is None or likely == clip.fps:
            return []
        return [
            cls(0, len(clip), (), f"feet swing as at {likely:g} fps, the file has {clip.fps:g} fps", likely)
        ]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        return unmislabel_fps(clip, self.fps)


USUAL_SWING = 0.38
"""Usual duration of a swing in seconds: the time in which a foot is faster than half its peak speed.

It is 0.27 to 0.50 s in walks, runs, side steps and turns of adults, and 0.17 s in the quickest turns, because a leg
swings like a pendulum.
"""


_SWINGS = (0.15, 0.76)  # the range of plausible durations in seconds


_LEAST_SWINGS = 3


_RATES = (15.0, 30.0, 60.0, 120.0, 240.0)  # swings do not distinguish 24 from 30


def swing_times(clip: Clip) -> Array:
    """Returns the durations ``(N,)`` in seconds of all swings that lie entirely in the clip.

    Speeds are compared only with the peak of the same swing, so doubling the rate halves the durations exactly.
    """
    if not clip.skeleton.anatomy.legs or len(clip) < 3:
        return np.zeros(0)
    ankles = clip.world()[0][:, [leg.ankle for leg in clip.skeleton.anatomy.legs]]
    steps = np.linalg.norm(np.diff(ankles, axis=0)[..., [0, 2]], axis=-1) / leg_lengths(clip.skeleton)
    times = []
    for speed in steps.T:
        for start, stop in runs(speed > 0.5 * np.quantile(speed, 0.95)):
            peak = start + int(speed[start:stop].argmax())
            slow = speed < speed[peak] / 2
            before, after = np.flatnonzero(slow[:peak]), peak + np.flatnonzero(slow[peak:])
            if (
                len(before) and len(after) and speed[before[-1] : after[0]].sum() > 0.25
            ):  # a swing, not a shuffle, in leg lengths
                times.append(_crossing(speed, after[0] - 1, peak) - _crossing(speed, before[-1], peak))
    return np.array(times) / clip.fps


def _crossing(speed: Array, step: int, peak: int) -> float:
    """Returns the fractional step between ``step`` and the next at which the speed is half that at the peak."""
    start, end = speed[step], speed[step + 1]
    return step + float((speed[peak] / 2 - start) / (end - start))


def likely_fps(clip: Clip) -> float | None:
    """Returns the clip's rate if its swings are plausible, otherwise the common rate at which they are most plausible.

    It is None for a clip with too few swings. Errors of a factor of 3 and more are detected; a factor of 2 is within
    the variation of natural motion.
    """
    times = swing_times(clip)
    if len(times) < _LEAST_SWINGS:
        return None
    swing = float(np.median(times))
    if _SWINGS[0] <= swing <= _SWINGS[1]:
        return clip.fps
    likely = clip.fps * swing / USUAL_SWING
    return min(_RATES, key=lambda rate: abs(np.log(rate / likely)))


def unmislabel_fps(clip: Clip, fps: float | None = None) -> Clip:
    """Returns the same frames, not resampled, with another rate, for a file whose frame time is wrong.

    The default rate is `likely_fps`.
    """
    if fps is None:
        fps = likely_fps(clip)
        if fps is None:
            raise ClipError(f"{clip.name or 'clip'}: too few steps to estimate the frame rate; give it")
    return replace(clip, fps=float(fps))
