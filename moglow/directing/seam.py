"""Joins generated motion to the clips before and after it, with continuous pose and velocity. Needs numpy alone."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import (
    Array,
    expmap_to_quat,
    quat_conjugate,
    quat_continuous,
    quat_multiply,
    quat_to_expmap,
)
from moglow.maths.signals import Flags, sample_cubic, sample_turns
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of, toe_points
from moglow.motion.foot_lock import move_feet

FADE = 0.4
"""Time in seconds in which the correction of the pose fades out after a seam."""
SLOPE_FADE = 0.25
"""The same for the correction of the velocity."""
STEP = 1 / 30
"""Interval in seconds over which velocities at a seam are measured."""
STANDS = 0.4
"""Speed in m/s below which a toe counts as planted; its velocity is then not changed."""


def warped(clip: Clip, frames: Array, fps: float) -> Clip:
    """Returns the clip at fractional frames ``(N,)``, as a clip with frame rate ``fps``, without filtering."""
    positions, rotations = (
        sample_cubic(clip.positions, frames),
        sample_turns(quat_continuous(clip.rotations), frames),
    )
    return replace(clip, positions=positions, rotations=rotations, fps=fps)


def fitted(made: Clip, before: Clip, after: Clip | None, joints: NDArray[np.intp] | None = None) -> Clip:
    """Returns the motion with pose and velocity at its ends equal to those of its neighbours.

    Args:
        made: the motion; its first frame is the last one of ``before``, and its last frame the first one of ``after``.
        before: the clip before the motion.
        after: the clip after the motion, if there is one.
        joints: the joints that are changed, in their rotations alone; by default the whole body.
    """
    chosen = np.arange(len(made.skeleton)) if joints is None else joints
    rotations, positions = quat_continuous(made.rotations).copy(), made.positions.copy()
    toes, whole = toe_points(made).copy() if legs_of(made.skeleton) else None, joints is None
    for other, ours in _seams(made, before, after):
        frames, offset, slope = _fading(made, ours)
        standing = _standing_legs(_at(made, ours), other)
        for joint in chosen:
            off, rate = _turn_missed(rotations[ours, joint], other.rotations[:, joint])
            rate = np.zeros(3) if joint in standing else rate
            turn = expmap_to_quat(offset[:, None] * off + slope[:, None] * rate)
            rotations[frames, joint] = quat_multiply(rotations[frames, joint], turn)
        if whole:
            positions[frames] += _moves(positions[ours], other.positions, offset, slope)
            if toes is not None:
                toes[frames] += _moves(
                    toes[ours], toe_points(other), offset, slope, _stands(_at(made, ours), other)
                )
    near = replace(made, positions=positions, rotations=rotations)
    if toes is not None and whole:
        shifts = toes - toe_points(near)
        near = move_feet(near, np.where(np.abs(shifts) > 1e-9, shifts, 0.0))
    rotations, positions = near.rotations.copy(), near.positions.copy()
    for other, ours in _seams(made, before, after):
        rotations[ours[0], chosen] = other.rotations[0, chosen]
        if whole:
            positions[ours[0]] = other.positions[0]
    return replace(near, positions=positions, rotations=rotations)


def _seams(made: Clip, before: Clip, after: Clip | None) -> list[tuple[Clip, NDArray[np.intp]]]:
    """Returns, for each neighbour, its frame at the seam and two beyond, and the motion's frames from the seam on.

    If a neighbour is too short for a velocity, these are all the same frame.
    """
    step, last = max(1, round(STEP * made.fps)), len(made) - 1
    seams = []
    for clip, seam, ours, inwards in ((before, -1, 0, 1), (after, 0, last, -1)):
        if clip is None:
            continue
        known = min(len(clip) - 1, last) >= 2 * step
        steps = step * np.arange(3) * known
        frames = (seam % len(clip)) - inwards * steps
        other = replace(clip, positions=clip.positions[frames], rotations=clip.rotations[frames])
        seams.append((other, np.asarray(ours + inwards * steps, np.intp)))
    return seams


def _at(clip: Clip, frames: NDArray[np.intp]) -> Clip:
    return replace(clip, positions=clip.positions[frames], rotations=clip.rotations[frames])


def _fading(made: Clip, ours: NDArray[np.intp]) -> tuple[NDArray[np.intp], Array, Array]:
    """Returns the frames from a seam inwards, and the weights with which an offset and a slope at the seam fade out."""
    width = min(max(2, round(FADE * made.fps)), len(made) - 1)
    inwards = 1 if ours[0] == 0 else -1
    frames = ours[0] + inwards * np.arange(width + 1)
    u = np.arange(width + 1) / width
    offset = 1 - u**3 * (10 - 15 * u + 6 * u**2)
    short = min(width, max(2, round(SLOPE_FADE * made.fps)))
    u = np.minimum(np.arange(width + 1) / short, 1.0)
    slope = (u - 6 * u**3 + 8 * u**4 - 3 * u**5) * short / max(abs(int(ours[1] - ours[0])), 1)
    return frames, offset, slope


def _turn_missed(made: Array, other: Array) -> tuple[Array, Array]:
    """Returns the rotation vector of the error at a seam, and its change per frame inwards."""
    off = quat_to_expmap(quat_multiply(quat_conjugate(made[0]), other[0]))
    outwards, inwards = (
        _rate(quat_to_expmap(quat_multiply(quat_conjugate(turns[:1]), turns))) for turns in (other, made)
    )
    return off, -outwards - inwards


def _moves(made: Array, other: Array, offset: Array, slope: Array, still: Flags | None = None) -> Array:
    """Returns the correction ``(N, J, 3)`` of points at a seam; the velocity of those that are ``still`` is kept."""
    rate = -_rate(other) - _rate(made)
    if still is not None:
        rate = np.where(still[:, None], 0.0, rate)
    return np.asarray(offset[:, None, None] * (other[0] - made[0]) + slope[:, None, None] * rate)


def _stands(made: Clip, other: Clip) -> Flags:
    """Returns which feet ``(L,)`` are planted on at least one side of a seam."""
    speeds = [np.linalg.norm(_rate(toe_points(clip)), axis=-1) / STEP for clip in (made, other)]
    return np.asarray(np.minimum(*speeds) < STANDS)


def _standing_legs(made: Clip, other: Clip) -> set[int]:
    """Returns the joints of legs with planted feet; they follow from the feet."""
    legs = legs_of(made.skeleton)
    if not legs:
        return set()
    standing = zip(legs, _stands(made, other), strict=True)
    return {joint for leg, stands in standing if stands for joint in (leg.hip, leg.knee, leg.ankle)}


def _rate(values: Array) -> Array:
    """Returns the change per step at the first of three values, by a parabola through them."""
    return np.asarray((4 * (values[1] - values[0]) - (values[2] - values[0])) / 2)
