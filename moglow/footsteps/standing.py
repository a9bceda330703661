"""A walk on a flat floor put on a ground: `stand_on`. Needs numpy alone.

Feet stand in footholds, tilted as the ground is; on their way they are lifted over what is in it. The body rises, sinks
and moves with its feet, and legs follow by inverse kinematics.
"""

from dataclasses import dataclass

import numpy as np

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
"""Metres between a foot on its way and the ground."""
RISE = 0.1
"""Seconds, to both sides, over which a foot is lifted over what is in its way."""
SOFT = 0.18
"""Seconds, a Gaussian's deviation, over which the body rises and sinks with its feet."""


@dataclass(frozen=True, eq=False)
class Stood:
    """A clip on a ground: its footprints there, when its feet stand, and its soles."""

    clip: Clip
    prints: Footprints
    planted: Flags
    soles: Soles


def stand_on(clip: Clip, ground: Ground, spec: HoldSpec = SPEC) -> Stood:
    """The clip, whose feet are locked on a floor of height 0, standing on a ground along the same way."""
    planted = contacts(clip)
    soles, own = Soles.of(clip, planted), footprints(clip, planted=planted)
    legs = planted.shape[1]
    asked, tilts = footholds(own, ground, [foot_ends(soles, leg) for leg in range(legs)], spec)
    pairs = [
        Pairs(leg, _of(own, leg), _of(asked, leg), tuple(range(len(_of(own, leg))))) for leg in range(legs)
    ]
    toes, turns, bends = feet_of(clip)
    places, rotations = np.empty_like(toes), np.empty_like(turns)
    every = np.arange(float(len(clip)))
    for leg, each in enumerate(pairs):
        places[:, leg], rotations[:, leg] = foot_track(
            each, toes[:, leg], turns[:, leg], every, clip.fps, soles
        )
        if each.asked:
            own_tilts = np.array([tilt for tilt, step in zip(tilts, asked, strict=True) if step.leg == leg])
            tilt = Share.of(each.asked, clip.times).mix_turns(own_tilts)
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
    return Stood(done, asked, planted, soles)


def foot_ends(soles: Soles, leg: int) -> Ends:
    """Metres from the ball of a flat foot back to its heel and ahead to its tip."""
    ahead = soles.balls[leg] - soles.heels[leg]
    back = float(np.linalg.norm(ahead))
    return back, float(np.linalg.norm(soles.tips[leg]))


def lifts(points: Array, ground: Ground, planted: Flags, fps: float) -> Array:
    """How much ``(T, L)`` each foot is lifted so that heel, ball and tip ``(T, L, 3, 3)`` stay above the ground."""
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
