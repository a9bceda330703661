"""Pins from held-out recordings: the error at the pin, and feet and jerk beside the same seed without a pin."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moglow.directing.bridge import Bridge
from moglow.directing.joint_groups import joints_named
from moglow.directing.pinned import Directing
from moglow.directing.pins import Direction, Pin, Reach
from moglow.maths.rotations import Array
from moglow.measures.metrics import jerk, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.contacts import toe_points
from scripts.benchmarks.directing.recordings import Cut

KINDS = ("whole body", "arms", "reach", "between")
ROUND = 0.5
"""Seconds after a pin in which feet and jerk are measured, and from the middle of a window to its ends."""


@dataclass(frozen=True, eq=False)
class Pinned:
    """The result of one pin; pairs are of the motion with the pin and of the one without it."""

    error: float
    slide: tuple[float, float]
    jerk: tuple[float, float]
    nats: float
    seconds: float
    windows: tuple[Clip, Clip, Clip]
    """One second around the pin, of the recording, of the motion with the pin and of the one without it."""


def pinned(directing: Directing, cut: Cut, kind: str, seed: int) -> Pinned:
    """Continues a recording on its own path to a goal that is taken from it, and without the goal."""
    context, clip = directing.checkpoint.context, cut.clip
    path, before = context.encoding.spec.path(clip)[cut.at :], clip[: cut.at + 1]
    end = cut.goal - cut.at
    start = time.process_time()
    if kind == "between":
        bridge = Bridge.between(context, before, clip[cut.goal :], end)
        made = bridge.make(directing, seed=seed, take=0)
        motion, prices = joined([made.clip, clip[cut.goal + 1 :]]), made.prices
        missed = motion.world_positions[end] - clip.world_positions[cut.goal]
    else:
        done = directing.make(path, [_direction(cut, kind)], seed=seed, continued=before)
        motion, prices = done.clip, done.prices
        missed = _missed(motion[end : end + 1], clip[cut.goal : cut.goal + 1], kind)
    seconds = time.process_time() - start
    free = directing.make(path, [], seed=seed, continued=before).clip
    around = slice(0, end + round(ROUND * clip.fps))
    near = slice(max(0, end - round(ROUND * clip.fps)), end + round(ROUND * clip.fps))
    pair = motion[around], free[around]
    slides = [100 * toe_slide(toe_points(each), each.fps).mean for each in pair]
    jerks = [jerk(each.world_positions, each.fps) for each in pair]
    error = float(np.linalg.norm(missed, axis=-1).max())
    windows = clip[cut.at :][near], motion[near], free[near]
    return Pinned(
        error, (slides[0], slides[1]), (jerks[0], jerks[1]), max(0.0, prices[0].nats), seconds, windows
    )


def recorded_slide(cut: Cut) -> float:
    """Returns the slide in cm/s of the recording itself, from the cut to `ROUND` seconds after the pin."""
    end = cut.goal + round(ROUND * cut.clip.fps)
    return 100 * toe_slide(toe_points(cut.clip[cut.at : end]), cut.clip.fps).mean


def _direction(cut: Cut, kind: str) -> Direction:
    if kind == "reach":
        x, y, z = _hand(cut.clip)[cut.goal]
        return Reach(cut.seconds, "left_hand", (x, y, z))
    return Pin(cut.seconds, cut.clip, cut.goal, () if kind == "whole body" else ("arms",))


def _hand(clip: Clip) -> Array:
    return np.asarray(clip.world_positions[:, clip.skeleton.anatomy.roles["left_hand"]])


def _missed(made: Clip, wanted: Clip, kind: str) -> Array:
    """Returns the errors ``(J, 3)`` of joints in one frame; a pose is compared where the motion has the body."""
    if kind == "reach":
        return _hand(made) - _hand(wanted)
    if kind == "whole body":
        return np.asarray(made.at_origin().world_positions[0] - wanted.at_origin().world_positions[0])
    joints: NDArray[np.intp] = np.array(joints_named(made.skeleton, ("arms",), place="benchmark"), np.intp)
    rotations = made.rotations[0].copy()
    rotations[joints] = wanted.rotations[0, joints]
    positions, _ = made.skeleton.forward_kinematics(made.positions[0], rotations)
    return np.asarray(made.world_positions[0] - positions)
