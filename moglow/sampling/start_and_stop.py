"""How a motion stops: where its ending begins, and which of several endings is best. Needs numpy alone.

A person who stops puts the feet side by side and leaves them there. A model does so more or less; of several
endings sampled from the same frame, the best is taken.
"""

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath

BEFORE = 1.6
"""Seconds before the path stops at which endings part: time for two steps."""
LONGEST = 20.0
"""Seconds of standing; in longer stands the figure settles without help."""
STILL = 0.05
"""Metres and radians a second."""
AT_LAST = 0.3
"""Seconds at the end in which feet are looked at."""
APART, HIGH, SLIDING = 0.1, 0.03, 0.05
"""What counts alike: metres of one foot before the other, metres of toes off the ground, metres a second of slide."""


def ending_start(path: ControlPath) -> int | None:
    """The frame at which the ending of a path begins, or None where it does not come to a stand.

    >>> from moglow.paths.presets import preset
    >>> stopping = preset("line:length=4", fps=30.0)
    >>> len(stopping) - (ending_start(stopping) or 0), ending_start(preset("stand", fps=30.0))
    (68, None)
    """
    moving = np.flatnonzero(np.abs(path.velocities()).max(-1) > STILL)
    if not len(moving) or moving[-1] == len(path) - 1:
        return None
    stopped = int(moving[-1]) + 1
    if (len(path) - stopped) / path.fps > LONGEST:
        return None
    return max(1, stopped - round(BEFORE * path.fps))


def best_ending(encoding: Encoding, poses: Array, fps: float) -> int:
    """Which of some endings ``(N, T, D)`` stands best: feet beside each other, on the ground and at rest."""
    x, z, height = (poses[..., encoding.slice(group)] for group in ("toe_x", "toe_z", "toe_height"))
    last = max(1, round(AT_LAST * fps))
    apart = np.ptp(z[:, -last:], axis=-1).mean(-1)
    high = np.ptp(height[:, -last:], axis=-1).mean(-1)
    speed = (np.hypot(np.diff(x, axis=1), np.diff(z, axis=1)) * fps).max(-1)
    sliding = speed[:, -2 * last :].mean(-1) + speed[:, -(last // 2) - 1 :].mean(-1)
    return int(np.argmin(apart / APART + high / HIGH + sliding / SLIDING))


def can_settle(encoding: Encoding) -> bool:
    """Whether poses say where two feet are."""
    toes = encoding.slice("toe_z")
    return bool(toes.stop - toes.start == 2)


WARM_UP, STANDS, SETS_OFF = 5.0, 1.0, 0.7
"""Seconds before frame 0, so that motion starts in stride and not from a mean: the figure stands, sets off, and goes on
at the path's first velocity. From a stand it finds its step; put into full swing it now and then glides for good, and
after two seconds a step is not yet found by all."""


STANDING_WARM_UP = 2.0
"""Seconds before frame 0 on a page, where the figure begins standing and has no step to find; with `WARM_UP` a browser
would compute for 0.7 s instead of 0.3 s before the figure appears."""


def setting_off(fps: float) -> NDArray[np.float32]:
    """The share of the path's first velocity that a figure has in each frame before it.

    >>> setting_off(2.0)[:6]
    array([0.   , 0.   , 0.   , 0.714..., 1.   , 1.   ], dtype=float32)
    """
    seconds = np.arange(round(WARM_UP * fps)) / fps
    return np.clip((seconds - STANDS) / SETS_OFF, 0.0, 1.0).astype(np.float32)
