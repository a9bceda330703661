"""How two kinds of motion differ on the same controls, and whether that is more than noise. Floor 11; numpy alone.

What is compared is how far a figure is from what it should be, control by control: a hard control is hard for both,
and so cancels. The interval is Student's over the controls, each counting by its length.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from moglow.scores import Band, Estimate

LEAST = 1e-4
"""A tenth of a millimetre, or of a millimetre a second: nobody sees a smaller difference, however sure it is."""


@dataclass(frozen=True)
class Parts:
    """What a figure is the weighted mean of: one value for each control (or seed), comparable one by one."""

    values: tuple[float, ...]
    weights: tuple[float, ...]


Breakdown = Mapping[str, Mapping[str, Parts]]
"""Parts by group of controls and measure."""


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
