"""A tilted floor, found from the stances of the feet and levelled."""

from dataclasses import dataclass, replace

import numpy as np

from moglow.maths.rotations import UP, Array, quat_between, quat_multiply, quat_rotate
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points

ROUNDS = 3
"""On a steep floor only the lowest feet are seen to stand at first; once it is nearly level, the others are."""


@dataclass(frozen=True)
class LevelSpec:
    """What a floor is found from; lengths in metres, times in seconds."""

    fewest: int = 6
    """Stances from which a plane is told; a take with fewer stays as it is."""
    long: float = 1.0
    """A stance counts once for each such time."""
    noise: float = 0.007
    """How far standing toes lie from the floor anyway."""
    slope: float = 0.015
    """Metres a metre: how steep floors are, before anything is seen."""
    uneven: float = 0.002
    """Standing toes that deviate by less on the mean have a level floor."""
    gain: float = 0.9
    """The plane is believed where it leaves less than this share of the deviations from a level floor."""


def level_floor(clip: Clip, *, spec: LevelSpec = LevelSpec()) -> Clip:
    """The clip turned as a whole so that the plane on which its toes stand is level; to the last bit, if it was so.

    The height of the floor stays as it is in the middle of where the feet stood.
    """
    for _ in range(ROUNDS):
        slope, middle = floor_slope(clip, spec=spec)
        if not slope.any():
            break
        clip = _levelled(clip, slope, middle)
    return clip


def _levelled(clip: Clip, slope: Array, middle: Array) -> Clip:
    """The clip turned about a point of its floor so that a slope is taken out."""
    tilt = quat_between(np.array([-slope[0], 1.0, -slope[1]]), UP)
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    for root in (joint for joint, parent in enumerate(clip.skeleton.parents) if parent < 0):
        positions[:, root] = quat_rotate(tilt, positions[:, root] - middle) + middle
        rotations[:, root] = quat_multiply(tilt, rotations[:, root])
    return replace(clip, positions=positions, rotations=rotations)


def floor_slope(clip: Clip, *, spec: LevelSpec = LevelSpec()) -> tuple[Array, Array]:
    """How much the floor rises along x and z ``(2,)``, zero where it is level, and a point ``(3,)`` of it."""
    toes, planted = toe_points(clip), contacts(clip)
    where, leg = _stances(toes, planted, round(spec.long * clip.fps))
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
    for _ in range(5):  # a toe that is lifted in its stance counts less
        weighted = design * weights[:, None]
        plane = np.linalg.solve(design.T @ weighted + prior, weighted.T @ where[:, 1])
        off = np.abs(where[:, 1] - design @ plane)
        weights = np.minimum(1.0, 1.5 * spec.noise / np.maximum(off, 1e-9))
    flat = np.abs(where[:, 1] - np.array([np.median(where[leg == k, 1]) for k in leg]))
    tells = flat.mean() > spec.uneven and off.mean() < spec.gain * flat.mean()
    return (plane[-2:], middle) if tells else (level, middle)


def _stances(toes: Array, planted: Flags, long: int) -> tuple[Array, Array]:
    """The lowest toe ``(N, 3)`` of each stance, or of each part of a long one, and of which leg ``(N,)`` it is."""
    points, legs = [], []
    for k in range(planted.shape[1]):
        for start, stop in runs(planted[:, k]):
            for part in range(start, stop, long):
                lowest = part + int(np.argmin(toes[part : min(part + long, stop), k, 1]))
                points.append(toes[lowest, k])
                legs.append(k)
    return np.array(points).reshape(-1, 3), np.array(legs, int)
