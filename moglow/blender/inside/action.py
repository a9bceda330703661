"""A clip as an Action on a rig: one key per frame on every bone that moves. Also cycles, for clips that loop."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from moglow.blender.inside.axes import quat_to_blender, to_blender
from moglow.blender.inside.rig import Rig
from moglow.maths.rotations import (
    IDENTITY,
    Array,
    quat_angle,
    quat_conjugate,
    quat_continuous,
    quat_multiply,
    quat_rotate,
)
from moglow.motion.clip import Clip

STILL = 1e-6
"""Metres or radians; a bone that stays nearer to its rest pose gets no keys, so that posed fingers stay posed."""
FIRST = 1
"""The frame at which a motion begins, as in Blender's new scenes."""


def add_action(
    rig: Rig,
    clip: Clip,
    name: str,
    *,
    start: int = FIRST,
    unit: float = 1.0,
    keys: Sequence[NDArray[np.intp]] | None = None,
) -> Any:
    """Adds a new action to the rig: ``clip``, in the world, in metres, whose joints are the rig's bones.

    A bone has location keys if its joint leaves its rest position, as the root does. ``keys`` are the frames of the
    clip in which each bone has keys; by default it has one in every frame.
    """
    turns, shifts = bone_channels(rig, clip, unit)
    every, still = np.arange(len(clip)), STILL / rig.scale(unit)
    action = new_action(rig.armature, name)
    curves = channels(action, rig.armature)
    for joint, bone in enumerate(rig.bones):
        at = every if keys is None else keys[joint]
        path = bone_path(bone)
        if np.max(quat_angle(turns[:, joint], IDENTITY)) > STILL:
            rig.armature.pose.bones[bone].rotation_mode = "QUATERNION"
            key(curves, f"{path}.rotation_quaternion", bone, start + at, turns[at, joint])
        if np.max(np.abs(shifts[:, joint])) > still or joint == 0:
            key(curves, f"{path}.location", bone, start + at, shifts[at, joint])
    return action


def bone_channels(rig: Rig, clip: Clip, unit: float) -> tuple[Array, Array]:
    """Returns the rotations ``(T, J, 4)`` and locations ``(T, J, 3)`` of the bones for a clip in the world, in metres.

    A bone's rotation is q = r⁻¹ · local · r, where r is its rest rotation in the world.
    """
    heads, rests = rig.rest(unit)
    parents = np.array(clip.skeleton.parents)
    offsets = heads - np.where(parents[:, None] >= 0, heads[parents], 0.0)
    local = quat_multiply(quat_multiply(quat_conjugate(rests), quat_to_blender(clip.rotations)), rests)
    shifts = quat_rotate(quat_conjugate(rests), to_blender(clip.positions) - offsets)
    return quat_continuous(local), shifts / rig.scale(unit)


def bone_path(bone: str) -> str:
    """Returns the data path of a pose bone."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'


def new_action(thing: Any, name: str) -> Any:
    """Returns a new action on an object, which is kept in the file even if another one replaces it."""
    action = bpy.data.actions.new(name.encode("utf-8", "replace").decode())
    action.use_fake_user = True
    data = thing.animation_data or thing.animation_data_create()
    data.action = action
    if bpy.app.version >= (4, 4, 0):  # actions have slots, one for each object that they move
        data.action_slot = action.slots.new(id_type="OBJECT", name=thing.name)
        action.layers.new("Layer").strips.new(type="KEYFRAME")
    return action


def channels(action: Any, thing: Any) -> Any:
    """Returns the container of the action's curves for an object: the action, or its channel bag for the slot."""
    if bpy.app.version >= (4, 4, 0):
        slot = thing.animation_data.action_slot
        return action.layers[0].strips[0].channelbag(slot, ensure=True)
    return action


def curves_of(thing: Any) -> list[Any]:
    """Returns the F-curves of the active action of an object or a curve."""
    data = thing.animation_data
    if not data or not data.action:
        return []
    if bpy.app.version >= (4, 4, 0):
        strips = [strip for layer in data.action.layers for strip in layer.strips]
        bags = [strip.channelbag(data.action_slot) for strip in strips] if data.action_slot else []
    else:
        bags = [data.action]
    return [curve for bag in bags if bag for curve in bag.fcurves]


@contextmanager
def acting(thing: Any, action: Any) -> Iterator[None]:
    """Makes an action the active one of an object, and the previous one again at the end."""
    data = thing.animation_data or thing.animation_data_create()
    before, slot = data.action, getattr(data, "action_slot", None)
    activate(thing, action)
    try:
        yield
    finally:
        data.action = before
        if before and slot:
            data.action_slot = slot


def activate(thing: Any, action: Any) -> None:
    """Makes an action the active one of an object."""
    data = thing.animation_data or thing.animation_data_create()
    data.action = action
    if hasattr(action, "slots") and action.slots:
        data.action_slot = action.slots[0]


def find_channel(thing: Any, path: str) -> Any:
    """Returns the F-curve of a property of an object or a curve, if there is one with keys or modifiers."""
    found = [curve for curve in curves_of(thing) if curve.data_path == path]
    alive = [curve for curve in found if (len(curve.keyframe_points) or len(curve.modifiers))]
    return alive[0] if alive else None


def key(curves: Any, path: str, group: str, frames: ArrayLike, values: Array) -> None:
    """Adds a curve for each column of ``values`` ``(T, N)``, with a key at each of ``frames`` ``(T,)``."""
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
    frames = np.asarray(frames, float)
    holder = curves.groups.get(group) or curves.groups.new(group)
    for index, column in enumerate(values.T):
        curve = curves.fcurves.new(path, index=index)
        curve.group = holder
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", np.stack([frames, column], axis=-1).astype("f4").ravel())
        curve.keyframe_points.foreach_set("interpolation", [linear] * len(frames))
        curve.update()


def add_cycles(rig: Rig, action: Any) -> None:
    """Repeats an action without end: poses repeat, and the root continues from the end of the previous cycle."""
    root = f"{bone_path(rig.bones[0])}.location"
    for curve in channels(action, rig.armature).fcurves:
        cycles = curve.modifiers.new("CYCLES")
        mode = "REPEAT_OFFSET" if curve.data_path == root else "REPEAT"
        cycles.mode_before = cycles.mode_after = mode


def set_scene_rate(scene: Any, fps: float) -> None:
    """Sets the frame rate of a scene, which need not be an integer."""
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps


def scene_rate(scene: Any) -> float:
    """Returns the frames per second of a scene."""
    return float(scene.render.fps / scene.render.fps_base)
