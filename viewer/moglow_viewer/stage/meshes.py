"""Conversion of numpy arrays to meshes and actors of VTK."""

from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import ArrayLike, NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

from moglow.maths.rotations import Array


def mesh_of(points: Array, faces: NDArray[np.int64]) -> Any:
    """Returns PolyData of points ``(P, 3)`` and faces ``(F, n)``.

    >>> mesh_of(np.eye(3), np.array([[0, 1, 2]])).n_cells
    1
    """
    corners = np.insert(faces, 0, faces.shape[1], axis=1)
    mesh: Any = pv.PolyData(np.asarray(points, np.float32), faces=corners.ravel())
    return mesh


class Held:
    """An array of VTK that is written in place; creating pyvista's view of it takes longer than writing the numbers.

    >>> mesh = mesh_of(np.eye(3), np.array([[0, 1, 2]]))
    >>> Held.points(mesh).write(2 * np.eye(3))
    >>> mesh.points[0].tolist()
    [2.0, 0.0, 0.0]
    """

    def __init__(self, array: Any, *holders: Any) -> None:
        self.values: NDArray[Any] = vtk_to_numpy(array)  # type: ignore[no-untyped-call]
        self.holders = (array, *holders)

    @classmethod
    def points(cls, mesh: Any) -> "Held":
        """Returns the points ``(P, 3)`` of a mesh."""
        return cls(mesh.GetPoints().GetData(), mesh.GetPoints())

    @classmethod
    def pixels(cls, texture: Any) -> "Held":
        """Returns the pixels ``(height * width, channels)`` of a texture, from its bottom row up."""
        image = texture.GetInput()
        return cls(image.GetPointData().GetScalars(), image)

    def write(self, values: ArrayLike, columns: slice = slice(None)) -> None:
        """Writes values into some columns and marks the array as modified."""
        self.values[:, columns] = values
        for holder in self.holders:
            holder.Modified()


def actor_of(mesh: Any, *, lit: bool = False) -> vtkActor:
    """Returns an actor of a mesh, lit or in its plain colours."""
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.SetVBOShiftScaleMethod(0)  # coordinates are small enough for single precision without a shift
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetLighting(lit)
    return actor
