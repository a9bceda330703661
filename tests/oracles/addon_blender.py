"""A day with the add-on, for tests/blender/test_addon.py; runs in a Python that has bpy, not in ours.

addon_blender.py OUT ZIP installs the zip as a person would, presses its buttons on scenes with curves, and writes what
became of each to OUT: the hips' ground positions in metres and our axes, frame by frame, and what the panel says.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy


def failed(*error: Any) -> None:
    sys.__excepthook__(*error)
    sys.stderr.flush()
    os._exit(1)


sys.excepthook = failed

out, addon = sys.argv[1:]
found: dict[str, Any] = {}


def fresh(unit: float = 1.0, fps: int = 24) -> Any:
    """An empty scene and its settings; takes as short as they may be."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    scene = bpy.context.scene
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", unit
    scene.render.fps = fps
    return scene


def circle(radius: float = 2.0) -> Any:
    bpy.ops.curve.primitive_bezier_circle_add(radius=radius)
    curve = bpy.context.object
    bpy.context.scene.moglow.path = curve
    return curve


def key(thing: Any, path: str, values: dict[int, float], name: str) -> None:
    """Keyframes, straight from one to the next."""
    for frame, value in values.items():
        if path.startswith("["):
            thing[path[2:-2]] = value
        else:
            setattr(thing, path, value)
        thing.keyframe_insert(path, frame=frame)
    action = thing.animation_data.action
    bags = [action] if hasattr(action, "fcurves") else [action.layers[0].strips[0].channelbags[0]]
    for point in bags[0].fcurves[0].keyframe_points:
        point.interpolation = "LINEAR"


def result() -> dict[str, Any]:
    scene = bpy.context.scene
    settings, unit = scene.moglow, scene.unit_settings.scale_length
    hips = settings.figure.pose.bones[0]
    ground, feet = [], []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        x, y, _ = (settings.figure.matrix_world @ hips.head) * unit
        ground.append((x, -y))
        feet.append(
            min((settings.figure.matrix_world @ bone.tail).z * unit for bone in settings.figure.pose.bones)
        )
    return {
        "ground": ground,
        "lowest": [min(feet), max(feet)],
        "range": [scene.frame_start, scene.frame_end],
        "fps": scene.render.fps / scene.render.fps_base,
        "active": settings.figure.animation_data.action.name,
        "results": [(take.name, take.figures) for take in settings.results],
        "messages": settings.messages,
        "actions": sorted(action.name for action in bpy.data.actions),
        "objects": sorted(thing.name for thing in scene.objects),
    }


command_line = (
    Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
)
checked = subprocess.run(
    [sys.executable, command_line, "validate", addon], capture_output=True, text=True, check=False
)
found["valid"] = checked.stdout + checked.stderr
bpy.ops.extensions.package_install_files(filepath=addon, repo="user_default", enable_on_install=True)
found["installed"] = [name for name, _ in bpy.context.preferences.addons.items() if "moglow" in name]

fresh()
circle()
bpy.context.scene.moglow.seed = 3
panel: Any = sys.modules["moglow.blender.inside.panel"]
pin_panel: Any = sys.modules["moglow.blender.inside.pin_panel"]
rigify_panel: Any = sys.modules["moglow.blender.inside.rigify_panel"]
ICONS = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()


class Layout:
    """Stands in for the layout of a panel, which only windows have: knows what Blender knows, keeps what is shown."""

    def __init__(self, shown: list[str]) -> None:
        self.shown = shown

    def row(self, align: bool = False) -> "Layout":
        return self

    def prop(self, thing: Any, name: str, text: str = "") -> None:
        assert name in thing.bl_rna.properties or name[2:-2] in thing, name
        self.shown.append(name)

    def label(self, text: str, icon: str = "NONE") -> None:
        assert icon in ICONS, icon
        self.shown.append(text)

    def operator(self, name: str, text: str = "", icon: str = "NONE") -> Any:
        assert icon in ICONS, icon
        group, _, verb = name.partition(".")
        assert hasattr(bpy.types, f"{group.upper()}_OT_{verb}"), name
        self.shown.append(name)
        return SimpleNamespace()

    def progress(self, factor: float, text: str) -> None:
        assert "progress" in bpy.types.UILayout.bl_rna.functions
        self.shown.append(text)


