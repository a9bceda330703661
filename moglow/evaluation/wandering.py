"""Stability of motion over minutes of wandering: drift, frozen and diverged roll-outs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import Array
from moglow.measures.bands import Estimate
from moglow.measures.similarity import activity, drift
from moglow.paths.control_path import ControlPath
from moglow.paths.synthetic import MINUTE
from moglow.sampling.ensemble import Motion

STRETCH = 10.0
"""Seconds of each point of the curves."""
FROZEN, MOVING, LONG = 0.1, 0.4, 2
"""A figure is frozen if for `LONG` consecutive seconds its joints move slower than `FROZEN` (m/s, in the figure's
frame) while its path is faster than `MOVING`."""
FURIOUS = 5.0
"""Mean joint speed (m/s) that no person reaches; a sprinter's is three."""
LOWEST, HIGHEST = 0.4, 1.6
"""Limits of the height of the hips relative to the standing figure; beyond them a roll-out has diverged."""
LEAST = 1e-3
"""Lower bound, in m/s and m/s³, of the value that a drift is relative to."""


@dataclass(frozen=True)
class Wandering:
    """Means over roll-outs for each stretch, the drift from the first to the last minute, and counts of failures."""

    rollouts: int
    seconds: float
    times: tuple[float, ...]
    slide: tuple[float, ...]
    jerk: tuple[float, ...]
    pose_distance: tuple[float, ...]
    slide_drift: Estimate
    jerk_drift: Estimate
    blown_up: int
    frozen: int


def wandering(motions: Sequence[Motion], path: ControlPath, known: Array | None) -> Wandering:
    """Returns the figures of roll-outs along one path that repeats every minute; ``known`` are real poses."""
    curves = [drift(motion.clip, seconds=STRETCH, known=known) for motion in motions]
    slide, jerk, distance = (
        np.array([[getattr(point, name) for point in curve] for curve in curves])
        for name in ("slide", "jerk", "pose_distance")
    )
    clip = motions[0].clip
    return Wandering(
        rollouts=len(motions),
        seconds=clip.duration,
        times=tuple(point.start for point in curves[0]),
        slide=tuple(slide.mean(0).tolist()),
        jerk=tuple(jerk.mean(0).tolist()),
        pose_distance=tuple(distance.mean(0).tolist()),
        slide_drift=_gain(slide),
        jerk_drift=_gain(jerk),
        blown_up=sum(blown_up(motion) for motion in motions),
        frozen=sum(frozen(motion, path) for motion in motions),
    )


def blown_up(motion: Motion) -> bool:
    """Returns whether a motion diverged: left the limits of a body, for a second or more."""
    clip = motion.clip
    hips = clip.skeleton.hips
    height, standing = clip.world_positions[:, hips, 1], clip.skeleton.rest_positions[:, 1]
    tall = float(standing[hips] - standing.min())
    outside = bool(((height < LOWEST * tall) | (height > HIGHEST * tall)).any())
    return motion.wild or outside or bool(activity(clip).max(initial=0.0) > FURIOUS)


def frozen(motion: Motion, path: ControlPath) -> bool:
    """Returns whether a figure glides along its path without moving."""
    active = activity(motion.clip)
    speed = np.linalg.norm(path.velocities()[1:, :2], axis=-1)
    slowest = np.array([part.min() for part in np.array_split(speed, len(active))])
    still = (active < FROZEN) & (slowest > MOVING)
    return bool(np.convolve(still, np.ones(LONG), "valid").max(initial=0.0) >= LONG)


def _gain(curves: Array) -> Estimate:
    """Returns the relative increase from the first minute to the last, over roll-outs ``(R, stretches)``."""
    minute = round(MINUTE / STRETCH)
    if curves.shape[1] < 2 * minute:
        return Estimate(math.nan)
    first, last = curves[:, :minute].mean(1), curves[:, -minute:].mean(1)
    return Estimate.of(((last - first) / max(float(first.mean()), LEAST)).tolist())
