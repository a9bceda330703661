"""Uneven ground: its lit triangles, and a line per metre on them."""

from typing import Any

import numpy as np
import pyvista as pv

from moglow.ground.surface import Ground
from moglow.maths.rotations import Array
from moglow_viewer.scene.palette import colour
from moglow_viewer.stage.meshes import actor_of, mesh_of

LINE_HEIGHT = 0.003
"""Height of the lines over the ground in metres."""
FINE = 0.02
"""Distance in metres between the points of a line."""


def terrain_actors(ground: Ground, low: Array, high: Array) -> list[Any]:
    """Returns the actors of the ground between two corners (x, z)."""
    surface = ground.surface(low, high)
    mesh = mesh_of(surface.vertices, surface.faces).compute_normals(
        point_normals=False, auto_orient_normals=False, consistent_normals=False
    )
    body = actor_of(mesh, lit=True)
    look = body.GetProperty()
    look.SetColor(*(0.9 * colour("ground")).tolist())
    look.SetInterpolationToFlat()
    look.SetAmbient(0.35)
    look.SetDiffuse(0.65)
    edges = mesh.extract_feature_edges(feature_angle=20, boundary_edges=True, manifold_edges=False)
    lines = [_line(ground, axis, at, low, high) for axis in (0, 1) for at in _metres(low[axis], high[axis])]
    actors = [body]
    for drawn, strength in ((edges, 0.9), (_joined(lines), 0.5)):
        if drawn is not None and drawn.n_points:
            actor = actor_of(drawn)
            actor.GetProperty().SetColor(*colour("grid").tolist())
            actor.GetProperty().SetOpacity(strength)
            actors.append(actor)
    return actors


def _metres(low: float, high: float) -> Array:
    return np.arange(np.ceil(low), high)


def _line(ground: Ground, axis: int, at: float, low: Array, high: Array) -> Array:
    """Returns the points ``(N, 3)`` of a line on the ground, at a coordinate of an axis."""
    along = np.arange(low[1 - axis], high[1 - axis], FINE)
    across = np.full_like(along, at)
    x, z = (across, along) if axis == 0 else (along, across)
    return np.stack([x, ground.heights(x, z) + LINE_HEIGHT, z], axis=-1)


def _joined(lines: list[Array]) -> Any:
    if not lines:
        return None
    starts = np.cumsum([0, *(len(line) for line in lines)])
    cells = [
        np.concatenate([[len(line)], start + np.arange(len(line))])
        for line, start in zip(lines, starts[:-1], strict=True)
    ]
    return pv.PolyData(np.concatenate(lines).astype(np.float32), lines=np.concatenate(cells))
