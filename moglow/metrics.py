"""Measures of motion: feet, path, smoothness, likeness to real motion. Floor 4; pure functions, numpy alone.

SI units throughout: metres, seconds, radians. A figure says little by itself: print it beside that of real motion.
Toes are ``(T, L, 3)`` world positions as `contacts.toe_points` gives them.
"""

from dataclasses import dataclass

import numpy as np

from moglow.clip import Clip
from moglow.contacts import legs_of, runs, toe_points
from moglow.rotations import Array, heading_to_quat, quat_rotate, wrap_angle


@dataclass(frozen=True)
class Slide:
    """Horizontal speed of the lowest toe, m/s."""

    median: float
    mean: float


@dataclass(frozen=True)
class Skate:
    """Mean horizontal speed (m/s) of toes near the floor, and the share of them that is fast."""

    speed: float
    ratio: float


@dataclass(frozen=True)
class ToeHeight:
    """Height of the lowest toe over the floor (m)."""

    median: float
    p95: float


@dataclass(frozen=True)
class Footsteps:
    """MoGlow's footstep count, the speed (m/s) below which 95 % of it is seen, and how long steps last there (s)."""

    count: int
    tolerance: float
    duration: float
    duration_deviation: float


@dataclass(frozen=True)
class PathError:
    """Ground distance (m) from the asked path, and the share of frames within 10 cm of it."""

    mean: float
    p95: float
    worst: float
    within: float


@dataclass(frozen=True)
class Penetration:
    """Depth (m) of the deepest toe below the floor: mean over all frames, and greatest."""

    mean: float
    deepest: float


@dataclass(frozen=True)
class Drift:
    """What a stretch of a long clip looks like: its start (s), foot slide, jerk and distance to known poses (m)."""

    start: float
    slide: float
    jerk: float
    pose_distance: float


def toe_slide(toes: Array, fps: float) -> Slide:
    """The foot slide: of each step from frame to frame the toe that is lower on average during it.

    >>> toes = np.zeros((4, 2, 3))
    >>> toes[:, 1] = [[0, 0.1, 0], [0, 0.2, 1], [0, 0.2, 2], [0, 0.1, 3]]
    >>> toe_slide(toes, fps=30.0)
    Slide(median=0.0, mean=0.0)
    """
    speed = np.linalg.norm(_lowest_steps(toes)[:, [0, 2]], axis=-1) * fps
    return Slide(float(np.median(speed)), float(speed.mean())) if len(speed) else Slide(0.0, 0.0)


def toe_skate(toes: Array, fps: float, *, floor: float = 0.0, low: float = 0.05, fast: float = 0.2) -> Skate:
    """The foot skate of toes that are less than ``low`` above the floor; 0 where none ever is."""
    speed = np.linalg.norm(np.diff(toes, axis=0)[..., [0, 2]], axis=-1) * fps
    speed = speed[((toes[1:] + toes[:-1])[..., 1] / 2 - floor) < low]
    return Skate(float(speed.mean()), float((speed > fast).mean())) if len(speed) else Skate(0.0, 0.0)


def toe_height(toes: Array, *, floor: float = 0.0) -> ToeHeight:
    """How high the lowest toe is: a figure that floats slides on no floor."""
    lowest = toes[..., 1].min(1) - floor
    return ToeHeight(float(np.median(lowest)), float(np.quantile(lowest, 0.95)))


def penetration(toes: Array, *, floor: float = 0.0) -> Penetration:
    """How deep toes get into the floor."""
    depth = np.maximum(floor - toes[..., 1].min(1), 0.0)
    return Penetration(float(depth.mean()), float(depth.max()))


def heel_points(clip: Clip) -> Array:
    """World positions ``(T, L, 3)`` of the ankles, which stand for the heels."""
    return clip.world()[0][:, [leg.ankle for leg in legs_of(clip.skeleton)]]


