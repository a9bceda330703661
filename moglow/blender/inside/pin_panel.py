"""The parts of the panel with pins, and with redone frames and thinner keys."""

from typing import Any

import bpy

from moglow.blender.inside.panel import Sidebar
from moglow.blender.inside.pins import location_frames, poses_of
from moglow.blender.inside.poses import keyed_frames

MOST = 12
"""Number of pins that are listed."""


class MOGLOW_PT_pins(Sidebar, bpy.types.Panel):
    bl_idname = "MOGLOW_PT_pins"
    bl_label = "Pins"
    bl_parent_id = "MOGLOW_PT_panel"

    def draw(self, context: Any) -> None:
        settings, layout = context.scene.moglow, self.layout
        layout.use_property_split = True
        layout.prop(settings, "use_pins")
        row = layout.row(align=True)
        row.prop(settings, "reach_joint")
        row.operator("moglow.add_reach", text="", icon="ADD")
        layout.operator("moglow.add_look", icon="HIDE_OFF")
        row = layout.row(align=True)
        row.operator("moglow.pin_pose", icon="PINNED")
        row.operator("moglow.unpin_pose", text="", icon="UNPINNED")
        layout.prop(settings, "poses")
        layout.prop(settings, "pose_keys")
        thing = context.object
        if thing and thing.type == "EMPTY":
            layout.label(text=thing.name, icon="EMPTY_DATA")
            layout.prop(thing.moglow, "pin")
            if thing.moglow.pin == "REACH":
                layout.prop(thing.moglow, "joint")
        for text in listed(context.scene):
            layout.label(text=text, icon="KEYFRAME")


class MOGLOW_PT_edit(Sidebar, bpy.types.Panel):
    bl_idname = "MOGLOW_PT_edit"
    bl_label = "Redo and Keys"
    bl_parent_id = "MOGLOW_PT_panel"

    def draw(self, context: Any) -> None:
        scene, layout = context.scene, self.layout
        settings = scene.moglow
        layout.use_property_split = True
        if scene.use_preview_range:
            layout.label(text=f"Preview range: {scene.frame_preview_start} to {scene.frame_preview_end}")
        else:
            layout.prop(settings, "redo_first")
            layout.prop(settings, "redo_last")
        layout.operator("moglow.redo", icon="FILE_REFRESH")
        layout.prop(settings, "thin")
        if settings.thin:
            layout.prop(settings, "key_angle")
            layout.prop(settings, "key_distance")


def listed(scene: Any) -> list[str]:
    """Returns a line for each assigned Empty, and one for the pinned poses."""
    lines = []
    for thing in scene.objects:
        if thing.type == "EMPTY" and thing.moglow.pin in ("REACH", "LOOK"):
            frames = location_frames(thing)
            lines.append(f"{thing.name}: {_frames(frames) if frames else 'no key'}")
    armature, action = poses_of(scene)
    if armature is not None:
        lines.append(f"{armature.name}: {_frames(keyed_frames(action))}")
    return lines if len(lines) <= MOST else [*lines[:MOST], f"… and {len(lines) - MOST} more"]


def _frames(frames: list[int]) -> str:
    shown = ", ".join(str(frame) for frame in frames[:MOST])
    return f"frame {shown}" if len(frames) == 1 else f"frames {shown}{' …' if len(frames) > MOST else ''}"


CLASSES = (MOGLOW_PT_pins, MOGLOW_PT_edit)
