"""Keyed Empties and keyed poses of a scene as pins: points for joints and for the gaze, and poses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import acting, curves_of
from moglow.blender.inside.axes import from_blender
from moglow.blender.inside.exact import ExactPoint, ExactPose, on_same
from moglow.blender.inside.poses import keyed_bones, read_poses
from moglow.blender.inside.rig import Rig
from moglow.directing.pins import Direction, KeyedPin, KeyedReach, Look
from moglow.errors import ControlError
from moglow.maths.rotations import Array
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

FAR = 0.5
"""Distance in metres between a keyed pose and the path above which a warning is shown."""
MOVES = 0.01
"""Metres by which the target of the gaze may move."""
SHIFTED = 1e-5
"""Units by which an Empty that was moved differs from its keys."""
LOOK_NAMES = ("look", "gaze")
"""Names of an Empty that is looked at."""


@dataclass(frozen=True, eq=False)
class ScenePins:
    """The pins of a scene: directions in seconds for the model, the same poses and points exactly, and warnings."""

    directions: tuple[Direction, ...] = ()
    poses: tuple[ExactPose, ...] = ()
    points: tuple[ExactPoint, ...] = ()
    warnings: tuple[str, ...] = ()


NO_PINS = ScenePins()


@dataclass(frozen=True, eq=False)
class Timing:
    """The motion's frames in the scene: ``rate`` frames a second from frame ``start`` on, along a path."""

    path: ControlPath
    start: int
    rate: float

    @property
    def last(self) -> int:
        """The last frame of the motion."""
        return self.start + int(self.path.duration * self.rate + 1e-6)

    def seconds(self, frame: int, words: str) -> float:
        """Returns the time of a frame; raises an error for one outside of the motion."""
        if not self.start <= frame <= self.last:
            raise ControlError(
                f"{words}: the motion lasts from frame {self.start} to {self.last}; move the key or lengthen the path"
            )
        return (frame - self.start) / self.rate


def empty_role(thing: Any, skeletons: list[Skeleton]) -> str | None:
    """Returns the role of the joint of an Empty, "look" for the target of the gaze, or None for an Empty without one.

    An Empty is assigned in the panel, or is named after a role such as left_hand, or after a joint of the skeletons.
    """
    kind, name = thing.moglow.pin, thing.moglow.joint or thing.name
    if thing.type != "EMPTY" or kind == "NONE":
        return None
    stem, _, number = name.rpartition(".")
    name = stem if stem and number.isdigit() else name
    plain: str = name.strip().lower().replace(" ", "_").replace("-", "_")
    if kind == "LOOK" or (kind == "NAME" and plain in LOOK_NAMES):
        return "look"
    for skeleton in skeletons:
        if plain in skeleton.anatomy.roles:
            return plain
    for skeleton in skeletons:
        if name in skeleton.names:
            joint = skeleton.names.index(name)
            roles = {number: role for role, number in skeleton.anatomy.roles.items()}
            if joint in roles:
                return roles[joint]
    if kind == "REACH":
        raise ControlError(
            f"{thing.name}: {name!r} is no joint that can reach; choose one such as left_hand for this Empty"
        )
    return None


def location_frames(thing: Any) -> list[int]:
    """Returns the frames in which the location of an object has keys."""
    curves = [curve for curve in curves_of(thing) if curve.data_path == "location"]
    return sorted({round(point.co.x) for curve in curves for point in curve.keyframe_points})


def place_at(thing: Any, frame: int) -> Array:
    """Returns the world position of an object in a frame, in Blender's axes and units.

    A parent or a constraint needs a change of the scene's frame, which the caller takes back.
    """
    if thing.parent or any(not constraint.mute for constraint in thing.constraints):
        bpy.context.scene.frame_set(frame)
        return np.array(thing.matrix_world.translation)
    place: Array = np.array(thing.location, float)
    for curve in curves_of(thing):
        if curve.data_path == "location":
            place[curve.array_index] = curve.evaluate(frame)
    place += np.array(thing.delta_location)
    return place


def read_pins(scene: Any, skeleton: Skeleton, timing: Timing, *, unit: float, floor: float) -> ScenePins:
    """Returns the pins of a scene for a model's skeleton; ``floor`` is the height of its floor in the scene."""
    settings, frame = scene.moglow, scene.frame_current
    figure = settings.figure if settings.figure and settings.figure.name in scene.objects else None
    skeletons = [skeleton, *([Rig.of(figure).skeleton(unit)] if figure else [])]
    down = np.array([0.0, floor, 0.0])
    directions: list[Direction] = []
    points, poses, warnings = [], [], list[str]()
    try:
        for thing in scene.objects:
            role = empty_role(thing, skeletons) if thing.type == "EMPTY" else None
            if role == "look":
                look, moved = _look(thing, timing, unit, down)
                directions.append(look)
                if moved > MOVES:
                    warnings.append(
                        f"{thing.name} moves by {moved:.2f} m; the figure looks at its first place"
                    )
            elif role:
                for point in _points(thing, role, timing, unit):
                    x, y, z = (point.point - down).tolist()
                    words = f"{role} at frame {point.frame}"
                    directions.append(
                        KeyedReach(timing.seconds(point.frame, words), role, (x, y, z), words=words)
                    )
                    points.append(point)
        for pose in _poses(scene, unit):
            words = f"pose at frame {pose.frame}"
            seconds = timing.seconds(pose.frame, words)
            clip = pose.pose.moved(-down)
            clip = on_same(clip, skeleton) or clip
            directions.append(KeyedPin(seconds, clip, 0, pose.roles, not pose.roles, words=words))
            poses.append(pose)
            if not pose.roles:
                at = timing.path.positions[round(seconds * timing.path.fps)]
                far = float(np.linalg.norm(clip.ground_positions()[0] - at))
                if far > FAR:
                    warnings.append(f"the {words} is {far:.1f} m from the path, which is led there")
    finally:
        if scene.frame_current != frame or poses:
            scene.frame_set(frame)
    return ScenePins(tuple(directions), tuple(poses), tuple(points), tuple(warnings))


