"""Conversion of the panel's settings to a request for takes, and of takes to actions in the scene."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import FIRST, add_action, scene_rate, set_scene_rate
from moglow.blender.inside.body import add_body
from moglow.blender.inside.curve_path import Line, keyed, own_speed, read_line, walked
from moglow.blender.inside.making import make, read_checkpoint
from moglow.blender.inside.mesh_ground import read_ground
from moglow.blender.inside.rig import Rig
from moglow.checkpoint import Checkpoint
from moglow.errors import ControlError
from moglow.footsteps.standing import stand_on
from moglow.ground.surface import Ground
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import Take, ranked, styled, within_range

STEEP = 0.1
"""Rise of a curve in metres from which a warning is shown, since the floor is level."""
SAME = 1e-3
"""Metres by which bones may differ in skeletons that count as the same."""


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

    @classmethod
    def read(cls, scene: Any) -> "TakeRequest":
        """Returns the request of a scene's settings."""
        settings, curve = scene.moglow, scene.moglow.path
        if curve is None or curve.name not in scene.objects:
            raise ControlError("Path: choose a curve of this scene, or draw one")
        checkpoint = read_checkpoint(bpy.path.abspath(settings.checkpoint))
        path, start, line, timed = _path(scene, checkpoint.context.fps)
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
        return cls(
            checkpoint,
            path,
            start,
            line.floor,
            settings.keep_rate or timed,
            tuple(warnings),
            curve.name,
            settings.seed,
            settings.takes,
            settings.temperature,
            settings.foot_lock,
            ground,
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
        )


def place(scene: Any, request: TakeRequest, takes: Sequence[Take]) -> None:
    """Adds takes as actions to one armature, the best one active, and lists them in the settings."""
    settings, unit = scene.moglow, metres_per_unit(scene)
    best = ranked(takes, request.checkpoint) if takes else []
    rate = scene_rate(scene) if request.keeps_rate else best[0].clip.fps
    warnings = list(request.warnings)
    figure = settings.figure if settings.figure and settings.figure.name in scene.objects else None
    rig = Rig.of(figure) if figure else _new_figure(request, best[0].clip, unit, body=settings.body)
    texts = {}
    for rank, take in reversed([*enumerate(best, start=1)]):  # the last action of a figure is the active one
        clip = _standing(_fitted(take.clip, rig, unit), request).resample(rate)
        action = add_action(
            rig, clip, f"{request.name} {request.seed}.{take.number}", start=request.start, unit=unit
        )
        texts[rank] = action.name, take_text(take)
        scene.frame_start, scene.frame_end = request.start, request.start + len(clip) - 1
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
        item.name, item.figures = texts[rank]
    scene.frame_set(request.start)


def _standing(clip: Clip, request: TakeRequest) -> Clip:
    """Returns the clip, whose floor has height 0, on the ground of the scene."""
    if request.ground is None:
        return clip.moved((0.0, request.floor, 0.0))
    return stand_on(clip, request.ground).clip


def take_text(take: Take) -> str:
    """Returns the figures of a take in a few words."""
    error = take.measured.path.mean
    return f"path {100 * error:.1f} cm, slide {100 * take.slide.mean:.1f} cm/s, {take.clip.duration:.1f} s"


def metres_per_unit(scene: Any) -> float:
    """Returns the length of a unit of a scene in metres."""
    units = scene.unit_settings
    return 1.0 if units.system == "NONE" else float(units.scale_length)


def _path(scene: Any, fps: float) -> tuple[ControlPath, int, Line, bool]:
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
    skeleton, own = rig.skeleton(unit), clip.skeleton
    same = (skeleton.names, skeleton.parents) == (own.names, own.parents)
    if same and np.abs(skeleton.offsets[1:] - own.offsets[1:]).max() < SAME:
        return clip
    return retarget(clip, skeleton, keep_path=True)
