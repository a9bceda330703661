"""Steadies knees that swing about a nearly straight leg because of noise."""

from dataclasses import dataclass, replace

import numpy as np

from moglow.anatomy.anatomy import Leg
from moglow.maths.rotations import Array, quat_between, quat_conjugate, quat_rotate
from moglow.maths.signals import widened
from moglow.maths.two_bone_ik import across_leg, across_part
from moglow.motion.clip import Clip
from moglow.motion.contacts import legs_of
from moglow.motion.foot_lock import turn_leg


@dataclass(frozen=True)
class KneeSpec:
    """Limits of a knee's motion, and the smoothing beyond them."""

    fastest: float = 10.0
    """Largest angular speed in radians a second about the line from hip to ankle; a runner's knee reaches 8."""
    around: float = 0.1
    """Seconds around a faster frame in which the knee's direction is averaged over the adjacent frames."""
    straight: float = 0.03
    """Bend in metres below which the average is blended with the knee's mean direction in the whole take."""


def steady_knees(clip: Clip, *, spec: KneeSpec = KneeSpec()) -> Clip:
    """Returns the clip with knees that do not swing about their legs faster than the limit.

    The knee of a straight leg has no direction, and a millimetre of noise can reverse it. Around such frames the
    direction is averaged over the adjacent frames, weighted by the bend. Hips, feet, the bend of the knee and all other
    frames do not change.
    """
    rotations = clip.rotations.copy()
    for leg in legs_of(clip.skeleton):
        _steady(clip, leg, rotations, spec)
    return replace(clip, rotations=rotations)


def _steady(clip: Clip, leg: Leg, rotations: Array, spec: KneeSpec) -> None:
    """Writes one leg's rotations ``(T, J, 4)``."""
    world, turns = clip.world()
    hip, knee, ankle = world[:, leg.hip], world[:, leg.knee], world[:, leg.ankle]
    carrier = turns[:, clip.skeleton.parents[leg.hip]]
    line = quat_rotate(quat_conjugate(carrier), ankle - hip)
    line /= np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-9)
    usual = line.mean(0) / np.linalg.norm(line.mean(0))
    back = quat_between(line, usual)  # to a coordinate frame in which the leg has a constant direction
    bend = quat_rotate(back, quat_rotate(quat_conjugate(carrier), across_part(knee - hip, ankle - hip)))
    height = np.linalg.norm(bend, axis=-1, keepdims=True)

    turn = np.cross(bend[:-1], bend[1:]) @ usual
    swing = np.abs(np.arctan2(turn, (bend[:-1] * bend[1:]).sum(-1))) * clip.fps
    fast = (swing > spec.fastest) & (height[:-1, 0] > 1e-4) & (height[1:, 0] > 1e-4)
    if not fast.any():
        return
    flagged = np.append(fast, False) | np.append(False, fast)
    wide = widened(flagged, max(1, round(spec.around * clip.fps)))
    frames = spec.around * clip.fps
    share = np.clip(2.0 * _near(wide.astype(float)[:, None], frames / 2), 0.0, 1.0)

    strong = _near(bend * height**2, frames) / np.maximum(_near(height**2, frames), 1e-12)
    whole = across_leg(usual, (bend * height).sum(0))
    size = np.linalg.norm(strong, axis=-1, keepdims=True)
    strong = strong + spec.straight * np.exp(-((size / spec.straight) ** 2)) * whole
    led = across_leg(usual, (1 - share) * bend / np.maximum(height, 1e-9) + share * _unit(strong))
    there = quat_rotate(carrier, quat_rotate(quat_conjugate(back), led * height))
    at = np.flatnonzero(share[:, 0] > 0)
    old = across_part(knee - hip, ankle - hip)
    new = knee + there - old
    swing_turn = quat_between((knee - hip)[at], (new - hip)[at])
    turn_leg(clip, rotations, leg, at, swing_turn, quat_between((ankle - knee)[at], (ankle - new)[at]))


def _near(values: Array, sigma: float) -> Array:
    """Returns ``(T, D)`` convolved with a normalised Gaussian; values outside are zero."""
    taps = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-taps, taps + 1) / sigma) ** 2)
    padded = np.pad(values, ((taps, taps), (0, 0)))
    sums = [np.convolve(column, weights / weights.sum(), "valid") for column in padded.T]
    return np.stack(sums, axis=-1)


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return unit
