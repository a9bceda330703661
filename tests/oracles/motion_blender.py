"""Files that Blender writes, and what it reads from others', for tests/formats; runs in a Python that has bpy.

motion_blender.py write OUT FOLDER {"FILE.bvh": METRES, …} writes each motion, 30 frames of it, in every format that
Blender writes; motion_blender.py read OUT FILE FPS … reads files. Both write {FILE: {"names", "joints"}} to OUT: world
positions of the bones' heads by frame, in metres, Y up again.
"""

import json
import sys
from pathlib import Path
from typing import Any

import bpy

FRAMES = 30
found: dict[str, Any] = {}


def poses(armature: Any, first: int, last: int) -> dict[str, Any]:
    """The bones' names and where their heads are."""
    rows = []
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        heads = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
        rows.append([(x, z, -y) for x, y, z in heads])
    return {"names": [bone.name for bone in armature.pose.bones], "joints": rows}


def add_skin(armature: Any) -> None:
    """A triangle on each bone, so that bind poses are written."""
    points: list[Any] = []
    faces: list[tuple[int, int, int]] = []
    mesh = bpy.data.meshes.new("Body")
    for bone in armature.data.bones:
        head, n = bone.head_local, len(points)
        points += [head, head + type(head)((0.02, 0, 0)), head + type(head)((0, 0.02, 0))]
        faces.append((n, n + 1, n + 2))
    mesh.from_pydata(points, [], faces)
    body = bpy.data.objects.new("Body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.parent = armature
    for number, bone in enumerate(armature.data.bones):
        body.vertex_groups.new(name=bone.name).add(list(range(3 * number, 3 * number + 3)), 1.0, "REPLACE")
    body.modifiers.new("Armature", "ARMATURE").object = armature


def write(stem: str, odd: bool) -> None:
    """All formats, each in two of the ways that Blender offers."""
    glb = {"export_frame_range": True, "export_animation_mode": "ACTIVE_ACTIONS" if odd else "SCENE"}
    bpy.ops.export_scene.gltf(filepath=f"{stem}.glb", export_format="GLB", **glb)
    bpy.ops.export_scene.gltf(filepath=f"{stem}.gltf", export_format="GLTF_SEPARATE", **glb)
    axes = {"axis_forward": "-Z", "axis_up": "Y"} if odd else {"axis_forward": "Y", "axis_up": "Z"}
    bpy.ops.export_scene.fbx(
        filepath=f"{stem}.fbx", bake_anim_simplify_factor=0.0, add_leaf_bones=odd, bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False, apply_scale_options="FBX_SCALE_NONE" if odd else "FBX_SCALE_ALL", **axes,
    )  # fmt: skip
    turned = {"convert_orientation": True, "export_global_forward_selection": "NEGATIVE_Z",
              "export_global_up_selection": "Y"}  # fmt: skip
    for suffix in ("usda", "usdc"):
        bpy.ops.wm.usd_export(filepath=f"{stem}.{suffix}", export_animation=True, **({} if odd else turned))


task, out = sys.argv[1:3]
if task == "write":
    folder, files = Path(sys.argv[3]), json.loads(sys.argv[4])
    for number, (path, scale) in enumerate(files.items()):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.ops.import_anim.bvh(
            filepath=path, global_scale=scale, update_scene_fps=True, update_scene_duration=True,
            rotate_mode="QUATERNION",
        )  # fmt: skip
        scene = bpy.context.scene
        armature = scene.objects[0]
        scene.frame_end = min(scene.frame_end, scene.frame_start + FRAMES - 1)
        add_skin(armature)
        posed = poses(armature, scene.frame_start, scene.frame_end)
        stem = str(folder / Path(path).stem)
        write(stem, bool(number % 2))
        found |= {f"{stem}.{suffix}": posed for suffix in ("glb", "gltf", "fbx", "usda", "usdc")}
else:
    readers = {
        ".glb": bpy.ops.import_scene.gltf, ".gltf": bpy.ops.import_scene.gltf, ".vrma": bpy.ops.import_scene.gltf,
        ".fbx": bpy.ops.import_scene.fbx,
        ".usda": bpy.ops.wm.usd_import, ".usdc": bpy.ops.wm.usd_import, ".usdz": bpy.ops.wm.usd_import,
    }  # fmt: skip
    for path, fps in zip(sys.argv[3::2], sys.argv[4::2], strict=True):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.context.scene.render.fps = int(fps)  # glTF counts seconds; the importer asks the scene for frames
        readers[Path(path).suffix](filepath=path)
        armature = next(thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE")
        first, last = armature.animation_data.action.frame_range if armature.animation_data else (1, 1)
        found[path] = poses(armature, round(first), round(last))
with open(out, "w") as file:
    json.dump(found, file)
