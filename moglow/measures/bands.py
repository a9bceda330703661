"""Bands in which figures should lie, estimates with intervals, and the difference between two motions.

What is compared is how far a figure is from what it should be, control by control: a hard control is hard for both,
and so cancels. The interval is Student's over the controls, each counting by its length.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 1e-4
"""A tenth of a millimetre, or of a millimetre a second: nobody sees a smaller difference, however sure it is."""


@dataclass(frozen=True)
class Parts:
    """What a figure is the weighted mean of: one value for each control (or seed), comparable one by one."""

    values: tuple[float, ...]
    weights: tuple[float, ...]


Breakdown = Mapping[str, Mapping[str, Parts]]
"""Parts by group of controls and measure."""


CONFIDENCE = 0.95
"""Of the intervals."""


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


def difference(band: Band, first: Parts, other: Parts, real: Parts | None) -> Estimate:
    """How much farther than the first the other is from what the band asks for; below zero it is nearer.

    >>> calm, wild = Parts((1.0, 5.0, 3.0), (1, 1, 1)), Parts((2.0, 6.5, 4.0), (1, 1, 1))
    >>> found = difference(Band(high=1.5), calm, wild, None)
    >>> round(found.value, 3), standing(found), standing(difference(Band(high=1.5), wild, calm, None))
    (1.167, 'worse', 'better')
    >>> standing(difference(Band(0.7, 1.3), calm, wild, Parts((2.0, 6.0, 4.0), (1, 1, 1))))
    'better'
    """
    truth = real.values if real else (math.nan,) * len(first.values)
    rows = zip(
        first.values, other.values, truth, first.weights, strict=False
    )  # one take, where nothing is drawn
    misses = [(band.miss(b, r) - band.miss(a, r), weight) for a, b, r, weight in rows]
    return Estimate.of([miss for miss, _ in misses], [weight for _, weight in misses])


def standing(found: Estimate) -> str:
    """ "better" or "worse" where the whole interval says so, else "".

    >>> standing(Estimate(-0.2, -0.3, -0.1)), standing(Estimate(-0.2, -0.5, 0.1)), standing(Estimate(-0.2))
    ('better', '', '')
    """
    if found.low is None or found.high is None or abs(found.value) < LEAST:
        return ""
    return "better" if found.high < 0 else "worse" if found.low > 0 else ""
