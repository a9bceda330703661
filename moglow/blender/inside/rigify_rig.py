"""A rig that Rigify generated from a human metarig: its controls, the body that they carry, and its constraints."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moglow.blender.inside.axes import from_blender, quat_to_blender
from moglow.blender.inside.control_tree import SOLVERS, Constraint, ControlTree, Pose, TreeBone
from moglow.errors import SkeletonError
from moglow.maths.rotations import (
    Array,
    matrix_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_normalize,
    quat_rotate,
)
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton

ORIGINAL = "ORG-"
"""The prefix of the bones of a generated rig that are those of the metarig."""
SIDES = (".L", ".R")
SWITCH, POLE = "IK_FK", "pole_vector"
"""The properties of a limb: 1 for forward kinematics, and whether the knee points at a pole."""
SAME = 1e-3
"""Metres by which bones of a metarig may differ from those of the generated rig."""
NEAR = 1e-4
"""Distance, relative to the rig's height, within which a control begins at a bone."""


@dataclass(frozen=True)
class RigifyLimb:
    """A bone of the metarig, the bone above it, and its control in forward kinematics."""

    bone: str
    above: str
    controls: tuple[str, ...]
    needed: bool = True


LIMBS = (
    RigifyLimb("shoulder", "chest", ("shoulder",), needed=False),
    RigifyLimb("upper_arm", "shoulder", ("upper_arm_fk",)),
    RigifyLimb("forearm", "upper_arm", ("forearm_fk",)),
    RigifyLimb("hand", "forearm", ("hand_fk",)),
    RigifyLimb("thigh", "pelvis", ("thigh_fk",)),
    RigifyLimb("shin", "thigh", ("shin_fk",)),
    RigifyLimb("foot", "shin", ("foot_fk",)),
    RigifyLimb("toe", "foot", ("toe_fk", "toe"), needed=False),
)
HEELS = ("heel.02", "heel")
"""The bones at the heels, on the floor, in newer and older metarigs."""
TRUNK = ("torso", "hips", "chest", "head")
FEET = ("foot_ik", "foot_spin_ik", "foot_heel_ik", "toe_ik")
SWIVEL, AIM = "thigh_ik", "thigh_ik_target"
"""The controls of the knee's direction, without and with a pole."""


@dataclass(frozen=True)
class BodyJoint:
    """A joint of the body: its name, the index of the joint above, its bone in the rig, and its control if any."""

    name: str
    parent: int
    bone: str
    control: str | None


