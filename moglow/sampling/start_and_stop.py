"""The start and the end of a motion: the warm-up, and the choice among several endings. Needs numpy alone.

A person who stops puts the feet side by side and keeps them still, which a model does not always do: a person plans the
last steps ahead, and a path may stop at any phase of the gait. Several endings are sampled from the same frame, and the
best one is used. In most of them the model sees the future of the path earlier than it is, so that the last steps come
in another phase; the step of the path in each frame is the true one.
"""

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath

EARLY = (0.0, 0.1, 0.2, 0.3, 0.4, -0.2, 0.2, 0.3)
"""Times in seconds by which each ending sees the future of the path early."""
ENDINGS = len(EARLY)
BEFORE = 2.0
"""Time in seconds from the start of the endings to the end of the path's movement, enough for three steps."""
LONGEST = 20.0
"""Longest final stand in seconds with several endings; in longer ones the figure settles anyway."""
STILL = 0.05
"""Speed in m/s and rad/s below which a path stands."""
AT_LAST = 0.3
"""Time in seconds at the end in which the feet are compared."""
APART, HIGH, SLIDING, SWAYING = 0.1, 0.03, 0.05, 0.1
"""Equal costs: distance in metres of one foot before the other, height of toes in metres, and speeds in m/s of toes and
of the hips."""


def ending_start(path: ControlPath) -> int | None:
    """Returns the frame at which the ending of a path begins, or None if the path does not end standing.

    >>> from moglow.paths.presets import preset
    >>> stopping = preset("line:length=4", fps=30.0)
    >>> len(stopping) - (ending_start(stopping) or 0), ending_start(preset("stand", fps=30.0))
    (80, None)
    """
    moving = np.flatnonzero(np.abs(path.velocities()).max(-1) > STILL)
    if not len(moving) or moving[-1] == len(path) - 1:
        return None
    stopped = int(moving[-1]) + 1
    if (len(path) - stopped) / path.fps > LONGEST:
        return None
    return max(1, stopped - round(BEFORE * path.fps))


def best_ending(encoding: Encoding, poses: Array, fps: float) -> int:
    """Returns the number of the best ending of ``(N, T, D)``: feet side by side, on the ground, all still."""
    x, z, height = (poses[..., encoding.slice(group)] for group in ("toe_x", "toe_z", "toe_height"))
    last = max(1, round(AT_LAST * fps))
    apart = np.ptp(z[:, -last:], axis=-1).mean(-1)
    high = np.ptp(height[:, -last:], axis=-1).mean(-1)
    speed = (np.hypot(np.diff(x, axis=1), np.diff(z, axis=1)) * fps).max(-1)
    sliding = speed[:, -2 * last :].mean(-1) + speed[:, -(last // 2) - 1 :].mean(-1)
    hips = np.stack([poses[:, -last:, encoding.slice(group).start] for group in ("hips_x", "hips_z")])
    swaying = (np.linalg.norm(np.diff(hips, axis=-1), axis=0) * fps).max(-1)
    return int(np.argmin(apart / APART + high / HIGH + sliding / SLIDING + swaying / SWAYING))


def foresight(lookahead: int, fps: float) -> NDArray[np.int64]:
    """Returns which of the coming velocities each ending sees ``(ENDINGS, 1 + L)``: the present one and L later ones.

    >>> foresight(2, 10.0)[[0, 1, 5]]
    array([[0, 1, 2],
           [0, 2, 3],
           [0, 0, 0]])
    """
    early = np.rint(np.array(EARLY) * fps).astype(np.int64)
    coming = np.arange(1, lookahead + 1) + early[:, None]
    return np.concatenate([np.zeros((ENDINGS, 1), np.int64), np.maximum(coming, 0)], axis=1)


def can_settle(encoding: Encoding) -> bool:
    """Returns whether poses contain the positions of two feet."""
    toes = encoding.slice("toe_z")
    return bool(toes.stop - toes.start == 2)


WARM_UP, STANDS, SETS_OFF = 5.0, 1.0, 0.7
"""Duration in seconds of the warm-up before frame 0, in which the figure stands, accelerates, and continues at the
path's first velocity. Without standing first, or within two seconds, some figures do not find a step and glide."""


STANDING_WARM_UP = 2.0
"""Duration in seconds of the warm-up on a page, where the figure begins standing; with `WARM_UP` a browser would
compute for 0.7 s instead of 0.3 s before the figure appears."""


def setting_off(fps: float) -> NDArray[np.float32]:
    """Returns the share of the path's first velocity in each frame of the warm-up.

    >>> setting_off(2.0)[:6]
    array([0.   , 0.   , 0.   , 0.714..., 1.   , 1.   ], dtype=float32)
    """
    seconds = np.arange(round(WARM_UP * fps)) / fps
    return np.clip((seconds - STANDS) / SETS_OFF, 0.0, 1.0).astype(np.float32)
