"""Jumps: joints or hips that move farther from one frame to the next than bodies do.

Each fault has a scale of its own in the body, not a threshold of taste: nobody turns a joint by 15° plus 600 °/s out of
a quiet motion, nobody is as still as a repeated frame, and a leg swings like the pendulum that it is.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from moglow.maths.rotations import Array, quat_angle
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip


@dataclass(frozen=True)
class JumpSpec:
    """What counts as a jump from one frame to the next."""

    angle: float = np.radians(15)  # a joint turns by this much at once …
    speed: float = np.radians(600)  # … and, per second, by this: toes that land do 900 °/s
    distance: float = 0.05  # a step of the hips differs by this many metres from those before and after it …
    pace: float = 1.0  # … and by this many a second
    ratio: float = 4.0  # times the median of the steps around, so that what is fast throughout is no jump
    around: int = 7  # steps to each side that are looked at


JUMP = JumpSpec()
_TURNS: MutableMapping[Clip, Array] = WeakKeyDictionary()
_CHANGES: MutableMapping[Clip, Array] = WeakKeyDictionary()


@dataclass(frozen=True)
class Jump:
    """A joint that jumps on the way to ``frame``: by an ``angle`` (radians), or by a ``distance`` (m) in the world."""

    frame: int
    joint: int
    angle: float = 0.0
    distance: float = 0.0


def find_jumps(clip: Clip, spec: JumpSpec = JUMP) -> list[Jump]:
    """Joints that turn, and hips that move, far more from one frame to the next than around it; in order of time."""
    turns, moving = turn_steps(clip), ~repeated_frames(clip)
    turned = _outliers(turns, spec.angle + spec.speed / clip.fps, moving, spec)
    jumps = [Jump(int(t) + 1, int(j), angle=float(turns[t, j])) for t, j in turned]
    hips = clip.skeleton.anatomy.roles.get("hips", 0)
    lurches = np.linalg.norm(hip_lurches(clip), axis=-1)[:, None]
    moved = _outliers(lurches, spec.distance + spec.pace / clip.fps, moving, spec)
    jumps += [Jump(t + 1, hips, distance=float(lurches[t, 0])) for t, _ in moved]
    return sorted(jumps, key=lambda jump: jump.frame)


def hip_lurches(clip: Clip) -> Array:
    """By how much ``(T - 1, 3)`` each step of the hips differs from the steps around: from the more alike of the two.

    Whoever starts to run takes steps like the next one; only a leap is like neither.
    """
    steps = np.diff(clip.world()[0][:, clip.skeleton.anatomy.roles.get("hips", 0)], axis=0)
    if len(steps) < 2:
        return np.zeros_like(steps)
    before, after = np.diff(steps, axis=0, prepend=steps[1:2]), -np.diff(steps, axis=0, append=steps[-2:-1])
    nearer = np.linalg.norm(before, axis=-1) <= np.linalg.norm(after, axis=-1)
    return np.where(nearer[:, None], before, after)


def turn_steps(clip: Clip) -> Array:
    """The angle ``(T - 1, J)`` by which each joint turns from frame to frame; kept, as it is used often."""
    if clip not in _TURNS:
        _TURNS[clip] = quat_angle(clip.rotations[1:], clip.rotations[:-1])
    return _TURNS[clip]


def _outliers(steps: Array, least: float, moving: Flags, spec: JumpSpec) -> list[tuple[int, int]]:
    """Places in ``(T - 1, J)`` above ``least`` and ``spec.ratio`` times the median around them, of steps that are
    ``moving``: repeated frames are a fault of their own."""
    found = []
    for t, j in np.argwhere(steps > least):
        around = slice(max(0, t - spec.around), t + spec.around + 1)
        if steps[t, j] > spec.ratio * np.median(steps[around, j][moving[around]]):
            found.append((int(t), int(j)))
    return found


def repeated_frames(clip: Clip, *, still: float = 1e-6) -> Flags:
    """Whether each step ``(T - 1,)`` from frame to frame changes nothing."""
    if clip not in _CHANGES:
        moved = np.abs(np.diff(clip.positions, axis=0)).max((1, 2), initial=0.0)
        _CHANGES[clip] = np.maximum(turn_steps(clip).max(1, initial=0.0), moved)
    repeated: Flags = _CHANGES[clip] <= still
    return repeated
