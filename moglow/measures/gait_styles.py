"""Classifies styles of walking by the movement of the body, independent of its posture. Needs numpy alone.

A posture such as a raised shoulder identifies the requested style even if the figure walks as before. The features of a
window are therefore speeds and ranges, which do not depend on constant values. A linear discriminant is fitted to
recorded windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow.measures.similarity import body_positions
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of

PARTS = ("shin", "hand")
"""Joints of both sides that are used besides toes, hips and head: knees and hands."""
FEATURES = 3 * 3 * 3 + 3 * 3 + 3 * 2 * 3 + 3 * 3
"""Number of features of a window: means, differences and correlations of three pairs, and figures of head and hips."""
LEAST = 1e-3
"""Distance in metres, or speed in m/s, that is added before a logarithm."""


def gait_windows(clip: Clip, *, seconds: float, hop: float) -> Array:
    """Returns features ``(N, F)`` of overlapping windows: logarithms of ranges and speeds, averaged over both sides.

    Toes, knees, hands and head are relative to the figure, and of the hips only the height is used. The features for
    each axis are the range, the mean speed and the largest speed; for pairs also the difference and the correlation of
    left and right. A clip shorter than a window has no features.
    """
    points = _points(clip)
    speed = np.gradient(points, 1 / clip.fps, axis=0)
    length, step = round(seconds * clip.fps), max(1, round(hop * clip.fps))
    found = []
    for start in range(0, len(points) - length + 1, step):
        frames = slice(start, start + length)
        own, moving = points[frames], speed[frames]
        parts = [np.log(np.ptp(own, axis=0) + LEAST)]  # (P, 3)
        parts += [np.log(np.abs(moving).mean(0) + LEAST), np.log(np.abs(moving).max(0) + LEAST)]
        table = np.stack(parts)  # (3, P, 3)
        pairs, middle = table[:, :-2], table[:, -2:]
        left, right = pairs[:, 0::2], pairs[:, 1::2]
        together = [_correlation(moving[:, k], moving[:, k + 1]) for k in range(0, points.shape[1] - 2, 2)]
        found.append(
            np.concatenate(
                [
                    ((left + right) / 2).ravel(),
                    np.abs(left - right).mean(-1).ravel(),
                    middle.ravel(),
                    np.ravel(together),
                ]
            )
        )
    return np.array(found) if found else np.zeros((0, FEATURES))


def _points(clip: Clip) -> Array:
    """Returns toes, knees, hands (left before right), head and hips ``(T, 8, 3)`` relative to the figure."""
    body, roles = body_positions(clip), clip.skeleton.anatomy.roles
    world = clip.world_positions
    legs = sorted(legs_of(clip.skeleton), key=lambda leg: leg.side)[:2]
    joints = [leg.ankle if leg.toe is None else leg.toe for leg in legs]
    joints += [roles.get(f"{side}_{part}", 0) for part in PARTS for side in ("left", "right")]
    joints.append(roles.get("head", 0))
    hips = np.zeros((len(clip), 1, 3))
    hips[:, 0, 1] = world[:, roles.get("hips", 0), 1]
    points: Array = np.concatenate([body[:, joints], hips], axis=1)
    return points


def _correlation(one: Array, other: Array) -> Array:
    one, other = one - one.mean(0), other - other.mean(0)
    scale = np.sqrt(np.square(one).sum(0) * np.square(other).sum(0)) + 1e-6
    found: Array = (one * other).sum(0) / scale
    return found


@dataclass(frozen=True, eq=False)
class GaitClassifier:
    """A linear discriminant: classes with equal priors, separate means and a shared covariance."""

    styles: tuple[str, ...]
    mean: Array
    scale: Array
    weights: Array
    """``(F, S)``."""
    bias: Array
    """``(S,)``."""

    @classmethod
    def fit(cls, windows: Array, labels: Sequence[str], *, shrinkage: float = 0.1) -> Self:
        """Returns the classifier fitted to windows ``(N, F)``; all classes have the same weight.

        >>> random = np.random.default_rng(0)
        >>> windows = np.concatenate([random.normal(size=(50, 2)), random.normal(size=(50, 2)) + [9.0, 0.0]])
        >>> classifier = GaitClassifier.fit(windows, ["calm"] * 50 + ["wild"] * 50)
        >>> float((classifier.scores(windows).argmax(1) == np.repeat([0, 1], 50)).mean())
        1.0
        """
        styles, names = tuple(sorted(set(labels))), np.array(labels)
        mean, scale = windows.mean(0), windows.std(0) + 1e-6
        points = (windows - mean) / scale
        centres = np.stack([points[names == style].mean(0) for style in styles])
        covariances = [np.cov(points[names == style], rowvar=False, bias=True) for style in styles]
        covariance = np.mean([np.atleast_2d(each) for each in covariances], axis=0)
        level = np.trace(covariance) / len(covariance)
        covariance = (1 - shrinkage) * covariance + shrinkage * level * np.eye(len(covariance))
        weights = np.linalg.solve(covariance, centres.T)
        bias = -0.5 * (centres.T * weights).sum(0)
        return cls(styles, mean, scale, weights, bias)

    def scores(self, windows: Array) -> Array:
        """Returns the log-likelihoods ``(N, S)`` of windows, up to a constant for each window."""
        found: Array = ((windows - self.mean) / self.scale) @ self.weights + self.bias
        return found

    def prefers(self, windows: Array, style: str, other: str) -> NDArray[np.bool_]:
        """Returns whether each window ``(N,)`` is more likely in a style than in another one."""
        scores = self.scores(windows)
        chosen: NDArray[np.bool_] = scores[:, self.styles.index(style)] > scores[:, self.styles.index(other)]
        return chosen
