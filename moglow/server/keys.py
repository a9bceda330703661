"""Poses and points that a request requires of the client's figure, as directions for the model's. Needs numpy alone.

Joints that a keyframe does not list have the pose of the motion without it, or the rest pose. The poses are retargeted
to the model's figure, whose motion is directed to them; the motion on the client's figure then meets them exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.directing.exact import exactly
from moglow.directing.joint_groups import whole_legs
from moglow.directing.pins import Direction, KeyedPin, KeyedReach
from moglow.directing.settle import Settled
from moglow.errors import ControlError
from moglow.maths.rotations import Array, quat_angle
from moglow.motion.clip import Clip
from moglow.motion.contacts import leg_lengths, toe_floor, toe_points
from moglow.motion.retarget import Retargeting
from moglow.motion.skeleton import Skeleton
from moglow.server.requests import ClientRig, unit, within

POSED, REACHED = 1e-3, 0.01
"""Largest distance in metres and radians of a joint from its keyframe, and in metres from its target."""
OFTEN = 0.25
"""Shortest time in seconds between targets of a joint to which motion is directed; those between are met afterwards."""
MOST, MOST_KEYS = 96, 300
"""Largest numbers of poses and targets of a request: of those to which motion is directed, for all samples together,
each of which takes about a second, and of all."""


@dataclass(frozen=True, eq=False)
class KeyedPose:
    """Local rotations of some joints of the client's figure in a frame; see the protocol's ``pose_keyframe``."""

    name: str
    frame: int
    turns: dict[int, Array]
    """Rotations ``(4,)`` relative to the parent, w first, by joint."""
    root: Array | None
    """The root's position ``(3,)``."""
    rest: bool
    """Whether the other joints are in the rest pose."""
    alone: bool = False
    """Whether the joint has a target in this frame, to which motion is directed; it is turned afterwards."""

    @property
    def whole(self) -> bool:
        """Whether all joints are required, with the position of the body."""
        return self.rest or self.root is not None

    def joints(self, skeleton: Skeleton) -> NDArray[np.intp]:
        """Returns the joints that are required; of a leg all or none."""
        if self.whole:
            return np.arange(len(skeleton))
        return np.array([*self.turns] if self.alone else whole_legs(skeleton, [*self.turns]), np.intp)

    def turned(self, turns: Array) -> Array:
        """Returns rotations ``(J, 4)`` relative to the parents with those of the pose."""
        turns = turns.copy()
        for joint, turn in self.turns.items():
            turns[joint] = turn
        return turns

    def on(self, rig: ClientRig, plain: Clip) -> Clip:
        """Returns the pose as one frame; ``plain`` is the motion without it, on the client's figure."""
        here = plain[self.frame : self.frame + 1]
        local, root = rig.local(here)
        turns = self.turned(rig.turns if self.rest else np.roll(local[0], 1, axis=-1))
        posed = rig.posed(turns, root[0] if self.root is None else self.root, plain.fps)
        if self.whole and self.root is None:
            low = float(toe_points(posed)[0, :, 1].min() - toe_floor(toe_points(plain)).min())
            posed = posed.moved((0.0, -low, 0.0))
        return posed


@dataclass(frozen=True, eq=False)
class KeyedPoint:
    """A point ``(3,)`` in the world for a joint of the client's figure in a frame."""

    name: str
    frame: int
    joint: int
    point: Array


@dataclass(frozen=True, eq=False)
class Keys:
    """The poses and targets that a request requires, in its frames."""

    poses: tuple[KeyedPose, ...] = ()
    targets: tuple[KeyedPoint, ...] = ()

    @classmethod
    def of(cls, constraints: Sequence[tuple[str, Any]], rig: ClientRig) -> Self:
        """Returns the keys of ``pose_keyframe`` and ``effector_target`` constraints, which have names for messages."""
        poses: list[KeyedPose] = []
        targets: list[KeyedPoint] = []
        for name, each in constraints:
            if each.type == "pose_keyframe":
                turns = {
                    rig.skeleton.index(joint): unit(turn, f"{name}: the rotation of {joint}")
                    for joint, turn in each.joint_rotations.items()
                }
                root = None if each.root_position is None else within(each.root_position, name)
                poses.append(KeyedPose(name, each.frame, turns, root, each.fill_mode == "rest"))
            elif each.type == "effector_target":
                joint = rig.skeleton.index(each.joint)
                for number, (frame, point) in enumerate(zip(each.frames, each.positions, strict=True)):
                    place = f"{name}, frame {frame}"
                    targets.append(KeyedPoint(place, frame, joint, within(point, place)))
                    if each.rotations is not None:
                        turn = unit(each.rotations[number], f"{place}: the rotation of {each.joint}")
                        poses.append(KeyedPose(place, frame, {joint: turn}, None, False, True))
        if len(poses) + len(targets) > MOST_KEYS:
            raise ControlError(f"{len(poses) + len(targets)} poses and targets; give at most {MOST_KEYS}")
        return cls(tuple(poses), tuple(targets))

    def __bool__(self) -> bool:
        return bool(self.poses or self.targets)

    def headings(self, rig: ClientRig) -> dict[int, float]:
        """Returns the headings of poses that determine the root's rotation, by frame."""
        found = {}
        for pose in self.poses:
            if pose.rest or (pose.root is not None and 0 in pose.turns):
                posed = rig.posed(pose.turned(rig.turns), rig.root, 30.0)
                found[pose.frame] = float(posed.headings()[0])
        return found

    def roots(self) -> dict[int, tuple[float, float]]:
        """Returns x and z of the root in the frames of poses that have a position."""
        return {
            pose.frame: (float(pose.root[0]), float(pose.root[2]))
            for pose in self.poses
            if pose.root is not None
        }


