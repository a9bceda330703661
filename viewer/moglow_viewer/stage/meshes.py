"""Meshes and actors: the few lines in which numpy's arrays become what the graphics card draws."""

from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import ArrayLike, NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

from moglow.maths.rotations import Array


def mesh_of(points: Array, faces: NDArray[np.int64]) -> Any:
    """PolyData of points ``(P, 3)`` and faces ``(F, n)``.

    >>> mesh_of(np.eye(3), np.array([[0, 1, 2]])).n_cells
    1
    """
    corners = np.insert(faces, 0, faces.shape[1], axis=1)
    mesh: Any = pv.PolyData(np.asarray(points, np.float32), faces=corners.ravel())
    return mesh


class Held:
    """An array that VTK holds, written in place: pyvista's view of it costs more each time than the numbers in it.

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
        """The points ``(P, 3)`` of a mesh."""
        return cls(mesh.GetPoints().GetData(), mesh.GetPoints())

    @classmethod
    def pixels(cls, texture: Any) -> "Held":
        """The pixels ``(height * width, channels)`` of a texture, from its bottom row up."""
        image = texture.GetInput()
        return cls(image.GetPointData().GetScalars(), image)

    def write(self, values: ArrayLike, columns: slice = slice(None)) -> None:
        """Writes values into some columns, and says so to who draws them."""
        self.values[:, columns] = values
        for holder in self.holders:
            holder.Modified()


def actor_of(mesh: Any, *, lit: bool = False) -> vtkActor:
    """An actor that shows a mesh, in the light or as bright as it is."""
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.SetVBOShiftScaleMethod(0)  # metres as they are: nothing here is a planet away
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetLighting(lit)
    return actor
