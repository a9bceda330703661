"""Updates while the user drags: a draft of the take at once, and the full take after the last change."""

from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import activate, add_action, curves_of, scene_rate
from moglow.blender.inside.mesh_ground import read_ground
from moglow.blender.inside.operators import IDLE
from moglow.blender.inside.pins import NO_PINS, ScenePins, Timing, moved_pins, points_now, poses_of
from moglow.blender.inside.placing import LAST, finished, metres_per_unit, read_path
from moglow.blender.inside.poses import keyed_frames
from moglow.blender.inside.rig import Rig
from moglow.blender.inside.tracks import DRAFT, remove_take
from moglow.errors import MoglowError
from moglow.maths.signals import sample_linear
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import Take, within_range

QUIET = 0.4
"""Seconds after the last change at which the full take is made."""
TICK = 0.03
"""Seconds between two looks at the time."""


@dataclass
class Watch:
    """The state of live updates: the scene, what it was when last seen, and when it changed and was drafted."""

    scene: str = ""
    seen: Any = None
    changed: float | None = None
    drafted: float = 0.0
    working: bool = False


WATCH = Watch()


def start() -> None:
    """Begins to watch for changes, also in files that are opened later."""
    for handler in (on_change, forget):
        bpy.app.handlers.persistent(handler)  # marks the function
    bpy.app.handlers.depsgraph_update_post.append(on_change)
    bpy.app.handlers.load_post.append(forget)


def stop() -> None:
    """Ends the watch."""
    if on_change in bpy.app.handlers.depsgraph_update_post:
        bpy.app.handlers.depsgraph_update_post.remove(on_change)
    if forget in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(forget)
    for timer in (first, tick):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    forget()


def forget(*given: Any) -> None:
    """Forgets the scenes of a file, since another one was opened."""
    LAST.clear()
    WATCH.scene, WATCH.seen, WATCH.changed = "", None, None


def on_change(scene: Any, graph: Any = None) -> None:
    """Notes a change of the path, the ground or a pin, and starts the timer."""
    settings = getattr(scene, "moglow", None)
    if settings is None or not settings.live or settings.path is None or WATCH.working:
        return
    now = signature(scene)
    if (scene.name, now) == (WATCH.scene, WATCH.seen):
        return
    known = WATCH.scene == scene.name
    WATCH.scene, WATCH.seen = scene.name, now
    if not known:
        bpy.app.timers.register(first, first_interval=0.0)
        return
    WATCH.changed = perf_counter()
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0)


def first() -> None:
    """Prepares for the first change."""
    scene = bpy.data.scenes.get(WATCH.scene)
    if scene is not None:
        guarded(scene, prepare)


def tick() -> float | None:
    """Makes a draft after a change, and the full take when no change came for a while; returns None at the end."""
    scene = bpy.data.scenes.get(WATCH.scene)
    if scene is None or WATCH.changed is None or not scene.moglow.live:
        WATCH.changed = None
        return None
    if WATCH.drafted < WATCH.changed:
        guarded(scene, draft)
        WATCH.drafted = perf_counter()
        return TICK
    if perf_counter() - WATCH.changed < QUIET or is_dragging():
        return TICK
    if bpy.context.window_manager.moglow_progress >= 0:  # the take before is still being made
        bpy.context.window_manager.moglow_progress = IDLE
        return QUIET
    WATCH.changed = None
    guarded(scene, complete)
    return None


def guarded(scene: Any, work: Any) -> None:
    """Does some work, which does not count as a change; an error becomes the panel's message."""
    WATCH.working = True
    try:
        work(scene)
    except (MoglowError, RuntimeError) as error:
        scene.moglow.messages = str(error).strip()
    finally:
        WATCH.seen = signature(scene)
        WATCH.working = False


def is_dragging() -> bool:
    """Returns whether the user moves something at the moment."""
    windows = bpy.context.window_manager.windows
    running = [each for window in windows for each in getattr(window, "modal_operators", ())]
    return any(each.bl_idname.startswith("TRANSFORM_OT") for each in running)


