"""Holds planted feet in place and moves feet, by inverse kinematics. Needs numpy alone.

It is used after sampling, also on streams, and after retargeting.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from moglow.anatomy.anatomy import Leg
from moglow.maths.rotations import UP, Array, quat_between, quat_conjugate, quat_multiply, quat_rotate
from moglow.maths.signals import Flags, runs, sample_linear
from moglow.maths.two_bone_ik import across_part, knee_direction, knee_offset, solve_leg
from moglow.motion.clip import Clip
from moglow.motion.contacts import ContactSpec, leg_lengths, legs_of, toe_points
from moglow.motion.contacts import contacts as contacts
from moglow.motion.leg_turns import turn_legs
from moglow.motion.skeleton import Skeleton

CONTACT = ContactSpec()


@dataclass(frozen=True)
class LockSpec:
    """The limits of the foot lock. Lengths are relative to the leg's length, times are in seconds."""

    blend: float = 0.12
    """Time before and after a contact over which the correction is faded in and out."""
    settle: float = np.inf
    """Duration of the first part of a contact whose mean position is held, by default all of it. A stream is delayed by
    it."""
    farthest: float = 0.1
    """Largest displacement of a toe; a foot that slides farther follows at this distance."""
    straight: float = 0.985
    """Largest extension of a leg before the hips sink instead, unless it was larger in the original."""
    deepest: float = 0.05
    """Largest descent of the hips."""


def lock_feet(
    clip: Clip, planted: Flags | None = None, *, held: Flags | None = None, spec: LockSpec = LockSpec()
) -> Clip:
    """Returns the clip with each planted toe at a constant ground position during its contact.

    The height of the toe and the orientation of the foot do not change. Thigh and shin are solved by inverse
    kinematics, with the same direction of the knee, and the hips sink a little if a leg is too short. Feet farther than
    ``spec.blend`` from a contact are not moved; bone lengths do not change.

    Args:
        clip: the motion.
        planted: whether each foot is planted in each frame, ``(T, L)``; by default from `contacts`.
        held: frames ``(T,)`` in which toes are not moved; a contact that contains such frames is held at their mean.
        spec: the limits.
    """
    planted = contacts(clip) if planted is None else planted
    toes = toe_points(clip)
    places = _places(toes, planted, clip.fps, spec)
    if held is None:
        return move_feet(clip, _shifts(clip, toes, planted, places, spec), spec=spec)
    for leg in range(planted.shape[1]):
        for start, stop in runs(planted[:, leg]):
            kept = start + np.flatnonzero(held[start:stop])
            if len(kept):
                places[start:stop, leg] = sample_linear(kept, toes[kept, leg], np.arange(start, stop))
    shifts = _shifts(clip, toes, planted, places, spec)
    return move_feet(clip, np.where(held[:, None, None], 0.0, shifts), spec=spec)


def _places(toes: Array, planted: Flags, fps: float, spec: LockSpec) -> Array:
    """Returns the position (T, L, 3) at which each planted toe is held; NaN while it is not planted."""
    places = np.full_like(toes, np.nan)
    for leg in range(planted.shape[1]):
        for start, stop in runs(planted[:, leg]):
            settled = int(min(stop, start + max(1.0, spec.settle * fps)))
            places[start:stop, leg] = toes[start:settled, leg].mean(0)
    return places


def _shifts(clip: Clip, toes: Array, planted: Flags, places: Array, spec: LockSpec) -> Array:
    """Returns the horizontal displacement (T, L, 3) of each toe, faded in and out around its contact."""
    blend = max(1, round(spec.blend * clip.fps))
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, blend + 1) / (blend + 1))
    away = (places - toes) * (1 - UP)
    farthest = (spec.farthest * leg_lengths(clip.skeleton))[:, None]
    away = away * np.minimum(1.0, farthest / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9))
    shifts = np.where(planted[..., None], away, 0.0)
    for leg in range(planted.shape[1]):
        for start, stop in runs(planted[:, leg]):
            before, after = min(blend, start), min(blend, len(clip) - stop)
            shifts[start - before : start, leg] += fade[blend - before :, None] * away[start, leg]
            shifts[stop : stop + after, leg] += fade[::-1][:after, None] * away[stop - 1, leg]
    return shifts


