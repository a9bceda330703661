"""Which take is best: one score from path, feet and likelihood. Needs numpy alone."""

from collections.abc import Sequence

import numpy as np

from moglow.checkpoint import REAL_SLIDE
from moglow.maths.rotations import Array

FAR = 0.05
"""Metres of mean path error that count as much as feet that slide once more than real ones do."""
UNUSUAL = 0.1
"""Nats a channel and frame from the usual that count as much."""


def scores(
    path_errors: Sequence[float],
    slides: Sequence[float],
    nats: Sequence[float],
    *,
    channels: int,
    real_slide: float = REAL_SLIDE,
) -> Array:
    """A score for each of some takes of one path, the smaller the better, as a sum of three shares:

    * the mean path error, in units of `FAR`;
    * the mean foot slide before the foot lock, in units of real motion's, since a lock hides it only so far;
    * how far the mean likelihood is from usual, in units of `UNUSUAL`. Neither the highest is best, which is motion
      that dares nothing, nor is that of real motion the measure, since a temperature below 1 raises it on purpose.
      What is usual at a temperature and on a path is the median over the takes; with fewer than three there is none.

    >>> scores([0.05, 0.05, 0.1], [0.05, 0.1, 0.05], [150.0, 150.0, 150.0], channels=60).tolist()
    [2.0, 3.0, 3.0]
    """
    values = np.asarray(nats, float)
    known = len(values) >= 3 and bool(np.isfinite(values).all())
    unusual = np.abs(values - np.median(values)) / (UNUSUAL * channels) if known else 0.0
    total: Array = np.asarray(path_errors, float) / FAR + np.asarray(slides, float) / max(real_slide, 1e-3)
    return total + unusual
