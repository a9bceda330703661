"""Changes a motion so that its feet stand in given footprints: `follow_footprints`. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from moglow.errors import ControlError
from moglow.footsteps.footprints import Footprint, Footprints, footprints, in_order
from moglow.footsteps.matching import matched
from moglow.footsteps.placing import carried_along, on_feet
from moglow.footsteps.soles import Soles, feet_of
from moglow.footsteps.timing import body_times, leg_times
from moglow.footsteps.tracks import Move, Pairs, Share, foot_track
from moglow.ground.surface import Ground
from moglow.maths.rotations import Array, quat_continuous, wrap_angle
from moglow.maths.signals import sample_cubic, sample_monotone, sample_turns, smooth_gaussian, widened
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points
from moglow.paths.control_path import ControlPath

AROUND = 0.5
"""Seconds before and after an anchor over which its displacement fades out."""
SOFT = 0.15
"""Standard deviation in seconds of the Gaussian that smooths the body's movement after the feet."""
ROUNDS = 4
"""Number of times that the body is moved towards feet out of its reach."""
CHOICE = 6
"""Number of takes that are sampled for footprints without a path; the one with the most similar steps is used."""
REACHED = 0.01
"""Distance in metres of a foot from its footprint above which the footprint counts as out of reach."""
NEAR = 1e-3
"""Largest accepted distance in metres of a standing foot from its footprint."""


@dataclass(frozen=True, eq=False)
class Anchor:
    """A frame of a motion that is at a given time and place in the motion that follows footprints.

    ``seconds`` is the new time and ``own`` the original one. ``offset`` ``(3,)`` and ``heading`` are the displacement
    and rotation of the body, ``toes`` ``(L, 3)`` the places of feet in the air; None if they follow the footprints.
    """

    seconds: float
    own: float
    offset: Array | None = None
    heading: float = 0.0
    toes: Array | None = None


@dataclass(frozen=True, eq=False)
class Followed:
    """A clip that follows footprints.

    ``prints`` are the requested footprints and ``missed`` ``(K,)`` the distance in metres of the foot from each.
    ``frames`` ``(T,)`` are the original frames of the body; ``offsets`` ``(T, 3)`` and ``headings`` ``(T,)`` are its
    displacement and rotation relative to them.
    """

    clip: Clip
    prints: Footprints
    missed: Array
    frames: Array
    offsets: Array
    headings: Array

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the figures as plain numbers, for a sidecar."""
        return figures_of(self.prints, self.missed)

    def along(self, path: ControlPath) -> ControlPath:
        """Returns the original clip's path, changed like the body."""
        moved = path.at(np.clip(self.frames, 0, len(path) - 1))
        return replace(
            moved,
            positions=moved.positions + self.offsets[:, [0, 2]],
            headings=moved.headings + self.headings,
        )


def pairs_of(
    own: Sequence[Footprint], requested: Sequence[Footprint], legs: int
) -> tuple[list[Pairs], float]:
    """Returns the matched footprints of each leg, and the total cost of the match."""
    out, cost = [], 0.0
    for leg in range(legs):
        mine, wanted = (tuple(each for each in prints if each.leg == leg) for prints in (own, requested))
        numbers, unlike = matched(mine, wanted)
        out.append(Pairs(leg, mine, wanted, tuple(numbers)))
        cost += unlike
    return out, cost


