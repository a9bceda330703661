"""The curves over time under a motion: foot slide, path error, and likelihood if the sidecar has it."""

from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow_viewer.scene.palette import colour
from moglow_viewer.scene.scene import Scene
from moglow_viewer.scene.shown_motion import ShownMotion

LIKELIHOOD = "log_likelihood_nats"
"""Key of the log-likelihood in a sidecar, with the values of all frames under `per_frame`."""


@dataclass(frozen=True, eq=False)
class Strip:
    """Values ``(T,)`` over time in their display unit, and the range of the axis."""

    label: str
    unit: str
    values: Array
    fps: float
    low: float
    high: float
    ink: Array


def strips(scene: Scene) -> list[Strip]:
    """Returns the strips of a scene: one of each kind for each motion.

    >>> from moglow.motion.clip import Clip
    >>> from moglow.motion.skeleton import Skeleton
    >>> still = ShownMotion(Clip.at_rest(Skeleton(("Hips",), (-1,), [[0.0, 0.9, 0.0]]), frames=31))
    >>> [strip.label for strip in strips(Scene((still,), ControlPath.standing(31, 30.0)))]
    ['path error']
    """
    found = []
    for number, motion in enumerate(scene.motions):
        tint, fps = scene.tint(number), motion.clip.fps
        ink = colour("soft") if tint is None else tint
        if motion.toes.shape[1]:
            slide = 100 * motion.slide
            found.append(Strip("foot slide", "cm/s", slide, fps, 0.0, _top(slide, 20.0), ink))
        if scene.path:
            error = 100 * path_errors(motion, scene.path)
            found.append(Strip("path error", "cm", error, fps, 0.0, _top(error, 10.0), ink))
        nats = _likelihoods(motion)
        if len(nats) > 1:
            low, high = float(np.quantile(nats, 0.02)), float(np.quantile(nats, 0.98))
            pace = (len(nats) - 1) / motion.clip.duration if motion.clip.duration else fps  # the model's own
            found.append(Strip("likelihood", "nats a frame", nats, pace, low, max(high, low + 1.0), ink))
    return sorted(found, key=lambda strip: ("foot slide", "path error", "likelihood").index(strip.label))


def path_errors(motion: ShownMotion, path: ControlPath) -> Array:
    """Returns the distances (m) of the hips from the requested path, for the frames ``(T,)`` that both have."""
    requested, walked = path.resample(motion.clip.fps).positions, motion.clip.ground_positions()
    both = min(len(requested), len(walked))
    distances: Array = np.linalg.norm(walked[:both] - requested[:both], axis=-1)
    return distances


def _likelihoods(motion: ShownMotion) -> Array:
    """Returns the log-likelihood of each frame in the sidecar; empty if it is missing or not numeric."""
    stored = motion.figures.get(LIKELIHOOD)
    try:
        values = np.asarray(stored.get("per_frame", ()) if isinstance(stored, dict) else (), float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    return values if values.ndim == 1 and np.isfinite(values).all() else np.zeros(0)


def _top(values: Array, least: float) -> float:
    """Returns the upper end of the axis, the 99 % quantile, so that a spike does not flatten the rest."""
    return max(least, float(np.quantile(values, 0.99))) if len(values) else least
