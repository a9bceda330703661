"""A stretch of the figure's action made anew: the rest of the action keeps its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import (
    activate,
    bone_channels,
    bone_path,
    channels,
    scene_rate,
)
from moglow.blender.inside.exact import on_same
from moglow.blender.inside.making import read_checkpoint
from moglow.blender.inside.placing import metres_per_unit
from moglow.blender.inside.poses import read_poses
from moglow.blender.inside.rig import Rig
from moglow.blender.inside.tracks import add_strip, take_names
from moglow.errors import ControlError
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.takes.editing import redo


@dataclass(frozen=True)
class RedoStretch:
    """The frames from ``first`` to ``last`` of the scene, and the bones that move anew; empty for the whole body."""

    first: int
    last: int
    bones: tuple[str, ...] = ()

    @classmethod
    def of(cls, scene: Any, bones: Sequence[str] = ()) -> "RedoStretch":
        """Returns the stretch of the scene's preview range, or else that of the panel."""
        settings = scene.moglow
        if scene.use_preview_range:
            return cls(scene.frame_preview_start, scene.frame_preview_end, tuple(bones))
        return cls(settings.redo_first, settings.redo_last, tuple(bones))


def redo_stretch(scene: Any, stretch: RedoStretch) -> str:
    """Adds takes of the active action with a stretch made anew, and shows the best; returns a line about it."""
    settings, unit, rate = scene.moglow, metres_per_unit(scene), scene_rate(scene)
    rig, action = Rig.of(settings.figure), settings.figure.animation_data.action
    start, stop = (int(frame) for frame in action.frame_range)
    if not start < stretch.first <= stretch.last <= stop:
        raise ControlError(
            f"frames {stretch.first} to {stretch.last}: {action.name} lasts from {start} to {stop}; choose frames "
            "within it, the first two thirds of a second after its start"
        )
    for bone in stretch.bones or rig.bones:
        mode = rig.armature.pose.bones[bone].rotation_mode
        if mode != "QUATERNION" and _curve(rig, action, f"{bone_path(bone)}.rotation_euler", 0):
            raise ControlError(
                f"{bone}: its rotation mode is {mode}; a stretch needs quaternions, as Generate makes them"
            )
    checkpoint = read_checkpoint(bpy.path.abspath(settings.checkpoint))
    frame = scene.frame_current
    try:
        clip = read_poses(rig, range(start, stop + 1), unit=unit, fps=rate)
    finally:
        scene.frame_set(frame)
    floor = clip.floor_height()
    clip = on_same(clip, checkpoint.context.encoding.skeleton) or clip
    edits = redo(
        clip.moved((0.0, -floor, 0.0)),
        stretch.first - start,
        stretch.last + 1 - start,
        joints=stretch.bones,
        takes=settings.takes,
        seed=settings.seed,
        checkpoint=checkpoint,
        temperature=settings.temperature,
    )
    names = take_names(action.name.partition(" take ")[0], len(edits))
    made = []
    for edit, name in zip(edits, names, strict=True):
        new = with_stretch(rig, action, edit.clip.moved((0.0, floor, 0.0)), stretch, start, unit)
        new.name, new.use_fake_user = name, True
        add_strip(rig.armature, new, start)
        item = settings.results.add()
        item.name, item.figures = new.name, f"frames {stretch.first} to {stretch.last} anew" + _price(edit)
        made.append(new)
    activate(rig.armature, made[0])
    settings.shown = len(settings.results) - len(made)
    scene.frame_set(frame)
    return f"{made[0].name}: frames {stretch.first} to {stretch.last} made anew"


def _price(edit: Any) -> str:
    slide = 100 * edit.figures["foot_slide_m_s"]["written"]["mean"]
    return f", slide {slide:.1f} cm/s"


def with_stretch(rig: Rig, action: Any, clip: Clip, stretch: RedoStretch, start: int, unit: float) -> Any:
    """Returns a copy of an action with the frames of a stretch from a clip, which begins at frame ``start``.

    All other bones and whole frames keep their values.
    """
    turns, shifts = bone_channels(rig, clip, unit)
    frames = slice(stretch.first - start, stretch.last + 1 - start)
    made = action.copy()
    activate(rig.armature, made)
    curves = channels(made, rig.armature)
    for joint, bone in enumerate(rig.bones):
        if stretch.bones and bone not in stretch.bones:
            continue
        for channel, values in (("rotation_quaternion", turns), ("location", shifts)):
            path, part = f"{bone_path(bone)}.{channel}", values[frames, joint]
            found = [curves.fcurves.find(path, index=index) for index in range(part.shape[1])]
            if None in found:
                continue  # a bone that does not move
            before = np.array([curve.evaluate(stretch.first - 1) for curve in found])
            if channel == "rotation_quaternion" and before @ part[0] < 0:
                part = -part
            for curve, column in zip(found, part.T, strict=True):
                replace_keys(curve, stretch.first, column)
    return made


def replace_keys(curve: Any, first: int, values: Array) -> None:
    """Replaces the values of a curve in successive frames; in all other whole frames it keeps its values.

    Keys next to the replaced frames hold its values there; the curve is linear between them.
    """
    last = first + len(values) - 1
    points = [(point.co.x, point.interpolation) for point in curve.keyframe_points]
    before = max(((x, shape) for x, shape in points if x < first), default=None)
    after = min((x for x, _ in points if x > last), default=None)
    ending = max(((x, shape) for x, shape in points if x <= last), default=None)
    lead, tail = [first - 1], [last + 1]
    if before and before[1] != "LINEAR":
        lead = [*range(int(np.floor(before[0])) + 1, first)]
    if ending and ending[1] != "LINEAR" and after is not None:
        tail = [*range(last + 1, int(np.ceil(after)))]
    kept = {frame: curve.evaluate(frame) for frame in (*lead, *tail)}
    for point in reversed([*curve.keyframe_points]):
        if first <= point.co.x <= last:
            curve.keyframe_points.remove(point, fast=True)
    for point in curve.keyframe_points:
        if before and point.co.x == before[0]:
            point.handle_left_type, point.interpolation = "FREE", "LINEAR"
        if point.co.x == after:
            point.handle_right_type = "FREE"
    there = {x for x, _ in points}
    kept = {frame: value for frame, value in kept.items() if frame not in there}
    for frame, value in (*kept.items(), *zip(range(first, last + 1), values.tolist(), strict=True)):
        point = curve.keyframe_points.insert(frame, value, options={"FAST"})
        point.interpolation = "LINEAR"
    curve.update()


def _curve(rig: Rig, action: Any, path: str, index: int) -> Any:
    return channels(action, rig.armature).fcurves.find(path, index=index)
