"""Converts requests of the Motion Model Context Protocol to paths, styles and skeletons. Needs numpy alone.

The protocol's skeletons have rest rotations, its quaternions have w last, and its frames have the request's rate. Its
axes and units are the same as in `moglow`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from moglow.formats.bones import compose
from moglow.formats.node_tree import NodeTree
from moglow.maths.rotations import Array, quat_conjugate, quat_multiply, quat_normalize
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

STANDING = "standing still"
"""The default for a request without a path."""


@dataclass(frozen=True, eq=False)
class ClientRig:
    """A skeleton of the protocol: a `Skeleton` whose zero pose is the rest pose, and the world rest rotations."""

    skeleton: Skeleton
    rest: Array
    root: Array
    """The root's rest position ``(3,)``."""

    @classmethod
    def of(cls, joints: Sequence[Any]) -> "ClientRig":
        """Returns the rig of a list of joints, parents first."""
        places = {joint.name: number for number, joint in enumerate(joints)}
        parents = tuple(-1 if joint.parent is None else places[joint.parent] for joint in joints)
        local = np.array([joint.rest_translation for joint in joints], float)
        turns = quat_normalize(np.roll([joint.rest_rotation for joint in joints], 1, axis=-1))
        world, rest = compose(NodeTree.of(parents), local, turns, np.ones_like(local))
        offsets = world.copy()
        offsets[0] = 0.0
        offsets[1:] -= world[list(parents[1:])]
        return cls(Skeleton(tuple(places), parents, offsets), rest, world[0])

    @classmethod
    def from_skeleton(cls, skeleton: Skeleton) -> "ClientRig":
        """Returns the rig of a `Skeleton`."""
        return cls(skeleton, np.tile([1.0, 0.0, 0.0, 0.0], (len(skeleton), 1)), np.zeros(3))

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


def path_of(frames: int, fps: float, constraints: Sequence[Any]) -> tuple[ControlPath, list[str]]:
    """Returns the path through the points of ``root_path`` constraints, and the defaults that were used.

    Positions between the points are interpolated by a smooth curve; before the first and after the last point the
    figure stands. The default headings follow the path.
    """
    keys: dict[int, tuple[float, float]] = {}
    faces: dict[int, float] = {}
    for constraint in constraints:
        for number, frame in enumerate(constraint.frames):
            keys[frame] = tuple(constraint.positions_xz[number])
            if constraint.heading_radians is not None:
                faces[frame] = float(constraint.heading_radians[number])
    if not keys:
        return ControlPath.standing(frames, fps), [STANDING]
    at = np.array(sorted(keys))
    points = np.array([keys[frame] for frame in at], float)
    time = np.arange(frames, dtype=float)
    positions = np.stack([_curve(time, at, points[:, axis]) for axis in range(2)], axis=-1)
    if faces:
        turned = np.array(sorted(faces))
        headings = np.interp(time, turned, np.unwrap([faces[frame] for frame in turned]))
        return ControlPath(positions, headings, fps), []
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
