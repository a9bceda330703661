"""How a figure comes to where its path begins: the seconds before frame 0, which nobody sees. Floor 10; numpy alone."""

import numpy as np
from numpy.typing import NDArray

WARM_UP, STANDS, SETS_OFF = 5.0, 1.0, 0.7
"""Seconds before frame 0, so that motion starts in stride and not from a mean: the figure stands, sets off, and goes on
at the path's first velocity. From a stand it finds its step; put into full swing it now and then glides for good, and
after two seconds a step is not yet found by all."""


def setting_off(fps: float) -> NDArray[np.float32]:
    """The share of the path's first velocity that a figure has in each frame before it.

    >>> setting_off(2.0)[:6]
    array([0.   , 0.   , 0.   , 0.714..., 1.   , 1.   ], dtype=float32)
    """
    seconds = np.arange(round(WARM_UP * fps)) / fps
    return np.clip((seconds - STANDS) / SETS_OFF, 0.0, 1.0).astype(np.float32)
