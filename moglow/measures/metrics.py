"""Measures of one motion: feet, path, smoothness; pure functions. Needs numpy alone.

All units are SI: metres, seconds, radians. A figure is meaningful only beside that of real motion. Toes are
``(T, L, 3)`` world positions, as `contacts.toe_points` returns them.
"""

import math
from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import Array, wrap_angle
from moglow.maths.signals import median, quantile, runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of

STRAIGHT = 3.0
"""Angle in degrees below which a knee is straight; people bend theirs by 6° at least, also when they stand."""


@dataclass(frozen=True)
class Slide:
    """Horizontal speed of the lowest toe, m/s."""

    median: float
    mean: float


@dataclass(frozen=True)
class Skate:
    """Mean horizontal speed (m/s) of toes near the floor, and the share of frames in which they are fast."""

    speed: float
    ratio: float


@dataclass(frozen=True)
class ToeHeight:
    """Height of the lowest toe over the floor (m)."""

    median: float
    p95: float


TOLERANCES: tuple[float, ...] = tuple(np.geomspace(0.01, 2.0, 100).tolist())
"""Heel speeds (m/s) at which steps are counted."""
SHORTEST_STEP = 0.1
"""Shortest duration of a step in seconds; shorter contacts are noise."""
WALKING = 0.2
"""Mean speed (m/s) of a path from which the speed of the feet is compared with it."""


@dataclass(frozen=True)
class Footsteps:
    """MoGlow's footstep count, the speed (m/s) at which 95 % of it is reached, and the step duration there (s)."""

    count: int
    tolerance: float
    duration: float
    duration_deviation: float


@dataclass(frozen=True)
class PathError:
    """Ground distance (m) from the requested path, and the share of frames within 10 cm of it."""

    mean: float
    p95: float
    worst: float
    within: float


@dataclass(frozen=True)
class Penetration:
    """Depth (m) of the lowest toe below the floor: mean over all frames, and maximum."""

    mean: float
    deepest: float


def toe_slide(toes: Array, fps: float) -> Slide:
    """Returns the foot slide: the speed, from each frame to the next, of the toe that is lower on average.

    >>> toes = np.zeros((4, 2, 3))
    >>> toes[:, 1] = [[0, 0.1, 0], [0, 0.2, 1], [0, 0.2, 2], [0, 0.1, 3]]
    >>> toe_slide(toes, fps=30.0)
    Slide(median=0.0, mean=0.0)
    """
    speed = np.linalg.norm(_lowest_steps(toes)[:, [0, 2]], axis=-1) * fps
    return Slide(median(speed), float(speed.mean())) if len(speed) else Slide(0.0, 0.0)


def toe_skate(toes: Array, fps: float, *, floor: float = 0.0, low: float = 0.05, fast: float = 0.2) -> Skate:
    """Returns the foot skate of toes less than ``low`` above the floor; 0 if no toe ever is."""
    speed = np.linalg.norm(np.diff(toes, axis=0)[..., [0, 2]], axis=-1) * fps
    speed = speed[((toes[1:] + toes[:-1])[..., 1] / 2 - floor) < low]
    return Skate(float(speed.mean()), float((speed > fast).mean())) if len(speed) else Skate(0.0, 0.0)


def toe_height(toes: Array, *, floor: float = 0.0) -> ToeHeight:
    """Returns the height of the lowest toe, which detects a floating figure; its foot slide would mean little."""
    lowest = toes[..., 1].min(1) - floor
    return ToeHeight(float(np.median(lowest)), float(np.quantile(lowest, 0.95)))


def penetration(toes: Array, *, floor: float = 0.0) -> Penetration:
    """Returns the depth of toes below the floor."""
    depth = np.maximum(floor - toes[..., 1].min(1), 0.0)
    return Penetration(float(depth.mean()), float(depth.max()))


def heel_points(clip: Clip) -> Array:
    """Returns the world positions ``(T, L, 3)`` of the ankles, used as heels."""
    return clip.world_positions[:, [leg.ankle for leg in legs_of(clip.skeleton)]]


def step_durations(heels: Array, fps: float) -> list[list[float]]:
    """Returns the durations in seconds of the steps, for each speed of `TOLERANCES` below which a heel is planted.

    Their number as a function of that speed is MoGlow's footstep curve. Contacts shorter than `SHORTEST_STEP`, which
    MoGlow counts, are left out as noise: with them real walks would have twice as many steps as visible.

    >>> heels = np.zeros((31, 1, 3))
    >>> [len(durations) for durations in step_durations(heels, 30.0)] == [1] * len(TOLERANCES)
    True
    """
    speed = np.linalg.norm(np.diff(heels, axis=0), axis=-1) * fps  # (T - 1, L)
    curve = []
    for tolerance in TOLERANCES:
        frames = [stop - start for leg in speed.T for start, stop in runs(leg < tolerance)]
        curve.append([each / fps for each in frames if each >= SHORTEST_STEP * fps])
    return curve


