"""Ground from a picture whose bright pixels are high. Needs numpy alone."""

from dataclasses import dataclass, field

import numpy as np

from moglow.ground.surface import Ground
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags


@dataclass(frozen=True, eq=False)
class HeightMap(Ground):
    """Heights ``(rows, columns)`` over an area ``size`` metres wide.

    The centre is at (x, z), the top row towards +Z and the left column towards +X. Heights between pixels are
    interpolated linearly.
    """

    values: Array
    size: float
    x: float = 0.0
    z: float = 0.0
    name: str = "map"
    content: bytes = field(default=b"", repr=False)

    @property
    def digest(self) -> bytes:
        return self.content

    def heights(self, x: Array, z: Array) -> Array:
        row, column = self._pixels(x, z)
        rows, columns = self.values.shape
        row, column = np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)
        i = np.minimum(row.astype(int), max(rows - 2, 0))
        j = np.minimum(column.astype(int), max(columns - 2, 0))
        s, t = row - i, column - j
        below, beside = np.minimum(i + 1, rows - 1), np.minimum(j + 1, columns - 1)
        upper = (1 - t) * self.values[i, j] + t * self.values[i, beside]
        lower = (1 - t) * self.values[below, j] + t * self.values[below, beside]
        return np.asarray((1 - s) * upper + s * lower)

    def covers(self, x: Array, z: Array) -> Flags:
        row, column = self._pixels(x, z)
        rows, columns = self.values.shape
        inside = (row >= -0.5) & (row <= rows - 0.5) & (column >= -0.5) & (column <= columns - 0.5)
        return np.asarray(inside)

    def _pixels(self, x: Array, z: Array) -> tuple[Array, Array]:
        rows, columns = self.values.shape
        pixel = self.size / columns
        row = (rows - 1) / 2 - (np.asarray(z, float) - self.z) / pixel
        column = (columns - 1) / 2 - (np.asarray(x, float) - self.x) / pixel
        return np.broadcast_arrays(row, column)[0], np.broadcast_arrays(row, column)[1]
