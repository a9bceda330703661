"""The panel in the 3D view's sidebar."""

from textwrap import wrap
from typing import Any

import bpy

from moglow.blender.inside.action import find_channel
from moglow.blender.inside.curve_path import SPEED

WIDTH = 42
"""Letters of a warning on one line."""


class MOGLOW_PT_panel(bpy.types.Panel):
    bl_idname = "MOGLOW_PT_panel"
    bl_label = "moglow"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "moglow"

    def draw(self, context: Any) -> None:
        asked, layout = context.scene.moglow, self.layout
        layout.use_property_split = True
        row = layout.row(align=True)
        row.prop(asked, "path")
        row.operator("moglow.draw_path", text="", icon="GREASEPENCIL")
        if asked.path:
            _draw_pace(layout, asked)
        for name in ("style", "takes", "seed", "temperature", "foot_lock", "fit"):
            layout.prop(asked, name)
        layout.prop(asked, "checkpoint")
        layout.prop(asked, "figure")
        if asked.figure is None:
            layout.prop(asked, "body")
        layout.prop(asked, "keep_rate")
        share = context.window_manager.moglow_progress
        if share < 0:
            layout.operator("moglow.generate", icon="ARMATURE_DATA")
        else:
            row = layout.row()
            row.progress(factor=share, text=f"{share:.0%}")
            row.operator("moglow.cancel", text="", icon="CANCEL")
        _draw_results(layout, asked)


def _draw_pace(layout: Any, asked: Any) -> None:
    """How the path is timed: by its keyframes, by its own speed, or as the panel says."""
    curve = asked.path
    if (curve.data.use_path and find_channel(curve.data, "eval_time")) or find_channel(curve, f'["{SPEED}"]'):
        layout.label(text="Timed by the curve's keyframes", icon="KEYTYPE_KEYFRAME_VEC")
    else:
        layout.prop(asked, "pace")
        if asked.pace == "SECONDS":
            layout.prop(asked, "seconds")
        elif SPEED in curve:
            layout.prop(curve, f'["{SPEED}"]', text="Its Speed")
        else:
            layout.prop(asked, "speed")
    layout.prop(asked, "laps")
    layout.prop(asked, "backwards")


def _draw_results(layout: Any, asked: Any) -> None:
    for line in asked.said.splitlines():
        for k, part in enumerate(wrap(line, WIDTH)):
            layout.label(text=part, icon="BLANK1" if k else "ERROR")
    for number, take in enumerate(asked.results):
        icon = "RADIOBUT_ON" if number == asked.shown else "RADIOBUT_OFF"
        layout.operator("moglow.show_take", text=take.name, icon=icon).number = number
        layout.label(text=take.figures)


CLASSES = (MOGLOW_PT_panel,)
