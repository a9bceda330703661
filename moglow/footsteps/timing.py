"""Maps the time of a new motion to that of the original, so that feet stand at requested times. Needs numpy alone."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from moglow.footsteps.footprints import Footprint
from moglow.maths.rotations import Array
from moglow.maths.signals import sample_monotone, smooth_gaussian

AWAY = (0.5, 1e3)
"""Seconds before the first and after the last footprint between which time is not stretched."""
EDGE = 0.1
"""Seconds after lift-off and before touch-down in which time is not stretched."""
Knot: TypeAlias = tuple[float, float]
"""A new time and the original one, in seconds."""
SOFT = 0.1
"""Standard deviation in seconds of the Gaussian that smooths the body's time."""


def leg_times(
    own: Sequence[Footprint], requested: Sequence[Footprint], seconds: Array, anchors: Sequence[Knot] = ()
) -> Array:
    """Returns the original time ``(T,)`` for each new time of a leg.

    The K-th original footprint of the leg becomes the K-th requested one. ``anchors`` are further new and original
    times, which are used unless they contradict the order of the footprints.

    >>> stand = Footprint(0, 1.0, 1.6, 0.0, 0.0, 0.0)
    >>> later = Footprint(0, 1.2, 2.4, 0.0, 0.0, 0.0)
    >>> leg_times([stand], [later], np.array([0.2, 1.2, 1.8, 2.4, 3.4])).round(3).tolist()
    [0.0, 1.0, 1.3, 1.6, 2.6]
    >>> leg_times([stand], [later], np.array([1.2, 1.8, 2.4]), [(1.8, 1.5)]).round(3).tolist()
    [1.0, 1.5, 1.6]
    """
    pairs = list(zip(requested, own, strict=True))
    knots = [(new, old) for a, b in pairs for new, old in ((a.on, b.on), (a.off, b.off))]
    knots += [each for each in anchors if _fits(each, knots)]
    if not knots:
        return np.asarray(seconds, float)
    for (a, b), (after, then) in pairwise(pairs):
        if min(after.on - a.off, then.on - b.off) > 3 * EDGE:
            edges = [(a.off + EDGE, b.off + EDGE), (after.on - EDGE, then.on - EDGE)]
            knots += [each for each in edges if _fits(each, knots)]
    knots.sort()
    first, last = knots[0], knots[-1]
    knots += [(first[0] - away, first[1] - away) for away in AWAY]
    knots += [(last[0] + away, last[1] + away) for away in AWAY]
    new, old = np.array(sorted(set(knots))).T
    growing = np.concatenate([[True], np.diff(new) > 1e-6])
    return sample_monotone(new[growing], old[growing], seconds)


def _fits(knot: Knot, knots: Sequence[Knot]) -> bool:
    """Returns whether a knot is in the same order as all others in the new time and in the original one."""
    return all((knot[0] - new) * (knot[1] - old) > 0 or knot == (new, old) for new, old in knots)


def body_times(times: Array, fps: float) -> Array:
    """Returns the original time of the body ``(T,)``: the smoothed mean of the times of its legs ``(T, L)``."""
    return np.maximum.accumulate(smooth_gaussian(times.mean(1), SOFT * fps))
