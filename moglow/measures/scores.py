"""The measures of a motion as one row of numbers, and their labels and units. Needs numpy alone.

Real and generated motion have the same `score`. A figure is the mean over motions, weighted by their length; its
interval is Student's over seeds, the variation by other noise on the same controls.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moglow.measures.metrics import (
    bone_stretch,
    footsteps,
    heading_error,
    heel_points,
    jerk,
    path_error,
    penetration,
    stance_share,
    stance_velocity,
    straight_knees,
    toe_height,
    toe_skate,
    toe_slide,
)
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.motion.foot_lock import lock_feet
from moglow.paths.control_path import ControlPath


@dataclass(frozen=True)
class Measure:
    """The label of a figure, its unit for display, and the factor from the SI unit."""

    label: str
    unit: str = ""
    scale: float = 1.0


MEASURES: dict[str, Measure] = {
    "slide_median": Measure("foot slide, median", "cm/s", 100),
    "slide_mean": Measure("foot slide, mean", "cm/s", 100),
    "locked_median": Measure("with foot lock, median", "cm/s", 100),
    "locked_mean": Measure("with foot lock, mean", "cm/s", 100),
    "skate": Measure("foot skate", "cm/s", 100),
    "skate_ratio": Measure("foot skate ratio", "%", 100),
    "toe_height": Measure("lowest toe, median", "cm", 100),
    "toe_height_p95": Measure("lowest toe, 95 %", "cm", 100),
    "penetration": Measure("penetration, mean", "cm", 100),
    "penetration_deepest": Measure("penetration, deepest", "cm", 100),
    "steps": Measure("footsteps a second (f_est)", "1/s"),
    "v95": Measure("footstep speed v95", "cm/s", 100),
    "step_duration": Measure("step duration", "s"),
    "step_deviation": Measure("step duration, deviation", "s"),
    "path_mean": Measure("path error, mean", "cm", 100),
    "path_p95": Measure("path error, 95 %", "cm", 100),
    "path_worst": Measure("path error, worst", "cm", 100),
    "path_within": Measure("within 10 cm of the path", "%", 100),
    "heading": Measure("heading error", "°", math.degrees(1)),
    "stance": Measure("walked by the planted foot", "%", 100),
    "straight_knees": Measure("straight knees", "%", 100),
    "jerk": Measure("jerk", "m/s³"),
    "bone_stretch": Measure("bone stretch", "%", 100),
    "frechet": Measure("Fréchet distance"),
    "diversity": Measure("diversity", "cm", 100),
}
"""All figures in the order of the table; they are stored in SI units."""


Score = Mapping[str, float]


def score(clip: Clip, path: ControlPath) -> dict[str, float]:
    """Returns the figures of a motion along a path of as many frames, in SI units; some are NaN on some paths."""
    toes, locked = toe_points(clip), lock_feet(clip)
    slide, held = toe_slide(toes, clip.fps), toe_slide(toe_points(locked), clip.fps)
    skate, height, depth = toe_skate(toes, clip.fps), toe_height(toes), penetration(toes)
    steps = footsteps(heel_points(clip), clip.fps)
    walked, headings = clip.ground_positions(), clip.headings()
    error = path_error(walked, path.positions)
    implied = stance_velocity(toes, path.positions, path.headings, clip.fps)
    none = math.nan if not steps.count else 1.0
    return {
        "slide_median": slide.median,
        "slide_mean": slide.mean,
        "locked_median": held.median,
        "locked_mean": held.mean,
        "skate": skate.speed,
        "skate_ratio": skate.ratio,
        "toe_height": height.median,
        "toe_height_p95": height.p95,
        "penetration": depth.mean,
        "penetration_deepest": depth.deepest,
        "steps": steps.count / max(clip.duration, 1 / clip.fps),
        "v95": steps.tolerance * none,
        "step_duration": steps.duration * none,
        "step_deviation": steps.duration_deviation * none,
        "path_mean": error.mean,
        "path_p95": error.p95,
        "path_worst": error.worst,
        "path_within": error.within,
        "heading": heading_error(headings, path.headings),
        "stance": stance_share(implied, path.velocities()[:, :2]),
        "straight_knees": straight_knees(clip),
        "jerk": jerk(clip.world_positions, clip.fps),
        "bone_stretch": bone_stretch(clip),
    }


def pooled(scores: Sequence[Score], seconds: Sequence[float]) -> dict[str, float]:
    """Returns the mean of each figure over motions, weighted by their length, without those for which it is NaN.

    >>> pooled([{"jerk": 1.0}, {"jerk": 4.0}, {"jerk": math.nan}], seconds=[20.0, 10.0, 5.0])
    {'jerk': 2.0}
    """
    means = {}
    for key in scores[0] if scores else ():
        rows = [(s[key], w) for s, w in zip(scores, seconds, strict=True) if not math.isnan(s[key])]
        values, weights = zip(*rows, strict=True) if rows else ((math.nan,), (1.0,))
        means[key] = float(np.average(values, weights=weights))
    return means
