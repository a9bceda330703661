"""The scene of a job of `moglow blender`: a motion on a figure or a character, its surroundings, and the files."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside import files, stage
from moglow.blender.inside.action import FIRST, add_action, add_cycles, set_scene_rate
from moglow.blender.inside.body import add_body
from moglow.blender.inside.render import render
from moglow.blender.inside.rig import Rig
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

HEIGHT = 1.7
"""Height in metres of the figure that the camera's position is chosen for."""


def build(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Builds the scene, writes and renders it; returns a report."""
    clip, path = read_motion(job, folder)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if job["character"]:
        rig = Rig.of(files.open_character(Path(job["character"])))
        clip = retarget(clip, rig.skeleton(1.0), keep_path=True)
    else:
        rig = Rig.build(clip.skeleton, clip.name)
        if job["body"]:
            add_body(rig, clip.skeleton)
    scene = bpy.context.scene
    scene.name = clip.name
    set_scene_rate(scene, clip.fps)
    start = files.FIRST.get(Path(job["out"]).suffix, FIRST)
    action = add_action(rig, clip, clip.name, start=start)
    scene.frame_start, scene.frame_end = start, start + len(clip) - 1
    if job["loop"]:
        add_cycles(rig, action)
        scene.frame_end = max(start, scene.frame_end - 1)  # the last pose is the first one of the next cycle
    stage.add_floor(path)
    stage.add_path(path)
    stage.add_camera(path, start=start, size=max(float(np.ptp(clip.world_positions[0, :, 1])) / HEIGHT, 0.1))
    stage.add_sun()
    scene.frame_set(start)
    files.save(folder / job["out"], rig.armature)
    if job["film"]:
        render(scene, folder / job["film"], engine=job["engine"], size=tuple(job["size"]))
    return {"blender": bpy.app.version_string, "bones": len(rig.bones), "constrained": rig.constrained()}


def read_motion(job: dict[str, Any], folder: Path) -> tuple[Clip, ControlPath]:
    """Returns the clip and the path of a job."""
    with np.load(folder / "motion.npz") as arrays:
        skeleton = Skeleton.from_json(job["skeleton"])
        clip = Clip(skeleton, arrays["positions"], arrays["rotations"], job["fps"], job["name"])
        return clip, ControlPath(arrays["path"], arrays["headings"], job["fps"])