def moved_pins(scene: Any, skeletons: list[Skeleton]) -> Iterator[tuple[Any, str]]:
    """Yields the Empties with a joint that are not where their keys have them in the current frame, and the roles."""
    for thing in scene.objects if skeletons else ():
        if thing.type != "EMPTY" or thing.parent or thing.constraints or not location_frames(thing):
            continue
        place = np.array(thing.location) + np.array(thing.delta_location)
        if np.abs(place - place_at(thing, scene.frame_current)).max() > SHIFTED:
            role = empty_role(thing, skeletons)
            if role and role != "look":
                yield thing, role


def points_now(scene: Any, skeletons: list[Skeleton], timing: Timing, unit: float) -> list[ExactPoint]:
    """Returns the points of all Empties within the motion, those that were moved also in the current frame."""
    found = [
        point
        for thing in scene.objects
        if thing.type == "EMPTY" and not thing.parent and not thing.constraints
        for role in [empty_role(thing, skeletons)]
        if role and role != "look"
        for point in _points(thing, role, timing, unit)
    ]
    for thing, role in moved_pins(scene, skeletons):
        now = scene.frame_current
        place = np.array(thing.location) + np.array(thing.delta_location)
        found = [point for point in found if (point.frame, point.role) != (now, role)]
        found.append(ExactPoint(now, role, from_blender(place) * unit))
    return [point for point in found if timing.start <= point.frame <= timing.last]


def _points(thing: Any, role: str, timing: Timing, unit: float) -> Iterator[ExactPoint]:
    frames = location_frames(thing)
    if not frames and thing.moglow.pin == "REACH":
        raise ControlError(
            f"{thing.name}: it has no key; go to the frame in which the joint is there, and key its location (I)"
        )
    for frame in frames:
        yield ExactPoint(frame, role, from_blender(place_at(thing, frame)) * unit)


def _look(thing: Any, timing: Timing, unit: float, down: Array) -> tuple[Look, float]:
    """Returns the look at an Empty, from its first key to its last or all the time, and how far it moves."""
    frames = location_frames(thing)
    if len(frames) < 2:
        frames = [timing.start, timing.last]
    places = np.array([from_blender(place_at(thing, frame)) * unit for frame in frames])
    start, stop = (
        timing.seconds(min(max(frame, timing.start), timing.last), thing.name)
        for frame in (frames[0], frames[-1])
    )
    if not start < stop:
        raise ControlError(
            f"{thing.name}: its keys are outside of the motion, frames {timing.start} to {timing.last}; move them"
        )
    x, y, z = (places[0] - down).tolist()
    return Look(start, stop, (x, y, z)), float(np.linalg.norm(places - places[0], axis=-1).max())


def poses_of(scene: Any) -> tuple[Any, Any]:
    """Returns the armature with keyed poses and their action, or None for both.

    The action is that of the button Pin Pose, or else the active one of an armature that is not the figure.
    """
    settings = scene.moglow
    thing = settings.poses or settings.figure
    if thing is None or thing.name not in scene.objects:
        return None, None
    action = settings.pose_keys
    if action is None and thing != settings.figure and thing.animation_data:
        action = thing.animation_data.action
    return (thing, action) if action else (None, None)


def _poses(scene: Any, unit: float) -> list[ExactPose]:
    thing, action = poses_of(scene)
    if thing is None:
        return []
    rig, keyed = Rig.of(thing), keyed_bones(thing, action)
    found = []
    for frame, bones in keyed.items():
        scene.frame_set(frame)  # bones without keys stay as the active action has them
        with acting(thing, action):
            clip = read_poses(rig, [frame], unit=unit)
        roles = {rig.bones[joint]: role for role, joint in clip.skeleton.anatomy.roles.items()}
        named = tuple(sorted(role for bone, role in roles.items() if bone in bones))
        if not named:
            raise ControlError(
                f"pose at frame {frame}: none of its keyed bones is a joint that the model moves; key other bones"
            )
        found.append(ExactPose(frame, clip, () if len(named) == len(roles) else named))
    return found