def lock_stream(
    blocks: Iterable[Clip], *, floor: Array, spec: LockSpec = LockSpec(settle=0.25)
) -> Iterator[Clip]:
    """Yields blocks of frames with locked feet; joined, they equal `lock_feet` of the joined input.

    It works on overlapping stretches with a delay of about 0.9 s. ``floor`` is the height ``(L,)`` of planted toes,
    from `toe_floor` of real motion, because a stream must not wait for its end; ``spec.settle`` must be finite.
    """
    clip: Clip | None = None
    planted: Flags = np.zeros((0, len(floor)), bool)  # of the buffered frames that were yielded
    places: Array = np.zeros((0, len(floor), 3))
    for block in blocks:
        clip = block if clip is None else clip.followed(block)
        past = int(np.ceil((2 * spec.blend + CONTACT.gap + CONTACT.shortest + 1 / 30) * clip.fps)) + 4
        ready = len(clip) - past - int(np.ceil(spec.settle * clip.fps))
        if ready > len(planted):
            locked, planted, places = _lock_next(clip, planted, places, ready, floor, spec)
            yield locked
            cut = max(0, ready - past)
            clip, planted, places = clip[cut:], planted[cut:], places[cut:]
    if clip is not None:
        yield _lock_next(clip, planted, places, len(clip), floor, spec)[0]


def _lock_next(
    clip: Clip, planted: Flags, places: Array, ready: int, floor: Array, spec: LockSpec
) -> tuple[Clip, Flags, Array]:
    """Returns the locked frames up to ``ready``, and the decided contacts and positions."""
    toes = toe_points(clip)
    done, fresh = len(planted), contacts(clip, floor=floor, spec=CONTACT, toes=toes)
    fresh[:done] = planted
    where = _places(toes, fresh, clip.fps, spec)
    for leg in range(fresh.shape[1]):
        for start, stop in runs(fresh[:, leg]):
            if start < done:
                where[start:stop, leg] = places[start, leg]
    locked = move_feet(clip, _shifts(clip, toes, fresh, where, spec), spec=spec)
    return locked[done:ready], fresh[:ready], where[:ready]


def move_feet(clip: Clip, shifts: Array, *, spec: LockSpec = LockSpec()) -> Clip:
    """Returns the clip with the feet shifted by ``shifts (T, L, 3)``, without rotation.

    The hips sink if a leg is too short. Frames without a shift do not change by a bit. A compiled kernel turns the legs
    of many frames if this machine can make it, which gives the same as numpy up to rounding.
    """
    world, legs = clip.world_positions, legs_of(clip.skeleton)
    ankles = world[:, [leg.ankle for leg in legs]]
    sink = sink_to_reach(clip, ankles + shifts, np.any(shifts, axis=-1, keepdims=False), spec)
    positions = carried(clip, -sink[:, None] * UP).positions
    ahead = knees_ahead(clip)
    rotations = turn_legs(clip, legs, shifts, sink, ahead)
    if rotations is None:
        rotations = turn_legs_in_numpy(clip, shifts, sink, ahead)
    return replace(clip, positions=positions, rotations=rotations)


def turn_legs_in_numpy(clip: Clip, shifts: Array, sink: Array, ahead: Array) -> Array:
    """Returns the local rotations after shifts of ankles, as `moglow.motion.leg_turns.turn_legs` up to rounding."""
    world, rotations = clip.world_positions, clip.rotations.copy()
    for k, leg in enumerate(legs_of(clip.skeleton)):
        at = np.flatnonzero(shifts[:, k].any(-1) | (sink > 0))
        hip, knee, ankle = world[at, leg.hip], world[at, leg.knee], world[at, leg.ankle]
        new_hip, wanted = hip - sink[at, None] * UP, ankle + shifts[at, k]
        thigh, shin = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
        direction = kept_knee(hip, knee, ankle, wanted - new_hip, ahead[at, k])
        new_knee, new_ankle = solve_leg(new_hip, wanted, thigh, shin, direction)
        swing = quat_between(knee - hip, new_knee - new_hip)
        fold = quat_between(ankle - knee, new_ankle - new_knee)
        turn_leg(clip, rotations, leg, at, swing, fold)
    return rotations


