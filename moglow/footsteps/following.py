"""Motion whose feet do what footprints say: `follow_footprints`. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.footsteps.footprints import Footprint, Footprints, footprints, in_order
from moglow.footsteps.matching import matched
from moglow.footsteps.placing import carried_along, on_feet
from moglow.footsteps.soles import Soles, feet_of
from moglow.footsteps.timing import body_times, leg_times
from moglow.footsteps.tracks import Move, Pairs, Share, foot_track
from moglow.maths.rotations import Array, quat_continuous
from moglow.maths.signals import sample_cubic, sample_turns, smooth_gaussian, widened
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points
from moglow.paths.control_path import ControlPath

SOFT = 0.15
"""Seconds, a Gaussian's deviation, over which the body follows the feet."""
ROUNDS = 4
"""How often the body moves nearer to feet that it does not reach."""
NEAR = 1e-3
"""Metres by which a standing foot may miss its place."""


@dataclass(frozen=True, eq=False)
class Followed:
    """A clip on footprints: the asked ones, and how far (K,) in metres each foot stays from its place.

    ``frames`` (T,) are the old frames of the body, ``offsets`` (T, 3) and ``headings`` (T,) how it moved from there.
    """

    clip: Clip
    prints: Footprints
    missed: Array
    frames: Array
    offsets: Array
    headings: Array

    def along(self, path: ControlPath) -> ControlPath:
        """The path of the old clip as the body now follows it."""
        moved = path.at(np.clip(self.frames, 0, len(path) - 1))
        return replace(
            moved,
            positions=moved.positions + self.offsets[:, [0, 2]],
            headings=moved.headings + self.headings,
        )


def pairs_of(own: Sequence[Footprint], asked: Sequence[Footprint], legs: int) -> tuple[list[Pairs], float]:
    """For each leg which asked footprint is which own one, and what the pairs cost in all."""
    out, cost = [], 0.0
    for leg in range(legs):
        mine, wanted = (tuple(each for each in prints if each.leg == leg) for prints in (own, asked))
        numbers, unlike = matched(mine, wanted)
        out.append(Pairs(leg, mine, wanted, tuple(numbers)))
        cost += unlike
    return out, cost


def follow_footprints(clip: Clip, asked: Sequence[Footprint]) -> Followed:
    """The clip with its feet in the ``asked`` footprints, at their times.

    Each asked footprint is an own one that was moved, or a further step; own ones that none asks for are left out. Time
    runs faster or slower in between, root and pose follow, and bones keep their lengths. The clip stands on a floor of
    height 0, its feet locked.
    """
    planted = contacts(clip)
    soles, own = Soles.of(clip, planted), footprints(clip, planted=planted)
    pairs, _ = pairs_of(own, asked, planted.shape[1])
    end = _end(clip, pairs)
    seconds = np.arange(round(end * clip.fps) + 1) / clip.fps
    times = np.stack([leg_times(*each.known(), seconds) for each in pairs], axis=-1)
    frames = body_times(times, clip.fps) * clip.fps
    body = read_at(clip, frames)
    toes, turns, _ = feet_of(clip)
    tracks = [
        foot_track(each, toes[:, k], turns[:, k], times[:, k] * clip.fps, clip.fps, soles)
        for k, each in enumerate(pairs)
    ]
    places, rotations = (np.stack(part, axis=1) for part in zip(*tracks, strict=True))
    offsets, headings = body_moves(body, pairs)
    standing = _standing(pairs, len(seconds), clip.fps)
    done = body
    for _ in range(ROUNDS):
        done = on_feet(carried_along(body, offsets, headings), places, rotations)
        missing = np.where(standing[..., None], places - toe_points(done), 0.0)
        if np.linalg.norm(missing, axis=-1).max() < NEAR:
            break
        offsets = offsets + reaching(missing, clip.fps)
    return Followed(done, in_order(asked), _missed(done, in_order(asked)), frames, offsets, headings)


def read_at(clip: Clip, frames: Array) -> Clip:
    """The clip at fractional frames ``(N,)``, at its own rate."""
    rotations = sample_turns(quat_continuous(clip.rotations), frames)
    return replace(clip, positions=sample_cubic(clip.positions, frames), rotations=rotations)


def body_moves(body: Clip, pairs: Sequence[Pairs], soft: float = SOFT) -> tuple[Array, Array]:
    """How far ``(T, 3)`` the body moves and how much ``(T,)`` it turns so that it goes with its feet: their mean."""
    hips = body.world_positions[:, body.skeleton.anatomy.roles.get("hips", 0)]
    offsets, headings = [], []
    for each in pairs:
        own, asked = each.known()
        if own:
            share, move = Share.of(asked, body.times), Move.of(own, asked)
            offsets.append(move.moved(hips, share) - hips)
            headings.append(share.mix(np.unwrap(move.angles)))
    if not offsets:
        return np.zeros((len(body), 3)), np.zeros(len(body))
    sigma = soft * body.fps
    return smooth_gaussian(np.mean(offsets, axis=0), sigma), smooth_gaussian(np.mean(headings, axis=0), sigma)


def reaching(missing: Array, fps: float) -> Array:
    """How far ``(T, 3)`` the body is to move so that feet that are ``missing`` ``(T, L, 3)`` reach their places."""
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
    """Seconds that the new clip lasts: as much longer as its last footprint is later."""
    last = [(own[-1], asked[-1]) for own, asked in (each.known() for each in pairs) if own]
    later = max((asked.off - own.off for own, asked in last), default=0.0)
    ends = max((each.asked[-1].off for each in pairs if each.asked), default=0.0)
    return max(ends, clip.duration + later, 1 / clip.fps)


def _standing(pairs: Sequence[Pairs], frames: int, fps: float) -> Array:
    standing = np.zeros((frames, len(pairs)), bool)
    for each in pairs:
        for wanted in each.asked:
            standing[round(wanted.on * fps) : round(wanted.off * fps) + 1, each.leg] = True
    return standing


def _missed(clip: Clip, asked: Sequence[Footprint]) -> Array:
    """Metres ``(K,)`` by which each foot stays from its place on the ground, where it is worst."""
    toes, out = toe_points(clip), []
    for each in asked:
        part = toes[round(each.on * clip.fps) : round(each.off * clip.fps) + 1, each.leg]
        out.append(np.hypot(part[:, 0] - each.x, part[:, 2] - each.z).max() if len(part) else 0.0)
    return np.array(out)
