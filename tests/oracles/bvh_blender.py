"""What Blender makes of BVH files, for tests/bvh/test_bvh_portability.py; runs in a Python that has bpy, not in ours.

bvh_blender.py OUT {"FILE": METRES_PER_UNIT, …} writes {FILE: {"fps", "names", "positions"}} to OUT; the positions are
frames × names × 3, in metres, with Y up again.
"""

import json
import sys

import bpy

out, files = sys.argv[1], json.loads(sys.argv[2])
found = {}
for path, unit in files.items():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(
        filepath=path,
        global_scale=unit,
        axis_forward="-Z",
        axis_up="Y",
        rotate_mode="NATIVE",
        update_scene_fps=True,
        update_scene_duration=True,
    )
    scene, armature = bpy.context.scene, bpy.context.object
    first, last = armature.animation_data.action.frame_range
    positions = []
    for frame in range(int(first), int(last) + 1):
        scene.frame_set(frame)
        heads = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
        positions.append([(x, z, -y) for x, y, z in heads])
    found[path] = {
        "fps": scene.render.fps / scene.render.fps_base,
        "names": [bone.name for bone in armature.pose.bones],
        "positions": positions,
    }
with open(out, "w") as file:
    json.dump(found, file)
