"""Meshes and actors: the few lines in which numpy's arrays become what the graphics card draws."""

from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

from moglow.rotations import Array


def mesh_of(points: Array, faces: NDArray[np.int64]) -> Any:
    """PolyData of points ``(P, 3)`` and faces ``(F, n)``; its ``points`` can be moved in place.

    >>> mesh_of(np.eye(3), np.array([[0, 1, 2]])).n_cells
    1
    """
    corners = np.insert(faces, 0, faces.shape[1], axis=1)
    mesh: Any = pv.PolyData(np.asarray(points, np.float32), faces=corners.ravel())
    return mesh


def actor_of(mesh: Any, *, lit: bool = False) -> vtkActor:
    """An actor that shows a mesh, in the light or as bright as it is."""
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.SetVBOShiftScaleMethod(0)  # metres as they are: nothing here is a planet away
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetLighting(lit)
    return actor
