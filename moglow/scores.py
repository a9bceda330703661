"""The measures of a motion as one row of numbers, what they are called, and what they should be. Floor 11; numpy alone.

Real and generated motion go through the same `score`. A figure is the mean over motions, each counting by its length;
its interval is Student's, over seeds: what other noise would have given on the same controls.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moglow.clip import Clip
from moglow.contacts import toe_points
from moglow.control import ControlPath
from moglow.feet import lock_feet
from moglow.metrics import (
    bone_stretch,
    footsteps,
    heading_error,
    heel_points,
    jerk,
    path_error,
    penetration,
    stance_share,
    stance_velocity,
    toe_height,
    toe_skate,
    toe_slide,
)

CONFIDENCE = 0.95
"""Of the intervals."""


@dataclass(frozen=True)
class Measure:
    """What a figure is called, the unit in which people read it, and how many of these the SI unit has."""

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
    "jerk": Measure("jerk", "m/s³"),
    "bone_stretch": Measure("bone stretch", "%", 100),
    "frechet": Measure("Fréchet distance"),
    "diversity": Measure("diversity", "cm", 100),
}
"""All figures of the table, in its order; stored in SI units."""


@dataclass(frozen=True)
class Band:
    """Where a figure should lie: limits, times the real figure or plus it, or as they are."""

    low: float = -math.inf
    high: float = math.inf
    of_real: str = "times"  # or "plus", or "" for limits that know no real motion

    def limits(self, real: float | None) -> tuple[float, float] | None:
        """The limits, or None where they need a real figure and there is none.

        >>> Band(high=1.5).limits(0.04), Band(0.9, 1.1, of_real="").limits(None), Band(high=2.0).limits(None)
        ((-inf, 0.06), (0.9, 1.1), None)
        """
        if not self.of_real:
            return self.low, self.high
        if real is None or math.isnan(real):
            return None
        return (
            (self.low * real, self.high * real)
            if self.of_real == "times"
            else (self.low + real, self.high + real)
        )

    def miss(self, value: float, real: float) -> float:
        """How far a figure is from what is wanted: little, much, or the middle of two limits; less is better.

        >>> Band(high=1.5).miss(0.04, math.nan), Band(low=0.7).miss(0.5, math.nan), Band(0.5, 1.5).miss(7.0, 10.0)
        (0.04, -0.5, 3.0)
        """
        if self.low == -math.inf:
            return value
        if self.high == math.inf:
            return -value
        low, high = self.limits(real) or (math.nan, math.nan)
        return abs(value - (low + high) / 2)


BANDS: dict[str, Band] = {
    "slide_median": Band(high=1.5),
    "slide_mean": Band(high=2.0),
    "locked_median": Band(high=1.05),
    "locked_mean": Band(high=1.05),
    "toe_height": Band(-0.01, 0.01, of_real="plus"),
    "toe_height_p95": Band(-0.02, 0.02, of_real="plus"),
    "path_mean": Band(high=0.05, of_real=""),
    "path_p95": Band(high=0.12, of_real=""),
    "stance": Band(0.9, 1.1, of_real=""),
    "jerk": Band(0.7, 1.3),
    "bone_stretch": Band(high=0.001, of_real=""),
    "frechet": Band(high=3.0),
    "diversity": Band(low=0.7),
}
"""The quality to reach. Real motion's figure for a foot lock is its own slide, unlocked."""
SYNTHETIC_BANDS: dict[str, Band] = {**BANDS, "slide_median": Band(high=1.25)}
"""On synthetic controls, which are easier."""
LIKE = {"locked_median": "slide_median", "locked_mean": "slide_mean"}
"""Figures that are held against another one of real motion."""

Score = Mapping[str, float]


def score(clip: Clip, path: ControlPath) -> dict[str, float]:
    """The figures of a motion along a path of as many frames, in SI units; some are not a number on some paths."""
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
        "jerk": jerk(clip.world()[0], clip.fps),
        "bone_stretch": bone_stretch(clip),
    }


def pooled(scores: Sequence[Score], seconds: Sequence[float]) -> dict[str, float]:
    """The mean of each figure over motions, each counting by its length; those without the figure do not count.

    >>> pooled([{"jerk": 1.0}, {"jerk": 4.0}, {"jerk": math.nan}], seconds=[20.0, 10.0, 5.0])
    {'jerk': 2.0}
    """
    means = {}
    for key in scores[0] if scores else ():
        rows = [(s[key], w) for s, w in zip(scores, seconds, strict=True) if not math.isnan(s[key])]
        values, weights = zip(*rows, strict=True) if rows else ((math.nan,), (1.0,))
        means[key] = float(np.average(values, weights=weights))
    return means


@dataclass(frozen=True)
class Estimate:
    """A figure, and its interval where there are seeds to tell it."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float], weights: Sequence[float] | None = None) -> "Estimate":
        """The mean and Student's interval, over seeds, or over controls that count by their length.

        >>> estimate = Estimate.of([1.0, 2.0, 3.0])
        >>> estimate.value, round(estimate.low, 3), round(estimate.high, 3)
        (2.0, -0.484, 4.484)
        >>> Estimate.of([1.0, 2.0, 3.0], [7.0, 7.0, 7.0]) == estimate, Estimate.of([1.0, 4.0], [3.0, 1.0]).value
        (True, 1.75)
        """
        from scipy.special import stdtrit

        everything = np.array(values, float)
        known = ~np.isnan(everything)
        found, count = everything[known], int(known.sum())
        if count < 2:
            return cls(float(found[0]) if count else math.nan)
        share = (np.ones(len(known)) if weights is None else np.array(weights, float))[known]
        share /= share.sum()
        mean = float(share @ found)
        deviation = math.sqrt(np.square(share * (found - mean)).sum() * count / (count - 1))
        half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * deviation
        return cls(mean, mean - half, mean + half)

    def verdict(self, limits: tuple[float, float] | None) -> str:
        """How a figure stands to its band: "in", "out", or "unclear" where the interval holds a limit.

        >>> Estimate(1.2, 1.0, 1.4).verdict((0.0, 1.3)), Estimate(1.2).verdict((0.0, 1.3)), Estimate(9.0).verdict(None)
        ('unclear', 'in', '')
        """
        if limits is None or math.isnan(self.value):
            return ""
        ends = [self.value if end is None else end for end in (self.low, self.high)]
        inside = [limits[0] <= end <= limits[1] for end in ends]
        across = ends[0] < limits[0] and ends[1] > limits[1]
        return "in" if all(inside) else "unclear" if any(inside) or across else "out"
