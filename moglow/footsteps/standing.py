"""Moves a walk from a flat floor onto uneven ground: `stand_on`. Needs numpy alone.

Feet stand in footholds with the tilt of the ground and are lifted over obstacles between them. The body follows its
feet, and the legs are solved by inverse kinematics.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moglow.footsteps.following import ROUNDS, body_moves, reaching
from moglow.footsteps.footprints import Footprints, footprints
from moglow.footsteps.holds import SPEC, Ends, HoldSpec, footholds
from moglow.footsteps.placing import carried_along, on_feet
from moglow.footsteps.soles import Soles, feet_of
from moglow.footsteps.tracks import Pairs, Share, foot_track
from moglow.ground.surface import Ground
from moglow.maths.rotations import Array, quat_multiply
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points
from moglow.motion.foot_lock import widest_smooth

CLEAR = 0.012
"""Clearance in metres between a moving foot and the ground."""
RISE = 0.1
"""Seconds before and after an obstacle over which a foot is lifted."""
SOFT = 0.18
"""Standard deviation in seconds of the Gaussian that smooths the body's movement after the feet."""


@dataclass(frozen=True, eq=False)
class Stood:
    """A clip on a ground, with its footprints, the frames ``(T, L)`` in which its feet are planted, and its soles."""

    clip: Clip
    prints: Footprints
    planted: Flags
    soles: Soles


def stand_on(
    clip: Clip, ground: Ground, spec: HoldSpec = SPEC, *, fixed: NDArray[np.intp] | None = None
) -> Stood:
    """Returns a clip, whose feet are locked on a floor at height 0, moved onto a ground along the same path.

    Feet that are planted in one of the frames ``fixed`` ``(N,)`` keep x and z.
    """
    planted = contacts(clip)
    soles, own = Soles.of(clip, planted), footprints(clip, planted=planted)
    legs = planted.shape[1]
    times = clip.times[[] if fixed is None else fixed]
    keep = [bool(((each.on <= times) & (times <= each.off)).any()) for each in own]
    ends = [foot_ends(soles, leg) for leg in range(legs)]
    requested, tilts = footholds(own, ground, ends, spec, keep)
    pairs = [
        Pairs(leg, _of(own, leg), _of(requested, leg), tuple(range(len(_of(own, leg)))))
        for leg in range(legs)
    ]
    toes, turns, bends = feet_of(clip)
    places, rotations = np.empty_like(toes), np.empty_like(turns)
    every = np.arange(float(len(clip)))
    for leg, each in enumerate(pairs):
        places[:, leg], rotations[:, leg] = foot_track(
            each, toes[:, leg], turns[:, leg], every, clip.fps, soles
        )
        if each.requested:
            own_tilts = np.array(
                [tilt for tilt, step in zip(tilts, requested, strict=True) if step.leg == leg]
            )
            tilt = Share.of(each.requested, clip.times).mix_turns(own_tilts)
            rotations[:, leg] = quat_multiply(tilt, rotations[:, leg])
    places[..., 1] += lifts(soles.points(places, rotations, bends), ground, planted, clip.fps)
    offsets, headings = body_moves(clip, pairs, SOFT)
    done = clip
    for _ in range(ROUNDS):
        done = on_feet(carried_along(clip, offsets, headings), places, rotations)
        missing = places - toe_points(done)
        if np.linalg.norm(missing, axis=-1).max() < 1e-3:
            break
        offsets = offsets + reaching(missing, clip.fps)
    return Stood(done, requested, planted, soles)


def foot_ends(soles: Soles, leg: int) -> Ends:
    """Returns the distances in metres from the ball of a flat foot back to its heel and ahead to its tip."""
    ahead = soles.balls[leg] - soles.heels[leg]
    back = float(np.linalg.norm(ahead))
    return back, float(np.linalg.norm(soles.tips[leg]))


def lifts(points: Array, ground: Ground, planted: Flags, fps: float) -> Array:
    """Returns the lift ``(T, L)`` of each foot that keeps heel, ball and tip ``(T, L, 3, 3)`` above the ground."""
    depth = ground.heights(points[..., 0], points[..., 2]) - points[..., 1]
    needed = np.maximum(depth.max(-1) + np.where(planted, 0.0, CLEAR), 0.0)
    out: Array = np.zeros_like(needed)
    for leg in range(needed.shape[1]):
        own = np.where(planted[:, leg], 0.0, needed[:, leg])
        smooth = widest_smooth(own, max(1, round(RISE * fps)))
        out[:, leg] = np.where(planted[:, leg], 0.0, smooth)
    return out


def _of(prints: Footprints, leg: int) -> Footprints:
    return tuple(each for each in prints if each.leg == leg)
