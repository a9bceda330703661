"""Poses of the bones of a rig that carry its controls, with constraints, in all frames at once. Needs numpy alone.

A pose is a rotation ``(..., 4)`` and a place ``(..., 3)`` in the space of the armature, Z up, in its units.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from moglow.maths.rotations import (
    IDENTITY,
    Array,
    quat_between,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
    quat_slerp,
)

Pose = tuple[Array, Array]
ALONG = np.array([0.0, 1.0, 0.0])
"""The axis of a bone, from its head to its tail."""
STILL: Pose = (IDENTITY, np.zeros(3))


def composed(outer: Pose, inner: Pose) -> Pose:
    """Returns the pose ``inner`` in the space of the pose ``outer``."""
    return quat_multiply(outer[0], inner[0]), outer[1] + quat_rotate(outer[0], inner[1])


def inverted(pose: Pose) -> Pose:
    back = quat_conjugate(pose[0])
    return back, -quat_rotate(back, pose[1])


def carried(pose: Pose, point: Array) -> Array:
    """Returns the place of a point in the space of a pose."""
    place: Array = pose[1] + quat_rotate(pose[0], point)
    return place


@dataclass(frozen=True)
class Constraint:
    """An active constraint of a bone: its type and space as Blender names them, the other bone, and its influence."""

    kind: tuple[str, str]
    target: str
    influence: float = 1.0


@dataclass(frozen=True, eq=False)
class TreeBone:
    """A bone: its parent, its rest pose, its own pose relative to that, and its constraints in their order."""

    name: str
    parent: str | None
    rest: Pose
    basis: Pose = STILL
    local_location: bool = True
    """Whether the axes of its location are those of its rest pose; otherwise those of the armature at rest."""
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, eq=False)
class ControlTree:
    """The bones of a rig from the controls up to the root, and the poses of the controls ``(T, …)``."""

    bones: Mapping[str, TreeBone]
    bases: Mapping[str, Pose] = field(default_factory=dict)
    """The poses of controls relative to their rest poses, which replace those of the bones."""
    _known: dict[str, Pose] = field(default_factory=dict)

    def basis(self, name: str) -> Pose:
        return self.bases.get(name, self.bones[name].basis)

    def pose(self, name: str) -> Pose:
        """Returns the pose of a bone in the space of the armature."""
        if name not in self._known:
            (rotation, _), (turn, place) = self.space(name), self.basis(name)
            pose = quat_multiply(rotation, turn), self._moved(name, place)
            for constraint in self.bones[name].constraints:
                solved = SOLVERS[constraint.kind](self, name, constraint.target, pose)
                pose = _between(pose, solved, constraint.influence)
            self._known[name] = pose
        return self._known[name]

    def motion(self, name: str) -> Pose:
        """Returns the rotation and shift of a bone away from its rest pose, which every point that it carries makes."""
        return composed(self.pose(name), inverted(self.bones[name].rest))

    def space(self, name: str) -> Pose:
        """Returns the pose of a bone without its own pose and constraints."""
        bone = self.bones[name]
        return composed(self._above(name), bone.rest)

    def with_bases(self, bases: Mapping[str, Pose]) -> "ControlTree":
        """Returns the tree with other poses of some controls."""
        return replace(self, bases={**self.bases, **bases}, _known={})

    def turned(self, name: str, rotation: Array) -> "ControlTree":
        """Returns the tree with a control that makes a rotation ``(T, 4)`` away from its rest pose in the armature."""
        wanted = quat_multiply(rotation, self.bones[name].rest[0])
        turn = quat_multiply(quat_conjugate(self.space(name)[0]), wanted)
        return self.with_bases({name: (turn, np.broadcast_to(self.basis(name)[1], (*turn.shape[:-1], 3)))})

    def moved(self, name: str, place: Array) -> "ControlTree":
        """Returns the tree with the head of a control at a place ``(T, 3)`` in the armature."""
        axes, origin = self._location_axes(name)
        shift = quat_rotate(quat_conjugate(axes), place - origin)
        return self.with_bases({name: (np.broadcast_to(self.basis(name)[0], (*shift.shape[:-1], 4)), shift)})

    def upstream(self, name: str) -> set[str]:
        """Returns the names of all bones on which the pose of a bone depends, and its own."""
        found, waiting = set[str](), [name]
        while waiting:
            bone = self.bones[waiting.pop()]
            if bone.name not in found:
                found.add(bone.name)
                waiting += [constraint.target for constraint in bone.constraints]
                waiting += [bone.parent] if bone.parent else []
        return found

    def _above(self, name: str) -> Pose:
        parent = self.bones[name].parent
        return self.motion(parent) if parent else STILL

    def _location_axes(self, name: str) -> Pose:
        """Returns the axes of a bone's location, and its place at location zero."""
        rotation, origin = self.space(name)
        return (rotation if self.bones[name].local_location else self._above(name)[0]), origin

    def _moved(self, name: str, shift: Array) -> Array:
        axes, origin = self._location_axes(name)
        place: Array = origin + quat_rotate(axes, shift)
        return place


def _between(one: Pose, other: Pose, share: float) -> Pose:
    if share >= 1.0:
        return other
    return quat_slerp(one[0], other[0], share), one[1] + share * (other[1] - one[1])


def _copy_pose(tree: ControlTree, name: str, target: str, now: Pose) -> Pose:
    return tree.pose(target)


def _copy_basis(tree: ControlTree, name: str, target: str, now: Pose) -> Pose:
    return composed(tree.space(name), tree.basis(target))


def _copy_rotation(tree: ControlTree, name: str, target: str, now: Pose) -> Pose:
    return tree.pose(target)[0], now[1]


def _copy_turn(tree: ControlTree, name: str, target: str, now: Pose) -> Pose:
    return quat_multiply(tree.space(name)[0], tree.basis(target)[0]), now[1]


def _copy_location(tree: ControlTree, name: str, target: str, now: Pose) -> Pose:
    return now[0], tree.pose(target)[1]


def _follow(tree: ControlTree, name: str, target: str, now: Pose) -> Pose:
    return composed(tree.motion(target), now)


def _damped_track(tree: ControlTree, name: str, target: str, now: Pose) -> Pose:
    ahead = tree.pose(target)[1] - now[1]
    return quat_multiply(quat_between(quat_rotate(now[0], ALONG), ahead), now[0]), now[1]


SOLVERS: dict[tuple[str, str], Callable[[ControlTree, str, str, Pose], Pose]] = {
    ("COPY_TRANSFORMS", "WORLD"): _copy_pose,
    ("COPY_TRANSFORMS", "LOCAL"): _copy_basis,
    ("COPY_ROTATION", "WORLD"): _copy_rotation,
    ("COPY_ROTATION", "POSE"): _copy_rotation,
    ("COPY_ROTATION", "LOCAL"): _copy_turn,
    ("COPY_LOCATION", "WORLD"): _copy_location,
    ("ARMATURE", "WORLD"): _follow,
    ("DAMPED_TRACK", "WORLD"): _damped_track,
}
"""The known constraints, by type and space of the owner: those of Rigify on the bones that carry its controls."""
