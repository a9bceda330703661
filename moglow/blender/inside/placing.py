"""Conversion of the panel's settings to a request for takes, and of takes to actions in the scene."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import FIRST, add_action, scene_rate, set_scene_rate
from moglow.blender.inside.body import add_body
from moglow.blender.inside.curve_path import Line, keyed, own_speed, read_line, walked
from moglow.blender.inside.exact import made_exact, on_same
from moglow.blender.inside.making import make, read_checkpoint
from moglow.blender.inside.mesh_ground import read_ground
from moglow.blender.inside.pins import NO_PINS, ScenePins, Timing, read_pins
from moglow.blender.inside.rig import Rig
from moglow.blender.inside.rigify_rig import is_generated
from moglow.blender.inside.settings import key_tolerance
from moglow.blender.inside.thinning import Tolerance, thinned
from moglow.blender.inside.tracks import DRAFT, add_strip, remove_take, take_names
from moglow.checkpoint import Checkpoint
from moglow.directing.directed import UNUSUAL
from moglow.errors import ControlError, SkeletonError
from moglow.footsteps.standing import stand_on
from moglow.ground.surface import Ground
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import Take, ranked, styled, within_range

STEEP = 0.1
"""Rise of a curve in metres from which a warning is shown, since the floor is level."""


@dataclass(frozen=True, eq=False)
class TakeRequest:
    """The settings of takes, read from the scene once, since the scene may change while they are generated."""

    checkpoint: Checkpoint
    path: ControlPath
    start: int
    floor: float
    keeps_rate: bool
    warnings: tuple[str, ...]
    name: str
    seed: int
    takes: int
    temperature: float
    foot_lock: bool
    ground: Ground | None = None
    """The ground below the figure; by default a level floor."""
    pins: ScenePins = NO_PINS
    """The keyed Empties and poses."""
    tolerance: Tolerance | None = None
    """The errors that thinner keys may cause; by default there is a key in every frame."""

    @classmethod
    def read(cls, scene: Any) -> "TakeRequest":
        """Returns the request of a scene's settings."""
        settings, curve = scene.moglow, scene.moglow.path
        if curve is None or curve.name not in scene.objects:
            raise ControlError("Path: choose a curve of this scene, or draw one")
        if is_generated(settings.figure):
            raise SkeletonError(
                f"{settings.figure.name}: Rigify generated it, and a take moves its controls; choose its metarig as "
                f"Figure, or none, and bake the take to {settings.figure.name} under Rigify"
            )
        checkpoint = read_checkpoint(bpy.path.abspath(settings.checkpoint))
        path, start, line, timed = read_path(scene, checkpoint.context.fps)
        if settings.style:
            checkpoint.context.style_vector(settings.style)  # raises for an unknown name
        path, warnings = within_range(
            checkpoint, styled(path, settings.style or None), as_asked=not settings.fit, strict=False
        )
        ground = None
        if settings.ground is not None and settings.ground.name in scene.objects:
            ground = read_ground(settings.ground, metres_per_unit(scene))
        if line.rise > STEEP and ground is None:
            warnings.append(f"the curve rises by {line.rise:.1f} m; the floor is level, at its lowest point")
        keeps_rate, pins = settings.keep_rate or timed, NO_PINS
        if settings.use_pins:
            timing = Timing(path, start, scene_rate(scene) if keeps_rate else checkpoint.context.fps)
            skeleton, unit = checkpoint.context.encoding.skeleton, metres_per_unit(scene)
            floor = line.floor if ground is None else 0.0  # the heights of a ground are those of the scene
            pins = read_pins(scene, skeleton, timing, unit=unit, floor=floor)
            warnings += pins.warnings
        return cls(
            checkpoint,
            path,
            start,
            line.floor,
            keeps_rate,
            tuple(warnings),
            curve.name,
            settings.seed,
            settings.takes,
            settings.temperature,
            settings.foot_lock,
            ground,
            pins,
            key_tolerance(settings),
        )

    def make(self) -> Iterator[float | Take]:
        """Yields the progress and the takes."""
        return make(
            self.checkpoint,
            self.path,
            seed=self.seed,
            takes=self.takes,
            temperature=self.temperature,
            foot_lock=self.foot_lock,
            name=self.name,
            ground=self.ground,
            directions=self.pins.directions,
        )


LAST: dict[str, tuple[TakeRequest, Take]] = {}
"""The last request and best take of each scene, by its name, from which drafts are made."""


