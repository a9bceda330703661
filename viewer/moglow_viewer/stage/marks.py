"""Marks on the floor: the requested path, the track of the hips, footprints; and the trails of feet in the air.

Marks are flat bands and discs that are built once; with time only their colours change.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkActor

from moglow.ground.surface import Ground
from moglow.maths.rotations import Array, heading_to_vector
from moglow.paths.control_path import ControlPath
from moglow_viewer.scene.palette import SKATING, colour, slide_colours
from moglow_viewer.scene.shown_motion import ShownMotion
from moglow_viewer.stage.meshes import Held, actor_of, mesh_of

PRINTS, TRACK, PATH, NOW = 0.004, 0.006, 0.008, 0.010
"""Heights over the floor in metres, in the order of the layers."""
ARROW = 0.35
"""Length in metres of the arrow of a requested heading."""
BAND = 0.022
"""Width in metres of a line on the floor, for a figure that reaches a metre from its hips."""
DISC = 24
"""Corners of a round mark."""


class Mark:
    """Quads or polygons on the floor with a colour and an opacity at each point, as an actor."""

    def __init__(self, points: Array, faces: NDArray[np.int64], ink: Array) -> None:
        mesh = mesh_of(points, faces)
        painted = np.empty((len(points), 4), np.uint8)
        painted[:, :3], painted[:, 3] = 255 * ink, 255
        mesh.point_data.set_scalars(painted, "ink")
        self.points, self.ink = Held.points(mesh), Held(mesh.GetPointData().GetScalars())
        self.actor = actor_of(mesh)
        self.actor.ForceTranslucentOn()

    def paint(self, opacity: Array, ink: Array | None = None) -> None:
        """Changes opacities ``(P,)`` and, if given, colours ``(P, 3)``."""
        self.ink.write(255 * opacity[:, None], slice(3, 4))
        if ink is not None:
            self.ink.write(255 * ink, slice(3))

    def move(self, points: Array) -> None:
        self.points.write(points)


class HipTrack:
    """The track of the hips, strong up to the current time and faint after it."""

    def __init__(self, motion: ShownMotion, ink: Array) -> None:
        step = max(1, round(motion.clip.fps / 15))
        self.frames = np.arange(0, len(motion.clip), step)
        places = motion.clip.ground_positions()[self.frames]
        self.motion = motion
        heights = TRACK + motion.floor_at(places)
        self.mark = Mark(*band(places, BAND * motion.size, heights), ink)

    @property
    def actors(self) -> list[vtkActor]:
        return [self.mark.actor]

    def show(self, seconds: float) -> None:
        past = self.frames <= self.motion.frame_at(seconds)
        self.mark.paint(np.repeat(np.where(past, 0.85, 0.3), 2))


class Trace:
    """A line through the last ``kept`` of a growing list of places."""

    def __init__(self, ink: Array, size: float, *, kept: int) -> None:
        self.width, self.kept = BAND * size, kept
        self.mark = Mark(*band(np.zeros((kept, 2)), self.width, TRACK), ink)
        self.show([])

    def show(self, places: Sequence[Array]) -> None:
        """Shows places ``(2,)``; an empty list hides the line."""
        self.mark.actor.SetVisibility(len(places) > 1)
        if len(places) > 1:
            last = np.array(places[-self.kept :])
            full = np.concatenate([np.repeat(last[:1], self.kept - len(last), axis=0), last])
            self.mark.move(band(full, self.width, TRACK)[0])


class Footprints:
    """Discs at planted feet, coloured by their sliding speed; large while planted, else small and faint."""

    def __init__(self, motion: ShownMotion) -> None:
        self.motion, self.prints = motion, motion.footprints
        turn = np.linspace(0, 2 * np.pi, DISC, endpoint=False)
        self.circle = np.stack([np.sin(turn), np.zeros(DISC), np.cos(turn)], axis=-1)
        self.places = np.array([[p.x, p.height + PRINTS, p.z] for p in self.prints]).reshape(-1, 1, 3)
        self.inks = slide_colours([p.speed for p in self.prints])
        corners = np.arange(len(self.prints) * DISC).reshape(-1, DISC)
        self.mark = (
            Mark(self._discs([]), corners, np.repeat(self.inks, DISC, axis=0)) if self.prints else None
        )

    @property
    def actors(self) -> list[vtkActor]:
        return [self.mark.actor] if self.mark else []

    def show(self, seconds: float) -> None:
        if self.mark is None:
            return
        frame = self.motion.frame_at(seconds)
        standing = [k for k, p in enumerate(self.prints) if p.start <= frame < p.stop]
        opacity, inks = np.full(len(self.prints), 0.4), self.inks.copy()
        places = self._discs(standing, frame)
        for k in standing:
            opacity[k] = 0.85
            inks[k] = slide_colours(self.motion.foot_speed[frame, self.prints[k].leg])
        self.mark.move(places)
        self.mark.paint(np.repeat(opacity, DISC), np.repeat(inks, DISC, axis=0))

    def _discs(self, standing: list[int], frame: int = 0) -> Array:
        radii = np.full((len(self.prints), 1, 1), 0.05 * self.motion.size)
        places = self.places.copy()
        for k in standing:
            radii[k] *= 2
            places[k, 0, [0, 2]] = self.motion.toes[frame, self.prints[k].leg, [0, 2]]
        discs: Array = (places + radii * self.circle).reshape(-1, 3)
        return discs


class PathMarks:
    """The requested path: dashes, an arrow for the heading each second, a ring with an arrow at the current time."""

    def __init__(self, path: ControlPath, size: float, ground: Ground | None = None) -> None:
        self.path, width = path, BAND * size
        self.heights = ground.heights(*path.positions.T) if ground else np.zeros(len(path))
        dash = max(1, round(path.fps / 10))
        parts = [slice(start, start + dash + 1) for start in range(0, len(path) - 1, 2 * dash)] or [
            slice(None)
        ]
        pieces = [band(path.positions[part], width, PATH + self.heights[part]) for part in parts]
        ink = colour("asked")
        self.dashes = Mark(*joined(pieces), ink)
        every = np.arange(0, len(path), max(1, round(path.fps)))
        arrows = [
            arrow(path.positions[k], path.headings[k], width, PATH + self.heights[k], size) for k in every
        ]
        self.arrows = Mark(*joined(arrows), ink)
        self.arrows.paint(np.full(len(self.arrows.ink.values), 0.55))
        turn = np.linspace(0, 2 * np.pi, DISC + 1)
        ring = 0.14 * size * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
        self.now = Mark(*joined([band(ring, width, NOW), arrow(np.zeros(2), 0.0, width, NOW, size)]), ink)

    @property
    def actors(self) -> list[vtkActor]:
        return [self.dashes.actor, self.arrows.actor, self.now.actor]

    def show(self, seconds: float, offset: Array) -> None:
        frame = int(np.clip(seconds * self.path.fps + 1e-4, 0, len(self.path) - 1))
        x, z = self.path.positions[frame]
        self.now.actor.SetPosition(offset[0] + x, offset[1] + self.heights[frame], offset[2] + z)
        self.now.actor.SetOrientation(0.0, np.degrees(self.path.headings[frame]), 0.0)


class Trails:
    """The trails of the toes over the last seconds, green to red where a foot is planted and slides."""

    def __init__(self, motion: ShownMotion, colours: Array, *, seconds: float) -> None:
        self.motion, self.frames = motion, max(2, round(seconds * motion.clip.fps))
        legs = motion.clip.skeleton.anatomy.legs
        width = 0.022 * motion.size
        speeds = np.clip(motion.foot_speed, 0, SKATING)
        self.marks = []
        for leg in range(motion.toes.shape[1]):
            side = 1 if legs[leg].side == "left" else 2
            ink = np.where(motion.planted[:, leg, None], slide_colours(speeds[:, leg]), colours[side])
            points, faces = tube(motion.toes[:, leg] + [0.0, width, 0.0], width / 2)
            self.marks.append(Mark(points, faces, np.repeat(ink, 4, axis=0)))

    @property
    def actors(self) -> list[vtkActor]:
        return [mark.actor for mark in self.marks]

    def show(self, seconds: float) -> None:
        age = self.motion.frame_at(seconds) - np.arange(len(self.motion.clip))
        fresh = np.where((age >= 0) & (age <= self.frames), 1.0 - 0.75 * age / self.frames, 0.0)
        for mark in self.marks:
            mark.paint(np.repeat(fresh, 4))


def band(places: Array, width: float, height: float | Array) -> tuple[Array, NDArray[np.int64]]:
    """Returns points ``(2 N, 3)`` and quads of a band along places ``(N, 2)``, at one height or one each ``(N,)``.

    >>> band(np.array([[0.0, 0.0], [0.0, 1.0]]), 0.2, 0.0)[0].tolist()
    [[0.1, 0.0, 0.0], [-0.1, 0.0, 0.0], [0.1, 0.0, 1.0], [-0.1, 0.0, 1.0]]
    """
    along = np.gradient(places, axis=0) if len(places) > 1 else np.array([[0.0, 1.0]])
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    aside = width / 2 * np.stack([along[:, 1], -along[:, 0]], axis=-1)
    flat = np.stack([places + aside, places - aside], axis=1).reshape(-1, 2)
    first = 2 * np.arange(max(len(places) - 1, 0))[:, None]
    quads = first + np.array([0, 1, 3, 2])
    heights = np.repeat(np.broadcast_to(height, len(places)), 2)
    return np.insert(flat, 1, heights, axis=-1), quads if len(quads) else np.zeros((1, 4), np.int64)


def arrow(
    place: Array, heading: float, width: float, height: float, size: float
) -> tuple[Array, NDArray[np.int64]]:
    """Returns an arrow, a shaft and two barbs, from a place along a heading."""
    ahead = heading_to_vector(np.asarray(heading)) * ARROW * size
    aside, tip = np.array([ahead[1], -ahead[0]]), place + ahead
    strokes = [[place, tip], *([tip, tip - 0.3 * ahead + sign * 0.18 * aside] for sign in (1, -1))]
    return joined([band(np.array(stroke), width, height) for stroke in strokes])


def tube(places: Array, radius: float) -> tuple[Array, NDArray[np.int64]]:
    """Returns points ``(4 N, 3)`` and quads of a square tube along places ``(N, 3)``."""
    corners = radius * np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]]) + places[:, None]
    first = 4 * np.arange(max(len(places) - 1, 0))[:, None, None]
    quads = first + np.array([[k, (k + 1) % 4, (k + 1) % 4 + 4, k + 4] for k in range(4)])
    return corners.reshape(-1, 3), quads.reshape(-1, 4) if len(quads) else np.zeros((1, 4), np.int64)


def joined(pieces: list[tuple[Array, NDArray[np.int64]]]) -> tuple[Array, NDArray[np.int64]]:
    """Returns several meshes as one."""
    starts = np.cumsum([0, *(len(points) for points, _ in pieces[:-1])])
    faces = [faces + start for (_, faces), start in zip(pieces, starts, strict=True)]
    return np.concatenate([points for points, _ in pieces]), np.concatenate(faces)
