"""Ground from triangles: the height of a place is that of the highest triangle there. Needs numpy alone."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from moglow.errors import FileFormatError
from moglow.ground.surface import Ground, Surface
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags

STEEP = 1e-9
"""Least area in square metres of a triangle's projection on the ground; smaller ones are walls."""
CHUNK = 4096
"""Number of places that are looked up at once."""


@dataclass(frozen=True, eq=False)
class MeshGround(Ground):
    """Triangles ``faces`` ``(F, 3)`` between ``vertices`` ``(V, 3)``; those higher than ``below`` are ignored."""

    vertices: Array
    faces: NDArray[np.int64]
    below: float = np.inf
    name: str = "mesh"
    content: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not len(self._corners):
            raise FileFormatError(
                f"{self.name}: no triangle that a foot could stand on; give a mesh with Y up, in metres"
            )

    @property
    def digest(self) -> bytes:
        return self.content

    def heights(self, x: Array, z: Array) -> Array:
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(z, float))
        found = self._highest(x.ravel(), z.ravel())
        missing = np.isnan(found)
        if missing.any():
            found[missing] = self._nearest(x.ravel()[missing], z.ravel()[missing])
        return found.reshape(x.shape)

    def covers(self, x: Array, z: Array) -> Flags:
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(z, float))
        return np.asarray(~np.isnan(self._highest(x.ravel(), z.ravel()))).reshape(x.shape)

    def surface(self, low: Array, high: Array) -> Surface:
        """Returns the triangles that intersect the area."""
        corners = self.vertices[self.faces][..., [0, 2]]
        inside = ((corners.max(1) >= low) & (corners.min(1) <= high)).all(-1)
        inside &= self.vertices[self.faces][..., 1].min(1) < self.below
        used, faces = np.unique(self.faces[inside], return_inverse=True)
        return Surface(self.vertices[used], faces.reshape(-1, 3).astype(np.int64))

    @cached_property
    def _corners(self) -> Array:
        """Returns the corners ``(F, 3, 3)`` of the triangles that are neither walls nor too high."""
        corners = self.vertices[self.faces]
        a, b, c = np.moveaxis(corners[..., [0, 2]], 1, 0)
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        kept: Array = corners[(np.abs(area) > STEEP) & (corners[..., 1].min(1) < self.below)]
        return kept

    @cached_property
    def _cells(self) -> tuple[Array, float, NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Returns a grid over the triangles: corner, cell size, shape, and the triangles of all cells in order."""
        flat = self._corners[..., [0, 2]]
        low, high = flat.min((0, 1)), flat.max((0, 1))
        extent = np.maximum(high - low, 1e-6)
        cell = float(max(np.sqrt(extent.prod() / len(flat)), extent.max() / 1024, 1e-3))
        shape = np.ceil(extent / cell).astype(int) + 1
        first = ((flat.min(1) - low) / cell).astype(int)
        last = ((flat.max(1) - low) / cell).astype(int)
        size = last - first + 1
        count = size.prod(-1)
        face = np.repeat(np.arange(len(flat)), count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        i, j = first[face, 0] + within // size[face, 1], first[face, 1] + within % size[face, 1]
        number = i * shape[1] + j
        order = np.argsort(number, kind="stable")
        starts = np.searchsorted(number[order], np.arange(shape.prod() + 1))
        return low, cell, shape, starts, face[order]

    def _highest(self, x: Array, z: Array) -> Array:
        """Returns the height of the highest triangle at each place ``(N,)``, or NaN."""
        out = np.full(len(x), np.nan)
        for start in range(0, len(x), CHUNK):
            part = slice(start, start + CHUNK)
            out[part] = self._look_up(x[part], z[part])
        return out

    def _look_up(self, x: Array, z: Array) -> Array:
        low, cell, shape, starts, faces = self._cells
        i, j = ((x - low[0]) // cell).astype(int), ((z - low[1]) // cell).astype(int)
        inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
        number = np.where(inside, i * shape[1] + j, 0)
        count = np.where(inside, starts[number + 1] - starts[number], 0)
        place = np.repeat(np.arange(len(x)), count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        a, b, c = np.moveaxis(self._corners[faces[starts[number[place]] + within]], 1, 0)
        px, pz = x[place], z[place]
        area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (b[:, 2] - a[:, 2]) * (c[:, 0] - a[:, 0])
        u = ((px - a[:, 0]) * (c[:, 2] - a[:, 2]) - (pz - a[:, 2]) * (c[:, 0] - a[:, 0])) / area
        v = ((b[:, 0] - a[:, 0]) * (pz - a[:, 2]) - (b[:, 2] - a[:, 2]) * (px - a[:, 0])) / area
        hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9)
        height = a[:, 1] + u * (b[:, 1] - a[:, 1]) + v * (c[:, 1] - a[:, 1])
        hit &= height <= self.below
        out = np.full(len(x), -np.inf)
        np.maximum.at(out, place[hit], height[hit])
        return np.where(np.isinf(out), np.nan, out)

    def _nearest(self, x: Array, z: Array) -> Array:
        """Returns the heights ``(N,)`` of the nearest corners of triangles."""
        corners = self._corners.reshape(-1, 3)
        out = np.empty(len(x))
        for k, (px, pz) in enumerate(zip(x, z, strict=True)):
            out[k] = corners[np.argmin((corners[:, 0] - px) ** 2 + (corners[:, 2] - pz) ** 2), 1]
        return out
