"""The part of the panel for rigs that Rigify generated, and its button."""

from typing import Any

import bpy

from moglow.blender.inside.operators import refuse
from moglow.blender.inside.panel import Sidebar
from moglow.blender.inside.rigify_bake import bake
from moglow.blender.inside.rigify_rig import generated_rig
from moglow.blender.inside.settings import key_tolerance
from moglow.errors import MoglowError


class MOGLOW_OT_bake_rigify(bpy.types.Operator):
    bl_idname = "moglow.bake_rigify"
    bl_label = "Bake to Rigify Controls"
    bl_description = (
        "Copy the take that the figure shows, or its frames in the preview range, to the controls of a rig that "
        "Rigify generated"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (as Blender requires)

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.scene.moglow.figure is not None

    def execute(self, context: Any) -> set[str]:
        scene, settings = context.scene, context.scene.moglow
        try:
            rig = generated_rig(scene, context.object)
            baked = bake(
                scene,
                settings.figure,
                rig,
                feet_ik=settings.feet_ik,
                keep_path=settings.keep_path,
                tolerance=key_tolerance(settings),
            )
        except MoglowError as error:
            return refuse(self, str(error))
        scene.frame_set(scene.frame_current)
        for warning in baked.warnings:
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, str(baked))
        return {"FINISHED"}


class MOGLOW_PT_rigify(Sidebar, bpy.types.Panel):
    bl_idname = "MOGLOW_PT_rigify"
    bl_label = "Rigify"
    bl_parent_id = "MOGLOW_PT_panel"

    def draw(self, context: Any) -> None:
        settings, layout = context.scene.moglow, self.layout
        layout.use_property_split = True
        layout.prop(settings, "rigify")
        layout.prop(settings, "feet_ik")
        layout.prop(settings, "keep_path")
        layout.operator("moglow.bake_rigify", icon="CON_ARMATURE")


CLASSES = (MOGLOW_OT_bake_rigify, MOGLOW_PT_rigify)
