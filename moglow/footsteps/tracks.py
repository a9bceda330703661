"""The position of each foot in each frame of a motion that follows footprints. Needs numpy alone.

A contact of the original motion is rotated and shifted to its requested footprint. Between two contacts the transform
is interpolated from that of the first to that of the second. An additional step is adapted from the original step of
the most similar duration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.footsteps.footprints import Footprint
from moglow.footsteps.soles import Soles
from moglow.maths.rotations import (
    UP,
    Array,
    heading_to_quat,
    quat_conjugate,
    quat_continuous,
    quat_multiply,
    quat_rotate,
    quat_slerp,
    wrap_angle,
)
from moglow.maths.signals import sample_cubic, sample_turns

LEAD = 0.1
"""Seconds before a contact from which the foot has its transform; the heel touches the ground before the toes."""
LIFT = 0.1
"""Height in metres of an additional step if the motion has no step at all."""
LONGER = 2.0
"""Largest factor by which the length of an original step is scaled for an additional one."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Original and requested footprints of a leg, in the order of time.

    ``numbers`` has the number of the matching original footprint for each requested one, or None.
    """

    leg: int
    own: tuple[Footprint, ...]
    requested: tuple[Footprint, ...]
    numbers: tuple[int | None, ...]

    def known(self) -> tuple[list[Footprint], list[Footprint]]:
        """Returns the matched footprints, original and requested."""
        both = [
            (self.own[j], each) for j, each in zip(self.numbers, self.requested, strict=True) if j is not None
        ]
        return [own for own, _ in both], [requested for _, requested in both]

    def is_kept(self, first: int) -> bool:
        """Returns whether the step from a requested footprint to the next one is a step of the original motion."""
        start, end = self.numbers[first : first + 2]
        return start is not None and end == start + 1


@dataclass(frozen=True, eq=False)
class Share:
    """For each frame ``(T,)`` the numbers of the footprints before and after it, and the weight of the later one."""

    before: NDArray[np.intp]
    after: NDArray[np.intp]
    share: Array

    @classmethod
    def of(cls, prints: Sequence[Footprint], seconds: Array, lead: float = LEAD) -> "Share":
        """Returns the shares between the footprints of one leg, at least one."""
        on, off = (np.array([getattr(each, name) for each in prints]) for name in ("on", "off"))
        before = np.clip(np.searchsorted(on, seconds + 1e-6, side="right") - 1, 0, len(prints) - 1)
        after = np.minimum(before + 1, len(prints) - 1)
        swing = np.maximum(on[after] - off[before], 1e-6)
        swing = np.maximum(swing - np.minimum(lead, swing / 4), 1e-6)
        s = np.clip((seconds - off[before]) / swing, 0.0, 1.0)
        return cls(before, after, np.where(after > before, s**3 * (10 - 15 * s + 6 * s**2), 0.0))

    def mix(self, values: Array) -> Array:
        """Interpolates values ``(K, ...)`` of the footprints for each frame."""
        share = self.share.reshape(-1, *(1,) * (values.ndim - 1))
        return np.asarray((1 - share) * values[self.before] + share * values[self.after])

    def mix_turns(self, turns: Array) -> Array:
        """Interpolates rotations ``(K, 4)`` of the footprints for each frame."""
        return quat_slerp(turns[self.before], turns[self.after], self.share)


@dataclass(frozen=True, eq=False)
class Move:
    """The transforms of ``K`` footprints: a rotation about the original one, then a shift to the requested one."""

    own: Array
    requested: Array
    angles: Array

    @classmethod
    def of(cls, own: Sequence[Footprint], requested: Sequence[Footprint]) -> "Move":
        angles = np.array([turned(a, b) for a, b in zip(own, requested, strict=True)])
        return cls(_places(own), _places(requested), angles)

    def moved(self, points: Array, share: Share) -> Array:
        """Returns points ``(T, 3)``, transformed by the footprints before and after each frame."""
        ends = []
        for which in (share.before, share.after):
            turn = heading_to_quat(self.angles[which])
            ends.append(self.requested[which] + quat_rotate(turn, points - self.own[which]))
        return np.asarray(ends[0] + share.share[:, None] * (ends[1] - ends[0]))


def _places(prints: Sequence[Footprint]) -> Array:
    return np.array([[each.x, each.height, each.z] for each in prints])


def turned(own: Footprint, requested: Footprint) -> float:
    """Returns the angle in radians from an original to a requested footprint; 0 without a requested heading."""
    return float(wrap_angle(requested.heading - own.heading)) if np.isfinite(requested.heading) else 0.0


def foot_track(
    pairs: Pairs, toes: Array, turns: Array, frames: Array, fps: float, soles: Soles
) -> tuple[Array, Array]:
    """Returns toe joints ``(N, 3)`` and rotations ``(N, 4)`` of a foot for each new frame.

    Args:
        pairs: the footprints.
        toes: the toe joint (T, 3) in the original motion.
        turns: world rotations of the foot (T, 4) in the original motion.
        frames: the fractional original frame (N,) of each new one.
        fps: frame rate of both.
        soles: the soles of all feet.
    """
    places, rotations = sample_cubic(toes, frames), sample_turns(quat_continuous(turns), frames)
    own, requested = pairs.known()
    seconds = np.arange(len(frames)) / fps
    if own:
        share, move = Share.of(requested, seconds), Move.of(own, requested)
        rotations = quat_multiply(heading_to_quat(share.mix(np.unwrap(move.angles))), rotations)
        places = move.moved(places, share)
    stands = [_frames_of(each, fps, len(frames)) for each in pairs.requested]
    for each, number, at in zip(pairs.requested, pairs.numbers, stands, strict=True):
        if number is None:
            places[at] = [each.x, soles.standing[pairs.leg] + each.height, each.z]
            rotations[at] = _flat(each, pairs, soles)
    steps = [_own_step(first, second, toes, turns, fps) for first, second in pairwise(pairs.own)]
    for k, (first_at, second_at) in enumerate(pairwise(stands)):
        if not pairs.is_kept(k) and second_at.start > first_at.stop:
            _write_step(places, rotations, first_at.stop, second_at.start, steps)
    return places, rotations


Step: TypeAlias = tuple[Array, Array]
"""Returns toe joint ``(N, 3)`` and rotation ``(N, 4)`` of a foot from one stand to the next."""


def _own_step(first: Footprint, second: Footprint, toes: Array, turns: Array, fps: float) -> Step:
    part = slice(round(first.off * fps), round(second.on * fps) + 1)
    return toes[part], quat_continuous(turns[part])


def _frames_of(each: Footprint, fps: float, frames: int) -> slice:
    start = min(round(each.on * fps), frames - 1)
    return slice(start, min(round(each.off * fps), frames - 1) + 1)


def _flat(each: Footprint, pairs: Pairs, soles: Soles) -> Array:
    """Returns the rotation of a flat foot in a footprint."""
    heading = each.heading
    if not np.isfinite(heading):
        near = [known for known in pairs.requested if np.isfinite(known.heading)]
        heading = min(near, key=lambda known: abs(known.on - each.on)).heading if near else 0.0
    return quat_multiply(heading_to_quat(heading), soles.flat[pairs.leg])


def _write_step(places: Array, rotations: Array, start: int, stop: int, steps: Sequence[Step]) -> None:
    """Writes the frames from ``start`` to before ``stop``, between two contacts.

    They are adapted from the step whose duration is most similar; without any step the foot is lifted and put down.
    """
    count = stop - start
    s = np.arange(1, count + 1) / (count + 1)
    smooth = s**3 * (10 - 15 * s + 6 * s**2)
    way = places[stop] - places[start - 1]
    even = places[start - 1] + smooth[:, None] * way
    even_turns = quat_slerp(rotations[start - 1], rotations[stop], smooth)
    if not steps:
        places[start:stop] = even + LIFT * (np.sin(np.pi * s) ** 2)[:, None] * UP
        rotations[start:stop] = even_turns
        return
    own, own_turns = min(steps, key=lambda step: abs(len(step[0]) - count - 2))
    at, own_way = s * (len(own) - 1), own[-1] - own[0]
    longer = min(LONGER, np.hypot(way[0], way[2]) / max(np.hypot(own_way[0], own_way[2]), 0.05))
    turn = heading_to_quat(np.arctan2(way[0], way[2]) - np.arctan2(own_way[0], own_way[2]))
    away = sample_cubic(own, at) - (own[0] + smooth[:, None] * own_way)
    places[start:stop] = even + quat_rotate(turn, away) * np.array([longer, 1.0, longer])
    own_even = quat_slerp(own_turns[0], own_turns[-1], smooth)
    tilt = quat_multiply(sample_turns(own_turns, at), quat_conjugate(own_even))
    rotations[start:stop] = quat_multiply(
        quat_multiply(quat_multiply(turn, tilt), quat_conjugate(turn)), even_turns
    )
