"""Spikes: rotations that jump away and come back within a few frames."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from moglow.cleaning.damage import Nearby, interpolated, marked
from moglow.cleaning.gaps import _turns_between
from moglow.cleaning.jumps import JUMP, JumpSpec, find_jumps, turn_steps
from moglow.maths.rotations import (
    Array,
    quat_angle,
)
from moglow.motion.clip import Clip


class Spike(Nearby):
    kind, remedy = "spike", "interpolated between the adjacent frames"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        spikes, names = find_spikes(clip), clip.skeleton.names
        away = [_farthest(clip, joint, start, stop) for joint, start, stop in spikes]
        return [
            cls(start, stop, (joint,), f"{names[joint]} turns {np.degrees(angle):.0f}° away and back")
            for (joint, start, stop), angle in sorted(
                zip(spikes, away, strict=True), key=lambda pair: pair[0][1:]
            )
        ]

    @classmethod
    def together(cls, clip: Clip, found: Sequence[Self]) -> Clip:
        marks = np.zeros((len(clip), len(clip.skeleton)), bool)
        for spike in found:
            marks |= marked(clip, spike.start, spike.stop, spike.joints)
        return replace(interpolated(clip, marks), positions=clip.positions)


def _farthest(clip: Clip, joint: int, start: int, stop: int) -> float:
    around = clip.rotations[start - 1 if start else stop, joint]
    return float(quat_angle(clip.rotations[start:stop, joint], around).max())


def find_spikes(clip: Clip, *, longest: float = 0.1, spec: JumpSpec = JUMP) -> list[tuple[int, int, int]]:
    """Returns joint, first frame and one past the last of each rotation that returns within ``longest`` seconds.

    At the clip's ends, which have sound frames on one side only, a third of that time is accepted. A jump that does not
    return is not a spike.
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
        edge = max(1, most // 3)  # sound frames on one side only are weaker evidence
        if at and at[0] < edge:
            spikes.append((joint, 0, at[0] + 1))
        if at and len(clip) - 1 - at[-1] <= edge:
            spikes.append((joint, at[-1] + 1, len(clip)))
    return spikes


def _excursions(turns: Array, steps: Array, jumps: list[int], most: int) -> list[tuple[int, int]]:
    """Returns the sound frames (last before, first after) around each excursion of at most ``most`` frames.

    An excursion begins and ends with a jump, and its ends are nearer to each other than the length of either jump.
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


def despike(clip: Clip, *, longest: float = 0.1, spec: JumpSpec = JUMP) -> Clip:
    """Returns the clip with spikes of at most ``longest`` seconds interpolated, for each joint separately.

    The frames between the two jumps are interpolated by `fill_gaps`; at the clip's ends the nearest sound frame is
    repeated. Jumps that do not return are left.
    """
    spikes = find_spikes(clip, longest=longest, spec=spec)
    if not spikes:
        return clip
    rotations = clip.rotations.copy()
    for joint, start, stop in spikes:
        turns = rotations[:, joint]
        if start == 0 or stop == len(clip):
            turns[start:stop] = turns[stop if start == 0 else start - 1]
        else:
            turns[start:stop] = _turns_between(turns, start - 1, stop, min(stop + 1, len(clip) - 1))
    return replace(clip, rotations=rotations)
