"""Converts requests of the Motion Model Context Protocol to paths, styles and skeletons. Needs numpy alone.

The protocol's skeletons have rest rotations, its quaternions have w last, and its frames have the request's rate. Its
axes and units are the same as in `moglow`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from moglow.errors import ControlError, SkeletonError
from moglow.formats.bones import compose
from moglow.formats.node_tree import NodeTree
from moglow.maths.rotations import IDENTITY, Array, quat_conjugate, quat_multiply, quat_normalize
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

STANDING = "standing still"
"""The default for a request without a path."""
FARTHEST = 1e4
"""Largest coordinate in metres; the answer is in single precision."""
APART = 0.5
"""Largest distance in metres between a point of a path and the root of a pose in the same frame."""
LARGEST = 4_000_000
"""Largest number of rotations of an answer, which takes 0.1 GB."""
MOST_JOINTS = 1000
"""Largest number of joints of a client's skeleton."""


@dataclass(frozen=True, eq=False)
class ClientRig:
    """A skeleton of the protocol: a `Skeleton` whose zero pose is the rest pose, and the world rest rotations."""

    skeleton: Skeleton
    rest: Array
    root: Array
    """The root's rest position ``(3,)``."""
    turns: Array
    """The rest rotations ``(J, 4)`` relative to the parents, w first."""

    @classmethod
    def of(cls, joints: Sequence[Any]) -> "ClientRig":
        """Returns the rig of a list of joints, parents first."""
        if len(joints) > MOST_JOINTS:
            raise SkeletonError(f"skeleton: {len(joints)} joints; give at most {MOST_JOINTS}")
        places = {joint.name: number for number, joint in enumerate(joints)}
        parents = tuple(-1 if joint.parent is None else places[joint.parent] for joint in joints)
        local = np.array([within(joint.rest_translation, f"skeleton: {joint.name}") for joint in joints])
        turns = np.array([unit(joint.rest_rotation, f"skeleton: {joint.name}") for joint in joints])
        world, rest = compose(NodeTree.of(parents), local, turns, np.ones_like(local))
        offsets = world.copy()
        offsets[0] = 0.0
        offsets[1:] -= world[list(parents[1:])]
        return cls(Skeleton(tuple(places), parents, offsets), rest, world[0], turns)

    @classmethod
    def from_skeleton(cls, skeleton: Skeleton) -> "ClientRig":
        """Returns the rig of a `Skeleton`."""
        turns = np.tile(IDENTITY, (len(skeleton), 1))
        return cls(skeleton, turns, np.zeros(3), turns)

    def joints(self) -> list[dict[str, Any]]:
        """Returns the joints in the protocol's format."""
        skeleton, offsets = self.skeleton, self.skeleton.offsets.copy()
        offsets[0] = [0.0, -float(skeleton.rest_positions[:, 1].min()), 0.0]
        return [
            {
                "name": name,
                "parent": skeleton.names[parent] if parent >= 0 else None,
                "rest_translation": offsets[joint].tolist(),
                "rest_rotation": [0.0, 0.0, 0.0, 1.0],
            }
            for joint, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True))
        ]

    def local(self, clip: Clip) -> tuple[Array, Array]:
        """Returns a clip's rotations ``(T, J, 4)`` relative to the parents, w last, and root positions ``(T, 3)``."""
        places, turns = clip.world()
        world = quat_multiply(turns, self.rest)
        local = world.copy()
        above = list(self.skeleton.parents[1:])
        local[:, 1:] = quat_multiply(quat_conjugate(world[:, above]), world[:, 1:])
        return np.roll(quat_normalize(local), -1, axis=-1), places[:, 0]

    def posed(self, turns: Array, root: Array, fps: float) -> Clip:
        """Returns one frame with rotations ``(J, 4)`` relative to the parents, w first, and a root position ``(3,)``.

        It is the inverse of `local`.
        """
        skeleton = self.skeleton
        still = np.zeros_like(skeleton.offsets)
        _, world = compose(NodeTree.of(skeleton.parents), still, turns, np.ones_like(still))
        world = quat_multiply(world, quat_conjugate(self.rest))
        local = world.copy()
        above = list(skeleton.parents[1:])
        local[1:] = quat_multiply(quat_conjugate(world[above]), world[1:])
        positions = skeleton.offsets.copy()
        positions[0] = root
        return Clip(skeleton, positions[None], quat_normalize(local)[None], fps)


def rigid(clip: Clip) -> Clip:
    """Returns a clip in which only the root is translated, with the hips at the same world positions.

    The protocol's answer has rotations for all joints and positions for the root alone.
    """
    hips = clip.skeleton.anatomy.roles.get("hips", 0)
    positions = clip.positions.copy()
    positions[:, 1:] = clip.skeleton.offsets[1:]
    moved = replace(clip, positions=positions)
    positions[:, 0] += clip.world()[0][:, hips] - moved.world()[0][:, hips]
    return replace(clip, positions=positions)


def check_size(frames: int, joints: int, samples: int) -> None:
    """Raises an error for an answer that would take too much memory."""
    if frames * joints * samples > LARGEST:
        raise ControlError(
            f"{frames} frames of {joints} joints, {samples} times; give at most {LARGEST:g} rotations in all"
        )


def named(constraints: Sequence[Any]) -> list[tuple[str, Any]]:
    """Returns constraints with names for messages.

    >>> from types import SimpleNamespace
    >>> [name for name, _ in named([SimpleNamespace(type="pose_keyframe", frame=30)])]
    ['constraints[0] (pose_keyframe, frame 30)']
    """
    names = {"pose_keyframe": "frame", "effector_target": "joint"}
    return [
        (f"constraints[{number}] ({each.type}{_detail(each, names)})", each)
        for number, each in enumerate(constraints)
    ]