def follow_footprints(
    clip: Clip,
    requested: Sequence[Footprint],
    *,
    anchors: Sequence[Anchor] = (),
    duration: float | None = None,
) -> Followed:
    """Returns the clip with its feet in the requested footprints, at the requested times.

    A requested footprint either replaces one of the clip or adds a step; footprints of the clip without a counterpart
    are removed. Time is stretched between footprints, root and pose follow the feet, and bone lengths do not change.
    The clip must stand on a floor at height 0 with its feet locked.

    Args:
        clip: the motion.
        requested: the requested footprints.
        anchors: frames of the motion, which keep their times and places as far as footprints allow.
        duration: seconds of the new motion; by default the rest after the last footprint keeps its length.
    """
    planted = contacts(clip)
    soles, own = Soles.of(clip, planted), footprints(clip, planted=planted)
    pairs, _ = pairs_of(own, requested, planted.shape[1])
    end = _end(clip, pairs) if duration is None else duration
    seconds = np.arange(round(end * clip.fps) + 1) / clip.fps
    knots = [(each.seconds, each.own) for each in anchors]
    times = np.stack([leg_times(*each.known(), seconds, knots) for each in pairs], axis=-1)
    frames = body_times(times, clip.fps) * clip.fps
    body = read_at(clip, frames)
    toes, turns, _ = feet_of(clip)
    tracks = [
        foot_track(each, toes[:, k], turns[:, k], times[:, k] * clip.fps, clip.fps, soles)
        for k, each in enumerate(pairs)
    ]
    places, rotations = (np.stack(part, axis=1) for part in zip(*tracks, strict=True))
    for each in pairs:
        places[:, each.leg] += _swung(places[:, each.leg], each, anchors, clip.fps)
    offsets, headings = _anchored(*body_moves(body, pairs), anchors, clip.fps)
    standing = _standing(pairs, len(seconds), clip.fps)
    done = body
    for _ in range(ROUNDS):
        done = on_feet(carried_along(body, offsets, headings), places, rotations)
        missing = np.where(standing[..., None], places - toe_points(done), 0.0)
        if np.linalg.norm(missing, axis=-1).max() < NEAR:
            break
        offsets = offsets + reaching(missing, clip.fps)
    return Followed(done, in_order(requested), missed(done, in_order(requested)), frames, offsets, headings)


def check_alike(clip: Clip, requested: Sequence[Footprint]) -> None:
    """Raises an error for footprints of which most have no counterpart in a clip."""
    pairs, _ = pairs_of(footprints(clip), requested, len(clip.skeleton.anatomy.legs))
    alike = sum(number is not None for each in pairs for number in each.numbers)
    if alike < len(requested) / 2:
        raise ControlError(
            f"footprints: {len(requested) - alike} of {len(requested)} are no steps of this motion, by place and time; "
            "give the path and the seed that they were made with, or no path"
        )


def unlike(clip: Clip, requested: Sequence[Footprint]) -> float:
    """Returns how much the footprints of a clip differ from others."""
    return pairs_of(footprints(clip), requested, len(clip.skeleton.anatomy.legs))[1]


def on_flat(requested: Footprints, ground: Ground | None) -> Footprints:
    """Returns footprints with heights relative to a ground."""
    if ground is None:
        return requested
    x, z = np.array([[each.x, each.z] for each in requested]).T
    heights = ground.heights(x, z)
    return tuple(
        replace(each, height=each.height - float(height))
        for each, height in zip(requested, heights, strict=True)
    )


def read_at(clip: Clip, frames: Array) -> Clip:
    """Returns the clip interpolated at fractional frames ``(N,)``, with the same frame rate."""
    rotations = sample_turns(quat_continuous(clip.rotations), frames)
    return replace(clip, positions=sample_cubic(clip.positions, frames), rotations=rotations)


def body_moves(body: Clip, pairs: Sequence[Pairs], soft: float = SOFT) -> tuple[Array, Array]:
    """Returns the displacement ``(T, 3)`` and rotation ``(T,)`` of the body: the smoothed mean over its feet."""
    hips = body.world_positions[:, body.skeleton.anatomy.roles.get("hips", 0)]
    offsets, headings = [], []
    for each in pairs:
        own, requested = each.known()
        if own:
            share, move = Share.of(requested, body.times), Move.of(own, requested)
            offsets.append(move.moved(hips, share) - hips)
            headings.append(share.mix(np.unwrap(move.angles)))
    if not offsets:
        return np.zeros((len(body), 3)), np.zeros(len(body))
    sigma = soft * body.fps
    return smooth_gaussian(np.mean(offsets, axis=0), sigma), smooth_gaussian(np.mean(headings, axis=0), sigma)


