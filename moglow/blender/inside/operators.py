"""The operators of the panel: draw a path, generate along it in the background, cancel, show another take."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import bpy

from moglow.blender.inside.placing import TakeRequest, place
from moglow.blender.inside.tracks import show
from moglow.errors import MoglowError
from moglow.sampling.generate import Take

TICK, BUDGET = 1 / 30, 0.025
"""Seconds between two ticks of the timer, and of work in a tick; in between Blender responds to the user."""
IDLE = -1.0
"""The progress while nothing is generated."""


class MOGLOW_OT_generate(bpy.types.Operator):
    bl_idname = "moglow.generate"
    bl_label = "Generate"
    bl_description = "Make motion along the path, as actions of one armature; Esc cancels"
    bl_options = {"UNDO"}  # noqa: RUF012 (as Blender requires)

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.scene.moglow.path is not None and context.window_manager.moglow_progress < 0

    def execute(self, context: Any) -> set[str]:
        """Generates all takes at once, for scripts and for Blender without windows."""
        try:
            request = TakeRequest.read(context.scene)
            takes = [step for step in request.make() if isinstance(step, Take)]
            place(context.scene, request, takes)
        except MoglowError as error:
            return refuse(self, str(error))
        return _done(self, request)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Starts the work and the timer whose ticks continue it."""
        if bpy.app.background:
            return self.execute(context)
        try:
            self.request = TakeRequest.read(context.scene)
        except MoglowError as error:
            return refuse(self, str(error))
        self.scene, self.steps, self.takes = context.scene.name, self.request.make(), list[Take]()
        self.timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        _show(context, 0.0)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Works for a moment at each tick; passes all events but Esc on, so that Blender can be used meanwhile."""
        if event.type == "ESC" or context.window_manager.moglow_progress < 0:
            self.cancel(context)
            self.report({"INFO"}, "Cancelled; nothing was changed")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            share = work(self.steps, self.takes, BUDGET)
            if share is not None:
                _show(context, share)
                return {"PASS_THROUGH"}
            self.cancel(context)
            place(bpy.data.scenes[self.scene], self.request, self.takes)
        except (MoglowError, KeyError) as error:
            self.cancel(context)
            reason = f"the scene {self.scene} is gone" if isinstance(error, KeyError) else str(error)
            return refuse(self, reason)
        return _done(self, self.request)

    def cancel(self, context: Any) -> None:
        """Stops the timer; Blender also calls it when it closes."""
        context.window_manager.event_timer_remove(self.timer)
        _show(context, IDLE)


class MOGLOW_OT_cancel(bpy.types.Operator):
    bl_idname = "moglow.cancel"
    bl_label = "Cancel"
    bl_description = "Stop generating; the scene is not changed"

    def execute(self, context: Any) -> set[str]:
        _show(context, IDLE)
        return {"FINISHED"}


class MOGLOW_OT_draw_path(bpy.types.Operator):
    bl_idname = "moglow.draw_path"
    bl_label = "Draw"
    bl_description = "Draw a new path on the floor, seen from above; Tab ends drawing"
    bl_options = {"UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        if context.object and context.object.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        data = bpy.data.curves.new("Path", "CURVE")
        data.dimensions = "3D"
        path = bpy.data.objects.new("Path", data)
        context.scene.collection.objects.link(path)
        for other in context.selected_objects:
            other.select_set(False)
        path.select_set(True)
        context.view_layer.objects.active = context.scene.moglow.path = path
        bpy.ops.object.mode_set(mode="EDIT")
        paint = context.tool_settings.curve_paint_settings
        paint.curve_type, paint.depth_mode = "BEZIER", "CURSOR"
        context.scene.cursor.location.z = 0.0
        if context.area and context.area.type == "VIEW_3D":
            bpy.ops.view3d.view_axis(type="TOP")
            bpy.ops.wm.tool_set_by_id(name="builtin.draw")
        return {"FINISHED"}


class MOGLOW_OT_show_take(bpy.types.Operator):
    bl_idname = "moglow.show_take"
    bl_label = "Show This Take"
    bl_description = "Make this take the figure's active action"
    bl_options = {"UNDO"}  # noqa: RUF012
    __annotations__ = {"number": bpy.props.IntProperty(min=0)}

    def execute(self, context: Any) -> set[str]:
        settings = context.scene.moglow
        number = self.number
        action = (
            bpy.data.actions.get(settings.results[number].name) if number < len(settings.results) else None
        )
        if settings.figure is None or action is None:
            return refuse(self, "This take is gone; generate it again")
        show(settings.figure, action)
        settings.shown = number
        return {"FINISHED"}


def work(steps: Iterator[float | Take], takes: list[Take], budget: float) -> float | None:
    """Continues the work for `budget` seconds and collects takes; returns the share done, or None at the end."""
    until = perf_counter() + budget
    for step in steps:
        if isinstance(step, Take):
            takes.append(step)
        elif perf_counter() > until:
            return step
    return None


def _show(context: Any, share: float) -> None:
    context.window_manager.moglow_progress = share
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def refuse(operator: Any, sentence: str) -> set[str]:
    operator.report({"ERROR"}, sentence)
    return {"CANCELLED"}


def _done(operator: Any, request: TakeRequest) -> set[str]:
    for warning in request.warnings:
        operator.report({"WARNING"}, warning)
    return {"FINISHED"}


CLASSES = (MOGLOW_OT_generate, MOGLOW_OT_cancel, MOGLOW_OT_draw_path, MOGLOW_OT_show_take)
