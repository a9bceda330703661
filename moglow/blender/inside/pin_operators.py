"""The operators for pins and stretches: key a pose as a pin, add Empties to reach or look at, redo frames."""

from typing import Any

import bpy

from moglow.blender.inside.operators import refuse
from moglow.blender.inside.pins import poses_of
from moglow.blender.inside.placing import metres_per_unit
from moglow.blender.inside.poses import key_pose, pose_action, unkey_pose
from moglow.blender.inside.redoing import RedoStretch, redo_stretch
from moglow.blender.inside.rig import Rig, make_active
from moglow.errors import MoglowError

AHEAD = 2.0
"""Metres before the face of a figure at which a new target of its gaze is."""


def chosen_armature(context: Any) -> Any:
    """Returns the active armature, or else the armature with keyed poses or the figure."""
    thing = context.object
    settings = context.scene.moglow
    return thing if thing and thing.type == "ARMATURE" else settings.poses or settings.figure


def chosen_bones(armature: Any) -> list[str]:
    """Returns the names of the selected bones in pose mode, or of all bones if none or all are selected."""
    bones = armature.pose.bones
    if armature.mode != "POSE":
        return [bone.name for bone in bones]
    selected = [bone.name for bone in bones if is_selected(bone)]
    return selected or [bone.name for bone in bones]


def is_selected(bone: Any) -> bool:
    """Returns whether a pose bone is selected; Blender 5 keeps this at the pose bone, earlier versions at the bone."""
    return bool(bone.select if hasattr(bone, "select") else bone.bone.select)


class MOGLOW_OT_pin_pose(bpy.types.Operator):
    bl_idname = "moglow.pin_pose"
    bl_label = "Pin Pose"
    bl_description = (
        "Make the armature's pose in this frame a pin: the selected bones in pose mode, or all bones"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (as Blender requires)

    @classmethod
    def poll(cls, context: Any) -> bool:
        return chosen_armature(context) is not None

    def execute(self, context: Any) -> set[str]:
        settings, armature = context.scene.moglow, chosen_armature(context)
        if settings.pose_keys and settings.poses and settings.poses != armature:
            return refuse(
                self, f"{settings.poses.name} has the pins; choose {armature.name} as Poses to change that"
            )
        settings.poses = armature
        settings.pose_keys = settings.pose_keys or pose_action(armature)
        bones, frame = chosen_bones(armature), context.scene.frame_current
        key_pose(armature, settings.pose_keys, bones, frame)
        self.report({"INFO"}, f"{len(bones)} bones of {armature.name} are a pin at frame {frame}")
        return {"FINISHED"}


class MOGLOW_OT_unpin_pose(bpy.types.Operator):
    bl_idname = "moglow.unpin_pose"
    bl_label = "Unpin Pose"
    bl_description = "Remove the pinned pose of this frame"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return poses_of(context.scene)[1] is not None

    def execute(self, context: Any) -> set[str]:
        armature, action = poses_of(context.scene)
        frame = context.scene.frame_current
        if not unkey_pose(armature, action, frame):
            return refuse(self, f"Frame {frame} has no pinned pose; go to the frame of one")
        return {"FINISHED"}


class MOGLOW_OT_redo(bpy.types.Operator):
    bl_idname = "moglow.redo"
    bl_label = "Redo Frames"
    bl_description = (
        "Make the frames of the preview range, or From to To, anew as new takes: the selected bones in pose mode, or "
        "the whole body"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        figure = context.scene.moglow.figure
        return bool(figure and figure.animation_data and figure.animation_data.action)

    def execute(self, context: Any) -> set[str]:
        scene, figure = context.scene, context.scene.moglow.figure
        bones = chosen_bones(figure)
        whole = len(bones) == len(figure.pose.bones)
        try:
            self.report({"INFO"}, redo_stretch(scene, RedoStretch.of(scene, () if whole else bones)))
        except MoglowError as error:
            return refuse(self, str(error))
        return {"FINISHED"}


class MOGLOW_OT_add_reach(bpy.types.Operator):
    bl_idname = "moglow.add_reach"
    bl_label = "Add Reach"
    bl_description = (
        "Add an Empty at the joint, keyed in this frame; move it and key it again where the joint shall be"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        settings, scene = context.scene.moglow, context.scene
        role, place = settings.reach_joint, scene.cursor.location.copy()
        try:
            if settings.figure and settings.figure.name in scene.objects:
                place = joint_place(settings.figure, role, metres_per_unit(scene))
        except MoglowError as error:
            return refuse(self, str(error))
        empty = new_empty(scene, role, place, "SPHERE", 0.06 / metres_per_unit(scene))
        empty.moglow.pin, empty.moglow.joint = "REACH", role
        empty.keyframe_insert("location", frame=scene.frame_current)
        return {"FINISHED"}


class MOGLOW_OT_add_look(bpy.types.Operator):
    bl_idname = "moglow.add_look"
    bl_label = "Add Look"
    bl_description = "Add an Empty at which the figure looks; two keys of its location limit the time"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        settings, scene = context.scene.moglow, context.scene
        unit, place = metres_per_unit(scene), scene.cursor.location.copy()
        try:
            if settings.figure and settings.figure.name in scene.objects:
                place = joint_place(settings.figure, "head", unit)
                place.y -= AHEAD / unit
        except MoglowError as error:
            return refuse(self, str(error))
        empty = new_empty(scene, "look", place, "PLAIN_AXES", 0.2 / unit)
        empty.moglow.pin = "LOOK"
        return {"FINISHED"}


def joint_place(figure: Any, role: str, unit: float) -> Any:
    """Returns the place of the joint of a role in the current frame, in Blender's units."""
    rig = Rig.of(figure)
    joint = rig.skeleton(unit).role(role)
    return figure.matrix_world @ figure.pose.bones[rig.bones[joint]].head


def new_empty(scene: Any, name: str, place: Any, shape: str, size: float) -> Any:
    """Adds an Empty and selects it alone."""
    empty = bpy.data.objects.new(name, None)
    empty.empty_display_type, empty.empty_display_size = shape, size
    empty.location = place
    scene.collection.objects.link(empty)
    make_active(empty)
    return empty


CLASSES = (
    MOGLOW_OT_pin_pose,
    MOGLOW_OT_unpin_pose,
    MOGLOW_OT_redo,
    MOGLOW_OT_add_reach,
    MOGLOW_OT_add_look,
)
