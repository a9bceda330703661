"""Reading characters from files in Blender, and writing scenes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from moglow.blender.inside.rig import make_active
from moglow.errors import ExportError

FIRST = {".fbx": 0}
"""The first frame of a motion in formats whose time starts at frame 0, so that importers place it correctly."""


def open_character(file: Path) -> Any:
    """Opens a file as the scene, without running its scripts, and returns its armature with the most bones."""
    suffix = file.suffix.lower()
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False
    try:
        if suffix == ".blend":
            bpy.ops.wm.open_mainfile(filepath=str(file), load_ui=False, use_scripts=False)
        elif suffix == ".fbx" and hasattr(bpy.types, "WM_OT_fbx_import"):  # Blender 4.5 and newer
            bpy.ops.wm.fbx_import(filepath=str(file))
        elif suffix == ".fbx":
            bpy.ops.import_scene.fbx(filepath=str(file))
        else:
            bpy.ops.import_scene.gltf(filepath=str(file))
    except RuntimeError as error:  # raised by Blender's operators for any failure
        raise ExportError(f"{file}: Blender cannot open it ({' '.join(str(error).split())})") from error
    armatures = [thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE"]
    if not armatures:
        raise ExportError(f"{file}: it has no armature; give a character that has bones")
    return max(armatures, key=lambda armature: len(armature.data.bones))


def save(file: Path, armature: Any) -> None:
    """Writes a scene by suffix: all of it as .blend, the character and its motion as .fbx or .glb."""
    SAVERS[file.suffix](file, armature)


def save_scene(file: Path, armature: Any) -> None:
    """Saves everything, with the figure selected."""
    make_active(armature)
    bpy.ops.wm.save_as_mainfile(filepath=str(file), check_existing=False, compress=True)


def save_fbx(file: Path, armature: Any) -> None:
    """Writes a character and its motion as FBX, with the root motion on the top bone, which all importers read."""
    _select(armature)
    bpy.ops.export_scene.fbx(
        filepath=str(file),
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_force_startend_keying=True,
        bake_anim_simplify_factor=0.0,
    )


def save_glb(file: Path, armature: Any) -> None:
    """Writes a character and its motion as binary glTF."""
    _select(armature)
    bpy.ops.export_scene.gltf(
        filepath=str(file),
        export_format="GLB",
        use_selection=True,
        export_animation_mode="ACTIVE_ACTIONS",
        export_nla_strips_merged_animation_name=bpy.context.scene.name,
        export_frame_range=True,
        export_optimize_animation_size=False,
    )


def _select(armature: Any) -> None:
    make_active(armature)
    for thing in armature.children_recursive:
        thing.select_set(thing.type == "MESH")


SAVERS: dict[str, Callable[[Path, Any], None]] = {".blend": save_scene, ".fbx": save_fbx, ".glb": save_glb}