def footsteps(heels: Array, fps: float) -> Footsteps:
    """Returns a count of steps without a fixed threshold; for a tolerance v a step is a stretch with a heel slower than
    v.

    A v that is too small misses steps and one that is too large joins them, so the estimate is the maximum over all v.
    The v that reaches 95 % of it measures how still planted feet are.
    """
    curve = step_durations(heels, fps)
    count = max(map(len, curve))
    tolerance, durations = next(
        point for point in zip(TOLERANCES, curve, strict=True) if len(point[1]) >= 0.95 * count
    )
    return Footsteps(count, tolerance, float(np.mean(durations or 0)), float(np.std(durations or 0)))


def path_error(positions: Array, requested: Array, *, near: float = 0.1) -> PathError:
    """Returns the distances of ground positions ``(T, 2)`` from the requested ones, frame by frame.

    >>> path_error(np.array([[0, 0], [0, 0.3]]), np.zeros((2, 2)))
    PathError(mean=0.15, p95=0.285, worst=0.3, within=0.5)
    """
    distance = np.linalg.norm(positions - requested, axis=-1)
    p95 = float(quantile(distance, 0.95))
    return PathError(float(distance.mean()), p95, float(distance.max()), float((distance < near).mean()))


def heading_error(headings: Array, requested: Array) -> float:
    """Returns the mean angle (radians) between headings ``(T,)`` and the requested ones.

    >>> round(heading_error(np.array([0.1, 6.2]), np.array([0.0, 0.0])), 3)
    0.092
    """
    return float(np.abs(wrap_angle(headings - requested)).mean())


def stance_velocity(toes: Array, path: Array, headings: Array, fps: float) -> Array:
    """Returns the velocity ``(T, 2)``, forward and left, of the root relative to the lowest toe.

    A root that is placed on its path always has the control's velocity; this is the velocity at which the feet walk.
    Compare it with the first two columns of ``ControlPath.velocities``. Row t is the step to frame t, in the heading
    half-way; row 0 repeats row 1. Without a planted foot it has no meaning.

    Args:
        toes: world positions (T, L, 3).
        path: ground positions (T, 2) of the root.
        headings: (T,) of the root.
        fps: frames a second.
    """
    steps = np.diff(path, axis=0) - _lowest_steps(toes)[:, [0, 2]]
    ahead = (headings[1:] + headings[:-1]) / 2
    sine, cosine = np.sin(ahead), np.cos(ahead)
    forward, left = (
        steps @ [1, 0] * sine + steps @ [0, 1] * cosine,
        steps @ [1, 0] * cosine - steps @ [0, 1] * sine,
    )
    velocity = np.stack([forward, left], axis=-1) * fps
    return np.concatenate([velocity[:1], velocity])


def stance_share(implied: Array, requested: Array) -> float:
    """Returns the share of the requested velocity ``(T, 2)`` at which planted feet walk; below 1 they slide along.

    It is the slope Σ implied · requested / Σ requested² of a line through the origin, and NaN for a slow path.

    >>> stance_share(np.full((5, 2), 0.9), np.full((5, 2), 1.0))
    0.9
    """
    if not len(requested) or np.linalg.norm(requested, axis=-1).mean() < WALKING:
        return float("nan")
    return float((implied * requested).sum() / np.square(requested).sum())


def _lowest_steps(toes: Array) -> Array:
    """Returns the step (T - 1, 3) of the toe that is lowest on average over it, which is symmetric in time."""
    lowest = (toes[1:] + toes[:-1])[..., 1].argmin(-1)
    steps: Array = np.diff(toes, axis=0)[np.arange(len(toes) - 1), lowest]
    return steps


def jerk(positions: Array, fps: float) -> float:
    """Returns the mean length (m/s³) of the third difference of world positions ``(T, J, 3)``; 0 below four frames."""
    third = np.diff(positions, 3, axis=0) * fps**3
    return float(np.linalg.norm(third, axis=-1).mean()) if len(third) else 0.0


def knee_angles(clip: Clip) -> Array:
    """Returns the angle in degrees ``(T, L)`` by which each knee is bent."""
    hips, knees, ankles = (
        clip.world_positions[:, [getattr(leg, joint) for leg in clip.skeleton.anatomy.legs]]
        for joint in ("hip", "knee", "ankle")
    )
    thighs, shins = knees - hips, ankles - knees
    lengths = np.linalg.norm(thighs, axis=-1) * np.linalg.norm(shins, axis=-1)
    angles: Array = np.degrees(np.arccos(np.clip((thighs * shins).sum(-1) / lengths, -1.0, 1.0)))
    return angles


def straight_knees(clip: Clip) -> float:
    """Returns the share of frames, over all legs, in which the knee is straight; NaN for a figure without legs."""
    angles = knee_angles(clip)
    return float((angles < STRAIGHT).mean()) if angles.size else math.nan


def bone_stretch(clip: Clip) -> float:
    """Returns the largest relative deviation of a bone's length from its median; bones below 1 mm are ignored."""
    lengths = np.linalg.norm(clip.positions[:, 1:], axis=-1)
    usual = np.median(lengths, axis=0)
    # The position of the hips below a root places the body and is not a bone.
    bones = (usual > 1e-3) & (np.arange(1, len(clip.skeleton)) != clip.skeleton.hips)
    return float(np.abs(lengths[:, bones] / usual[bones] - 1).max()) if bones.any() else 0.0
