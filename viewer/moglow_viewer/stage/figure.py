"""A figure on the stage: a body whose points move with its motion, and its soft shadow."""

from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkActor

from moglow.maths.rotations import Array, quat_rotate
from moglow.measures.on_ground import above
from moglow.motion.capsule_body import CapsuleBody, capsule_body, joint_sides, stick_body
from moglow_viewer.scene.palette import colour
from moglow_viewer.scene.shown_motion import ShownMotion
from moglow_viewer.stage.meshes import Held, actor_of, mesh_of
from moglow_viewer.stage.shadow import CELLS, Shadow

SHADOW_HEIGHT = 0.002  # metres over the floor, below all other marks
DRAPED = 32
"""Number of parts along each side of a shadow on uneven ground."""
ACROSS, OPACITY = slice(0, 3, 2), slice(3, 4)  # x and z of a point; the last channel of a pixel


class FigureMesh:
    """A `CapsuleBody` as PolyData."""

    def __init__(self, body: CapsuleBody, colours: Array, sides: list[int]) -> None:
        self.body = body
        self.mesh = mesh_of(body.points, body.triangles)
        painted = (255 * colours[[sides[joint] for joint in body.joints]]).astype(np.uint8)
        self.mesh.point_data.set_scalars(painted, "colour")
        self.mesh.point_data.active_normals = body.normals.astype(np.float32)
        self.points, self.normals = Held.points(self.mesh), Held(self.mesh.GetPointData().GetNormals())
        self.actor = actor_of(self.mesh, lit=True)
        look = self.actor.GetProperty()
        look.SetInterpolationToPhong()
        look.SetAmbient(0.32)
        look.SetDiffuse(0.78)
        look.SetSpecular(0.12)
        look.SetSpecularPower(18)
        look.BackfaceCullingOn()  # the inside is never visible, so half of the triangles are not rendered

    def pose(self, positions: Array, rotations: Array) -> None:
        """Moves the points with the joints."""
        self.points.write(self.body.posed(positions, rotations))
        self.normals.write(quat_rotate(rotations[self.body.joints], self.body.normals))


class Figure:
    """A motion's body, as capsules and as bones, and its shadow; ``offset`` ``(3,)`` moves all of it."""

    def __init__(self, motion: ShownMotion, colours: Array, offset: Array) -> None:
        self.motion = motion
        sides = joint_sides(motion.clip.skeleton)
        self.looks = {
            "capsules": FigureMesh(capsule_body(motion.clip.skeleton, around=16), colours, sides),
            "bones": FigureMesh(stick_body(motion.clip.skeleton), colours, sides),
        }
        self.shadow = Shadow(motion.bones, reach=motion.size)
        self.places, faces = _square(1 if motion.ground is None else DRAPED)
        square = mesh_of(np.insert(0 * self.places, 1, SHADOW_HEIGHT, axis=-1), faces)
        square.active_texture_coordinates = self.places.astype(np.float32)
        shade = np.empty((CELLS, CELLS, 4), np.uint8)
        shade[...] = (255 * np.append(colour("shadow"), 0.0)).astype(np.uint8)
        texture: Any = pv.Texture(shade)  # type: ignore[no-untyped-call]
        texture.InterpolateOn()
        self.square, self.shade = Held.points(square), Held.pixels(texture)
        self.shadow_actor = actor_of(square)
        self.shadow_actor.SetTexture(texture)
        self.shadow_actor.ForceTranslucentOn()
        for actor in self.actors:
            actor.SetPosition(*offset)

    @property
    def actors(self) -> list[vtkActor]:
        return [self.shadow_actor, *(surface.actor for surface in self.looks.values())]

    def pose(self, seconds: float, *, look: str, shown: bool) -> None:
        """Shows the figure at a time, in one of the looks."""
        for name, surface in self.looks.items():
            surface.actor.SetVisibility(shown and name == look)
        self.shadow_actor.SetVisibility(shown)
        if shown:
            self.pose_at(*self.motion.at(seconds), look=look)

    def pose_at(self, positions: Array, rotations: Array, *, look: str) -> None:
        """Moves the body and its shadow to joints with world positions ``(J, 3)`` and rotations ``(J, 4)``."""
        self.looks[look].pose(positions, rotations)
        ends = self.motion.clip.skeleton.end_positions(positions[None], rotations[None])[0]
        self._cast(np.concatenate([positions, ends]))

    def _cast(self, points: Array) -> None:
        ground = self.motion.ground
        low, side, dark = self.shadow.cast(points if ground is None else above(points, ground))
        places = low + side * self.places
        self.square.write(places, ACROSS)
        if ground is not None:
            self.square.write(SHADOW_HEIGHT + self.motion.floor_at(places)[:, None], slice(1, 2))
        self.shade.write(255 * dark.reshape(-1, 1), OPACITY)


def _square(parts: int) -> tuple[Array, NDArray[np.int64]]:
    """Returns points ``(P, 2)`` from 0 to 1 and quads of a square with ``parts`` parts along each side.

    >>> _square(1)
    (array([[0., 0.],
           [1., 0.],
           [0., 1.],
           [1., 1.]]), array([[0, 1, 3, 2]]))
    """
    line = np.linspace(0.0, 1.0, parts + 1)
    places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    first = (np.arange(parts)[:, None] * (parts + 1) + np.arange(parts)).reshape(-1, 1)
    return places, (first + np.array([0, 1, parts + 2, parts + 1])).astype(np.int64)
