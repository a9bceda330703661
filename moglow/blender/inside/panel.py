"""The panel in the 3D view's sidebar."""

from textwrap import wrap
from typing import Any

import bpy

from moglow.blender.inside.action import find_channel
from moglow.blender.inside.curve_path import SPEED

WIDTH = 42
"""Characters of a warning on one line."""


class Sidebar:
    """The place of the panels: the tab of the add-on in the sidebar of the 3D view."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "moglow"


class MOGLOW_PT_panel(Sidebar, bpy.types.Panel):
    bl_idname = "MOGLOW_PT_panel"
    bl_label = "moglow"

    def draw(self, context: Any) -> None:
        settings, layout = context.scene.moglow, self.layout
        layout.use_property_split = True
        row = layout.row(align=True)
        row.prop(settings, "path")
        row.operator("moglow.draw_path", text="", icon="GREASEPENCIL")
        layout.prop(settings, "ground")
        if settings.path:
            _draw_pace(layout, settings)
        for name in ("style", "takes", "seed", "temperature", "foot_lock", "fit"):
            layout.prop(settings, name)
        layout.prop(settings, "checkpoint")
        layout.prop(settings, "figure")
        if settings.figure is None:
            layout.prop(settings, "body")
        layout.prop(settings, "keep_rate")
        layout.prop(settings, "live")
        share = context.window_manager.moglow_progress
        if share < 0:
            layout.operator("moglow.generate", icon="ARMATURE_DATA")
        else:
            row = layout.row()
            row.progress(factor=share, text=f"{share:.0%}")
            row.operator("moglow.cancel", text="", icon="CANCEL")
        _draw_results(layout, settings)


def _draw_pace(layout: Any, settings: Any) -> None:
    """Draws the settings of the path's timing: its keyframes, its own speed, or those of the panel."""
    curve = settings.path
    if (curve.data.use_path and find_channel(curve.data, "eval_time")) or find_channel(curve, f'["{SPEED}"]'):
        layout.label(text="Timed by the curve's keyframes", icon="KEYTYPE_KEYFRAME_VEC")
    else:
        layout.prop(settings, "pace")
        if settings.pace == "SECONDS":
            layout.prop(settings, "seconds")
        elif SPEED in curve:
            layout.prop(curve, f'["{SPEED}"]', text="Its Speed")
        else:
            layout.prop(settings, "speed")
    layout.prop(settings, "laps")
    layout.prop(settings, "backwards")


def _draw_results(layout: Any, settings: Any) -> None:
    for line in settings.messages.splitlines():
        for k, part in enumerate(wrap(line, WIDTH)):
            layout.label(text=part, icon="BLANK1" if k else "ERROR")
    for number, take in enumerate(settings.results):
        icon = "RADIOBUT_ON" if number == settings.shown else "RADIOBUT_OFF"
        layout.operator("moglow.show_take", text=take.name, icon=icon).number = number
        layout.label(text=take.figures)


CLASSES = (MOGLOW_PT_panel,)
