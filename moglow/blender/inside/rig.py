"""A rig: an armature in Blender whose bones are a skeleton's joints, built from a skeleton or found in a scene."""

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.axes import from_blender, to_blender
from moglow.errors import SkeletonError
from moglow.maths.rotations import UP, Array, matrix_to_quat
from moglow.motion.skeleton import Skeleton

SHORTEST = 0.01
"""Metres; Blender deletes bones without a length."""
STUB = 0.05
"""Length in metres of a bone without a joint or end site below it."""


@dataclass(frozen=True, eq=False)
class Rig:
    """An armature object and the names of its bones in the order of the joints, parents first.

    The armature may be moved, turned, scaled and parented; only the bones' places in the world matter.
    """

    armature: Any
    bones: tuple[str, ...]

    @classmethod
    def build(cls, skeleton: Skeleton, name: str, *, unit: float = 1.0) -> "Rig":
        """Returns a new armature in the skeleton's zero pose, on the floor; ``unit`` is metres per Blender unit.

        A bone's head is its joint and its tail the joint below, or the middle of several.
        """
        data = bpy.data.armatures.new(name)
        data.display_type = "STICK"
        armature = bpy.data.objects.new(name, data)
        armature.scale = (1 / unit,) * 3
        bpy.context.scene.collection.objects.link(armature)
        make_active(armature)
        heads = _standing(skeleton)
        tails = to_blender(_tails(skeleton, heads))
        bpy.ops.object.mode_set(mode="EDIT")
        bones: list[str] = []
        for joint, parent in enumerate(skeleton.parents):
            bone = data.edit_bones.new(skeleton.names[joint].encode("utf-8", "replace").decode())
            bone.head, bone.tail = to_blender(heads[joint]), tails[joint]
            bone.parent = data.edit_bones[bones[parent]] if parent >= 0 else None
            bones.append(bone.name)  # Blender may shorten a name, or number a second one
        bpy.ops.object.mode_set(mode="OBJECT")
        return cls(armature, tuple(bones))

    @classmethod
    def of(cls, armature: Any) -> "Rig":
        """Returns the rig of an existing armature: its largest tree of bones."""
        tops = [bone for bone in armature.data.bones if bone.parent is None]
        if not tops:
            raise SkeletonError(f"{armature.name}: the armature has no bones; choose one that has")
        top = max(tops, key=lambda bone: len(bone.children_recursive))
        names, waiting = [], [top]
        while waiting:  # depth first, the order of the joints of a figure that was built from a skeleton
            bone = waiting.pop()
            names.append(bone.name)
            waiting += reversed(bone.children)
        return cls(armature, tuple(names))

    def rest(self, unit: float) -> tuple[Array, Array]:
        """Returns the bones' rest pose in the world: heads ``(J, 3)`` in metres and rotations ``(J, 4)``, Z up."""
        bpy.context.view_layer.update()
        world = self.armature.matrix_world
        matrices = [world @ self.armature.data.bones[name].matrix_local for name in self.bones]
        turns = np.array([matrix.to_quaternion().to_matrix() for matrix in matrices])
        return np.array([matrix.translation for matrix in matrices]) * unit, matrix_to_quat(turns)

    def skeleton(self, unit: float) -> Skeleton:
        """Returns the skeleton of the armature's rest pose in the world, in metres; leaf bones have end sites."""
        place = {name: joint for joint, name in enumerate(self.bones)}
        bones = [self.armature.data.bones[name] for name in self.bones]
        parents = tuple(place[bone.parent.name] if bone.parent else -1 for bone in bones)
        heads = from_blender(self.rest(unit)[0])
        offsets = heads - np.where(np.array(parents)[:, None] >= 0, heads[list(parents)], 0.0)
        world = self.armature.matrix_world
        tips = from_blender([world @ bone.tail_local for bone in bones]) * unit - heads
        ends = tuple((j, tuple(tips[j].tolist())) for j, bone in enumerate(bones) if not bone.children)
        return Skeleton(self.bones, parents, offsets, ends)

    def scale(self, unit: float) -> float:
        """Returns the metres per unit of the armature's space."""
        return float(np.mean(self.armature.matrix_world.to_scale())) * unit

    def constrained(self) -> int:
        """Returns the number of bones with active constraints, which act on top of any motion."""
        bones = [self.armature.pose.bones[name] for name in self.bones]
        return sum(any(not constraint.mute for constraint in bone.constraints) for bone in bones)


def make_active(thing: Any) -> None:
    """Selects only this object, in object mode, so that Blender's operators work on it."""
    if bpy.context.object and bpy.context.object.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for other in bpy.context.selected_objects:
        other.select_set(False)
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing


def _standing(skeleton: Skeleton) -> Array:
    """Returns the joints ``(J, 3)`` of the zero pose above the origin, with the lowest point on the floor."""
    heads = skeleton.rest_positions - skeleton.rest_positions[0]
    tips = [heads[joint] + tip for joint, tip in skeleton.end_sites]
    standing: Array = heads - np.array([0.0, np.min([*heads, *tips], axis=0)[1], 0.0])
    return standing


def _tails(skeleton: Skeleton, heads: Array) -> Array:
    """Returns the tail of each bone: the joint or end site below it, the middle of several, or a short stub."""
    tails = heads.copy()
    for joint in range(len(skeleton)):
        below = [heads[child] for child in skeleton.children(joint)]
        below += [heads[joint] + tip for end, tip in skeleton.end_sites if end == joint]
        tails[joint] = np.mean(below, axis=0) if below else heads[joint]
        if np.linalg.norm(tails[joint] - heads[joint]) < SHORTEST:
            onward = skeleton.offsets[joint] if skeleton.parents[joint] >= 0 else np.zeros(3)
            length = np.linalg.norm(onward)
            tails[joint] = heads[joint] + STUB * (onward / length if length > 1e-6 else UP)
    return tails
