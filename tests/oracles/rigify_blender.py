"""Takes on rigs of Rigify, for tests/blender/test_rigify.py; runs in a Python that has bpy, not in ours.

rigify_blender.py OUT enables the add-on of the moglow that is imported, generates a rig from Rigify's human metarig,
bakes a take onto its controls in several ways, and writes to OUT what became of it: the take and the rig's bones in our
axes and in metres, the keys, and the messages.
"""

import json
import os
import sys
from typing import Any

import bpy
import numpy as np


def failed(*error: Any) -> None:
    sys.__excepthook__(*error)
    sys.stderr.flush()
    os._exit(1)


sys.excepthook = failed

from moglow.blender.inside.action import curves_of  # noqa: E402 (after the hook, which shows its errors)
from moglow.blender.inside.addon import register, unregister  # noqa: E402
from moglow.blender.inside.axes import from_blender, quat_from_blender  # noqa: E402
from moglow.blender.inside.poses import read_poses  # noqa: E402
from moglow.blender.inside.rig import Rig  # noqa: E402
from moglow.blender.inside.rigify_rig import RigifyRig  # noqa: E402
from moglow.maths.rotations import matrix_to_quat, quat_conjugate, quat_multiply  # noqa: E402

(out,) = sys.argv[1:]
found: dict[str, Any] = {"version": bpy.app.version_string, "bakes": {}, "sources": {}, "refused": {}}


def fresh(unit: float = 1.0) -> tuple[Any, Any, Any]:
    """Returns a scene with a path of 1.5 m, a metarig, and the rig generated from it."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    if hasattr(bpy.types.Scene, "moglow"):
        unregister()
    register()
    scene = bpy.context.scene
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", unit
    scene.render.fps = 30
    data = bpy.data.curves.new("walk", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("POLY")
    spline.points.add(1)
    for point, y in zip(spline.points, (0.0, -1.5), strict=True):
        point.co = (0, y / unit, 0, 1)
    scene.moglow.path = bpy.data.objects.new("walk", data)
    scene.collection.objects.link(scene.moglow.path)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_basic_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.pose.rigify_generate()
    return scene, metarig, bpy.context.object


def message_of(button: Any) -> str:
    """Returns the message of the error of an operator, or an empty text."""
    try:
        button()
    except RuntimeError as error:
        return str(error)
    return ""


def plain(matrices: Any) -> Any:
    return np.array(matrices)[..., :3, :3] / np.linalg.norm(
        np.array(matrices)[..., :3, :3], axis=-2, keepdims=True
    )


def bones(scene: Any, rig: Any) -> dict[str, Any]:
    """Returns the heads of the body's bones in each frame, and their rotations away from rest, by prefix."""
    unit = scene.unit_settings.scale_length
    joints = [joint.bone for joint in RigifyRig.of(rig).joints]
    names = {"ORG": joints, "DEF": [name.replace("ORG-", "DEF-") for name in joints]}
    names["DEF"] = [
        each if each in rig.pose.bones else name for each, name in zip(names["DEF"], joints, strict=True)
    ]
    every = [*names["ORG"], *names["DEF"]]
    places = []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        places.append([np.array(rig.matrix_world @ rig.pose.bones[name].matrix) for name in every])
    rests = [np.array(rig.matrix_world @ rig.data.bones[name].matrix_local) for name in every]
    turns = quat_multiply(matrix_to_quat(plain(places)), quat_conjugate(matrix_to_quat(plain(rests))))
    heads, turns = from_blender(np.array(places)[..., :3, 3]) * unit, quat_from_blender(turns)
    half = len(joints)
    return {
        "ORG": {"heads": heads[:, :half].tolist(), "turns": turns[:, :half].tolist()},
        "DEF": {"turns": turns[:, half:].tolist()},
    }


def note_source(name: str, scene: Any) -> None:
    """Notes the take of the figure."""
    frames, unit = range(scene.frame_start, scene.frame_end + 1), scene.unit_settings.scale_length
    clip = read_poses(Rig.of(scene.moglow.figure), frames, unit=unit, fps=30.0)
    found["sources"][name] = [clip.skeleton.to_json(), clip.positions.tolist(), clip.rotations.tolist()]


def bake(name: str, scene: Any, rig: Any) -> None:
    """Presses the button, and notes the rig and its keys."""
    error = message_of(bpy.ops.moglow.bake_rigify)
    curves = curves_of(rig)
    found["bakes"][name] = {
        "error": error,
        "skeleton": RigifyRig.of(rig).skeleton(scene.unit_settings.scale_length).to_json(),
        **bones(scene, rig),
        "keyed": sorted({curve.data_path.split('"')[1] for curve in curves}),
        "located": sorted(
            {curve.data_path.split('"')[1] for curve in curves if curve.data_path.endswith("location")}
        ),
        "keys": sum(len(curve.keyframe_points) for curve in curves),
        "switches": {
            curve.data_path.split('"')[1]: [point.co.y for point in curve.keyframe_points]
            for curve in curves
            if "IK_FK" in curve.data_path
        },
        "action": rig.animation_data.action.name,
        "range": [*rig.animation_data.action.frame_range],
        "strips": [(track.name, track.strips[0].name, track.mute) for track in rig.animation_data.nla_tracks],
        "scenes": len(bpy.data.scenes),
    }