def footsteps(heels: Array, fps: float, *, shortest: float = 0.1) -> Footsteps:
    """Counts steps without a threshold: for a tolerance v a step is a stretch in which a heel is slower than v.

    Too small a v misses steps and too large a v joins them, so the greatest count over all v is the estimate. Which v
    reaches it says how still feet stand. Stretches below ``shortest`` seconds, which MoGlow counts, are flicker: with
    them real walks would have twice the steps that anyone sees.
    """
    speed = np.linalg.norm(np.diff(heels, axis=0), axis=-1) * fps  # (T - 1, L)
    curve: list[tuple[float, list[float]]] = []
    for tolerance in np.geomspace(0.01, 2.0, 100).tolist():
        steps = [stop - start for leg in speed.T for start, stop in runs(leg < tolerance)]
        curve.append((tolerance, [frames / fps for frames in steps if frames >= shortest * fps]))
    count = max(len(durations) for _, durations in curve)
    tolerance, durations = next(point for point in curve if len(point[1]) >= 0.95 * count)
    return Footsteps(count, tolerance, float(np.mean(durations or 0)), float(np.std(durations or 0)))


def path_error(positions: Array, asked: Array, *, near: float = 0.1) -> PathError:
    """How far ground positions ``(T, 2)`` are from the asked ones, frame by frame.

    >>> path_error(np.array([[0, 0], [0, 0.3]]), np.zeros((2, 2)))
    PathError(mean=0.15, p95=0.285, worst=0.3, within=0.5)
    """
    distance = np.linalg.norm(positions - asked, axis=-1)
    p95 = float(np.quantile(distance, 0.95))
    return PathError(float(distance.mean()), p95, float(distance.max()), float((distance < near).mean()))


def heading_error(headings: Array, asked: Array) -> float:
    """Mean angle (radians) between headings ``(T,)`` and the asked ones.

    >>> round(heading_error(np.array([0.1, 6.2]), np.array([0.0, 0.0])), 3)
    0.092
    """
    return float(np.abs(wrap_angle(headings - asked)).mean())


def stance_velocity(toes: Array, path: Array, headings: Array, fps: float) -> Array:
    """The velocity ``(T, 2)``, forward and to the left, that the lowest toe implies: as if it stood still.

    A root that is put on its path always follows the control; this tells whether the feet walk as fast. Compare with
    the first two columns of ``ControlPath.velocities``. Row t is the step that leads to frame t, in the heading half
    way; row 0 repeats row 1. While both feet fly it means nothing.

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


def _lowest_steps(toes: Array) -> Array:
    """The step (T - 1, 3) of the toe that is lowest on average over it: the same seen from both its ends."""
    lowest = (toes[1:] + toes[:-1])[..., 1].argmin(-1)
    steps: Array = np.diff(toes, axis=0)[np.arange(len(toes) - 1), lowest]
    return steps


def body_positions(clip: Clip) -> Array:
    """Joint positions ``(T, J, 3)`` seen from the figure: from the ground below the hips, facing +Z."""
    positions = clip.world()[0].copy()
    positions[..., [0, 2]] -= clip.ground_positions()[:, None]
    return quat_rotate(heading_to_quat(-clip.headings())[:, None], positions)


def jerk(positions: Array, fps: float) -> float:
    """Mean length (m/s³) of the third difference of world positions ``(T, J, 3)``; 0 for less than four frames."""
    third = np.diff(positions, 3, axis=0) * fps**3
    return float(np.linalg.norm(third, axis=-1).mean()) if len(third) else 0.0


def bone_stretch(clip: Clip) -> float:
    """The greatest relative change of a bone's length against its median; bones below 1 mm do not count."""
    lengths = np.linalg.norm(clip.positions[:, 1:], axis=-1)
    usual = np.median(lengths, axis=0)
    # Joints that carry the body, such as hips below a root, move by being placed.
    bones = (usual > 1e-3) & (np.arange(1, len(clip.skeleton)) != clip.skeleton.anatomy.roles.get("hips", 0))
    return float(np.abs(lengths[:, bones] / usual[bones] - 1).max()) if bones.any() else 0.0


