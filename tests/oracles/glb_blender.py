"""What Blender makes of GLB files, for tests/formats/test_glb.py; runs in a Python that has bpy, not in ours.

glb_blender.py OUT {"FILE": FPS, …} writes {FILE: {"names", "joints", "points"}} to OUT: world positions in metres, Y up
again, of the bones' heads and of every hundredth point of the skinned body, frame by frame.
"""

import json
import sys

import bpy

out, files = sys.argv[1], json.loads(sys.argv[2])
found = {}
for path, fps in files.items():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = fps  # glTF counts seconds; the importer asks the scene for frames
    bpy.ops.import_scene.gltf(filepath=path)
    armature = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    body = next(thing for thing in scene.objects if thing.type == "MESH" and thing.modifiers)
    first, last = armature.animation_data.action.frame_range
    joints, points = [], []
    for frame in range(round(first), round(last) + 1):
        scene.frame_set(frame)
        joints.append([armature.matrix_world @ bone.head for bone in armature.pose.bones])
        posed = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
        points.append([posed.matrix_world @ vertex.co for vertex in list(posed.data.vertices)[::100]])
    found[path] = {
        "names": [bone.name for bone in armature.pose.bones],
        "joints": [[(x, z, -y) for x, y, z in row] for row in joints],
        "points": [[(x, z, -y) for x, y, z in row] for row in points],
    }
with open(out, "w") as file:
    json.dump(found, file)