@dataclass(frozen=True, eq=False)
class RigifyRig:
    """A generated rig: the armature and the joints of the body from the pelvis outwards."""

    armature: Any
    joints: tuple[BodyJoint, ...]

    @classmethod
    def of(cls, armature: Any) -> "RigifyRig":
        """Returns the rig of an armature; raises if Rigify did not generate it, or if it lacks a control."""
        if not is_generated(armature):
            raise SkeletonError(
                f"{armature.name}: not a rig that Rigify generated; select the metarig, press Generate Rig, and "
                "choose the new rig"
            )
        if armature.library is not None:
            raise SkeletonError(
                f"{armature.name}: linked from {armature.library.filepath}; make a library override of it first"
            )
        bones = armature.data.bones
        if absent := [name for name in TRUNK if name not in bones]:
            raise missing_control(armature, absent[0])
        spine, neck, head = _spine(armature)
        joints = [
            BodyJoint(name, k - 1, ORIGINAL + name, _first(bones, [name.replace("spine", "spine_fk", 1)]))
            for k, name in enumerate(spine)
        ]
        chest = len(joints) - 1
        if neck:
            joints.append(BodyJoint("neck", chest, neck, "neck"))
        joints.append(BodyJoint("head", len(joints) - 1, head, "head"))
        for side in SIDES:
            place = {"pelvis": 0, "chest": chest}
            for limb in LIMBS:
                control = _first(bones, [name + side for name in limb.controls])
                if ORIGINAL + limb.bone + side not in bones or control is None:
                    if limb.needed:
                        raise missing_control(armature, limb.controls[0] + side)
                    place[limb.bone] = place[limb.above]
                    continue
                place[limb.bone] = len(joints)
                joint = limb.bone + side
                joints.append(BodyJoint(joint, place[limb.above], ORIGINAL + joint, control))
            if heel := _first(bones, [ORIGINAL + name + side for name in HEELS]):
                joints.append(BodyJoint("heel" + side, place["foot"], heel, None))
        return cls(armature, tuple(joints))

    def skeleton(self, unit: float) -> Skeleton:
        """Returns the skeleton of the body at rest in the world, in metres; leaf joints have end sites."""
        bones = [self.armature.data.bones[joint.bone] for joint in self.joints]
        world, parents = self.armature.matrix_world, [joint.parent for joint in self.joints]
        heads = from_blender([world @ bone.head_local for bone in bones]) * unit
        tips = from_blender([world @ bone.tail_local for bone in bones]) * unit - heads
        offsets = heads - np.where(np.array(parents)[:, None] >= 0, heads[parents], 0.0)
        leaves = [j for j in range(len(bones)) if j not in parents]
        ends = tuple((j, tuple(tips[j].tolist())) for j in leaves)
        return Skeleton(tuple(joint.name for joint in self.joints), tuple(parents), offsets, ends)

    def taken_over(self, clip: Clip, skeleton: Skeleton) -> Clip | None:
        """Returns a clip of the metarig on the skeleton of the body; None if its figure has other bones or sizes."""
        names = [joint.bone.removeprefix(ORIGINAL) for joint in self.joints]
        if not {*names} <= {*clip.skeleton.names}:
            return None
        at = [clip.skeleton.names.index(name) for name in names]
        rest = clip.skeleton.rest_positions[at]
        if np.abs(rest - rest[0] - skeleton.rest_positions + skeleton.rest_positions[0]).max() > SAME:
            return None
        world = clip.world_rotations[:, at]
        rotations, positions = world.copy(), np.tile(skeleton.offsets, (len(clip), 1, 1))
        for j, parent in enumerate(skeleton.parents[1:], start=1):
            rotations[:, j] = quat_multiply(quat_conjugate(world[:, parent]), world[:, j])
        positions[:, 0] = clip.world_positions[:, at[0]]
        return Clip(skeleton, positions, rotations, clip.fps, clip.name)

    def motions(self, clip: Clip, unit: float) -> dict[str, Pose]:
        """Returns how each joint of a clip of the body moves away from rest, in the space of the armature."""
        world = self.armature.matrix_world
        axes = _quat(world)
        turns = quat_multiply(
            quat_conjugate(axes), quat_multiply(quat_to_blender(clip.world_rotations), axes)
        )
        places = self.in_armature(clip.world_positions, unit)
        heads = np.array([self.armature.data.bones[joint.bone].head_local for joint in self.joints])
        return {
            joint.name: (turns[:, j], places[:, j] - quat_rotate(turns[:, j], heads[j]))
            for j, joint in enumerate(self.joints)
        }

    def in_armature(self, points: Array, unit: float) -> Array:
        """Returns points ``(..., 3)`` of the world, Y up, in metres, in the space of the armature."""
        matrix = np.array(self.armature.matrix_world.inverted())
        x, y, z = np.moveaxis(points / unit, -1, 0)
        places: Array = np.stack([x, -z, y], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
        return places

    def limbs(self) -> dict[str, Any]:
        """Returns the bones with the switch between forward and inverse kinematics, by the limb: thigh.L and so on."""
        found = {}
        for bone in self.armature.pose.bones:
            limb = bone.name.replace("_parent", "")
            if SWITCH in bone and limb.rpartition(".")[0] in ("thigh", "upper_arm"):
                found[limb] = bone
        return found

    def tree(self, controls: Iterable[str], posed: Any) -> ControlTree:
        """Returns the bones on which controls depend, with those constraints that are known.

        ``posed`` is the armature as evaluated by Blender, since drivers set influences.
        """
        bones, waiting = dict[str, TreeBone](), [*controls]
        while waiting:
            name = waiting.pop()
            if name in bones:
                continue
            bone = posed.pose.bones[name]
            active = [_constraint(each) for each in bone.constraints if not each.mute and each.influence > 0]
            known = [each for each in active if each and each.target in posed.pose.bones]
            bones[name] = TreeBone(
                name,
                bone.parent.name if bone.parent else None,
                _pose(bone.bone.matrix_local),
                _pose(bone.matrix_basis),
                bone.bone.use_local_location,
                tuple(known),
            )
            waiting += [each.target for each in known] + ([bone.parent.name] if bone.parent else [])
        return ControlTree(bones)


def is_generated(thing: Any) -> bool:
    """Returns whether Rigify generated an object."""
    return bool(thing and thing.type == "ARMATURE" and "rig_id" in thing.data)


def generated_rig(scene: Any, chosen: Any) -> Any:
    """Returns the rig that is chosen in the panel, else the active one, else the only one of the scene."""
    if scene.moglow.rigify and scene.moglow.rigify.name in scene.objects:
        return scene.moglow.rigify
    rigs = [thing for thing in scene.objects if is_generated(thing)]
    if is_generated(chosen):
        return chosen
    if len(rigs) != 1:
        raise SkeletonError(
            f"Rig: {len(rigs)} rigs of Rigify in the scene; choose the one that gets the take"
            if rigs
            else "Rig: no rig of Rigify in the scene; select a metarig, press Generate Rig, and choose the new rig"
        )
    return rigs[0]


def _spine(armature: Any) -> tuple[list[str], str | None, str]:
    """Returns the bones of the trunk from the pelvis up, without prefix, and the first bones of neck and head."""
    bones = armature.data.bones
    names = [name for name in _spine_names() if ORIGINAL + name in bones]
    heads = {name: bones[ORIGINAL + name].head_local for name in names}
    near = NEAR * max(bone.head_local.z for bone in bones)
    first = dict[str, str]()
    for control in ("neck", "head"):
        at = bones[control].head_local if control in bones else None
        there = [name for name in names if at is not None and (heads[name] - at).length < near]
        first |= {control: there[0]} if there else {}
    if "head" not in first or not names or f"{ORIGINAL}thigh.L" not in bones:
        raise missing_control(armature, "head" if "head" not in first else "thigh_fk.L")
    trunk = names[: names.index(first.get("neck", first["head"]))]
    neck = ORIGINAL + first["neck"] if "neck" in first and first["neck"] != first["head"] else None
    return trunk, neck, ORIGINAL + first["head"]


def _spine_names() -> list[str]:
    return ["spine", *(f"spine.{number:03d}" for number in range(1, 30))]


def _first(bones: Any, names: Iterable[str]) -> str | None:
    return next((name for name in names if name in bones), None)


def missing_control(armature: Any, control: str) -> SkeletonError:
    return SkeletonError(
        f"{armature.name}: Rigify generated it without the control {control}; a take needs the controls of a human "
        "metarig"
    )


def _constraint(each: Any) -> Constraint | None:
    """Returns a constraint of Blender, or None if it is not known."""
    kind = each.type, "WORLD" if each.type == "ARMATURE" else each.owner_space
    if each.type == "ARMATURE":
        targets = [target.subtarget for target in each.targets if target.weight > 0]
        return Constraint(kind, targets[0], each.influence) if len(targets) == 1 else None
    if kind not in SOLVERS or getattr(each, "mix_mode", "REPLACE") != "REPLACE":
        return None
    return Constraint(kind, each.subtarget, each.influence)


def _quat(matrix: Any) -> Array:
    return quat_normalize(matrix_to_quat(np.array(matrix.to_quaternion().to_matrix())))


def _pose(matrix: Any) -> Pose:
    return _quat(matrix), np.array(matrix.translation)
