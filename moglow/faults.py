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
    distance: float = 0.05  # a step of the hips differs by this many metres from those before and after it …
    pace: float = 1.0  # … and by this many a second
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


def find_spikes(clip: Clip, *, longest: float = 0.1, spec: JumpSpec = JUMP) -> list[tuple[int, int, int]]:
    """Joint, first frame and one past the last of each turn that jumps away and comes back within ``longest`` seconds.

    At the clip's ends, where there is only one side, a third of that time is believed. A jump that stays is none.
    """
    steps, most = turn_steps(clip), max(1, round(longest * clip.fps))
    jumps: dict[int, list[int]] = {}
    for jump in find_jumps(clip, spec):
        if jump.angle:
            jumps.setdefault(jump.joint, []).append(jump.frame - 1)
    spikes = []
    for joint, at in jumps.items():
        for start, stop in _excursions(clip.rotations[:, joint], steps[:, joint], at, most):
            spikes.append((joint, start + 1, stop))
            at = [step for step in at if not start <= step < stop]
        edge = max(1, most // 3)  # one sound side is half the evidence
        if at and at[0] < edge:
            spikes.append((joint, 0, at[0] + 1))
        if at and len(clip) - 1 - at[-1] <= edge:
            spikes.append((joint, at[-1] + 1, len(clip)))
    return spikes


def _excursions(turns: Array, steps: Array, jumps: list[int], most: int) -> list[tuple[int, int]]:
    """The sound frames (last before, first after) around each excursion of at most ``most`` frames.

    It begins and ends with a jump, and its ends are nearer to each other than either jump is long.
    """
    found: list[tuple[int, int]] = []
    for start in jumps:
        if found and start < found[-1][1]:
            continue
        returns = [stop + 1 for stop in jumps if start < stop <= start + most]
        if not returns:
            continue
        away = quat_angle(turns[start], turns[returns])
        stop = returns[int(away.argmin())]
        if away.min() < min(steps[start], steps[stop - 1]):
            found.append((start, stop))
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
