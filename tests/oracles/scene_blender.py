"""What Blender finds in scenes that it is given, for tests/blender/test_blender.py; runs in a Python that has
bpy, not in ours.

scene_blender.py OUT {"FILE": FPS, …} writes {FILE: {…}} to OUT. Positions are in metres, Y up again: joints
(frames × bones × 3) are the bones' heads, extent (frames × 2 × 3) the lowest and highest corner of the skinned body.
"""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import bpy


def failed(*error: Any) -> None:
    sys.__excepthook__(*error)
    sys.stderr.flush()
    os._exit(1)


sys.excepthook = failed


def opened(path: str, fps: float) -> Any:
    """Opens a file as a person would, and returns its armature."""
    if path.endswith(".blend"):
        bpy.ops.wm.open_mainfile(filepath=path)
    else:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        rate = bpy.context.scene.render
        rate.fps, rate.fps_base = (
            round(fps),
            round(fps) / fps,
        )  # glTF counts seconds; the importer asks the scene for frames
        if path.endswith(".glb"):
            bpy.ops.import_scene.gltf(filepath=path)
        elif hasattr(bpy.types, "WM_OT_fbx_import"):
            bpy.ops.wm.fbx_import(filepath=path)
        else:
            bpy.ops.import_scene.fbx(filepath=path)
    return next(thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE")


def y_up(points: Iterable[Any]) -> list[tuple[float, float, float]]:
    return [(x, z, -y) for x, y, z in points]


out, files = sys.argv[1], json.loads(sys.argv[2])
found = {}
for path, fps in files.items():
    armature = opened(path, fps)
    scene, action = bpy.context.scene, armature.animation_data.action
    bodies = [thing for thing in armature.children if thing.type == "MESH" and thing.modifiers]
    first, last = action.frame_range
    joints, extent, camera = [], [], []
    for frame in range(round(first), round(last) + 1):
        scene.frame_set(frame)
        joints.append(y_up(armature.matrix_world @ bone.head for bone in armature.pose.bones))
        for body in bodies[:1]:
            posed = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
            points = y_up(posed.matrix_world @ vertex.co for vertex in posed.data.vertices)
            extent.append([[pick(axis) for axis in zip(*points, strict=True)] for pick in (min, max)])
        if scene.camera:
            camera += y_up([scene.camera.matrix_world.translation])
    far = []
    if path.endswith(".blend"):
        scene.frame_set(round(last) + 3 * round(last - first) + 10)  # in the fourth round of a loop
        far = y_up(armature.matrix_world @ bone.head for bone in armature.pose.bones)
    found[path] = {
        "fps": scene.render.fps / scene.render.fps_base,
        "scene_range": [scene.frame_start, scene.frame_end],
        "action": [action.name, first, last],
        "armature": [armature.name, armature.data.name],
        "objects": sorted(thing.name for thing in scene.objects),
        "names": [bone.name for bone in armature.pose.bones],
        "joints": joints,
        "extent": extent,
        "camera": camera,
        "far": far,
    }
with open(out, "w") as file:
    json.dump(found, file)
sys.stdout.flush()
os._exit(0)  # a bpy that is torn down by Python now and then hangs
