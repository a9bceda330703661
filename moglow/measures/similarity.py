"""Similarity of motions: to real motion, to each other, to their own beginning. Needs numpy alone.

Poses are compared in the figure's frame, independently of its place and heading.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from moglow.maths.rotations import Array, heading_to_quat, quat_rotate
from moglow.measures.metrics import jerk, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points

DIMENSIONS = 32
"""Dimensions of the space of Fréchet distances: fewer than there are windows, so that covariances have full rank; for
real locomotion it keeps nine tenths of the variance."""
POSES_A_SECOND = 3.0
"""Rate at which poses are compared with known ones; poses in between are similar to their neighbours."""


@dataclass(frozen=True)
class Drift:
    """Figures of a stretch of a long clip: its start (s), foot slide, jerk and distance to known poses (m)."""

    start: float
    slide: float
    jerk: float
    pose_distance: float


def body_positions(clip: Clip) -> Array:
    """Returns joint positions ``(T, J, 3)`` in the figure's frame: the ground below the hips, facing +Z."""
    positions = clip.world_positions.copy()
    positions[..., [0, 2]] -= clip.ground_positions()[:, None]
    return quat_rotate(heading_to_quat(-clip.headings())[:, None], positions)


def motion_windows(clip: Clip, *, seconds: float = 1.0, samples: int = 4, hop: float = 0.25) -> Array:
    """Returns features ``(N, F)`` of overlapping windows: joint positions and velocities in the middle frame's frame.

    Each window of ``seconds`` contributes ``samples`` frames; windows begin every ``hop`` seconds. A clip shorter than
    a window has none.
    """
    world, headings = clip.world_positions, clip.headings()
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
    """Returns the Fréchet distance between normal distributions fitted to features ``(N, F)`` and ``(M, F)``.

    It is |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½). The last trace is computed as the nuclear norm of C₁^½ C₂^½, which
    needs no root of an asymmetric matrix. With fewer windows than features it is biased: compare equal numbers only.

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


@dataclass(frozen=True, eq=False)
class WindowSpace:
    """The space in which windows of motion are compared: standardised features on the main axes of real motion.

    Without standardisation the speeds of hands and feet (m/s) would dominate the positions (m).
    ``axes`` ``(F, dimensions)``.
    """

    mean: Array
    deviation: Array
    axes: Array

    @classmethod
    def fit(cls, real: Array, dimensions: int = DIMENSIONS) -> Self:
        """Returns the space fitted to windows ``(N, F)`` of real motion other than those to be compared."""
        mean, deviation = real.mean(0), real.std(0)
        # A lower bound, since nearly constant features, such as a hip's place, would be dominated by noise.
        deviation = np.maximum(deviation, 0.05 * np.sqrt(np.square(deviation).mean()) + 1e-9)
        _, axes = np.linalg.eigh(np.cov((real - mean) / deviation, rowvar=False))
        return cls(mean, deviation, axes[:, ::-1][:, :dimensions])

    def __call__(self, windows: Array) -> Array:
        """Returns windows ``(N, F)`` as points ``(N, dimensions)``."""
        points: Array = ((windows - self.mean) / self.deviation) @ self.axes
        return points


def diversity(takes: Array) -> float:
    """Returns the mean distance (m) between corresponding joints of two takes, over all pairs of ``(K, T, J, 3)``."""
    first, second = np.triu_indices(len(takes), 1)
    pairs = zip(first, second, strict=True)
    return float(np.mean([np.linalg.norm(takes[i] - takes[j], axis=-1).mean() for i, j in pairs]))


def drift(clip: Clip, *, seconds: float = 10.0, known: Array | None = None) -> list[Drift]:
    """Returns slide, jerk and distance to known poses for each stretch of a long clip.

    The distance is the mean over frames of the mean joint distance to the nearest of the ``known`` poses
    ``(N, J, 3)``, the `body_positions` of real motion; by default those of the first stretch.
    """
    length = max(2, round(seconds * clip.fps))
    stretches = [clip[start : start + length] for start in range(0, max(len(clip) - length // 2, 1), length)]
    known = body_positions(stretches[0]) if known is None else known
    known, stride = known[:: max(1, len(known) // 1000)], max(1, round(clip.fps / POSES_A_SECOND))
    return [
        Drift(
            start=k * length / clip.fps,
            slide=toe_slide(toe_points(stretch), clip.fps).median,
            jerk=jerk(stretch.world_positions, clip.fps),
            pose_distance=pose_distance(body_positions(stretch)[::stride], known),
        )
        for k, stretch in enumerate(stretches)
    ]


def pose_distance(poses: Array, known: Array) -> float:
    """Returns the mean joint distance (m) of poses ``(T, J, 3)`` to the nearest of the known ones ``(N, J, 3)``."""
    nearest = [np.linalg.norm(known - pose, axis=-1).mean(-1).min() for pose in poses]
    return float(np.mean(nearest))


def activity(clip: Clip, *, seconds: float = 1.0) -> Array:
    """Returns the mean speed (m/s) of the joints in the figure's frame, for each stretch ``(N,)`` of a clip.

    It is zero for a frozen figure that glides along its path. The rest at the end belongs to the last stretch.
    """
    speed = np.linalg.norm(np.diff(body_positions(clip), axis=0), axis=-1).mean(-1) * clip.fps
    length = max(1, round(seconds * clip.fps))
    return np.array(
        [part.mean() for part in np.array_split(speed, max(1, len(speed) // length)) if len(part)]
    )
