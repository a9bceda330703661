"""Matches requested footprints with those of a motion, in the order of time, at the least cost. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moglow.footsteps.footprints import Footprint


@dataclass(frozen=True)
class MatchSpec:
    """The costs of a match."""

    late: float = 0.25
    """Difference in seconds that costs 1."""
    away: float = 0.4
    """Distance in metres that costs 1."""
    alone: float = 3.0
    """Cost of a footprint without a counterpart."""


def matched(
    own: Sequence[Footprint], requested: Sequence[Footprint], spec: MatchSpec = MatchSpec()
) -> tuple[list[int | None], float]:
    """Returns the number of the original footprint matched with each requested one of a leg, and the total cost.

    The number is None for an additional footprint.

    >>> steps = [Footprint(0, t, t + 0.6, 0.0, t, 0.0) for t in (0.0, 1.0, 2.0)]
    >>> later = [Footprint(0, t + 0.1, t + 0.7, 0.1, t, 0.0) for t in (1.0, 2.0)]
    >>> matched(steps, later)[0], matched(later, steps)[0]
    ([1, 2], [None, 0, 1])
    """
    cost = np.array([[_cost(a, b, spec) for b in own] for a in requested]).reshape(len(requested), len(own))
    best = np.zeros((len(requested) + 1, len(own) + 1))
    best[:, 0], best[0] = spec.alone * np.arange(len(requested) + 1), spec.alone * np.arange(len(own) + 1)
    for i in range(1, len(requested) + 1):
        for j in range(1, len(own) + 1):
            both = best[i - 1, j - 1] + cost[i - 1, j - 1]
            best[i, j] = min(both, best[i - 1, j] + spec.alone, best[i, j - 1] + spec.alone)
    pairs: list[int | None] = [None] * len(requested)
    i, j = len(requested), len(own)
    while i and j:
        if best[i, j] == best[i - 1, j - 1] + cost[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs[i] = j
        elif best[i, j] == best[i - 1, j] + spec.alone:
            i -= 1
        else:
            j -= 1
    return pairs, float(best[-1, -1])


def _cost(a: Footprint, b: Footprint, spec: MatchSpec) -> float:
    late = (abs(a.on - b.on) + abs(a.off - b.off)) / 2
    away = float(np.hypot(a.x - b.x, a.z - b.z))
    return late / spec.late + away / spec.away
