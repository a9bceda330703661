"""Turns head and upper spine towards a point, smoothly and within human limits. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moglow.directing.pins import Look
from moglow.errors import SkeletonError
from moglow.maths.rotations import (
    UP,
    Array,
    heading_to_quat,
    quat_between,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
    quat_slerp,
    vector_to_heading,
    wrap_angle,
)
from moglow.maths.signals import smooth_gaussian
from moglow.motion.canonical_pose import canonical_rotations
from moglow.motion.clip import Clip

FORWARD = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class GazeSpec:
    """The settings of the gaze. Angles are in radians, times in seconds."""

    sideways: float = np.radians(75.0)
    """Largest angle between the face and the heading of the body."""
    up: float = np.radians(35.0)
    down: float = np.radians(50.0)
    behind: float = np.radians(120.0)
    """Angle of a point above which the figure does not look at it; the gaze weight decreases from `sideways` on."""
    turning: float = 0.5
    """Duration of the turn to the point, and of the return."""
    smooth: float = 0.12
    """Standard deviation of the Gaussian filter of the angles."""
    eyes: float = 0.08
    """Height in metres of the eyes above the head joint."""
    shares: tuple[tuple[str, float], ...] = (("chest", 0.2), ("neck", 0.4), ("head", 1.0))
    """The share of the remaining turn for each joint, from the lowest to the highest."""


def look(clip: Clip, looks: Sequence[Look], *, spec: GazeSpec = GazeSpec()) -> Clip:
    """Returns the clip with the face turned to the points during their intervals; other frames are unchanged."""
    if not looks:
        return clip
    roles = clip.skeleton.anatomy.roles
    if "head" not in roles:
        raise SkeletonError(f"{looks[0]}: the skeleton has no head; name it in a map file")
    canonical = canonical_rotations(clip.skeleton, clip)
    face = quat_rotate(quat_conjugate(canonical[roles["head"]]), FORWARD)
    for each in looks:
        clip = _turned(clip, each, face, spec)
    return clip


def _turned(clip: Clip, each: Look, face: Array, spec: GazeSpec) -> Clip:
    roles = clip.skeleton.anatomy.roles
    world, turns = clip.world()
    forward = quat_rotate(turns[:, roles["head"]], face)
    wanted, share = _direction(clip, np.array(each.point) - world[:, roles["head"]] - spec.eyes * UP, spec)
    share = share * _while(clip.times, each, spec)
    at = np.flatnonzero(share > 0)
    if not len(at):
        return clip
    target = quat_rotate(
        quat_slerp(np.array([1.0, 0, 0, 0]), quat_between(forward[at], wanted[at]), share[at]), forward[at]
    )
    for role, part in spec.shares:
        if role in roles:
            clip = _joint_turned(clip, roles[role], roles["head"], face, at, target, part)
    return clip


def _joint_turned(
    clip: Clip, joint: int, head: int, face: Array, at: NDArray[np.intp], target: Array, part: float
) -> Clip:
    """Returns the clip with a joint turned by a share of the angle from the face to ``target`` ``(N, 3)``."""
    turns = clip.world_rotations
    lacking = quat_between(quat_rotate(turns[at, head], face), target)
    turn = quat_slerp(np.array([1.0, 0, 0, 0]), lacking, np.full(len(at), part))
    parent = clip.skeleton.parents[joint]
    above = turns[at, parent] if parent >= 0 else np.array([1.0, 0, 0, 0])
    rotations = clip.rotations.copy()
    rotations[at, joint] = quat_multiply(quat_conjugate(above), quat_multiply(turn, turns[at, joint]))
    return replace(clip, rotations=rotations)


def _direction(clip: Clip, way: Array, spec: GazeSpec) -> tuple[Array, Array]:
    """Returns unit directions ``(T, 3)`` to a point, within the limits of the head, and the gaze weights ``(T,)``."""
    headings = clip.headings()
    sideways = np.unwrap(wrap_angle(vector_to_heading(way[:, [0, 2]]) - headings))
    sideways -= 2 * np.pi * np.round(np.median(sideways) / (2 * np.pi))
    upwards = np.arctan2(way[:, 1], np.linalg.norm(way[:, [0, 2]], axis=-1))
    beyond = (np.abs(wrap_angle(sideways)) - spec.sideways) / (spec.behind - spec.sideways)
    share = _smoothstep(1 - np.clip(beyond, 0, 1))
    sideways = np.clip(wrap_angle(sideways), -spec.sideways, spec.sideways)
    upwards = np.clip(upwards, -spec.down, spec.up)
    angles = smooth_gaussian(np.stack([sideways, upwards, share], axis=-1), spec.smooth * clip.fps)
    ahead = np.cos(angles[:, 1])[:, None] * FORWARD + np.sin(angles[:, 1])[:, None] * UP
    return quat_rotate(heading_to_quat(headings + angles[:, 0]), ahead), np.clip(angles[:, 2], 0, 1)


def _while(times: Array, each: Look, spec: GazeSpec) -> Array:
    """Returns weights ``(T,)`` that rise to 1 at an interval's start and fall to 0 at its end, except at clip ends."""
    taken = min(spec.turning, (each.stop - each.start) / 2)
    into = (times - each.start) / taken if each.start > 0 else np.where(times >= each.start, 1.0, 0.0)
    out = (each.stop - times) / taken if each.stop < times[-1] else np.where(times <= each.stop, 1.0, 0.0)
    return _smoothstep(np.clip(np.minimum(into, out), 0, 1))


def _smoothstep(at: Array) -> Array:
    smooth: Array = at**3 * (10 - 15 * at + 6 * at**2)
    return smooth