def panel_shows(share: float = -1.0) -> list[str]:
    manager = SimpleNamespace(moglow_progress=share)
    layout = Layout([])
    context = SimpleNamespace(scene=bpy.context.scene, window_manager=manager, object=bpy.context.object)
    for kind in (panel.MOGLOW_PT_panel, *pin_panel.CLASSES, rigify_panel.MOGLOW_PT_rigify):
        kind.draw(SimpleNamespace(layout=layout), context)
    return layout.shown


found["panel"] = {"before": panel_shows(), "during": panel_shows(0.25)}
bpy.ops.ed.undo_push(message="A circle")
bpy.ops.moglow.generate("EXEC_DEFAULT", True)
found["circle"] = result()
bpy.ops.ed.undo()
found["undone"] = sorted(thing.name for thing in bpy.context.scene.objects)

# The same circle: centimetres, turned, tilted out of its parent's space, lifted by half a metre. Two takes.
fresh(unit=0.01)
curve = circle(radius=1.0)
parent = bpy.data.objects.new("parent", None)
bpy.context.scene.collection.objects.link(parent)
parent.rotation_euler, parent.scale, parent.location = (math.pi / 2, 0, 0), (200, 200, 200), (300, 0, 50)
curve.parent, curve.rotation_euler = parent, (-math.pi / 2, 0, 0)
settings = bpy.context.scene.moglow
settings.takes, settings.pace, settings.seconds, settings.backwards, settings.keep_rate = (
    2,
    "SECONDS",
    15.0,
    True,
    True,
)
settings.body = False
bpy.context.view_layer.update()
bpy.ops.moglow.generate()
found["parented"] = result()
bpy.ops.moglow.show_take(number=1)
found["second take"] = settings.figure.animation_data.action.name
settings.takes, settings.seed = 1, 9
bpy.ops.moglow.generate()  # on the armature that is there
found["again"] = result()

# Evaluation time keyed from the half of the circle to its end, frames 11 to 131 at 24 a second.
fresh()
curve = circle()
curve.data.path_duration = 100
key(curve.data, "eval_time", {11: 50.0, 131: 100.0}, "eval_time")
found["panel"]["timed"] = panel_shows()
bpy.ops.moglow.generate()
found["timed"] = result()

# A keyed speed, in metres a second, for five seconds.
fresh()
curve = circle()
key(curve, '["speed"]', {1: 0.6, 121: 1.2}, "speed")
bpy.ops.moglow.generate()
found["sped"] = result()

# A polygon with a corner, going up, in edit mode; in a second, which is faster than the model ever saw.
fresh()
data = bpy.data.curves.new("Corner", "CURVE")
data.dimensions, data.bevel_depth = "3D", 0.1
spline = data.splines.new("POLY")
spline.points.add(2)
for point, place in zip(spline.points, [(0, 0, 0), (3, 0, 0), (3, 3, 1)], strict=True):
    point.co = (*place, 1)
curve = bpy.data.objects.new("Corner", data)
bpy.context.scene.collection.objects.link(curve)
bpy.context.view_layer.objects.active = bpy.context.scene.moglow.path = curve
bpy.ops.object.mode_set(mode="EDIT")
bpy.context.scene.moglow.pace, bpy.context.scene.moglow.seconds = "SECONDS", 1.0
bpy.ops.moglow.generate()
found["corner"] = result()
found["panel"]["after"] = panel_shows()

