"""What is wrong with a clip: jumps, frozen stretches, a false frame rate. Floor 3; numpy alone.

Each fault has a scale of its own in the body, not a threshold of taste: nobody turns a joint by 15° plus 600 °/s out of
a quiet motion, nobody is as still as a repeated frame, and a leg swings like the pendulum that it is.
"""

from dataclasses import dataclass

import numpy as np

from moglow.clip import Clip
from moglow.contacts import Flags, leg_lengths, runs
from moglow.rotations import Array, quat_angle


@dataclass(frozen=True)
class JumpSpec:
    """What counts as a jump from one frame to the next."""

    angle: float = np.radians(15)  # a joint turns by this much at once …
    speed: float = np.radians(600)  # … and, per second, by this: toes that land do 900 °/s
    distance: float = 0.05  # the hips move by this many metres at once …
    pace: float = 3.0  # … and by this many a second
    ratio: float = 4.0  # times the median of the steps around, so that what is fast throughout is no jump
    around: int = 7  # steps to each side that are looked at


JUMP = JumpSpec()


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
    moves = np.linalg.norm(np.diff(clip.world()[0][:, [hips]], axis=0), axis=-1)
    moved = _outliers(moves, spec.distance + spec.pace / clip.fps, moving, spec)
    jumps += [Jump(int(t) + 1, hips, distance=float(moves[t, 0])) for t, _ in moved]
    return sorted(jumps, key=lambda jump: jump.frame)


def turn_steps(clip: Clip) -> Array:
    """The angle ``(T - 1, J)`` by which each joint turns from frame to frame."""
    return quat_angle(clip.rotations[1:], clip.rotations[:-1])


def _outliers(steps: Array, least: float, moving: Flags, spec: JumpSpec) -> list[tuple[int, int]]:
    """Places in ``(T - 1, J)`` above ``least`` and ``spec.ratio`` times the median around them, of steps that are
    ``moving``: repeated frames are a fault of their own."""
    found = []
    for t, j in np.argwhere(steps > least):
        around = slice(max(0, t - spec.around), t + spec.around + 1)
        if steps[t, j] > spec.ratio * np.median(steps[around, j][moving[around]]):
            found.append((int(t), int(j)))
    return found


def find_frozen(clip: Clip, *, shortest: float = 0.1, still: float = 1e-6) -> list[tuple[int, int]]:
    """Stretches (first frame, one past the last) of the same pose over and over, at least ``shortest`` seconds long.

    Not even a figure that stands is so still (``still`` radians or metres a frame): the capture had lost it.
    """
    repeated = repeated_frames(clip, still=still)
    steps = max(2, int(np.ceil(shortest * clip.fps)))
    return [(start, stop + 1) for start, stop in runs(repeated) if stop - start >= steps]


def repeated_frames(clip: Clip, *, still: float = 1e-6) -> Flags:
    """Whether each step ``(T - 1,)`` from frame to frame changes nothing."""
    turned = turn_steps(clip).max(1, initial=0.0)
    moved = np.abs(np.diff(clip.positions, axis=0)).max((1, 2), initial=0.0)
    repeated: Flags = (turned <= still) & (moved <= still)
    return repeated


USUAL_SWING = 0.38
"""Seconds for which a swinging foot is faster than half its fastest: 0.27 to 0.50 in walks, runs, side steps and turns
of grown people, 0.17 in the quickest turns. Legs are pendulums; they know the time."""
_SWINGS = (0.15, 0.76)  # beyond it, time runs at another rate
_LEAST_SWINGS = 3
_RATES = (15.0, 30.0, 60.0, 120.0, 240.0)  # legs tell no 24 from 30


def swing_times(clip: Clip) -> Array:
    """Seconds for which a foot is faster than half its fastest, for each swing ``(N,)`` that lies wholly in the clip.

    No speed is compared with anything but its own peak, so a clip at twice the rate has exactly half the times.
    """
    if not clip.skeleton.anatomy.legs or len(clip) < 3:
        return np.zeros(0)
    ankles = clip.world()[0][:, [leg.ankle for leg in clip.skeleton.anatomy.legs]]
    steps = np.linalg.norm(np.diff(ankles, axis=0)[..., [0, 2]], axis=-1) / leg_lengths(clip.skeleton)
    times = []
    for speed in steps.T:
        for start, stop in runs(speed > 0.5 * np.quantile(speed, 0.95)):
            peak = start + int(speed[start:stop].argmax())
            slow = speed < speed[peak] / 2
            before, after = np.flatnonzero(slow[:peak]), peak + np.flatnonzero(slow[peak:])
            if (
                len(before) and len(after) and speed[before[-1] : after[0]].sum() > 0.25
            ):  # leg lengths: no shuffle
                times.append(_crossing(speed, after[0] - 1, peak) - _crossing(speed, before[-1], peak))
    return np.array(times) / clip.fps


def _crossing(speed: Array, step: int, peak: int) -> float:
    """Where between ``step`` and the next the speed is half that at the peak."""
    start, end = speed[step], speed[step + 1]
    return step + float((speed[peak] / 2 - start) / (end - start))


def likely_fps(clip: Clip) -> float | None:
    """The rate at which the feet would swing as feet do: the clip's own if that is plausible, else the nearest usual.

    None where there are too few swings to tell. A factor of 2 lies within what bodies do; of 3 and more does not.
    """
    times = swing_times(clip)
    if len(times) < _LEAST_SWINGS:
        return None
    swing = float(np.median(times))
    if _SWINGS[0] <= swing <= _SWINGS[1]:
        return clip.fps
    likely = clip.fps * swing / USUAL_SWING
    return min(_RATES, key=lambda rate: abs(np.log(rate / likely)))