def motion_windows(clip: Clip, *, seconds: float = 1.0, samples: int = 4, hop: float = 0.25) -> Array:
    """Features ``(N, F)`` of overlapping windows: joint positions and velocities, seen from the figure half way.

    ``samples`` frames are taken from each window of ``seconds``, windows begin every ``hop`` seconds. Clips shorter
    than a window give none.
    """
    world, headings = clip.world()[0], clip.headings()
    velocity = np.gradient(world, 1 / clip.fps, axis=0) if len(clip) > 1 else np.zeros_like(world)
    starts = np.arange(0.0, clip.duration - seconds + 1e-9, hop) * clip.fps
    frames = np.round(starts[:, None] + np.linspace(0, seconds * clip.fps, samples)).astype(
        int
    )  # (N, samples)
    middle = np.round(starts + seconds * clip.fps / 2).astype(int)
    turn = heading_to_quat(-headings[middle])[:, None, None]
    origin = np.zeros((len(starts), 1, 1, 3))
    origin[..., [0, 2]] = clip.ground_positions()[middle][:, None, None]
    places = quat_rotate(turn, world[frames] - origin)
    features = np.concatenate([places, quat_rotate(turn, velocity[frames])], axis=-1)
    return features.reshape(len(starts), samples * len(clip.skeleton) * 6)


def frechet_distance(a: Array, b: Array) -> float:
    """Fréchet distance between normal distributions fitted to features ``(N, F)`` and ``(M, F)``.

    |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½); the last trace is the nuclear norm of C₁^½ C₂^½, so no root of a matrix
    that is not symmetric is needed. With fewer windows than features it is biased: compare equal numbers only.

    >>> a = np.array([[0.0], [2.0]])
    >>> round(frechet_distance(a, a + 3.0), 9)
    9.0
    """
    shift = np.sum((a.mean(0) - b.mean(0)) ** 2)
    spread = a.var(0, ddof=1).sum() + b.var(0, ddof=1).sum()
    shared = np.linalg.norm(_root_covariance(a) @ _root_covariance(b), "nuc")
    return max(float(shift + spread - 2 * shared), 0.0)


def _root_covariance(features: Array) -> Array:
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(features, rowvar=False)))
    root: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def diversity(takes: Array) -> float:
    """Mean distance (m) between corresponding joints of two takes, over all pairs of ``(K, T, J, 3)``."""
    first, second = np.triu_indices(len(takes), 1)
    pairs = zip(first, second, strict=True)
    return float(np.mean([np.linalg.norm(takes[i] - takes[j], axis=-1).mean() for i, j in pairs]))


def drift(clip: Clip, *, seconds: float = 10.0, known: Array | None = None) -> list[Drift]:
    """Slide, jerk and distance to known poses per stretch of a long clip.

    The distance is the mean over frames of the mean joint distance to the nearest of the ``known`` poses
    ``(N, J, 3)``, as `body_positions` gives them of real motion; by default to those of the first stretch.
    """
    length = max(2, round(seconds * clip.fps))
    stretches = [clip[start : start + length] for start in range(0, max(len(clip) - length // 2, 1), length)]
    known = body_positions(stretches[0]) if known is None else known
    known = known[:: max(1, len(known) // 1000)]
    return [
        Drift(
            start=k * length / clip.fps,
            slide=toe_slide(toe_points(stretch), clip.fps).median,
            jerk=jerk(stretch.world()[0], clip.fps),
            pose_distance=_distance_to(body_positions(stretch), known),
        )
        for k, stretch in enumerate(stretches)
    ]


def _distance_to(poses: Array, known: Array) -> float:
    nearest = [np.linalg.norm(known - pose, axis=-1).mean(-1).min() for pose in poses]
    return float(np.mean(nearest))
