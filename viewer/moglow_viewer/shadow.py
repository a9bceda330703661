"""The soft shadow that a body casts on the floor: sharp under a standing foot, wide under a head; numpy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moglow.rotations import Array
from moglow_viewer.motion import Bone

LEAN = np.array([-0.28, -0.2])
"""Metres in x and z by which the shadow of a point a metre up lies aside: the light comes from the other side."""
SOFTNESS = 0.14
"""Metres of penumbra to each side for each metre up: a wide lamp."""
DARKEST = 0.5
"""The share of the floor's light that is gone where no lamp reaches."""
CELLS = 48
"""Cells of the shadow to each side."""
EDGE = 0.28
"""Metres of floor around the projected body, for a figure that reaches a metre, in which its penumbra ends."""


class Shadow:
    """Shadows of one body: a square of the floor around it, and how dark it is there.

    >>> ball = Shadow([Bone(0, 0, 0.1, 0.1, 0)], reach=0.5)
    >>> corner, side, dark = ball.cast(np.array([[2.0, 0.1, 0.0]]))
    >>> corner.round(2).tolist(), round(side, 2), dark.shape, bool(dark.max() > 0.4), float(dark[0].max())
    ([1.83, -0.16], 0.28, (48, 48), True, 0.0)
    """

    def __init__(self, bones: Sequence[Bone], *, reach: float) -> None:
        bones = [bone for bone in bones if max(bone.start_radius, bone.end_radius) > 0.012 * reach]
        self.starts = np.array([bone.start for bone in bones])
        self.ends = np.array([bone.end for bone in bones])
        self.drawn = np.union1d(self.starts, self.ends)
        self.radii = np.array([(bone.start_radius, bone.end_radius) for bone in bones], np.float32)
        self.edge = EDGE * reach
        cells = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS
        self.cells = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 1, 2)  # rows go along z

    def cast(self, points: Array) -> tuple[Array, float, NDArray[np.float32]]:
        """A square's low corner ``(2,)``, its side, and the darkness ``(CELLS, CELLS)`` of its cells, rows along z.

        A bone darkens by how far a cell is from its projected middle line, in units of its penumbra there; the
        darkest bone counts. A bone thinner than its penumbra never covers the lamp, so its shadow is faint.
        """
        floor = points[:, [0, 2]] + points[:, 1:2] * LEAN
        low, high = floor[self.drawn].min(0) - self.edge, floor[self.drawn].max(0) + self.edge
        side = float((high - low).max())
        corner = (low + high - side) / 2
        flat, heights = (floor - corner).astype(np.float32), points[:, 1].astype(np.float32)
        start, along = flat[self.starts], flat[self.ends] - flat[self.starts]
        length = np.maximum((along**2).sum(-1), 1e-9)
        away = self.cells * np.float32(side) - start  # (cells, bones, 2)
        share = np.clip((away[..., 0] * along[:, 0] + away[..., 1] * along[:, 1]) / length, 0.0, 1.0)
        dx, dz = away[..., 0] - share * along[:, 0], away[..., 1] - share * along[:, 1]
        thick = self.radii[:, 0] + share * (self.radii[:, 1] - self.radii[:, 0])
        height = heights[self.starts] + share * (heights[self.ends] - heights[self.starts])
        blur = 0.015 + SOFTNESS * np.maximum(height, 0.0)
        edge = np.clip(0.5 + (thick - np.sqrt(dx * dx + dz * dz)) / (2 * blur), 0.0, 1.0)
        dark = edge * edge * (3 - 2 * edge) * np.minimum(1.0, 0.25 + thick / blur)
        return corner, side, np.float32(DARKEST) * dark.max(-1).reshape(CELLS, CELLS)
