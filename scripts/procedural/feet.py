"""The motion of a foot in its stances and between them.

In a stance the foot rolls about the heel from the heel strike until it is flat, and later about the ball until it lifts
off. While it is on the ball, the ball's position is exactly constant; these frames are the contacts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array, heading_to_vector, wrap_angle
from scripts.procedural.gaits import GaitPattern
from scripts.procedural.steps import Stance

LOADING, ROLLING = 0.13, 0.40
"""Longest times in seconds from heel strike to flat foot, and from flat foot to lift-off."""


FOLLOW_THROUGH = np.radians(120.0)
"""Bound of the heel's rotation after lift-off at its initial rate; a seventh of it is visible."""


@dataclass(frozen=True)
class Sole:
    """Positions (y, z) of the ankle and of the heel's point on the floor relative to the ball, for a flat foot facing
    +Z.
    """

    height: float  # of the ball over the floor
    ankle: tuple[float, float]
    heel: tuple[float, float]
    toes: float  # their length


@dataclass(frozen=True, eq=False)
class FootMotion:
    """A foot's motion: ball ``(T, 3)``, heading and pitch ``(T,)`` (toes up positive), the toes' pitch, contacts."""

    ball: Array
    heading: Array
    pitch: Array
    toe_pitch: Array
    planted: NDArray[np.bool_]

    def ankle(self, sole: Sole) -> Array:
        """Returns the world positions ``(T, 3)`` of the ankle."""
        return self.ball + _in_world(sole.ankle, self.pitch, self.heading)


def move_foot(
    times: Array, stances: Sequence[Stance], sole: Sole, gait: GaitPattern, velocities: Array
) -> FootMotion:
    """Returns the foot's motion through its stances and the swings between them."""
    count = len(times)
    foot = FootMotion(
        np.zeros((count, 3)), np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count, bool)
    )
    for index, stance in enumerate(stances):
        frames = np.flatnonzero((times >= stance.touch) & (times < stance.lift))
        _write(foot, frames, _standing(times[frames], stance, sole))
        if index + 1 < len(stances):
            following = stances[index + 1]
            frames = np.flatnonzero((times >= stance.lift) & (times < following.touch))
            middle = int(np.searchsorted(times, (stance.lift + following.touch) / 2))
            velocity = velocities[min(middle, count - 1)]
            _write(foot, frames, _swinging(times[frames], stance, following, sole, gait, velocity))
    return replace(foot, heading=np.unwrap(foot.heading))


def _write(foot: FootMotion, frames: NDArray[np.intp], part: FootMotion) -> None:
    for name in ("ball", "heading", "pitch", "toe_pitch", "planted"):
        getattr(foot, name)[frames] = getattr(part, name)


def _standing(times: Array, stance: Stance, sole: Sole) -> FootMotion:
    lasting = stance.lift - stance.touch
    loading, rolling = min(LOADING, 0.2 * lasting), _rolling(stance)
    landed = _ease((times - stance.touch) / loading) if np.isfinite(stance.touch) else np.ones(len(times))
    leaving = (
        np.maximum((times - stance.lift) / rolling + 1, 0) ** 3 if np.isfinite(stance.lift) else 0 * times
    )
    pitch = stance.landing * (1 - landed) + stance.leaving * leaving
    ball = np.broadcast_to([stance.ball[0], sole.height, stance.ball[1]], (len(times), 3)).copy()
    on_heel = pitch > 0
    ball[on_heel] += _about_heel(sole, pitch[on_heel], stance.heading)
    heading = np.full(len(times), stance.heading)
    return FootMotion(ball, heading, pitch, np.maximum(-pitch, 0.0), ~on_heel)


def _swinging(
    times: Array, before: Stance, after: Stance, sole: Sole, gait: GaitPattern, velocity: Array
) -> FootMotion:
    share = (times - before.lift) / (after.touch - before.lift)
    start, end = (
        np.array([stance.ball[0], sole.height, stance.ball[1]])
        + _about_heel(sole, np.maximum(pitch, 0.0)[None], stance.heading)[0]
        for stance, pitch in ((before, np.array(before.leaving)), (after, np.array(after.landing)))
    )
    travel = _glide(share, gait.braking(velocity))[:, None]
    ball = start + (end - start) * np.where([True, False, True], travel, _ease(share)[:, None])
    warped = share ** (np.log(0.5) / np.log(gait.crest(velocity)))
    ball[:, 1] += gait.clearance(velocity) * np.sin(np.pi * warped) ** 2
    # The heel continues to rise for a moment at its rate of lift-off.
    rising = max(3 * before.leaving / _rolling(before) * (after.touch - before.lift), -FOLLOW_THROUGH)
    pitch = (
        before.leaving + (after.landing - before.leaving) * _ease(share) + rising * share * (1 - share) ** 2
    )
    pitch = pitch - gait.tuck(velocity) * np.sin(np.pi * share**0.8) ** 2
    heading = before.heading + wrap_angle(after.heading - before.heading) * _ease(share)
    toes = np.maximum(-before.leaving, 0.0) * (1 - _ease(share * 1.6))
    room = np.arcsin(np.clip((ball[:, 1] - sole.height) / sole.toes, 0.0, 1.0))
    toes = np.maximum(toes, -pitch - room)  # the floor bends the toes back
    return FootMotion(ball, heading, pitch, toes, np.zeros(len(times), bool))


def _rolling(stance: Stance) -> float:
    """Returns the seconds of a stance in which the heel rises."""
    return min(ROLLING, 0.55 * (stance.lift - stance.touch))


def _about_heel(sole: Sole, pitch: Array, heading: float) -> Array:
    """Returns the displacement of the ball ``(T, 3)`` when the foot is pitched about the heel."""
    flat = np.zeros_like(pitch)
    return _in_world(sole.heel, flat, heading) - _in_world(sole.heel, pitch, heading)


def _in_world(point: tuple[float, float], pitch: Array, heading: Array | float) -> Array:
    """Returns the offset from the ball to a point (y, z) of the foot in the world."""
    up = point[0] * np.cos(pitch) + point[1] * np.sin(pitch)
    ahead = point[1] * np.cos(pitch) - point[0] * np.sin(pitch)
    ground = heading_to_vector(heading) * ahead[:, None]
    return np.stack([ground[:, 0], up, ground[:, 1]], axis=-1)


def _ease(share: Array) -> Array:
    clipped: Array = np.clip(share, 0, 1)
    eased: Array = clipped * clipped * (3 - 2 * clipped)
    return eased


def _glide(share: Array, falling: float, rising: float = 0.35) -> Array:
    """Returns a curve from 0 to 1 whose speed rises over the first part, is constant, and falls over the last part."""

    def risen(u: Array, ramp: float) -> Array:  # the integral of an eased rise
        v: Array = np.clip(u / ramp, 0, 1)
        rise: Array = ramp * (v**3 - v**4 / 2) + np.maximum(u - ramp, 0)
        return rise

    total = 1 - (rising + falling) / 2
    out: Array = np.where(share < 0.5, risen(share, rising), total - risen(1 - share, falling)) / total
    return out