def _detail(constraint: Any, names: Mapping[str, str]) -> str:
    key = names.get(constraint.type)
    return f", {key} {getattr(constraint, key)}" if key else ""


def within(values: float | Sequence[float], place: str) -> Array:
    """Returns lengths or angles as an array; raises an error if one is not finite or too large."""
    found = np.array(values, float)
    if not (np.abs(found) <= FARTHEST).all():
        raise ControlError(f"{place}: {found.tolist()}; expected finite numbers of at most {FARTHEST:g}")
    return found


def unit(quat: Sequence[float], place: str) -> Array:
    """Returns a quaternion of the protocol, w last, as a unit quaternion, w first."""
    found = np.roll(np.array(quat, float), 1)
    largest = np.abs(found).max()
    if not (np.isfinite(largest) and largest > 1e-6):
        raise ControlError(f"{place}: {[*quat]} is no rotation; expected a quaternion of length 1")
    return quat_normalize(found / largest)


def path_of(
    frames: int,
    fps: float,
    constraints: Sequence[Any],
    roots: Mapping[int, tuple[float, float]] | None = None,
    headings: Mapping[int, float] | None = None,
) -> tuple[ControlPath, list[str]]:
    """Returns the path through the points of ``root_path`` constraints, and the defaults that were used.

    Positions between the points are interpolated by a smooth curve; before the first and after the last point the
    figure stands. The path also leads through the ``roots`` of poses. The default headings follow the path; on the
    spot they are the ``headings`` of poses.
    """
    keys: dict[int, tuple[float, float]] = {**(roots or {})}
    faces: dict[int, float] = {}
    for constraint in constraints:
        for number, frame in enumerate(constraint.frames):
            x, z = within(constraint.positions_xz[number], f"root_path, frame {frame}").tolist()
            keys[frame] = x, z
            if constraint.heading_radians is not None:
                faces[frame] = float(within(constraint.heading_radians[number], f"root_path, frame {frame}"))
    for frame, root in (roots or {}).items():
        apart = float(np.hypot(*np.subtract(keys[frame], root)))
        if apart > APART:
            raise ControlError(
                f"frame {frame}: root_path and the root_position of pose_keyframe are {apart:.1f} m apart; "
                "leave out one of them"
            )
    if not faces and len({*keys.values()}) < 2:
        faces = {**(headings or {})}
    if not keys and not faces:
        return ControlPath.standing(frames, fps), [STANDING]
    if not keys:
        keys = {0: (0.0, 0.0)}
    at = np.array(sorted(keys))
    points = np.array([keys[frame] for frame in at], float)
    time = np.arange(frames, dtype=float)
    positions = np.stack([_curve(time, at, points[:, axis]) for axis in range(2)], axis=-1)
    if faces:
        turned = np.array(sorted(faces))
        turns = np.interp(time, turned, np.unwrap([faces[frame] for frame in turned]))
        return ControlPath(positions, turns, fps), []
    return ControlPath(positions, _facing(positions, fps), fps), ["headings along the path"] if len(
        keys
    ) > 1 else []


def _curve(time: Array, at: Array, values: Array) -> Array:
    """Returns a monotone cubic through keys (Fritsch and Carlson 1980), constant before and after them."""
    if len(at) == 1:
        return np.full(len(time), values[0])
    steps = np.diff(at).astype(float)
    slopes = np.diff(values) / steps
    inner = np.zeros(len(at))
    inner[0], inner[-1] = slopes[0], slopes[-1]
    both = slopes[:-1] * slopes[1:] > 0
    weights = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (weights[0] + weights[1]) / (weights[0] / slopes[:-1] + weights[1] / slopes[1:])
    inner[1:-1] = np.where(both, mean, 0.0)
    inside = np.clip(time, at[0], at[-1])
    k = np.clip(np.searchsorted(at, inside, side="right") - 1, 0, len(steps) - 1)
    u = (inside - at[k]) / steps[k]
    return np.asarray(
        (2 * u**3 - 3 * u**2 + 1) * values[k] + (u**3 - 2 * u**2 + u) * steps[k] * inner[k]
        + (3 * u**2 - 2 * u**3) * values[k + 1] + (u**3 - u**2) * steps[k] * inner[k + 1]
    )  # fmt: skip


def _facing(positions: Array, fps: float) -> Array:
    """Returns headings along a path, constant where it stands."""
    steps = np.gradient(positions, axis=0) * fps if len(positions) > 1 else np.zeros_like(positions)
    moving = np.flatnonzero(np.linalg.norm(steps, axis=-1) > 0.1)
    if not len(moving):
        return np.zeros(len(positions))
    headings = np.unwrap(np.arctan2(steps[moving, 0], steps[moving, 1]))
    return np.asarray(np.interp(np.arange(len(positions)), moving, headings))


def style_of(prompt: str, styles: Sequence[str]) -> str | None:
    """Returns the style that a prompt names, or the nearest in spelling; None if it names none.

    >>> style_of("a sad, depressed walk", ("angry", "depressed")), style_of("deppressed", ("angry", "depressed"))
    ('depressed', 'depressed')
    """
    words = "".join(letter if letter.isalnum() else " " for letter in prompt.lower()).split()
    for style in styles:
        if style.lower() in words or style.lower().replace("_", " ") in prompt.lower():
            return style
    near = [(match[0], word) for word in words if (match := get_close_matches(word, styles, n=1, cutoff=0.8))]
    return near[0][0] if near else None