# Over stairs of a mesh, six steps along -Y, on a new figure and on a metarig.
rise, run, steps = 0.17, 0.29, 6
for rigged in (False, True):
    fresh()
    corners: list[tuple[float, float, float]] = []
    for number in range(steps + 1):
        near, far = (-9.0 if not number else 1.5 + run * (number - 1)), 1.5 + run * number
        far = 9.0 if number == steps else far
        corners += [(x, -y, rise * number) for y in (near, far) for x in (-1.0, 1.0)]
    faces = [(4 * k, 4 * k + 1, 4 * k + 3, 4 * k + 2) for k in range(steps + 1)]
    stairs = bpy.data.meshes.new("Stairs")
    stairs.from_pydata(corners, [], faces)
    ground = bpy.data.objects.new("Stairs", stairs)
    bpy.context.scene.collection.objects.link(ground)
    data = bpy.data.curves.new("Up", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("POLY")
    spline.points.add(1)
    for point, place in zip(spline.points, [(0, 0, 0), (0, -5, 0)], strict=True):
        point.co = (*place, 1)
    up = bpy.data.objects.new("Up", data)
    bpy.context.scene.collection.objects.link(up)
    settings = bpy.context.scene.moglow
    settings.path, settings.ground, settings.seed = up, ground, 2
    if rigged:
        bpy.ops.preferences.addon_enable(module="rigify")
        bpy.ops.object.armature_human_metarig_add()
        settings.figure = bpy.context.object
    bpy.ops.moglow.generate()
    heights = []
    for frame in range(bpy.context.scene.frame_start, bpy.context.scene.frame_end + 1):
        bpy.context.scene.frame_set(frame)
        heights.append((settings.figure.matrix_world @ settings.figure.pose.bones[0].head).z)
    found["stairs rigged" if rigged else "stairs"] = {**result(), "heights": heights}

# On a rig of the user's, which has other proportions: Rigify's metarig.
fresh()
bpy.ops.preferences.addon_enable(module="rigify")
bpy.ops.object.armature_human_metarig_add()
metarig = bpy.context.object
circle()
bpy.context.scene.moglow.figure = metarig
bpy.ops.moglow.generate()
found["metarig"] = result()


def refused(change: Any) -> str:
    """Returns the error that the button reports after the settings are broken."""
    fresh()
    circle()
    change(bpy.context.scene.moglow)
    try:
        bpy.ops.moglow.generate()
    except RuntimeError as error:
        return str(error)
    return "it did it"


def upright(settings: Any) -> None:
    settings.path.data.splines[0].use_cyclic_u = False
    for point in settings.path.data.splines[0].bezier_points:
        point.handle_left_type = point.handle_right_type = "FREE"
        point.co = point.handle_left = point.handle_right = (0, 0, point.co.y)


found["refused"] = {
    "style": refused(lambda settings: setattr(settings, "style", "moonwalk")),
    "model": refused(lambda settings: setattr(settings, "checkpoint", "/nowhere.safetensors")),
    "upright": refused(upright),
    "path": refused(lambda settings: setattr(settings, "path", None)),
}

# The road that windows take: ticks of a timer, Esc, and undo.
fresh()
circle()
bpy.ops.ed.undo_push(message="a circle")
operators: Any = sys.modules["moglow.blender.inside.operators"]
real = bpy.context
timers: list[str] = []
shown: list[float] = []
manager = SimpleNamespace(
    event_timer_add=lambda tick, window: timers.append("timer"),
    event_timer_remove=lambda timer: timers.remove("timer"),
    modal_handler_add=lambda operator: None,
    windows=[],
    moglow_progress=-1.0,
)
context = SimpleNamespace(scene=real.scene, window_manager=manager, window=None)
messages: list[str] = []


def session() -> Any:
    """A button that was pressed in a window: the operator's own functions on a plain object."""
    button = SimpleNamespace(report=lambda kind, text: messages.append(text))
    kind = operators.MOGLOW_OT_generate
    button.cancel = lambda context: kind.cancel(button, context)
    button.modal = lambda event: kind.modal(button, context, SimpleNamespace(type=event))
    operators.bpy = SimpleNamespace(app=SimpleNamespace(background=False), data=bpy.data)
    button.started = kind.invoke(button, context, None)
    return button


button = session()
answers = [button.started, button.modal("MOUSEMOVE"), button.modal("TIMER")]
half = manager.moglow_progress
answers.append(button.modal("ESC"))
found["cancelled"] = {
    "answers": [sorted(answer) for answer in answers],
    "progress": [half, manager.moglow_progress],
    "timers": len(timers),
    "messages": list(messages),
    "objects": sorted(thing.name for thing in bpy.context.scene.objects),
}
operators.BUDGET /= 10  # several ticks on fast machines, too
button, ticks = session(), 0
while button.modal("TIMER") == {"PASS_THROUGH"}:
    ticks += 1
    shown.append(manager.moglow_progress)
found["modal"] = {**result(), "ticks": ticks, "rising": shown == sorted(shown), "timers": len(timers)}
operators.bpy = bpy

bpy.ops.moglow.draw_path()
found["drawn"] = [bpy.context.scene.moglow.path.name, bpy.context.object.mode]
bpy.ops.preferences.addon_disable(module=found["installed"][0])
found["left over"] = hasattr(bpy.types.Scene, "moglow")
with open(out, "w") as file:
    json.dump(found, file)
sys.stdout.flush()
os._exit(0)  # a bpy that is torn down by Python now and then hangs
