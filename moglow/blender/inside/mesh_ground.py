"""A mesh object as ground: its triangles in the world, with modifiers applied."""

from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.axes import from_blender
from moglow.errors import ControlError, FileFormatError
from moglow.ground.mesh import MeshGround


def read_ground(thing: Any, unit: float) -> MeshGround:
    """Returns the ground of an object's mesh; ``unit`` is metres per Blender unit."""
    evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    try:
        mesh.calc_loop_triangles()
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
    finally:
        evaluated.to_mesh_clear()
    matrix = np.array(thing.matrix_world)
    places = points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    try:
        return MeshGround(
            from_blender(places) * unit, corners.reshape(-1, 3).astype(np.int64), name=thing.name
        )
    except FileFormatError:
        raise ControlError(f"{thing.name}: has no face to stand on; choose a mesh seen from above") from None
