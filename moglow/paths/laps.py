"""Paths for loops: laps that do not stop where they close, steady velocities, and clips relative to their path."""

from dataclasses import replace

import numpy as np

from moglow.maths.rotations import Array, heading_to_quat, quat_multiply, quat_rotate, wrap_angle
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath

ARM = 0.3
"""Metres: the distance that a turn on the spot counts as, per radian."""
STILL = 0.05
"""Metres a second: a slower figure counts as standing."""
CLOSED = 0.05
"""Metres and radians: the largest difference between the ends of a closed path."""
EVEN = 0.1
"""Tolerance of a steady path: the largest dip in speed, and the deviation from its velocity in 90 % of the frames."""


QUICK = 0.98
"""Share of the usual speed below which the frames at both ends of a lap are sped up."""


def is_closed(path: ControlPath) -> bool:
    """Returns whether a path moves and ends where it began, with the same heading.

    >>> from moglow.paths.presets import preset
    >>> is_closed(preset("circle:r=2")), is_closed(preset("line"))
    (True, False)
    """
    apart = np.linalg.norm(path.positions[-1] - path.positions[0])
    turned = abs(wrap_angle(path.headings[-1] - path.headings[0]))
    return bool(apart < CLOSED and turned < CLOSED and _speed(path.velocities()).max() > STILL)


def without_ends(path: ControlPath) -> ControlPath:
    """Returns the path with full speed at its start and end, so that a loop does not stop where it closes.

    >>> from moglow.paths.presets import preset
    >>> whole = preset("circle:r=2", fps=30.0)
    >>> lap = without_ends(whole)
    >>> bool(lap.velocities()[:, 0].min() > 1.0), bool(abs(lap.length - whole.length) < 0.01)
    (True, True)
    """
    speed = _speed(path.velocities()[1:])
    moving = speed > STILL
    if not moving.any():
        return path
    usual = float(np.median(speed[moving]))
    quick = np.flatnonzero(speed >= QUICK * usual)
    first, last = int(quick[0]), int(quick[-1])
    faster = speed.copy()
    gap = first + len(speed) - 1 - last
    if gap:  # constant speed from the last fast frame to the first, across the seam
        over = speed[last] + (speed[first] - speed[last]) * np.arange(1, gap + 1) / (gap + 1)
        ends = np.concatenate([np.arange(last + 1, len(speed)), np.arange(first)])
        faster[ends] = np.maximum(speed[ends], over)
    times = np.concatenate([[0.0], np.cumsum(speed / faster)])
    frames = max(2, round(times[-1]))
    return path.at(np.interp(np.linspace(0, times[-1], frames + 1), times, np.arange(len(path))))


def steady_velocity(path: ControlPath) -> Array | None:
    """Returns the velocity ``(3,)`` that a path holds between its start and stop, or None if it varies.

    The velocity of a standing path is 0.

    >>> from moglow.paths.presets import preset
    >>> steady_velocity(preset("side")).round(2).tolist(), steady_velocity(preset("figure8"))
    ([0.0, 0.5, 0.0], None)
    """
    rows = path.velocities()
    speed = _speed(rows)
    if speed.max() <= STILL:
        return np.zeros(3)
    top = float(np.quantile(speed, 0.95))
    usual = np.median(rows[speed >= (1 - EVEN) * top], axis=0)
    low = np.minimum(np.maximum.accumulate(speed), np.maximum.accumulate(speed[::-1])[::-1])
    dips = speed < (1 - EVEN) * np.minimum(low, top)
    away = _speed(rows - np.minimum(speed, top)[:, None] / top * usual) > EVEN * top
    return None if dips.any() or away.mean() > EVEN else usual


def walked_on(lap: ControlPath, frames: int) -> ControlPath:
    """Repeats the velocities of a lap of P steps; frame n of the path corresponds to frame n mod P of the lap."""
    steps = np.arange(frames) % (len(lap) - 1)
    rows = lap.velocities()[np.where(steps, steps, len(lap) - 1)]
    styles = lap.styles and [lap.styles[step] for step in steps]
    return ControlPath.from_velocities(rows, lap.fps, styles=styles)


def laps_around(lap: ControlPath, before: int, after: int) -> ControlPath:
    """Returns the lap with copies before and after it; each copy begins where the previous one ends."""
    chain = lap
    for _ in range(before + after):
        chain = chain.then(lap)
    start = before * (len(lap) - 1)
    chain = chain.moved(heading=float(lap.headings[0] - chain.headings[start]))
    return chain.moved(lap.positions[0] - chain.positions[start])


def seen_from(clip: Clip, path: ControlPath, *, turned: bool = True) -> Clip:
    """Returns the clip relative to its path, whose position becomes the origin and whose heading becomes +Z.

    Sway and bobbing are kept, so that planted feet move as evenly as the path. If ``turned`` is false, headings are
    kept, too.
    """
    headings = path.headings if turned else np.zeros(len(path))
    back, places = heading_to_quat(-headings), path.frames()[0]
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[:, 0] = quat_rotate(back, positions[:, 0] - places)
    rotations[:, 0] = quat_multiply(back, rotations[:, 0])
    return replace(clip, positions=positions, rotations=rotations)


def _speed(velocities: Array) -> Array:
    """Returns speeds (...) of velocities (..., 3); a turn on the spot has the speed of a point at distance `ARM`."""
    walked = np.hypot(velocities[..., 0], velocities[..., 1])
    return np.asarray(np.maximum(walked, ARM * np.abs(velocities[..., 2])))