def _anchored(offsets: Array, headings: Array, anchors: Sequence[Anchor], fps: float) -> tuple[Array, Array]:
    """Returns displacements and rotations of the body that are those of the anchors at their times."""
    values = np.concatenate([offsets, headings[:, None]], axis=-1)
    reach, knots = round(AROUND * fps), dict[int, Array]()
    for each in anchors:
        frame = min(round(each.seconds * fps), len(values) - 1)
        if each.offset is not None:
            turn = values[frame, 3] + wrap_angle(each.heading - values[frame, 3])
            knots[frame] = np.append(each.offset, turn) - values[frame]
    for frame in sorted(knots):
        for side in (-reach, reach):
            between = range(min(frame, frame + side), max(frame, frame + side) + 1)
            if not any(other in knots for other in between if other != frame):
                knots[frame + side] = np.zeros(4)
    values = values + _between(knots, len(values), 4)
    return values[:, :3], values[:, 3]


def _swung(places: Array, pairs: Pairs, anchors: Sequence[Anchor], fps: float) -> Array:
    """Returns the displacements ``(T, 3)`` of a foot in the air that bring it to the places of anchors."""
    out = np.zeros_like(places)
    at = {round(each.seconds * fps): each.toes[pairs.leg] for each in anchors if each.toes is not None}
    stands = [(round(each.on * fps), round(each.off * fps)) for each in pairs.requested]
    reach = round(AROUND * fps)
    for start, stop in pairwise([(-reach, -reach), *stands, (len(places) + reach,) * 2]):
        knots = {start[1]: np.zeros(3), stop[0]: np.zeros(3)}
        inside = {frame: toe - places[frame] for frame, toe in at.items() if start[1] < frame < stop[0]}
        inside = {frame: off for frame, off in inside.items() if 0 <= frame < len(places)}
        if inside:
            out += _between(knots | inside, len(places), 3)
    return out


def _between(knots: dict[int, Array], frames: int, size: int) -> Array:
    """Returns values ``(frames, size)`` that are given in some frames, smooth between them."""
    if not knots:
        return np.zeros((frames, size))
    times = sorted(knots)
    given = np.stack([knots[time] for time in times])
    return sample_monotone(np.array(times, float), given, np.arange(frames, dtype=float))


def reaching(missing: Array, fps: float) -> Array:
    """Returns the displacement ``(T, 3)`` of the body that closes the feet's distances ``missing`` ``(T, L, 3)``."""
    worst = np.linalg.norm(missing, axis=-1).argmax(1)
    ahead = missing[np.arange(len(missing)), worst]
    needed = np.linalg.norm(ahead, axis=-1) > NEAR / 2
    if not needed.any():
        return np.zeros_like(ahead)
    at = np.flatnonzero(needed)
    held = np.stack([np.interp(np.arange(len(ahead)), at, column[at]) for column in ahead.T], axis=-1)
    near = widened(needed, round(SOFT * fps)).astype(float)
    return smooth_gaussian(held * near[:, None], SOFT * fps) * 1.3


def _end(clip: Clip, pairs: Sequence[Pairs]) -> float:
    """Returns the duration of the new clip in seconds; the rest after the last footprint keeps its length."""
    last = [(own[-1], requested[-1]) for own, requested in (each.known() for each in pairs) if own]
    later = max((requested.off - own.off for own, requested in last), default=0.0)
    ends = max((each.requested[-1].off for each in pairs if each.requested), default=0.0)
    return max(ends, clip.duration + later, 1 / clip.fps)


def _standing(pairs: Sequence[Pairs], frames: int, fps: float) -> Array:
    standing = np.zeros((frames, len(pairs)), bool)
    for each in pairs:
        for wanted in each.requested:
            standing[round(wanted.on * fps) : round(wanted.off * fps) + 1, each.leg] = True
    return standing


def figures_of(prints: Footprints, missed: Array) -> dict[str, Any]:
    """Returns the number of footprints, and the distances ``(K,)`` of feet from them, as plain numbers."""
    return {
        "count": len(prints),
        "error_m": round(float(missed.max()), 4),
        "out_of_reach_s": [
            round(each.on, 3) for each, far in zip(prints, missed, strict=True) if far > REACHED
        ],
    }


def missed(clip: Clip, requested: Sequence[Footprint]) -> Array:
    """Returns the largest horizontal distance ``(K,)`` in metres of the foot from each footprint."""
    toes, out = toe_points(clip), []
    for each in requested:
        part = toes[round(each.on * clip.fps) : round(each.off * clip.fps) + 1, each.leg]
        out.append(np.hypot(part[:, 0] - each.x, part[:, 2] - each.z).max() if len(part) else 0.0)
    return np.array(out)
