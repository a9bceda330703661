"""Ground: a height for each place. Needs numpy alone.

Metres, Y up. A ground may end somewhere; beyond its border it has the height of its nearest point, and `covers` says
where it is.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow.maths.signals import Flags

CELL = 0.05
"""Metres between the points of a ground that is drawn as a grid …"""
MOST = 160
"""… and the most of them along each side."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles to be looked at: ``vertices`` ``(V, 3)`` and ``faces`` ``(F, 3)``, anticlockwise from above."""

    vertices: Array
    faces: NDArray[np.int64]


class Ground(ABC):
    """A height at each place (x, z)."""

    name: str = "ground"
    """The text that makes it."""

    @abstractmethod
    def heights(self, x: Array, z: Array) -> Array:
        """Metres (...) at places x and z (...)."""

    def covers(self, x: Array, z: Array) -> Flags:
        """Whether the ground is at places x and z (...); without an end it is everywhere."""
        return np.ones(np.broadcast_shapes(np.shape(x), np.shape(z)), bool)

    def surface(self, low: Array, high: Array) -> Surface:
        """Triangles of the ground from the corner ``low`` ``(2,)`` to ``high``, (x, z): here a grid."""
        return grid_surface(*(_sides(low, high)), self)

    @property
    def digest(self) -> bytes:
        """What tells this ground from others of the same name: the content of its file."""
        return b""


def _sides(low: Array, high: Array) -> tuple[Array, Array]:
    counts = [int(np.clip(np.ceil((b - a) / CELL), 2, MOST)) + 1 for a, b in zip(low, high, strict=True)]
    return np.linspace(low[0], high[0], counts[0]), np.linspace(low[1], high[1], counts[1])


def grid_surface(x: Array, z: Array, ground: Ground) -> Surface:
    """Two triangles between each four neighbours of the grid over x ``(M,)`` and z ``(N,)``, where the ground is."""
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
    """Plain lists, rounded, for a page."""
    return {"vertices": surface.vertices.round(digits).tolist(), "faces": surface.faces.tolist()}