@dataclass(frozen=True, eq=False)
class Asked:
    """The keys of a request on the client's figure, and on the model's the directions that lead to them."""

    keys: Keys
    posed: tuple[Clip, ...]
    """The poses on the client's figure, one frame each."""
    pins: tuple[KeyedPin, ...]
    reaches: tuple[KeyedReach, ...]
    directed: frozenset[int]
    """The numbers of the targets to which motion is directed; the others are met afterwards, being near to them."""

    samples: int = 1
    """The number of motions of the request."""

    def __post_init__(self) -> None:
        count = (len(self.pins) + len(self.directed)) * self.samples
        if count > MOST:
            raise ControlError(
                f"{count} poses and targets in {self.samples} samples; give at most {MOST}, or fewer a second"
            )

    @classmethod
    def of(
        cls, keys: Keys, rig: ClientRig, plain: Clip, model: Skeleton, same: bool, samples: int = 1
    ) -> Self:
        """Returns the keys for a motion; ``plain`` is the motion without them, ``same`` whether the figures are."""
        posed = tuple(pose.on(rig, plain) for pose in keys.poses)
        pins = []
        moved = None if same or not posed else Retargeting.of(plain, model, like=None, keep_path=True)
        for pose, clip in zip(keys.poses, posed, strict=True):
            joints = () if pose.whole else _counterparts(rig.skeleton, pose.joints(rig.skeleton), model)
            if pose.whole or (joints and not pose.alone):
                ours = replace(clip, skeleton=model) if moved is None else moved.feet_kept(clip)
                time = pose.frame / plain.fps
                pins.append(KeyedPin(time, ours, 0, joints, pose.whole, words=pose.name))
        scale = float(leg_lengths(model).mean() / leg_lengths(rig.skeleton).mean())
        reaches, near, last = list[KeyedReach](), set[int](), dict[int, float]()
        for number, target in enumerate(keys.targets):
            name, time = _counterparts(rig.skeleton, [target.joint], model), target.frame / plain.fps
            if not name:
                raise ControlError(
                    f"{target.name}: {rig.skeleton.names[target.joint]} has no counterpart in the model's figure; "
                    "give a hand, a foot, the head or another joint of a limb"
                )
            x, y, z = target.point.tolist()
            reaches.append(KeyedReach(time, name[0], (x, y * scale, z), words=target.name))
            if abs(time - last.get(target.joint, -np.inf)) >= OFTEN:
                last[target.joint] = time
                near.add(number)
        return cls(keys, posed, tuple(pins), tuple(reaches), frozenset(near), samples)

    @property
    def directions(self) -> list[Direction]:
        """Returns the directions for the model's figure."""
        return [*self.pins, *(self.reaches[number] for number in sorted(self.directed))]

    def met(self, clip: Clip) -> Clip:
        """Returns motion on the client's figure in the frames of the request, with exact poses and points."""
        poses = [
            Settled(
                pose.frame,
                pose.joints(clip.skeleton),
                posed.rotations[0],
                posed.positions[0] if pose.whole else None,
            )
            for pose, posed in zip(self.keys.poses, self.posed, strict=True)
        ]
        return exactly(clip, poses, [(each.frame, each.joint, each.point) for each in self.keys.targets])

    def misses(self, clip: Clip) -> dict[int, Array]:
        """Returns the vectors ``(3,)`` from joints to their targets, by number of the target, if they are too long."""
        found = {
            number: target.point - clip.world_positions[target.frame, target.joint]
            for number, target in enumerate(self.keys.targets)
        }
        return {number: miss for number, miss in found.items() if not np.linalg.norm(miss) <= REACHED}

    def nearer(self, misses: dict[int, Array]) -> Self:
        """Returns the keys with the missed points of the model's figure moved by what is missing."""
        reaches = list(self.reaches)
        for number in misses.keys() & self.directed:
            x, y, z = (np.array(reaches[number].point) + misses[number]).tolist()
            reaches[number] = replace(reaches[number], point=(x, y, z))
        return replace(self, reaches=tuple(reaches), directed=self.directed | misses.keys())

    def refuse_missed(self, clip: Clip) -> None:
        """Raises an error for a pose or a target that the motion does not meet."""
        for number, miss in self.misses(clip).items():
            target = self.keys.targets[number]
            name = clip.skeleton.names[target.joint]
            raise ControlError(
                f"{target.name}: {name} stays {100 * np.linalg.norm(miss):.0f} cm short of the point; "
                "give one nearer to the path, another time, or leave out what contradicts it"
            )
        for pose, posed in zip(self.keys.poses, self.posed, strict=True):
            joints = pose.joints(clip.skeleton)
            turned = float(quat_angle(clip.rotations[pose.frame, joints], posed.rotations[0, joints]).max())
            off = 0.0
            if pose.whole:
                off = float(np.abs(clip.world_positions[pose.frame] - posed.world_positions[0]).max())
            if not (turned <= POSED and off <= POSED):
                raise ControlError(
                    f"{pose.name}: another constraint of this frame contradicts the pose; leave out one of them"
                )


def _counterparts(
    skeleton: Skeleton, joints: Sequence[int] | NDArray[np.intp], model: Skeleton
) -> tuple[str, ...]:
    """Returns the names of the model's joints with the roles of joints of another skeleton."""
    roles = {joint: role for role, joint in skeleton.anatomy.roles.items() if role in model.anatomy.roles}
    return tuple(
        model.names[model.anatomy.roles[roles[joint]]] for joint in map(int, joints) if joint in roles
    )