def place(scene: Any, request: TakeRequest, takes: Sequence[Take]) -> None:
    """Adds takes as actions to one armature, the best one active, and lists them in the settings.

    While the scene updates live, takes replace those of the last update, and the current frame stays.
    """
    settings, unit = scene.moglow, metres_per_unit(scene)
    best = ranked(takes, request.checkpoint) if takes else []
    LAST[scene.name] = request, best[0]
    for item in settings.results if settings.live else ():
        if item.live:
            remove_take(settings.figure, item.name)
    remove_take(settings.figure, DRAFT)
    rate = scene_rate(scene) if request.keeps_rate else best[0].clip.fps
    warnings = list(request.warnings)
    figure = settings.figure if settings.figure and settings.figure.name in scene.objects else None
    rig = Rig.of(figure) if figure else _new_figure(request, best[0].clip, unit, body=settings.body)
    texts, missed = {}, list[str]()
    names = take_names(request.name, len(best))
    for rank, take in reversed([*enumerate(best, start=1)]):  # the last action of a figure is the active one
        clip, missed = finished(take, rig, unit, request, rate)
        pinned = [each.frame - request.start for each in request.pins.poses]
        pinned += [each.frame - request.start for each in request.pins.points]
        thin = thinned(clip, request.tolerance, pinned) if request.tolerance else None
        keys = thin.frames if thin else None
        action = add_action(rig, clip, names[rank - 1], start=request.start, unit=unit, keys=keys)
        add_strip(rig.armature, action, request.start)
        texts[rank] = action.name, take_text(take) + (f", {thin}" if thin else "")
        missed += [pin["says"] for pin in take.pins if pin["nats_more_than_usual"] > UNUSUAL]
        scene.frame_start, scene.frame_end = request.start, request.start + len(clip) - 1
    warnings += missed  # of the best take
    if not settings.live:
        bpy.context.view_layer.objects.active = rig.armature
    if not request.keeps_rate:
        set_scene_rate(scene, rate)
    if held := rig.constrained():
        warnings.append(
            f"{held} bones of {rig.armature.name} have constraints, which act on top of the motion"
        )
    settings.figure, settings.shown, settings.messages = rig.armature, 0, "\n".join(warnings)
    settings.results.clear()
    for rank in sorted(texts):
        item = settings.results.add()
        (item.name, item.figures), item.live = texts[rank], settings.live
    scene.frame_set(scene.frame_current if settings.live else request.start)


def finished(take: Take, rig: Rig, unit: float, request: TakeRequest, rate: float) -> tuple[Clip, list[str]]:
    """Returns the clip of a take for a rig, with exact poses and points, and warnings about those that are not."""
    clip = _standing(_fitted(take.clip, rig, unit), request, rate).resample(rate)
    return made_exact(clip, request.pins.poses, request.pins.points, request.start)


def _standing(clip: Clip, request: TakeRequest, rate: float) -> Clip:
    """Returns the clip, whose floor has height 0, on the ground of the scene; ``rate`` is that of the scene."""
    if request.ground is None:
        return clip.moved((0.0, request.floor, 0.0))
    whole = [pose.frame - request.start for pose in request.pins.poses if not pose.roles]
    at = np.round(np.array(whole, float) / rate * clip.fps).astype(int)
    return stand_on(clip, request.ground, fixed=np.clip(at, 0, len(clip) - 1)).clip


def take_text(take: Take) -> str:
    """Returns the figures of a take in a few words."""
    error = take.measured.path.mean
    price = sum(max(0.0, pin["nats_more_than_usual"]) for pin in take.pins)
    pins = f", pins {price:.0f} nats" if take.pins else ""
    figures = f"path {100 * error:.1f} cm, slide {100 * take.slide.mean:.1f} cm/s, {take.clip.duration:.1f} s"
    return f"seed {take.seed}.{take.number}, {figures}{pins}"


def metres_per_unit(scene: Any) -> float:
    """Returns the length of a unit of a scene in metres."""
    units = scene.unit_settings
    return 1.0 if units.system == "NONE" else float(units.scale_length)


def read_path(scene: Any, fps: float) -> tuple[ControlPath, int, Line, bool]:
    """Returns the path, the frame at which it begins, its line, and whether keyframes time it."""
    settings, curve = scene.moglow, scene.moglow.path
    line = read_line(curve, metres_per_unit(scene))
    if settings.backwards:
        line = Line(line.points[::-1], line.closed, line.floor, line.rise)
    timed = keyed(line, curve, scene, fps=fps, laps=settings.laps)
    if timed:
        return *timed, line, True
    seconds = settings.seconds if settings.pace == "SECONDS" else 0.0
    path = walked(line, fps=fps, speed=own_speed(curve, settings.speed), seconds=seconds, laps=settings.laps)
    return path, FIRST, line, False


def _new_figure(request: TakeRequest, clip: Clip, unit: float, *, body: bool) -> Rig:
    rig = Rig.build(clip.skeleton, f"{request.name} figure", unit=unit)
    rig.armature.location.z = 0.0 if request.ground else request.floor / unit
    if body:
        add_body(rig, clip.skeleton)
    return rig


def _fitted(clip: Clip, rig: Rig, unit: float) -> Clip:
    """Returns the clip on the rig's skeleton: unchanged if it is the clip's skeleton, else retargeted."""
    skeleton = rig.skeleton(unit)
    same = on_same(Clip.at_rest(skeleton), clip.skeleton) is not None
    return clip if same else retarget(clip, skeleton, keep_path=True)
