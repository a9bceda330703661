"""Poses of an armature as clips, and keyed poses: an action whose keyed frames are pins."""

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import acting, bone_path, channels, curves_of, new_action
from moglow.blender.inside.axes import from_blender, quat_from_blender
from moglow.blender.inside.rig import Rig
from moglow.maths.rotations import matrix_to_quat, quat_conjugate, quat_multiply, quat_rotate
from moglow.motion.clip import Clip

BONE = 'pose.bones["'
"""The beginning of the data path of a bone's channels."""
ROTATION = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
"""The property of a bone's rotation in its rotation mode; that of all other modes is rotation_euler."""


def read_poses(
    rig: Rig, frames: Sequence[int], *, unit: float = 1.0, fps: float = 30.0, scene: Any = None
) -> Clip:
    """Returns the visible poses of an armature in frames of a scene, in the world and in metres.

    The scene, by default the current one, is then at the last of these frames.
    """
    scene = scene or bpy.context.scene
    layer = bpy.context.view_layer if scene == bpy.context.scene else scene.view_layers[0]
    skeleton, (_, rests) = rig.skeleton(unit), rig.rest(unit)
    matrices = np.empty((len(frames), len(rig.bones), 4, 4))
    for k, frame in enumerate(frames):
        scene.frame_set(frame)
        armature = rig.armature.evaluated_get(layer.depsgraph)
        bones = armature.pose.bones
        matrices[k] = armature.matrix_world
        matrices[k] = matrices[k] @ np.array([bones[name].matrix for name in rig.bones])
    turns = matrices[..., :3, :3] / np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True)
    world = quat_from_blender(quat_multiply(matrix_to_quat(turns), quat_conjugate(rests)))
    heads = from_blender(matrices[..., :3, 3]) * unit
    positions, rotations = heads.copy(), world.copy()
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            above = quat_conjugate(world[:, parent])
            rotations[:, joint] = quat_multiply(above, world[:, joint])
            positions[:, joint] = quat_rotate(above, heads[:, joint] - heads[:, parent])
    return Clip(skeleton, positions, rotations, fps, rig.armature.name)


def keyed_bones(thing: Any, action: Any) -> dict[int, set[str]]:
    """Returns the names of the bones that an action keys in each frame that has keys."""
    found: dict[int, set[str]] = {}
    with acting(thing, action):
        for curve in curves_of(thing):
            if curve.data_path.startswith(BONE):
                name = bpy.utils.unescape_identifier(curve.data_path[len(BONE) :].rpartition('"]')[0])
                for point in curve.keyframe_points:
                    found.setdefault(round(point.co.x), set()).add(name)
    return {frame: found[frame] for frame in sorted(found)}


def keyed_frames(action: Any) -> list[int]:
    """Returns the frames in which an action keys bones, without a change of the scene."""
    if hasattr(action, "layers"):
        bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    else:
        bags = [action]
    curves = [curve for bag in bags for curve in bag.fcurves if curve.data_path.startswith(BONE)]
    return sorted({round(point.co.x) for curve in curves for point in curve.keyframe_points})


def key_pose(armature: Any, action: Any, bones: Sequence[str], frame: int) -> None:
    """Keys the rotations and locations of bones, as they are now, in a frame of an action."""
    values = []
    for name in bones:
        bone, path = armature.pose.bones[name], bone_path(name)
        for channel in (rotation_channel(bone), "location"):
            values.append((f"{path}.{channel}", name, [*getattr(bone, channel)]))
    with acting(armature, action):
        curves = channels(action, armature)
        for path, group, numbers in values:
            holder = curves.groups.get(group) or curves.groups.new(group)
            for index, number in enumerate(numbers):
                curve = curves.fcurves.find(path, index=index) or curves.fcurves.new(path, index=index)
                curve.group = holder
                curve.keyframe_points.insert(frame, number)


def rotation_channel(bone: Any) -> str:
    """Returns the name of the property that holds a pose bone's rotation."""
    return ROTATION.get(bone.rotation_mode, "rotation_euler")


def unkey_pose(armature: Any, action: Any, frame: int) -> int:
    """Removes all keys of bones in a frame of an action; returns their number."""
    count = 0
    with acting(armature, action):
        for curve in curves_of(armature):
            for point in [point for point in curve.keyframe_points if round(point.co.x) == frame]:
                curve.keyframe_points.remove(point)
                count += 1
    return count


def pose_action(armature: Any) -> Any:
    """Returns a new action for keyed poses of an armature, without making it the active one."""
    data = armature.animation_data or armature.animation_data_create()
    before, slot = data.action, getattr(data, "action_slot", None)
    action = new_action(armature, f"{armature.name} pins")
    data.action = before
    if before and slot:
        data.action_slot = slot
    return action
