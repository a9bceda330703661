"""Jumps: joints or hips that move farther from one frame to the next than is physically plausible.

The thresholds follow from the body: from rest, a joint does not turn by 15° plus 600 °/s within a frame, and a real
pose never repeats exactly.
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
    """The least change from one frame to the next that is a jump."""

    angle: float = np.radians(15)
    """Angle of a joint in radians, to which ``speed`` is added for the duration of a frame."""
    speed: float = np.radians(600)
    """Angular speed of a joint in radians a second; landing toes reach 900 °/s."""
    distance: float = 0.05
    """Difference in metres of a step of the hips from its neighbours, to which ``pace`` is added for a frame."""
    pace: float = 1.0
    """Difference of the hips' speed in m/s."""
    ratio: float = 4.0
    """Ratio to the median of the steps around, so that motion that is fast throughout has no jumps."""
    around: int = 7
    """Number of steps before and after over which the median is taken."""


JUMP = JumpSpec()
_TURNS: MutableMapping[Clip, Array] = WeakKeyDictionary()
_CHANGES: MutableMapping[Clip, Array] = WeakKeyDictionary()


@dataclass(frozen=True)
class Jump:
    """A jump of a joint at the step to ``frame``, by an ``angle`` (radians) or a ``distance`` (m) in the world."""

    frame: int
    joint: int
    angle: float = 0.0
    distance: float = 0.0


def find_jumps(clip: Clip, spec: JumpSpec = JUMP) -> list[Jump]:
    """Returns the jumps of joints and hips, whose step is far larger than the steps around, in order of time."""
    turns, moving = turn_steps(clip), ~repeated_frames(clip)
    turned = _outliers(turns, spec.angle + spec.speed / clip.fps, moving, spec)
    jumps = [Jump(int(t) + 1, int(j), angle=float(turns[t, j])) for t, j in turned]
    hips = clip.skeleton.anatomy.roles.get("hips", 0)
    lurches = np.linalg.norm(hip_lurches(clip), axis=-1)[:, None]
    moved = _outliers(lurches, spec.distance + spec.pace / clip.fps, moving, spec)
    jumps += [Jump(t + 1, hips, distance=float(lurches[t, 0])) for t, _ in moved]
    return sorted(jumps, key=lambda jump: jump.frame)


def hip_lurches(clip: Clip) -> Array:
    """Returns the difference ``(T - 1, 3)`` of each step of the hips from the more similar of its two neighbours.

    A step at the start of a run is similar to the next one; a leap is similar to neither.
    """
    steps = np.diff(clip.world()[0][:, clip.skeleton.anatomy.roles.get("hips", 0)], axis=0)
    if len(steps) < 2:
        return np.zeros_like(steps)
    before, after = np.diff(steps, axis=0, prepend=steps[1:2]), -np.diff(steps, axis=0, append=steps[-2:-1])
    nearer = np.linalg.norm(before, axis=-1) <= np.linalg.norm(after, axis=-1)
    return np.where(nearer[:, None], before, after)


def turn_steps(clip: Clip) -> Array:
    """Returns the angle ``(T - 1, J)`` by which each joint turns from frame to frame, cached by clip."""
    if clip not in _TURNS:  # a clip whose positions alone were repaired turns like the one before
        known = (turns for other, turns in _TURNS.items() if other.rotations is clip.rotations)
        turns = next(known, None)
        _TURNS[clip] = quat_angle(clip.rotations[1:], clip.rotations[:-1]) if turns is None else turns
    return _TURNS[clip]


def _outliers(steps: Array, least: float, moving: Flags, spec: JumpSpec) -> list[tuple[int, int]]:
    """Returns indices of ``steps`` ``(T - 1, J)`` above ``least`` and above ``spec.ratio`` times the median around.

    Only steps that are ``moving`` are used; repeated frames are damage of another kind.
    """
    found = []
    for t, j in np.argwhere(steps > least):
        around = slice(max(0, t - spec.around), t + spec.around + 1)
        if steps[t, j] > spec.ratio * np.median(steps[around, j][moving[around]]):
            found.append((int(t), int(j)))
    return found


def repeated_frames(clip: Clip, *, still: float = 1e-6) -> Flags:
    """Returns for each step ``(T - 1,)`` whether the pose stays the same."""
    if clip not in _CHANGES:
        moved = np.abs(np.diff(clip.positions, axis=0)).max((1, 2), initial=0.0)
        _CHANGES[clip] = np.maximum(turn_steps(clip).max(1, initial=0.0), moved)
    repeated: Flags = _CHANGES[clip] <= still
    return repeated
