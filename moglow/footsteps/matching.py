"""Which asked footprint is which of a motion's own: the cheapest pairs in the order of time. Needs numpy alone."""

from collections.abc import Sequence

import numpy as np

from moglow.footsteps.footprints import Footprint

LATE = 0.25
"""Seconds …"""
AWAY = 0.4
"""… and metres that count alike; …"""
ALONE = 3.0
"""… so many of either make two footprints two, not one that was moved."""


def matched(own: Sequence[Footprint], asked: Sequence[Footprint]) -> tuple[list[int | None], float]:
    """For each asked footprint of a leg the number of the own one that it is, or None where it is a further one.

    And what the pairs cost in all: 1 for each `LATE` and each `AWAY` between two that are one.

    >>> steps = [Footprint(0, t, t + 0.6, 0.0, t, 0.0) for t in (0.0, 1.0, 2.0)]
    >>> later = [Footprint(0, t + 0.1, t + 0.7, 0.1, t, 0.0) for t in (1.0, 2.0)]
    >>> matched(steps, later)[0], matched(later, steps)[0]
    ([1, 2], [None, 0, 1])
    """
    cost = np.array([[_unlike(a, b) for b in own] for a in asked]).reshape(len(asked), len(own))
    best = np.zeros((len(asked) + 1, len(own) + 1))
    best[:, 0], best[0] = ALONE * np.arange(len(asked) + 1), ALONE * np.arange(len(own) + 1)
    for i in range(1, len(asked) + 1):
        for j in range(1, len(own) + 1):
            both = best[i - 1, j - 1] + cost[i - 1, j - 1]
            best[i, j] = min(both, best[i - 1, j] + ALONE, best[i, j - 1] + ALONE)
    pairs: list[int | None] = [None] * len(asked)
    i, j = len(asked), len(own)
    while i and j:
        if best[i, j] == best[i - 1, j - 1] + cost[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs[i] = j
        elif best[i, j] == best[i - 1, j] + ALONE:
            i -= 1
        else:
            j -= 1
    return pairs, float(best[-1, -1])


def _unlike(a: Footprint, b: Footprint) -> float:
    late = (abs(a.on - b.on) + abs(a.off - b.off)) / 2
    away = float(np.hypot(a.x - b.x, a.z - b.z))
    return late / LATE + away / AWAY
