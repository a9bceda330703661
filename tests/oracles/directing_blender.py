"""Directions in the add-on, for tests/blender/test_directing.py; runs in a Python that has bpy, not in ours.

directing_blender.py OUT [PART …] enables the add-on of the moglow that is imported, directs a figure in scenes as a
person would, and writes to OUT what became of it: places of joints in metres, in Blender's axes.
"""

import json
import os
import sys
from typing import Any

import bpy


def failed(*error: Any) -> None:
    sys.__excepthook__(*error)
    sys.stderr.flush()
    os._exit(1)


sys.excepthook = failed

from moglow.blender.inside.addon import register, unregister  # noqa: E402 (after the hook, which shows its errors)

out, *parts = sys.argv[1:]
found: dict[str, Any] = {"version": bpy.app.version_string}


def fresh(fps: int = 30) -> Any:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    if hasattr(bpy.types.Scene, "moglow"):
        unregister()
    register()
    scene = bpy.context.scene
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 1.0
    scene.render.fps = fps
    return scene


def line(points: Any = ((0, 0, 0), (0, -3, 0)), name: str = "walk") -> Any:
    data = bpy.data.curves.new(name, "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("POLY")
    spline.points.add(len(points) - 1)
    for point, place in zip(spline.points, points, strict=True):
        point.co = (*place, 1)
    curve = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(curve)
    bpy.context.scene.moglow.path = curve
    return curve


def joints(figure: Any, frame: int) -> dict[str, list[float]]:
    bpy.context.scene.frame_set(frame)
    return {bone.name: [*(figure.matrix_world @ bone.head)] for bone in figure.pose.bones}


def rotations(figure: Any, frames: Any) -> list[list[list[float]]]:
    """Returns the local rotation of each bone in each frame."""
    made = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        made.append([[*bone.matrix_basis.to_quaternion()] for bone in figure.pose.bones])
    return made


def message_of(button: Any, **given: Any) -> str:
    """Returns the message of the error of an operator, or an empty text."""
    try:
        button(**given)
    except RuntimeError as error:
        return str(error)
    return ""


def turn(figure: Any, bone: str, angle: float) -> None:
    from mathutils import Quaternion

    pose = figure.pose.bones[bone]
    pose.rotation_mode = "QUATERNION"
    pose.rotation_quaternion = pose.rotation_quaternion @ Quaternion((1, 0, 0), angle)


def pins() -> None:
    """A walk, then the same with a reach of an Empty, a look, a pinned pose of the body and one of an arm."""
    scene = fresh()
    line()
    bpy.ops.moglow.generate()
    settings = scene.moglow
    figure = settings.figure
    free = {frame: joints(figure, frame) for frame in (40, 66, 90)}
    hand = figure.pose.bones[next(bone.name for bone in figure.pose.bones if bone.name.endswith("LeftHand"))]
    scene.frame_set(40)
    bpy.ops.moglow.add_reach()
    empty = bpy.context.object
    wanted = [free[40][hand.name][k] + (0.05, -0.1, 0.3)[k] for k in range(3)]
    empty.location = wanted
    empty.keyframe_insert("location", frame=40)
    bpy.ops.moglow.add_look()
    look = bpy.context.object
    scene.frame_set(66)
    bpy.context.view_layer.update()
    turn(figure, "Spine1" if "Spine1" in figure.pose.bones else "Spine", 0.4)
    bpy.context.view_layer.update()
    posed = {bone.name: [*(figure.matrix_world @ bone.head)] for bone in figure.pose.bones}
    bpy.context.view_layer.objects.active = figure
    bpy.ops.moglow.pin_pose()
    before = figure.animation_data.action.name
    bpy.ops.moglow.generate()
    found["pins"] = {
        "reach": [wanted, joints(figure, 40)[hand.name], free[40][hand.name]],
        "pose": [posed, joints(figure, 66), free[66]],
        "look": [empty.name, look.moglow.pin],
        "messages": settings.messages,
        "results": [take.figures for take in settings.results],
        "actions": [before, figure.animation_data.action.name],
        "frame": scene.frame_current,
    }
    found["refused"] = {}
    empty.keyframe_insert("location", frame=999)
    found["refused"]["late"] = message_of(bpy.ops.moglow.generate)
    empty.animation_data_clear()
    found["refused"]["unkeyed"] = message_of(bpy.ops.moglow.generate)
    empty.moglow.joint = "tail"
    empty.keyframe_insert("location", frame=40)
    found["refused"]["tail"] = message_of(bpy.ops.moglow.generate)
    empty.moglow.joint, empty.location = "left_hand", (9, 9, 9)
    empty.keyframe_insert("location", frame=40)
    found["refused"]["far"] = message_of(bpy.ops.moglow.generate)
    scene.frame_set(50)
    found["refused"]["no pose"] = message_of(bpy.ops.moglow.unpin_pose)


def ramp() -> None:
    """A walk up a mesh that rises by 0.15 m a metre, with a reach of an Empty and a pinned pose on the mesh."""
    scene = fresh()
    line()
    mesh = bpy.data.meshes.new("Ramp")
    mesh.from_pydata([(x, y, -0.15 * y) for y in (2, -6) for x in (-2, 2)], [], [(0, 1, 3, 2)])
    scene.moglow.ground = bpy.data.objects.new("Ramp", mesh)
    scene.collection.objects.link(scene.moglow.ground)
    bpy.ops.moglow.generate()
    figure = scene.moglow.figure
    free = {frame: joints(figure, frame) for frame in (40, 66)}
    hand = next(bone.name for bone in figure.pose.bones if bone.name.endswith("LeftHand"))
    scene.frame_set(40)
    bpy.ops.moglow.add_reach()
    wanted = [free[40][hand][k] + (0.05, -0.1, 0.3)[k] for k in range(3)]
    bpy.context.object.location = wanted
    bpy.context.object.keyframe_insert("location", frame=40)
    scene.frame_set(66)
    turn(figure, "Spine1" if "Spine1" in figure.pose.bones else "Spine", 0.4)
    bpy.context.view_layer.update()
    posed = {bone.name: [*(figure.matrix_world @ bone.head)] for bone in figure.pose.bones}
    bpy.context.view_layer.objects.active = figure
    bpy.ops.moglow.pin_pose()
    bpy.ops.moglow.generate()
    lowest = []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        lowest.append(min(z + 0.15 * y for _, y, z in joints(figure, frame).values()))
    found["ramp"] = {
        "reach": [wanted, joints(figure, 40)[hand], free[40][hand]],
        "pose": [posed, joints(figure, 66), free[66]],
        "lowest": lowest,
        "messages": scene.moglow.messages,
    }


def channel_values(action: Any, figure: Any, frames: Any) -> dict[str, list[float]]:
    """Returns the values of an action's curves in frames, by path and index."""
    from moglow.blender.inside.action import acting, curves_of

    with acting(figure, action):
        curves = curves_of(figure)
        return {
            f"{curve.data_path}[{curve.array_index}]": [curve.evaluate(frame) for frame in frames]
            for curve in curves
        }


def key_count(action: Any, figure: Any) -> int:
    from moglow.blender.inside.action import acting, curves_of

    with acting(figure, action):
        return sum(len(curve.keyframe_points) for curve in curves_of(figure))


def edits() -> None:
    """Keys with and without thinning, takes as strips, and a stretch made anew, of the body and of an arm."""
    scene = fresh()
    line()
    bpy.ops.moglow.generate()
    settings = scene.moglow
    figure = settings.figure
    full = figure.animation_data.action
    frames = range(scene.frame_start, scene.frame_end + 1)
    places = [joints(figure, frame) for frame in frames]
    turned = rotations(figure, frames)
    settings.thin = True
    bpy.ops.moglow.generate()
    thin = figure.animation_data.action
    found["thin"] = {
        "places": [places, [joints(figure, frame) for frame in frames]],
        "turns": [turned, rotations(figure, frames)],
        "keys": [key_count(full, figure), key_count(thin, figure)],
        "settings": [settings.key_angle, settings.key_distance],
        "figures": settings.results[0].figures,
    }
    found["names"] = [action.name for action in (full, thin)]
    redone = {}
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 41, 60
    for case, source, bones in (
        ("body", full, ()),
        ("thin", thin, ()),
        ("arm", full, ("LeftArm", "LeftForeArm")),
    ):
        from moglow.blender.inside.action import activate

        activate(figure, source)
        bpy.context.view_layer.objects.active = figure
        if bones:
            bpy.ops.object.mode_set(mode="POSE")
            bpy.ops.pose.select_all(action="DESELECT")
            for name in bones:
                bone = figure.pose.bones[name]
                if hasattr(bone, "select"):
                    bone.select = True
                else:
                    bone.bone.select = True
        message = message_of(bpy.ops.moglow.redo)
        if bones:
            bpy.ops.object.mode_set(mode="OBJECT")
        new = figure.animation_data.action
        redone[case] = {
            "message": message,
            "name": new.name,
            "before": channel_values(source, figure, frames),
            "after": channel_values(new, figure, frames),
            "places": [joints(figure, frame) for frame in frames],
        }
    found["redo"] = redone
    scene.frame_preview_end = 999
    found["redo refused"] = message_of(bpy.ops.moglow.redo)
    found["strips"] = [
        (track.name, [strip.action.name for strip in track.strips], track.mute)
        for track in figure.animation_data.nla_tracks
    ]
    found["edit results"] = [(take.name, take.figures) for take in settings.results]


def drafts() -> None:
    """The end of the path, then the key of a reach, are moved: a draft, then the full take."""
    from time import perf_counter, process_time

    from moglow.blender.inside import live
    from moglow.blender.inside.action import curves_of

    scene = fresh()
    curve = line(((0, 0, 0), (0, -3, 0)))
    bpy.ops.moglow.generate()
    settings = scene.moglow
    figure = settings.figure
    scene.frame_set(40)
    bpy.ops.moglow.add_reach()
    empty = bpy.context.object
    settings.live = True
    live.on_change(scene)
    live.first()
    began = live.WATCH.changed
    costs, shown = [], []

    def step(change: Any) -> None:
        """Makes a change, a draft and, later, the full take."""
        change()
        bpy.context.view_layer.update()
        live.on_change(scene)
        frame = scene.frame_current
        before = process_time(), perf_counter()
        live.tick()
        costs.append([process_time() - before[0], perf_counter() - before[1]])
        draft = figure.animation_data.action.name
        bpy.context.view_layer.update()
        hand = next(bone for bone in figure.pose.bones if bone.name.endswith("LeftHand"))
        here = [*(figure.matrix_world @ hand.head)]
        live.WATCH.changed = perf_counter() - 1.0
        live.tick()
        end = joints(figure, scene.frame_end)
        scene.frame_set(frame)
        shown.append(
            {
                "draft": draft,
                "hand": here,
                "take": figure.animation_data.action.name,
                "end": end[figure.pose.bones[0].name],
                "hand of the take": joints(figure, frame)[hand.name],
                "actions": sorted(action.name for action in bpy.data.actions if "walk" in action.name),
                "frame": scene.frame_current,
                "messages": settings.messages,
            }
        )

    def bend() -> None:
        curve.data.splines[0].points[1].co = (1.0, -3.0, 0.0, 1.0)
        curve.data.update_tag()

    def lift() -> None:
        empty.location.z += 0.25
        found["lifted"] = [*empty.location]

    step(bend)
    step(lift)
    quiet = live.WATCH.seen
    scene.frame_set(41)
    live.on_change(scene)
    found["drafts"] = {
        "began": began,
        "costs": costs,
        "shown": shown,
        "idle": live.WATCH.seen == quiet and live.WATCH.changed is None,
        "keys": [point.co.x for point in curves_of(empty)[0].keyframe_points],
        "left": "moglow draft" in bpy.data.actions,
    }


for part in parts or ("pins", "ramp", "edits", "drafts"):
    globals()[part]()
with open(out, "w") as file:
    json.dump(found, file)
sys.stdout.flush()
os._exit(0)  # a bpy that is torn down by Python now and then hangs
