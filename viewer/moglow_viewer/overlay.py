"""Pixels laid over a window: panels, text and lines, as textures that move and change without new actors."""

from typing import Any

import numpy as np
import pyvista as pv
from PIL import Image
from vtkmodules.vtkRenderingCore import vtkPolyDataMapper2D, vtkTexturedActor2D

from moglow_viewer.meshes import mesh_of


class Overlay:
    """A picture at a place in a window, measured in pixels from its top left corner."""

    def __init__(self, renderer: Any, layer: int) -> None:
        self.mesh = mesh_of(np.zeros((4, 3)), np.arange(4)[None])
        self.mesh.active_texture_coordinates = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        mapper = vtkPolyDataMapper2D()
        mapper.SetInputData(self.mesh)
        self.actor = vtkTexturedActor2D()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetDisplayLocationToForeground()
        self.actor.SetLayerNumber(layer)
        self.actor.VisibilityOff()
        self.renderer, self.size = renderer, (0, 0)
        renderer.AddViewProp(self.actor)

    def show(self, picture: Image.Image | None, left: float = 0, top: float = 0) -> None:
        """Shows another picture, or none."""
        self.actor.SetVisibility(picture is not None)
        if picture is None:
            return
        pixels = np.asarray(picture.convert("RGBA"))
        if picture.size == self.size:
            image = self.texture.GetInput()  # upside down, as textures are
            pv.wrap(image).point_data.active_scalars[:] = pixels[::-1].reshape(-1, 4)
            image.GetPointData().GetScalars().Modified()
            image.Modified()
        else:
            self.texture: Any = pv.Texture(pixels)  # type: ignore[no-untyped-call]
            self.actor.SetTexture(self.texture)
            self.size = picture.size
        self.place(left, top)

    def place(self, left: float, top: float) -> None:
        """Moves the picture."""
        (width, height), high = self.size, self.renderer.GetSize()[1]
        bottom = high - top - height
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        self.mesh.points[:, :2] = corners + np.array([round(left), round(bottom)])
        self.mesh.GetPoints().Modified()
