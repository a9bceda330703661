"""Moves a walk from a flat floor onto uneven ground: `stand_on`. Needs numpy alone.

Feet stand in footholds with the tilt of the ground and are lifted over obstacles between them. The body follows its
feet, and the legs are solved by inverse kinematics.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moglow.footsteps.following import NEAR, ROUNDS, body_moves, reaching
from moglow.footsteps.footprints import Footprints, footprints, in_order
from moglow.footsteps.holds import SPEC, Ends, HoldSpec, footholds
from moglow.footsteps.placing import carried_along, on_feet
from moglow.footsteps.soles import Soles, feet_of
from moglow.footsteps.tracks import Pairs, Share, foot_track
from moglow.ground.surface import Ground
from moglow.maths.rotations import UP, Array, quat_multiply
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_floor, toe_points
from moglow.motion.foot_lock import move_feet, widest_smooth

CLEAR = 0.012
"""Clearance in metres between a moving foot and the ground."""
RISE = 0.1
"""Seconds before and after an obstacle over which a foot is lifted."""
ALIKE = 0.05
"""Median distance in metres of a clip's footprints from a ground above which they are on another one."""
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
    done = _carried(clip, pairs, places, rotations)
    return Stood(done, requested, planted, soles)


def on_floor(clip: Clip, ground: Ground) -> Clip:
    """Returns a clip that stands on a ground, moved to a floor at height 0; about the inverse of `stand_on`.

    A clip whose feet do not follow the ground is only shifted, by the height of the ground below its last foothold.
    """
    toes, turns, _ = feet_of(clip)
    under = ground.heights(toes[..., 0], toes[..., 2])
    standing = toe_floor(np.stack([toes[..., 0], toes[..., 1] - under, toes[..., 2]], axis=-1))
    planted = contacts(clip, floor=standing + under)
    own = footprints(clip, planted=planted, standing=standing)
    x, z, heights = (np.array([getattr(each, name) for each in own]) for name in ("x", "z", "height"))
    if not own or np.median(np.abs(heights - ground.heights(x, z))) > ALIKE:
        at = int(toe_heights(toes[-1:], ground).argmin())
        return clip.moved((0.0, -float(under[-1, at]), 0.0))
    own = in_order(
        [*own, *(each for leg in range(len(standing)) for each in _next(_of(own, leg), clip, ground))]
    )
    level = tuple(replace(each, height=0.0) for each in own)
    legs, every, soles = planted.shape[1], np.arange(float(len(clip))), Soles.of(clip, planted)
    pairs = [
        Pairs(leg, _of(own, leg), _of(level, leg), tuple(range(len(_of(own, leg))))) for leg in range(legs)
    ]
    tracks = [
        foot_track(each, toes[:, leg], turns[:, leg], every, clip.fps, soles)
        for leg, each in enumerate(pairs)
    ]
    places, rotations = (np.stack(part, axis=1) for part in zip(*tracks, strict=True))
    return _carried(clip, pairs, places, rotations)


def lifted_near(clip: Clip, stood: Stood, ground: Ground, kept: NDArray[np.intp], seconds: float) -> Clip:
    """Returns a clip with its feet above a ground in frames near those ``kept`` ``(N,)``, which do not change.

    The clip is one of `stand_on` whose poses were changed within ``seconds`` of these frames.
    """
    if not len(kept):
        return clip
    lift = lifts(stood.soles.points(*feet_of(clip)), ground, stood.planted, clip.fps)
    far = np.abs(np.arange(len(clip))[:, None] - kept).min(axis=1)
    lift[(far == 0) | (far > round(seconds * clip.fps))] = 0.0
    out = move_feet(clip, np.where(lift > NEAR, lift, 0.0)[..., None] * UP)
    rotations, positions = out.rotations.copy(), out.positions.copy()
    rotations[kept], positions[kept] = clip.rotations[kept], clip.positions[kept]
    return replace(out, rotations=rotations, positions=positions)


def _next(own: Footprints, clip: Clip, ground: Ground) -> Footprints:
    """Returns the footprint of a foot that is in the air at the end of a clip: as far ahead as the last one."""
    if len(own) < 2 or own[-1].off >= clip.duration - 0.5 / clip.fps:
        return ()
    before, last = own[-2:]
    on = max(clip.duration + 1 / clip.fps, last.off + last.on - before.off)
    x, z = 2 * last.x - before.x, 2 * last.z - before.z
    height = float(ground.heights(np.array(x), np.array(z)))
    return (replace(last, on=on, off=on, x=x, z=z, height=height),)


def toe_heights(toes: Array, ground: Ground) -> Array:
    """Returns the heights ``(...)`` of toes ``(..., 3)`` above a ground."""
    return np.asarray(toes[..., 1] - ground.heights(toes[..., 0], toes[..., 2]))


def _carried(clip: Clip, pairs: Sequence[Pairs], places: Array, rotations: Array) -> Clip:
    """Returns the clip with its feet at ``places`` ``(T, L, 3)`` and ``rotations`` ``(T, L, 4)``; the body follows."""
    offsets, headings = body_moves(clip, pairs, SOFT)
    done = clip
    for _ in range(ROUNDS):
        done = on_feet(carried_along(clip, offsets, headings), places, rotations)
        missing = places - toe_points(done)
        if np.linalg.norm(missing, axis=-1).max() < 1e-3:
            break
        offsets = offsets + reaching(missing, clip.fps)
    return done


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
