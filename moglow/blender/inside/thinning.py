"""Fewer keys for a clip, within tolerances of the joints' rotations and places. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array, quat_angle, quat_continuous
from moglow.motion.clip import Clip

Frames = NDArray[np.intp]
MARGIN = 0.98
"""Share of the tolerances that is used, since Blender keeps keys with single precision."""


@dataclass(frozen=True)
class Tolerance:
    """Largest error of a joint's local rotation, and of its place in the world, that thinner keys may cause."""

    degrees: float
    millimetres: float


@dataclass(frozen=True, eq=False)
class Thinned:
    """The frames with keys of each joint, and the largest errors of the motion between them."""

    frames: tuple[Frames, ...]
    degrees: float
    millimetres: float
    share: float
    """The number of keys, relative to one for each joint and frame."""

    def __str__(self) -> str:
        return f"{self.share:.0%} of the keys, {self.degrees:.2g}° and {self.millimetres:.2g} mm off"


def thinned(clip: Clip, tolerance: Tolerance, kept: Sequence[int] = ()) -> Thinned:
    """Returns the frames of each joint that suffice for the tolerances; those in ``kept`` and the ends are among them.

    Between two keys Blender interpolates the four numbers of a rotation linearly, and so does this function. Each
    joint's keys are found by Ramer, Douglas and Peucker's method. Where the places of joints are then too far off, the
    joints above them get more keys.
    """
    turns = quat_continuous(clip.rotations)
    radians, metres = np.radians(MARGIN * tolerance.degrees), MARGIN * tolerance.millimetres / 1000
    first = sorted({0, len(clip) - 1, *(frame for frame in kept if 0 <= frame < len(clip))})
    keys = [set(first) for _ in clip.skeleton.names]
    world, stale = clip.world_positions, set(range(len(clip.skeleton)))
    while True:
        for joint in stale:
            if joint == 0:
                keys[0] = sufficient(clip.positions[:, 0], sorted(keys[0]), metres, turning=False)
            keys[joint] = sufficient(turns[:, joint], sorted(keys[joint]), radians, turning=True)
        between = interpolated(clip, [np.array(sorted(each)) for each in keys])
        off = np.linalg.norm(between.world_positions - world, axis=-1)
        if not (off > metres).any():
            break
        angles = quat_angle(between.rotations, turns)
        moved = np.linalg.norm(between.positions[:, 0] - clip.positions[:, 0], axis=-1)
        stale = set()
        for joint in range(len(clip.skeleton)):
            for frame in peaks(off[:, joint], metres):
                guilty = _cause(clip, joint, world[frame], angles[frame], float(moved[frame]))
                keys[guilty].add(frame)
                stale.add(guilty)
    frames = tuple(np.array(sorted(each), np.intp) for each in keys)
    angles = quat_angle(between.rotations, turns)
    share = sum(map(len, frames)) / clip.rotations[..., 0].size
    return Thinned(frames, float(np.degrees(angles.max())), float(1000 * off.max()), share)


def interpolated(clip: Clip, keys: Sequence[Frames]) -> Clip:
    """Returns the clip as it is between the given frames of each joint, with linear interpolation."""
    rotations, positions = quat_continuous(clip.rotations).copy(), clip.positions.copy()
    for joint, frames in enumerate(keys):
        rotations[:, joint] = interpolated_values(rotations[:, joint], frames)
        rotations[:, joint] /= np.linalg.norm(rotations[:, joint], axis=-1, keepdims=True)
        positions[:, joint] = interpolated_values(positions[:, joint], frames)
    return replace(clip, rotations=rotations, positions=positions)


def interpolated_values(values: Array, frames: Frames) -> Array:
    at = np.arange(len(values))
    return np.stack([np.interp(at, frames, column[frames]) for column in values.T], axis=-1)


def sufficient(values: Array, first: Sequence[int], tolerance: float, *, turning: bool) -> set[int]:
    """Returns the frames of values ``(T, N)`` between which their error is at most the tolerance."""
    found, waiting = set(first), [*pairwise(first)]
    while waiting:
        start, stop = waiting.pop()
        if stop - start < 2:
            continue
        part = values[start : stop + 1]
        share = np.linspace(0, 1, len(part))[:, None]
        line = part[0] + share * (part[-1] - part[0])
        if turning:
            line /= np.linalg.norm(line, axis=-1, keepdims=True)
            off = quat_angle(line, part)
        else:
            off = np.linalg.norm(line - part, axis=-1)
        worst = int(np.argmax(off))
        if off[worst] > tolerance:
            found.add(start + worst)
            waiting += [(start, start + worst), (start + worst, stop)]
    return found


def _cause(clip: Clip, joint: int, world: Array, angles: Array, moved: float) -> int:
    """Returns the joint at or above a joint whose error moves it most: by its angle, or by the place of the root."""
    shifts = {0: moved}
    above = clip.skeleton.parents[joint]
    while above >= 0:
        lever = float(np.linalg.norm(world[joint] - world[above]))
        shifts[above] = shifts.get(above, 0.0) + float(angles[above]) * lever
        above = clip.skeleton.parents[above]
    return max(shifts, key=lambda each: shifts[each])


def peaks(off: Array, tolerance: float) -> list[int]:
    """Returns the frame with the largest error of each stretch of frames above the tolerance."""
    bad = np.flatnonzero(off > tolerance)
    stretches = np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1) if len(bad) else []
    return [int(stretch[np.argmax(off[stretch])]) for stretch in stretches]
