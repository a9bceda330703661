"""Ground as a height field, in metres, Y up. Needs numpy alone.

A ground may have a border. Beyond it, the height is that of the nearest point, and `Ground.covers` is False.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow.maths.signals import Flags

CELL = 0.05
"""Distance in metres between the points of a grid surface."""
MOST = 160
"""Largest number of points along a side of a grid surface."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles for display: ``vertices`` ``(V, 3)`` and ``faces`` ``(F, 3)``, anticlockwise from above."""

    vertices: Array
    faces: NDArray[np.int64]


class Ground(ABC):
    """A height for each place (x, z)."""

    name: str = "ground"
    """The text from which `reading.read_ground` makes the ground."""

    @abstractmethod
    def heights(self, x: Array, z: Array) -> Array:
        """Returns the heights ``(...)`` in metres at places ``x`` and ``z`` ``(...)``."""

    def covers(self, x: Array, z: Array) -> Flags:
        """Returns whether the ground covers places ``x`` and ``z`` ``(...)``; always, without a border."""
        return np.ones(np.broadcast_shapes(np.shape(x), np.shape(z)), bool)

    def surface(self, low: Array, high: Array) -> Surface:
        """Returns triangles of the ground between the corners ``low`` and ``high`` ``(2,)``, (x, z); here of a grid."""
        return grid_surface(*(_sides(low, high)), self)

    @property
    def digest(self) -> bytes:
        """Returns the content of the ground's file, which distinguishes grounds of the same name."""
        return b""


def _sides(low: Array, high: Array) -> tuple[Array, Array]:
    counts = [int(np.clip(np.ceil((b - a) / CELL), 2, MOST)) + 1 for a, b in zip(low, high, strict=True)]
    return np.linspace(low[0], high[0], counts[0]), np.linspace(low[1], high[1], counts[1])


def grid_surface(x: Array, z: Array, ground: Ground) -> Surface:
    """Returns two triangles for each cell of the grid over ``x`` ``(M,)`` and ``z`` ``(N,)`` that the ground covers."""
    across, along = np.meshgrid(x, z)  # (N, M)
    height = ground.heights(across, along)
    vertices = np.stack([across, height, along], axis=-1).reshape(-1, 3)
    there = ground.covers(across, along)
    number = np.arange(across.size).reshape(across.shape)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    whole = there[:-1, :-1] & there[:-1, 1:] & there[1:, 1:] & there[1:, :-1]
    faces = np.stack([np.stack([a, d, c], axis=-1), np.stack([a, c, b], axis=-1)], axis=2)[whole]
    return Surface(vertices, faces.reshape(-1, 3).astype(np.int64))


def as_json(surface: Surface, digits: int = 3) -> dict[str, Any]:
    """Returns rounded plain lists for a web page."""
    return {"vertices": surface.vertices.round(digits).tolist(), "faces": surface.faces.tolist()}
