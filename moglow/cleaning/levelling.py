"""Detects a tilted floor from planted feet and levels it."""

from dataclasses import dataclass, replace

import numpy as np

from moglow.maths.rotations import UP, Array, quat_between, quat_multiply, quat_rotate
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points

ROUNDS = 3
"""Number of iterations: on a steep floor, contacts of higher feet are detected only after the first levelling."""


@dataclass(frozen=True)
class LevelSpec:
    """The parameters of the floor's estimate; lengths in metres, times in seconds."""

    fewest: int = 6
    """Least number of contacts; a take with fewer is not changed."""
    long: float = 1.0
    """Duration after which a long contact counts once more."""
    noise: float = 0.007
    """Standard deviation of planted toes from the floor."""
    slope: float = 0.015
    """Prior standard deviation of the floor's slope."""
    uneven: float = 0.002
    """Mean deviation of planted toes below which the floor is level."""
    gain: float = 0.9
    """Largest share of the deviations from a level floor that may remain from the plane; else the floor is level."""


def level_floor(clip: Clip, *, spec: LevelSpec = LevelSpec()) -> Clip:
    """Returns the clip, rotated as a whole so that the plane of its planted toes is level.

    The floor's height at the mean of the contacts does not change. A level clip does not change by a bit.
    """
    for _ in range(ROUNDS):
        slope, middle = floor_slope(clip, spec=spec)
        if not slope.any():
            break
        clip = _levelled(clip, slope, middle)
    return clip


def _levelled(clip: Clip, slope: Array, middle: Array) -> Clip:
    """Returns the clip, rotated about a point of its floor so that its slope is removed."""
    tilt = quat_between(np.array([-slope[0], 1.0, -slope[1]]), UP)
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    for root in (joint for joint, parent in enumerate(clip.skeleton.parents) if parent < 0):
        positions[:, root] = quat_rotate(tilt, positions[:, root] - middle) + middle
        rotations[:, root] = quat_multiply(tilt, rotations[:, root])
    return replace(clip, positions=positions, rotations=rotations)


def floor_slope(clip: Clip, *, spec: LevelSpec = LevelSpec()) -> tuple[Array, Array]:
    """Returns the floor's slope along x and z ``(2,)``, zero if it is level, and a point ``(3,)`` of the floor."""
    toes, planted = toe_points(clip), contacts(clip)
    where, leg = _stances(toes, planted, max(1, round(spec.long * clip.fps)))
    level, middle = np.zeros(2), where.mean(0) if len(where) else np.zeros(3)
    if len(where) < spec.fewest:
        return level, middle
    own = np.eye(toes.shape[1])[leg]
    design = np.concatenate([own, (where - middle)[:, [0, 2]]], axis=1)
    prior = np.diag([0.0] * own.shape[1] + [(spec.noise / spec.slope) ** 2] * 2)
    weights = np.ones(len(where))
    used = own.any(0)
    keep = np.concatenate([used, [True, True]])
    design, prior = design[:, keep], prior[np.ix_(keep, keep)]
    for _ in range(5):  # robust weights: toes far from the plane count less
        weighted = design * weights[:, None]
        plane = np.linalg.solve(design.T @ weighted + prior, weighted.T @ where[:, 1])
        off = np.abs(where[:, 1] - design @ plane)
        weights = np.minimum(1.0, 1.5 * spec.noise / np.maximum(off, 1e-9))
    flat = np.abs(where[:, 1] - np.array([np.median(where[leg == k, 1]) for k in leg]))
    is_tilted = flat.mean() > spec.uneven and off.mean() < spec.gain * flat.mean()
    return (plane[-2:], middle) if is_tilted else (level, middle)


def _stances(toes: Array, planted: Flags, long: int) -> tuple[Array, Array]:
    """Returns the lowest toe ``(N, 3)`` of each contact, or of each part of a long one, and its leg ``(N,)``."""
    points, legs = [], []
    for k in range(planted.shape[1]):
        for start, stop in runs(planted[:, k]):
            for part in range(start, stop, long):
                lowest = part + int(np.argmin(toes[part : min(part + long, stop), k, 1]))
                points.append(toes[lowest, k])
                legs.append(k)
    return np.array(points).reshape(-1, 3), np.array(legs, int)