def turn_leg(
    clip: Clip,
    rotations: Array,
    leg: Leg,
    at: NDArray[np.intp],
    swing: Array,
    fold: Array,
    foot: Array | None = None,
) -> None:
    """Rotates a thigh by ``swing`` and its shin by ``fold``, both in the world, in frames ``at``.

    The foot gets the world rotations ``foot`` ``(N, 4)``; by default its own do not change. The result is written to
    the local ``rotations`` ``(T, J, 4)`` of hip, knee and ankle. Joints between thigh and shin, or shin and foot,
    rotate with the upper one.
    """
    parents, turns = clip.skeleton.parents, clip.world_rotations
    above_thigh = turns[at, parents[leg.hip]]
    above_shin = quat_multiply(swing, turns[at, parents[leg.knee]])
    above_foot = quat_multiply(fold, turns[at, parents[leg.ankle]])
    rotations[at, leg.hip] = _local(above_thigh, quat_multiply(swing, turns[at, leg.hip]))
    rotations[at, leg.knee] = _local(above_shin, quat_multiply(fold, turns[at, leg.knee]))
    rotations[at, leg.ankle] = _local(above_foot, turns[at, leg.ankle] if foot is None else foot)


def _local(parent: Array, rotation: Array) -> Array:
    return quat_multiply(quat_conjugate(parent), rotation)


def carrying_joint(skeleton: Skeleton) -> int:
    """Returns the joint that translates the body: the hips or, if the file has no position of them, a joint above."""
    joint, layout = skeleton.hips, skeleton.layout
    while (
        layout
        and layout.channels
        and skeleton.parents[joint] >= 0
        and "Yposition" not in layout.channels[joint]
    ):
        joint = skeleton.parents[joint]
    return joint


def carried(clip: Clip, offsets: Array) -> Clip:
    """Returns the clip with the body shifted by ``offsets (T, 3)``; frames with zero offset do not change by a bit."""
    carrier, positions = carrying_joint(clip.skeleton), clip.positions.copy()
    parent = clip.skeleton.parents[carrier]
    if parent >= 0:
        offsets = quat_rotate(quat_conjugate(clip.world_rotations[:, parent]), offsets)
    positions[:, carrier] += offsets
    return replace(clip, positions=positions)


def kept_knee(hip: Array, knee: Array, ankle: Array, reach: Array, ahead: Array) -> Array:
    """Returns the offset of the knee for an ankle at ``reach`` from the hip: its own bend, and additional bend ahead.

    The bend of a nearly straight leg has no reliable direction, so additional bend must not follow it.
    """
    thigh, shin = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
    bend = across_part(knee - hip, ankle - hip)
    more = knee_offset(thigh, shin, np.linalg.norm(reach, axis=-1))[1] - np.linalg.norm(bend, axis=-1)
    kept: Array = bend + np.maximum(more, 0.0)[..., None] * knee_direction(hip, knee, ankle, ahead)
    return kept


def knees_ahead(clip: Clip) -> Array:
    """Returns the directions ``(T, L, 3)`` in which straight legs bend: knees over the toes, elbows the other way."""
    legs = legs_of(clip.skeleton)
    ahead = toe_points(clip) - clip.world_positions[:, [leg.ankle for leg in legs]]
    ahead[:, [leg.front for leg in legs]] *= -1.0
    return ahead


