"""Ranks takes by a score of path, feet and likelihood. Needs numpy alone."""

from collections.abc import Sequence

import numpy as np

from moglow.checkpoint import REAL_SLIDE
from moglow.maths.rotations import Array

FAR = 0.05
"""Mean path error in metres that costs as much as a foot slide equal to that of real motion."""
UNUSUAL = 0.1
"""Difference from the usual likelihood, in nats per channel and frame, of the same cost."""


def scores(
    path_errors: Sequence[float],
    slides: Sequence[float],
    nats: Sequence[float],
    *,
    channels: int,
    real_slide: float = REAL_SLIDE,
) -> Array:
    """Returns the score of each take of one path, smaller is better, as the sum of three costs:

    * the mean path error, in units of `FAR`;
    * the mean foot slide before the foot lock, which cannot hide large slides, in units of real motion's;
    * the difference of the mean likelihood from the usual one, in units of `UNUSUAL`. The usual likelihood is the
      median over the takes, with at least three takes. The highest likelihood is that of motion without variation, and
      that of real motion does not apply, since temperatures below 1 raise the likelihood.

    >>> scores([0.05, 0.05, 0.1], [0.05, 0.1, 0.05], [150.0, 150.0, 150.0], channels=60).tolist()
    [2.0, 3.0, 3.0]
    """
    values = np.asarray(nats, float)
    known = len(values) >= 3 and bool(np.isfinite(values).all())
    unusual = np.abs(values - np.median(values)) / (UNUSUAL * channels) if known else 0.0
    total: Array = np.asarray(path_errors, float) / FAR + np.asarray(slides, float) / max(real_slide, 1e-3)
    return total + unusual
