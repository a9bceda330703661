"""A take on the controls of a rig that Rigify generated, as an action of that rig."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import bone_path, channels, key, new_action, scene_rate
from moglow.blender.inside.control_keys import QUATERNION, ControlChannels, thinned_controls
from moglow.blender.inside.control_tree import ControlTree, Pose, carried
from moglow.blender.inside.placing import metres_per_unit
from moglow.blender.inside.poses import read_poses
from moglow.blender.inside.rig import Rig
from moglow.blender.inside.rigify_rig import SWITCH, RigifyRig
from moglow.blender.inside.rigify_solving import FootControls, carried_points, keyed_controls, solved
from moglow.blender.inside.thinning import Thinned, Tolerance
from moglow.blender.inside.tracks import add_strip
from moglow.errors import SkeletonError
from moglow.motion.clip import Clip
from moglow.motion.contacts import leg_lengths
from moglow.motion.retarget import Retargeting, retarget

CHECKED = 12
"""Number of frames in which the rig is compared with the take."""
FAR = 0.02
"""Metres between the bones of the rig and the take above which a warning is shown."""
SHORT = 0.85
"""Length of the rig's legs, relative to the figure's, below which the steps of the path are too long for them."""


@dataclass(frozen=True, eq=False)
class BakedTake:
    """An action on controls: their number, errors in metres, thinner keys, and warnings.

    The knees have an error of their own, since inverse kinematics decides how far they bend.
    """

    action: Any
    controls: int
    off: float
    knees: float
    thin: Thinned | None
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        keys = f", {self.thin}" if self.thin else ""
        knees = f", knees to within {1000 * self.knees:.0f} mm" if self.knees > self.off else ""
        errors = f"bones to within {1000 * self.off:.1f} mm{knees}"
        return f"{self.action.name}: {self.controls} controls, {errors}{keys}"


def bake(
    scene: Any,
    figure: Any,
    armature: Any,
    *,
    feet_ik: bool = False,
    keep_path: bool = True,
    tolerance: Tolerance | None = None,
) -> BakedTake:
    """Adds the active action of a figure to the controls of a generated rig, as an action and a strip.

    The body is that of the rig: the take is retargeted as for any other armature. Only controls have keys, in the
    frames of the preview range or of the take.

    Args:
        scene: the scene, with its units, frame rate and preview range.
        figure: the armature with the take.
        armature: the rig.
        feet_ik: whether legs are switched to inverse kinematics; arms are always switched to forward kinematics.
        keep_path: whether the path over the ground keeps its length; otherwise it is scaled with the legs.
        tolerance: the errors that thinner keys may cause; by default there is a key in every frame.
    """
    rig, unit = RigifyRig.of(armature), metres_per_unit(scene)
    if figure is None or figure == armature:
        raise SkeletonError("Figure: choose the armature with the take, which is not the rig itself")
    if not figure.animation_data or not figure.animation_data.action:
        raise SkeletonError(f"{figure.name}: has no take; generate one first")
    take = figure.animation_data.action
    frames = _frames(scene, take)
    body, warnings = _body(scene, figure, rig, frames, keep_path=keep_path)
    motions = rig.motions(body, unit)
    limbs = rig.limbs()
    feet = FootControls.of(rig) if feet_ik else None
    action = _new_action(armature, take)
    for limb, bone in limbs.items():
        bone[SWITCH] = 0.0 if feet and limb.startswith("thigh") else 1.0
    armature.update_tag()
    names = keyed_controls(rig, feet)
    with alone(armature) as stage:
        stage.frame_set(frames[0])
        posed = armature.evaluated_get(stage.view_layers[0].depsgraph)
        tree = rig.tree([*names, *(joint.bone for joint in rig.joints)], posed)
    tree = solved(rig, tree, motions, feet)
    thin, keyed = _keyed(rig, tree, names, feet, tolerance, _scale(armature, unit))
    _key(action, armature, keyed, thin, frames)
    curves = channels(action, armature)
    ends = np.array(sorted({frames[0], frames[-1]}))
    for bone in limbs.values():
        path = f'{bone_path(bone.name)}["{SWITCH}"]'
        key(curves, path, bone.name, ends, np.full((len(ends), 1), bone[SWITCH]))
    add_strip(armature, action, frames[0])
    errors = _errors(rig, motions, frames, unit)
    knees = max(errors.pop(name) for name in [*errors] if name.startswith("shin"))
    off = max(errors.values()) if feet else max(knees, *errors.values())
    if off > FAR:
        warnings.append(
            f"{armature.name}: {max(errors, key=errors.__getitem__)} is up to {100 * off:.1f} cm off the take; a "
            "tweak or a constraint of its own moves it"
        )
    return BakedTake(action, len(names), off, knees, thin, tuple(warnings))


@contextmanager
def alone(thing: Any) -> Iterator[Any]:
    """Yields a scene with one object, in which Blender evaluates that object and what it depends on, nothing else."""
    scene, hidden = bpy.data.scenes.new("moglow"), thing.hide_viewport
    scene.collection.objects.link(thing)
    thing.hide_viewport = False
    try:
        yield scene
    finally:
        thing.hide_viewport = hidden
        bpy.data.scenes.remove(scene)


def _frames(scene: Any, take: Any) -> range:
    """Returns the frames of a take, those in the preview range if there is one."""
    first, last = (int(frame) for frame in take.frame_range)
    start, stop = first, last
    if scene.use_preview_range:
        start, stop = max(first, scene.frame_preview_start), min(last, scene.frame_preview_end)
    if stop < start:
        raise SkeletonError(
            f"preview range: {scene.frame_preview_start} to {scene.frame_preview_end} has no frame of {take.name}, "
            f"which lasts from {first} to {last}"
        )
    return range(start, stop + 1)


def _body(
    scene: Any, figure: Any, rig: RigifyRig, frames: range, *, keep_path: bool
) -> tuple[Clip, list[str]]:
    """Returns frames of the take on the body of the rig, in the world, and warnings."""
    unit = metres_per_unit(scene)
    first, last = (int(frame) for frame in figure.animation_data.action.frame_range)
    with alone(figure) as stage:
        clip = read_poses(
            Rig.of(figure), range(first, last + 1), unit=unit, fps=scene_rate(scene), scene=stage
        )
    skeleton = rig.skeleton(unit)
    own = slice(frames[0] - first, frames[-1] + 1 - first)
    if (same := rig.taken_over(clip, skeleton)) is not None:
        return same[own], []
    stands = Retargeting.of(clip, clip.skeleton, like=None, keep_path=True)
    floor = float(stands.floor.mean() - stands.sole[1])
    body = retarget(clip, skeleton, keep_path=keep_path)
    away = np.zeros(3) if keep_path else clip.positions[0, 0] - body.positions[0, 0]
    return body.moved((away[0], floor, away[2]))[own], _misfits(scene, figure, rig, clip, keep_path=keep_path)


def _misfits(scene: Any, figure: Any, rig: RigifyRig, clip: Clip, *, keep_path: bool) -> list[str]:
    """Returns warnings about legs that are longer or shorter than those of the figure."""
    skeleton, warnings = rig.skeleton(metres_per_unit(scene)), []
    size = float(leg_lengths(skeleton).mean() / leg_lengths(clip.skeleton).mean())
    sizes = f"{rig.armature.name}: its legs are {size:.2f} times as long as those of {figure.name}"
    if scene.moglow.ground is not None:
        warnings.append(
            f"{sizes}, and so is each step up; generate the take on the metarig to stand on the ground"
        )
    if keep_path and size < SHORT:
        warnings.append(f"{sizes}, too short for its steps; switch Keep Path off to scale them")
    return warnings


def _new_action(armature: Any, take: Any) -> Any:
    """Returns a new active action of a rig, named after the take; the one before is kept in the file."""
    data = armature.animation_data
    if data and data.action:
        data.action.use_fake_user = True
    name, number = f"{take.name} on {armature.name}", 2
    free = name
    while free in bpy.data.actions:
        free, number = f"{name} {number}", number + 1
    return new_action(armature, free)


def _keyed(
    rig: RigifyRig,
    tree: ControlTree,
    names: dict[str, bool],
    feet: FootControls | None,
    tolerance: Tolerance | None,
    metres: float,
) -> tuple[Thinned | None, list[ControlChannels]]:
    """Returns the channels of the controls in their rotation modes, and the frames of thinner keys."""
    bones, keyed = rig.armature.pose.bones, []
    for name, placed in names.items():
        if bones[name].rotation_mode == "AXIS_ANGLE":
            bones[name].rotation_mode = QUATERNION
        keyed.append(ControlChannels.of(name, bones[name].rotation_mode, tree.basis(name), placed=placed))
    points = carried_points(rig, feet)
    return thinned_controls(tree, keyed, points, tolerance, metres) if tolerance else None, keyed


def _key(
    action: Any, armature: Any, keyed: Sequence[ControlChannels], thin: Thinned | None, frames: range
) -> None:
    curves, every = channels(action, armature), np.arange(len(frames))
    for k, each in enumerate(keyed):
        at = every if thin is None else thin.frames[k]
        path = bone_path(each.name)
        rotation = "rotation_quaternion" if each.mode == QUATERNION else "rotation_euler"
        key(curves, f"{path}.{rotation}", each.name, frames[0] + at, each.rotation[at])
        if each.location is not None:
            key(curves, f"{path}.location", each.name, frames[0] + at, each.location[at])


def _errors(rig: RigifyRig, motions: dict[str, Pose], frames: range, unit: float) -> dict[str, float]:
    """Returns the largest distance in metres of each joint of the rig, as Blender poses it, from that of the take."""
    worst, rest = dict.fromkeys([joint.name for joint in rig.joints], 0.0), rig.armature.data.bones
    scale = _scale(rig.armature, unit)
    with alone(rig.armature) as stage:
        for frame in sorted({round(at) for at in np.linspace(frames[0], frames[-1], CHECKED)}):
            stage.frame_set(frame)
            posed = rig.armature.evaluated_get(stage.view_layers[0].depsgraph).pose.bones
            for joint in rig.joints:
                rotation, place = (part[frame - frames[0]] for part in motions[joint.name])
                wanted = carried((rotation, place), np.array(rest[joint.bone].head_local))
                off = scale * float(np.linalg.norm(np.array(posed[joint.bone].head) - wanted))
                worst[joint.name] = max(worst[joint.name], off)
    return worst


def _scale(armature: Any, unit: float) -> float:
    """Returns the metres per unit of the armature's space."""
    return float(np.mean(armature.matrix_world.to_scale())) * unit
