"""Bands for figures, estimates with confidence intervals, and the difference between two models.

Models are compared by the distance of a figure from its target, control by control, so that the difficulty of a control
cancels. The interval is Student's over the controls, weighted by their length.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 1e-4
"""A tenth of a millimetre, or of a millimetre a second; a smaller difference is invisible and not reported."""


@dataclass(frozen=True)
class FigureParts:
    """The values of which a figure is the weighted mean: one per control (or seed), comparable one by one."""

    values: tuple[float, ...]
    weights: tuple[float, ...]


Breakdown = Mapping[str, Mapping[str, FigureParts]]
"""Parts by group of controls and measure."""


CONFIDENCE = 0.95
"""Level of the confidence intervals."""


@dataclass(frozen=True)
class Band:
    """Limits of a figure: absolute, or relative to the figure of real motion."""

    low: float = -math.inf
    high: float = math.inf
    of_real: str = "times"  # or "plus", or "" for absolute limits

    def limits(self, real: float | None) -> tuple[float, float] | None:
        """Returns the limits, or None if they depend on a real figure and there is none.

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
        """Returns the distance of a figure from its target (zero, infinity, or the middle of two limits); less is
        better.

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
    "straight_knees": Band(-1.0, 0.02, of_real="plus"),
    "jerk": Band(0.7, 1.3),
    "bone_stretch": Band(high=0.001, of_real=""),
    "frechet": Band(high=3.0),
    "diversity": Band(low=0.7),
}
"""The quality to reach. The real figure for foot-locked motion is the slide of real motion, not locked."""


SYNTHETIC_BANDS: dict[str, Band] = {**BANDS, "slide_median": Band(high=1.25)}
"""On synthetic controls, which are easier."""


LIKE = {"locked_median": "slide_median", "locked_mean": "slide_mean"}
"""Figures that are compared with another figure of real motion."""


@dataclass(frozen=True)
class Estimate:
    """A figure, with its confidence interval if there are at least two values."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float], weights: Sequence[float] | None = None) -> "Estimate":
        """Returns the mean and Student's interval of values, of seeds or of controls weighted by their length.

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
        """Returns "in" or "out" for a figure in or out of its band, "unclear" if the interval contains a limit.

        >>> Estimate(1.2, 1.0, 1.4).verdict((0.0, 1.3)), Estimate(1.2).verdict((0.0, 1.3)), Estimate(9.0).verdict(None)
        ('unclear', 'in', '')
        """
        if limits is None or math.isnan(self.value):
            return ""
        ends = [self.value if end is None else end for end in (self.low, self.high)]
        inside = [limits[0] <= end <= limits[1] for end in ends]
        across = ends[0] < limits[0] and ends[1] > limits[1]
        return "in" if all(inside) else "unclear" if any(inside) or across else "out"


def difference(band: Band, first: FigureParts, other: FigureParts, real: FigureParts | None) -> Estimate:
    """Returns how much farther `other` is from the band's target than `first`; negative if it is nearer.

    >>> calm, wild = FigureParts((1.0, 5.0, 3.0), (1, 1, 1)), FigureParts((2.0, 6.5, 4.0), (1, 1, 1))
    >>> found = difference(Band(high=1.5), calm, wild, None)
    >>> round(found.value, 3), standing(found), standing(difference(Band(high=1.5), wild, calm, None))
    (1.167, 'worse', 'better')
    >>> standing(difference(Band(0.7, 1.3), calm, wild, FigureParts((2.0, 6.0, 4.0), (1, 1, 1))))
    'better'
    """
    truth = real.values if real else (math.nan,) * len(first.values)
    # Not strict: a deterministic model has one take per control.
    rows = zip(first.values, other.values, truth, first.weights, strict=False)
    misses = [(band.miss(b, r) - band.miss(a, r), weight) for a, b, r, weight in rows]
    return Estimate.of([miss for miss, _ in misses], [weight for _, weight in misses])


def standing(found: Estimate) -> str:
    """Returns "better" or "worse" if the whole interval is on one side of zero, else "".

    >>> standing(Estimate(-0.2, -0.3, -0.1)), standing(Estimate(-0.2, -0.5, 0.1)), standing(Estimate(-0.2))
    ('better', '', '')
    """
    if found.low is None or found.high is None or abs(found.value) < LEAST:
        return ""
    return "better" if found.high < 0 else "worse" if found.low > 0 else ""
