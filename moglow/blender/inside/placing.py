"""From the panel's settings to an order for takes, and from takes to actions in the scene."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import FIRST, add_action, scene_rate, set_scene_rate
from moglow.blender.inside.body import add_body
from moglow.blender.inside.curve_path import Line, keyed, own_speed, read_line, walked
from moglow.blender.inside.making import make, read_checkpoint
from moglow.blender.inside.rig import Rig
from moglow.checkpoint import Checkpoint
from moglow.errors import ControlError
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import Take, ranked, styled, within_range

STEEP = 0.1
"""Metres: a curve that rises more is worth a word, since the floor is level."""
SAME = 1e-3
"""Metres by which the bones of two skeletons may differ and still be one."""


@dataclass(frozen=True, eq=False)
class Order:
    """All that is asked of takes, read from the scene once: it may change while they are made."""

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

    @classmethod
    def read(cls, scene: Any) -> "Order":
        """The order that a scene's settings make."""
        asked, curve = scene.moglow, scene.moglow.path
        if curve is None or curve.name not in scene.objects:
            raise ControlError("Path: pick a curve of this scene, or draw one")
        checkpoint = read_checkpoint(bpy.path.abspath(asked.checkpoint))
        path, start, line, timed = _path(scene, checkpoint.context.fps)
        if asked.style:
            checkpoint.context.style_vector(asked.style)  # a wrong name is told now
        path, warnings = within_range(
            checkpoint, styled(path, asked.style or None), as_asked=not asked.fit, strict=False
        )
        if line.rise > STEEP:
            warnings.append(f"the curve rises by {line.rise:.1f} m; the floor is level, at its lowest point")
        return cls(
            checkpoint,
            path,
            start,
            line.floor,
            asked.keep_rate or timed,
            tuple(warnings),
            curve.name,
            asked.seed,
            asked.takes,
            asked.temperature,
            asked.foot_lock,
        )

    def make(self) -> Iterator[float | Take]:
        """Makes the takes, step by step."""
        return make(
            self.checkpoint,
            self.path,
            seed=self.seed,
            takes=self.takes,
            temperature=self.temperature,
            foot_lock=self.foot_lock,
            name=self.name,
        )


def place(scene: Any, order: Order, takes: Sequence[Take]) -> None:
    """Turns takes into actions on one armature, the best one active, and says in the settings what they are."""
    asked, unit = scene.moglow, metres_per_unit(scene)
    best = ranked(takes, order.checkpoint) if takes else []
    rate = scene_rate(scene) if order.keeps_rate else best[0].clip.fps
    warnings = list(order.warnings)
    figure = asked.figure if asked.figure and asked.figure.name in scene.objects else None
    rig = Rig.of(figure) if figure else _new_figure(order, best[0].clip, unit, body=asked.body)
    texts = {}
    for rank, take in reversed(
        [*enumerate(best, start=1)]
    ):  # the last action that a figure gets is the active one
        clip = _fitted(take.clip, rig, unit).moved((0.0, order.floor, 0.0)).resample(rate)
        action = add_action(
            rig, clip, f"{order.name} {order.seed}.{take.number}", start=order.start, unit=unit
        )
        texts[rank] = action.name, take_text(take)
        scene.frame_start, scene.frame_end = order.start, order.start + len(clip) - 1
    if not order.keeps_rate:
        set_scene_rate(scene, rate)
    if held := rig.constrained():
        warnings.append(
            f"{held} bones of {rig.armature.name} have constraints, which act on top of the motion"
        )
    asked.figure, asked.shown, asked.said = rig.armature, 0, "\n".join(warnings)
    asked.results.clear()
    for rank in sorted(texts):
        item = asked.results.add()
        item.name, item.figures = texts[rank]
    scene.frame_set(order.start)


def take_text(take: Take) -> str:
    """What there is to say about a take, in a few words."""
    error = take.measured.path.mean
    return f"path {100 * error:.1f} cm, slide {100 * take.slide.mean:.1f} cm/s, {take.clip.duration:.1f} s"


def metres_per_unit(scene: Any) -> float:
    """How long a unit of this scene is."""
    settings = scene.unit_settings
    return 1.0 if settings.system == "NONE" else float(settings.scale_length)


def _path(scene: Any, fps: float) -> tuple[ControlPath, int, Line, bool]:
    """The path, the frame at which it begins, its line, and whether keyframes time it."""
    asked, curve = scene.moglow, scene.moglow.path
    line = read_line(curve, metres_per_unit(scene))
    if asked.backwards:
        line = Line(line.points[::-1], line.closed, line.floor, line.rise)
    timed = keyed(line, curve, scene, fps=fps, laps=asked.laps)
    if timed:
        return *timed, line, True
    seconds = asked.seconds if asked.pace == "SECONDS" else 0.0
    path = walked(line, fps=fps, speed=own_speed(curve, asked.speed), seconds=seconds, laps=asked.laps)
    return path, FIRST, line, False


def _new_figure(order: Order, clip: Clip, unit: float, *, body: bool) -> Rig:
    rig = Rig.build(clip.skeleton, f"{order.name} figure", unit=unit)
    rig.armature.location.z = order.floor / unit
    if body:
        add_body(rig, clip.skeleton)
    return rig


def _fitted(clip: Clip, rig: Rig, unit: float) -> Clip:
    """The clip on the rig's skeleton: as it is where that is its own, else retargeted."""
    skeleton, own = rig.skeleton(unit), clip.skeleton
    alike = (skeleton.names, skeleton.parents) == (own.names, own.parents)
    if alike and np.abs(skeleton.offsets[1:] - own.offsets[1:]).max() < SAME:
        return clip
    return retarget(clip, skeleton, keep_path=True)
