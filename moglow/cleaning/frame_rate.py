"""A wrong frame rate: the rate at which the feet swing as feet do, and a clip relabelled with it."""

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


USUAL_SWING = 0.38
"""Seconds for which a swinging foot is faster than half its fastest: 0.27 to 0.50 in walks, runs, side steps and turns
of grown people, 0.17 in the quickest turns. Legs are pendulums; they know the time."""


_SWINGS = (0.15, 0.76)  # beyond it, time runs at another rate


_LEAST_SWINGS = 3


_RATES = (15.0, 30.0, 60.0, 120.0, 240.0)  # legs tell no 24 from 30


def swing_times(clip: Clip) -> Array:
    """Seconds for which a foot is faster than half its fastest, for each swing ``(N,)`` that lies wholly in the clip.

    No speed is compared with anything but its own peak, so a clip at twice the rate has exactly half the times.
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
            ):  # leg lengths: no shuffle
                times.append(_crossing(speed, after[0] - 1, peak) - _crossing(speed, before[-1], peak))
    return np.array(times) / clip.fps


def _crossing(speed: Array, step: int, peak: int) -> float:
    """Where between ``step`` and the next the speed is half that at the peak."""
    start, end = speed[step], speed[step + 1]
    return step + float((speed[peak] / 2 - start) / (end - start))


def likely_fps(clip: Clip) -> float | None:
    """The rate at which the feet would swing as feet do: the clip's own if that is plausible, else the nearest usual.

    None where there are too few swings to tell. A factor of 2 lies within what bodies do; of 3 and more does not.
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
    """The same frames at another rate: for a file whose frame time is false. Nothing is resampled.

    Without a rate, the one at which the feet swing as feet do (`faults.likely_fps`).
    """
    if fps is None:
        fps = likely_fps(clip)
        if fps is None:
            raise ClipError(f"{clip.name or 'clip'}: too few steps to tell the frame rate from; give it")
    return replace(clip, fps=float(fps))
