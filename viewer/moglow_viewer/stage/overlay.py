"""Pictures over a window, such as panels and text, as textures that move and change without new actors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyvista as pv
from PIL import Image
from vtkmodules.vtkRenderingCore import vtkPolyDataMapper2D, vtkTexturedActor2D

from moglow_viewer.stage.meshes import Held, mesh_of


class Overlay:
    """A picture at a position in a window, in pixels from the window's top left corner."""

    def __init__(self, renderer: Any, layer: int) -> None:
        mesh = mesh_of(np.zeros((4, 3)), np.arange(4)[None])
        mesh.active_texture_coordinates = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        self.corners = Held.points(mesh)
        mapper = vtkPolyDataMapper2D()
        mapper.SetInputData(mesh)
        self.actor = vtkTexturedActor2D()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetDisplayLocationToForeground()
        self.actor.SetLayerNumber(layer)
        self.actor.VisibilityOff()
        self.renderer, self.size = renderer, (0, 0)
        self.pixels: Held
        self.spot: tuple[int, int] | None = None
        self.content: object = None
        renderer.AddViewProp(self.actor)

    def update(self, content: object, draw: Callable[[], Image.Image], left: float, top: float) -> None:
        """Shows the picture of a content, drawn again only if the content changed; hidden for an empty content."""
        if content != self.content:
            self.content = content
            self.show(draw() if content else None, left, top)
        elif content:
            self.place(left, top)

    def show(self, picture: Image.Image | None, left: float = 0, top: float = 0) -> None:
        """Shows another picture, or none."""
        self.actor.SetVisibility(picture is not None)
        if picture is None:
            return
        pixels = np.asarray(picture.convert("RGBA"))
        if picture.size == self.size:
            self.pixels.write(pixels[::-1].reshape(-1, 4))
        else:
            texture: Any = pv.Texture(pixels)  # type: ignore[no-untyped-call]
            texture.InterpolateOff()  # the texture's pixels are the window's
            self.actor.SetTexture(texture)
            self.pixels, self.size, self.spot = Held.pixels(texture), picture.size, None
        self.place(left, top)

    def place(self, left: float, top: float) -> None:
        """Moves the picture."""
        (width, height), high = self.size, self.renderer.GetSize()[1]
        spot = round(left), round(high - top - height)
        if spot != self.spot:
            self.spot = spot
            self.corners.write(spot + np.array([[0, 0], [width, 0], [width, height], [0, height]]), slice(2))