def sink_to_reach(clip: Clip, ankles: Array, moved: Flags, spec: LockSpec) -> Array:
    """Returns the descent (T,) of the hips, smooth in time, with which every leg reaches ``ankles`` (T, L, 3).

    Only legs that are ``moved`` (T, L) are considered.
    """
    world, legs = clip.world_positions, legs_of(clip.skeleton)
    needed = np.zeros(len(clip))
    for k, leg in enumerate(legs):
        hip, knee, ankle = world[:, leg.hip], world[:, leg.knee], world[:, leg.ankle]
        length = np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
        longest = np.maximum(np.linalg.norm(ankle - hip, axis=-1), spec.straight * length)
        leg_line = hip - ankles[:, k]
        beside = np.minimum(np.linalg.norm(leg_line[:, [0, 2]], axis=-1), longest)
        sink = np.clip(leg_line[:, 1] - np.sqrt(longest**2 - beside**2), 0.0, spec.deepest * length)
        needed = np.maximum(needed, np.where(moved[:, k], sink, 0.0))
    # The running mean of a running maximum over the same window is smooth and never below the original.
    return widest_smooth(needed, max(1, round(spec.blend * clip.fps / 2)))


def widest_smooth(needed: Array, reach: int) -> Array:
    """Returns a smooth curve (T,) that is nowhere below the given one: the running mean of the running maximum.

    >>> widest_smooth(np.array([0.0, 0.0, 1.0, 0.0, 0.0]), 1).round(2).tolist()
    [0.25, 0.75, 1.0, 0.75, 0.25]
    """
    window = 2 * reach + 1
    padded = np.pad(needed, window - 1, mode="edge")
    highest = sliding_window_view(padded, window).max(-1)
    weights = np.hanning(window + 2)[1:-1]
    smooth: Array = sliding_window_view(highest, window) @ (weights / weights.sum())
    return smooth


def bent_toes(clip: Clip) -> Clip:
    """Returns the clip with toes bent up, in the foot's plane, so that no tip is below the floor.

    In most captures toes have no markers and point down with the foot when the heel rises. Other joints and frames with
    all tips above the floor do not change by a bit.

    >>> from moglow.motion.skeleton import Skeleton
    >>> names = ("Hips", *(f"{s}{j}" for s in ("Left", "Right") for j in ("UpLeg", "Leg", "Foot", "Toe")))
    >>> leg = [[0.1, 0, 0], [0, -0.4, 0], [0, -0.4, 0], [0, -0.1, 0.15]]
    >>> offsets = [[0, 0.9, 0], *leg, *(np.array(leg) * [-1, 1, 1])]
    >>> tips = ((4, (0.0, -0.06, 0.08)), (8, (0.0, 0.06, 0.08)))
    >>> walker = Skeleton(names, (-1, 0, 1, 2, 3, 0, 5, 6, 7), offsets, tips)
    >>> bent_toes(Clip.at_rest(walker)).end_positions()[0, :, 1:].round(3).tolist()
    [[0.0, 0.25], [0.06, 0.23]]
    """
    ends, sites = clip.end_positions(), clip.skeleton.end_sites
    ankles = {leg.toe: leg.ankle for leg in legs_of(clip.skeleton) if leg.toe is not None}
    tips = [
        place for place, (joint, _) in enumerate(sites) if joint in ankles and ends[:, place, 1].min() < 0
    ]
    if not tips:
        return clip
    (world, turns), rotations = clip.world(), clip.rotations.copy()
    for place in tips:
        toe, sunk = sites[place][0], np.flatnonzero(ends[:, place, 1] < 0)
        start, ahead = world[sunk, toe], world[sunk, toe] - world[sunk, ankles[toe]]
        bend = quat_between(*_bends(start, ends[sunk, place] - start, ahead))
        above = quat_conjugate(turns[sunk, clip.skeleton.parents[toe]])
        rotations[sunk, toe] = quat_multiply(above, quat_multiply(bend, turns[sunk, toe]))
    return replace(clip, rotations=rotations)


def _bends(toe: Array, tip: Array, ahead: Array) -> tuple[Array, Array]:
    """Returns the tips (T, 3) relative to their toes, and their targets; ``ahead`` is the direction of the foot."""
    forward = ahead * (1 - UP)
    forward = forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    sideways = tip - (tip * forward).sum(-1, keepdims=True) * forward - tip * UP
    length = np.sqrt(np.maximum((tip**2).sum(-1) - (sideways**2).sum(-1), 1e-12))
    height = np.clip(-toe[:, 1], -length, length)  # of a tip on the floor, relative to its toe
    along = np.sqrt(length**2 - height**2)
    return tip, sideways + along[:, None] * forward + height[:, None] * UP