def signature(scene: Any) -> tuple[Any, ...]:
    """Returns values that change if and only if the path, the ground or a pin does; the frame does not change them."""
    settings = scene.moglow
    parts: list[Any] = []
    for thing in (settings.path, settings.ground):
        if thing is not None:
            parts += [thing.name, *(round(x, 6) for row in thing.matrix_world for x in row)]
    if settings.path is not None:
        if settings.path.mode == "EDIT":
            settings.path.update_from_editmode()
        for spline in settings.path.data.splines:
            for point in spline.bezier_points:
                parts += [*point.co, *point.handle_left, *point.handle_right]
            for point in spline.points:
                parts += [*point.co]
    if settings.ground is not None and settings.ground.data is not None:
        mesh = settings.ground.data
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        parts.append(hash(points.tobytes()))
    for thing in scene.objects if settings.use_pins else ():
        if thing.type == "EMPTY":
            curves = [curve for curve in curves_of(thing) if curve.data_path == "location"]
            keys = [(*point.co,) for curve in curves for point in curve.keyframe_points]
            parts += [thing.name, thing.moglow.pin, thing.moglow.joint, tuple(keys)]
            parts += [*thing.location] if not keys else []
    if settings.use_pins:
        parts += [(thing.name, *(round(x, 5) for x in thing.location)) for thing in moved(scene)]
        action = poses_of(scene)[1]
        parts.append(tuple(keyed_frames(action)) if action else None)
    return tuple(parts)


def skeletons(scene: Any) -> list[Any]:
    """Returns the skeleton of the scene's last take, by whose roles Empties are found."""
    found = LAST.get(scene.name)
    return [found[1].clip.skeleton] if found else []


def moved(scene: Any) -> list[Any]:
    """Returns the Empties that the user moved away from their keys."""
    try:
        return [thing for thing, _ in moved_pins(scene, skeletons(scene))]
    except MoglowError:  # an Empty of an unknown joint, which the full take reports
        return []


def prepare(scene: Any) -> None:
    """Makes a draft without showing it, since the first one of a session takes longer."""
    with suppress(MoglowError):
        draft_of(scene)


def draft(scene: Any) -> None:
    """Shows the draft of the scene as it is now."""
    made = draft_of(scene)
    if made is None:
        return
    rig, clip, start = made
    remove_take(rig.armature, DRAFT)
    action = add_action(rig, clip, DRAFT, start=start, unit=metres_per_unit(scene))
    action.use_fake_user = False
    activate(rig.armature, action)
    scene.frame_end = start + len(clip) - 1
    show_frame(rig.armature, scene.frame_current)


def draft_of(scene: Any) -> tuple[Rig, Clip, int] | None:
    """Returns the rig, the last take along the path as it is now, and its first frame; None without a take.

    It is neither sampled nor steered; points of pins are exact.
    """
    settings, last = scene.moglow, LAST.get(scene.name)
    figure = settings.figure
    if last is None or figure is None or figure.name not in scene.objects:
        return None
    request, take = last
    checkpoint, unit = request.checkpoint, metres_per_unit(scene)
    path, start, line, timed = read_path(scene, checkpoint.context.fps)
    path, _ = within_range(checkpoint, path, as_asked=not settings.fit, strict=False)
    ground = read_ground(settings.ground, unit) if settings.ground else None
    rate = scene_rate(scene) if settings.keep_rate or timed else checkpoint.context.fps
    pins = NO_PINS
    if settings.use_pins:
        points = points_now(scene, skeletons(scene), Timing(path, start, rate), unit)
        pins = ScenePins(poses=request.pins.poses, points=tuple(points))
    now = replace(
        request,
        path=path,
        start=start,
        floor=line.floor,
        ground=ground,
        pins=pins,
        tolerance=None,
        warnings=(),
    )
    rig = Rig.of(figure)
    clip, _ = finished(drafted(checkpoint, take, path), rig, unit, now, rate)
    return rig, clip, start


def show_frame(figure: Any, frame: int) -> None:
    """Poses the figure as its action has it in a frame, without a change of the frame, which would end a drag."""
    for curve in curves_of(figure):
        owner, _, channel = curve.data_path.rpartition(".")
        getattr(figure.path_resolve(owner), channel)[curve.array_index] = curve.evaluate(frame)
    figure.update_tag()


def drafted(checkpoint: Any, take: Take, path: ControlPath) -> Take:
    """Returns a take moved to another path: the same poses relative to the path, spread over its duration."""
    encoding = checkpoint.context.encoding
    own = take.clip.resample(path.fps)
    poses = encoding.encode(own, take.path.resample(path.fps))
    at = np.linspace(0, len(poses) - 1, len(path))
    clip: Clip = encoding.decode(sample_linear(np.arange(len(poses)), poses, at), path, own.name)
    return Take(clip, take.seed, take.number, path, take.measured)


def complete(scene: Any) -> None:
    """Keys the pins that were moved, and makes the full take."""
    for thing in moved(scene) if scene.moglow.use_pins else ():
        thing.keyframe_insert("location", frame=scene.frame_current)
    manager = bpy.context.window_manager
    if bpy.app.background or not manager.windows:
        bpy.ops.moglow.generate("EXEC_DEFAULT", True)
        return
    with bpy.context.temp_override(window=manager.windows[0]):
        bpy.ops.moglow.generate("INVOKE_DEFAULT", True)
