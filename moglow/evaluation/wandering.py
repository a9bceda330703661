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


@dataclass(frozen=True)
class WanderingSpec:
    """The limits of frozen and diverged roll-outs; speeds of joints are means in the figure's frame, in m/s."""

    stretch: float = 10.0
    """Seconds of each point of the curves."""
    still: float = 0.1
    """Speed of the joints below which a figure is frozen if its path moves."""
    moving: float = 0.4
    """Least speed of the path, in m/s, of a frozen figure."""
    long: int = 2
    """Number of consecutive seconds after which a figure is frozen."""
    furious: float = 5.0
    """Largest speed of the joints of a person; a sprinter's is three."""
    lowest: float = 0.4
    """Least height of the hips, relative to the standing figure."""
    highest: float = 1.6
    """Largest height of the hips, relative to the standing figure."""
    least: float = 1e-3
    """Lower bound, in m/s and m/s³, of the value that a drift is relative to."""


SPEC = WanderingSpec()


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
    curves = [drift(motion.clip, seconds=SPEC.stretch, known=known) for motion in motions]
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


def blown_up(motion: Motion, spec: WanderingSpec = SPEC) -> bool:
    """Returns whether a motion diverged: left the limits of a body, for a second or more."""
    clip = motion.clip
    hips = clip.skeleton.hips
    height, standing = clip.world_positions[:, hips, 1], clip.skeleton.rest_positions[:, 1]
    tall = float(standing[hips] - standing.min())
    outside = bool(((height < spec.lowest * tall) | (height > spec.highest * tall)).any())
    return motion.wild or outside or bool(activity(clip).max(initial=0.0) > spec.furious)


def frozen(motion: Motion, path: ControlPath, spec: WanderingSpec = SPEC) -> bool:
    """Returns whether a figure glides along its path without moving."""
    active = activity(motion.clip)
    speed = np.linalg.norm(path.velocities()[1:, :2], axis=-1)
    slowest = np.array([part.min() for part in np.array_split(speed, len(active))])
    still = (active < spec.still) & (slowest > spec.moving)
    return bool(np.convolve(still, np.ones(spec.long), "valid").max(initial=0.0) >= spec.long)


def _gain(curves: Array) -> Estimate:
    """Returns the relative increase from the first minute to the last, over roll-outs ``(R, stretches)``."""
    minute = round(MINUTE / SPEC.stretch)
    if curves.shape[1] < 2 * minute:
        return Estimate(math.nan)
    first, last = curves[:, :minute].mean(1), curves[:, -minute:].mean(1)
    return Estimate.of(((last - first) / max(float(first.mean()), SPEC.least)).tolist())
