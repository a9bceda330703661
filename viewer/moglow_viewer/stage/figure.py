"""A figure on the stage: a body whose points move with its motion, and its soft shadow."""

from typing import Any

import numpy as np
import pyvista as pv
from vtkmodules.vtkRenderingCore import vtkActor

from moglow.maths.rotations import Array, quat_rotate
from moglow.motion.capsule_body import CapsuleBody, capsule_body, joint_sides, stick_body
from moglow_viewer.scene.palette import colour
from moglow_viewer.scene.shown_motion import ShownMotion
from moglow_viewer.stage.meshes import Held, actor_of, mesh_of
from moglow_viewer.stage.shadow import CELLS, Shadow

SHADOW_HEIGHT = 0.002  # metres over the floor, below all other marks
CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
ACROSS, OPACITY = slice(0, 3, 2), slice(3, 4)  # x and z of a point; the last channel of a pixel


class Surface:
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
            "capsules": Surface(capsule_body(motion.clip.skeleton, around=16), colours, sides),
            "bones": Surface(stick_body(motion.clip.skeleton), colours, sides),
        }
        self.shadow = Shadow(motion.bones, reach=motion.size)
        square = mesh_of(SHADOW_HEIGHT * np.array([[0, 1, 0]] * 4), np.arange(4)[None])
        square.active_texture_coordinates = CORNERS.astype(np.float32)
        shade = np.empty((CELLS, CELLS, 4), np.uint8)
        shade[...] = (255 * np.append(colour("shadow"), 0.0)).astype(np.uint8)
        texture: Any = pv.Texture(shade)  # type: ignore[no-untyped-call]
        texture.InterpolateOn()
        self.corners, self.shade = Held.points(square), Held.pixels(texture)
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
        low, side, dark = self.shadow.cast(points)
        self.corners.write(low + side * CORNERS, ACROSS)
        self.shade.write(255 * dark.reshape(-1, 1), OPACITY)