def figures() -> None:
    """A take of a figure of ours, whose legs are shorter: FK, the feet by IK, thin keys, and a range of frames."""
    scene, metarig, rig = fresh()
    settings = scene.moglow
    rig.keyframe_insert("location", frame=1)
    before = rig.animation_data.action
    bpy.ops.moglow.generate()
    note_source("ours", scene)
    settings.rigify = rig
    bake("fk", scene, rig)
    found["kept"] = [before.name, before.use_fake_user]
    settings.thin = True
    found["thin"] = [settings.key_angle, settings.key_distance]
    bake("thin", scene, rig)
    settings.thin, settings.feet_ik = False, True
    bake("ik", scene, rig)
    settings.feet_ik = False
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 10, 14
    bake("range", scene, rig)
    scene.frame_preview_start, scene.frame_preview_end = 900, 999
    found["refused"]["range"] = message_of(bpy.ops.moglow.bake_rigify)
    scene.use_preview_range = False
    settings.rigify = metarig
    found["refused"]["metarig"] = message_of(bpy.ops.moglow.bake_rigify)
    settings.rigify, figure, settings.figure = None, settings.figure, metarig
    found["refused"]["no take"] = message_of(bpy.ops.moglow.bake_rigify)
    settings.figure = rig
    found["refused"]["figure"] = message_of(bpy.ops.moglow.bake_rigify)
    found["refused"]["generate"] = message_of(bpy.ops.moglow.generate)
    settings.figure = figure
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones.remove(rig.data.edit_bones["hand_fk.L"])
    bpy.ops.object.mode_set(mode="OBJECT")
    found["refused"]["control"] = message_of(bpy.ops.moglow.bake_rigify)
    bpy.data.objects.remove(rig)
    found["refused"]["no rig"] = message_of(bpy.ops.moglow.bake_rigify)


def odd() -> None:
    """A small rig in centimetres, moved and turned, with other settings and rotation modes, and a posed root."""
    scene, _, rig = fresh(unit=0.01)
    rig.scale, rig.location, rig.rotation_euler = (60.0,) * 3, (100.0, 50.0, 0.0), (0.0, 0.0, 0.7)
    pose = rig.pose.bones
    pose["root"].location, pose["root"].rotation_quaternion = (0.2, 0.1, 0.0), (0.9, 0.1, 0.3, 0.1)
    pose["torso"]["neck_follow"], pose["torso"]["head_follow"] = 0.2, 0.7
    for side in (".L", ".R"):
        pose["thigh_parent" + side]["FK_limb_follow"], pose["upper_arm_parent" + side]["FK_limb_follow"] = (
            1.0,
            0.4,
        )
        pose["thigh_parent" + side]["IK_parent"], pose["thigh_parent" + side]["pole_vector"] = 2, True
        pose["thigh_fk" + side].rotation_mode, pose["hand_fk" + side].rotation_mode = "XYZ", "AXIS_ANGLE"
    bpy.context.view_layer.update()
    scene.moglow.keep_path = False
    bpy.ops.moglow.generate()  # the only rig of the scene needs not be chosen
    note_source("odd", scene)
    bake("odd", scene, rig)
    scene.moglow.feet_ik = True
    bake("odd ik", scene, rig)


def slope() -> None:
    """A take of the metarig up a mesh that rises by 0.15 m a metre: the rig has the same body."""
    scene, metarig, rig = fresh()
    mesh = bpy.data.meshes.new("Ramp")
    mesh.from_pydata([(x, y, -0.15 * y) for y in (2, -6) for x in (-2, 2)], [], [(0, 1, 3, 2)])
    scene.moglow.ground = bpy.data.objects.new("Ramp", mesh)
    scene.collection.objects.link(scene.moglow.ground)
    scene.moglow.figure = metarig
    bpy.ops.moglow.generate()
    error, away, heights = message_of(bpy.ops.moglow.bake_rigify), dict[str, float](), []
    for frame in range(scene.frame_start, scene.frame_end + 1, 3):
        scene.frame_set(frame)
        heights.append(rig.pose.bones["ORG-spine"].head.z)
        for joint in RigifyRig.of(rig).joints:
            there, here = rig.pose.bones[joint.bone], metarig.pose.bones[joint.bone.replace("ORG-", "")]
            gap = (rig.matrix_world @ there.head - metarig.matrix_world @ here.head).length
            away[joint.name] = max(away.get(joint.name, 0.0), gap)
    found["slope"] = {"error": error, "away": away, "heights": [heights[0], heights[-1]]}


figures()
odd()
slope()
with open(out, "w") as file:
    json.dump(found, file)
sys.stdout.flush()
os._exit(0)  # a bpy that is torn down by Python now and then hangs
