"""The soft shadow of a body on the floor, sharp under a planted foot and wide under a head. Needs numpy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow_viewer.scene.shown_motion import Bone

LEAN = np.array([-0.28, -0.2])
"""Offset in x and z of the shadow of a point a metre above the floor."""
SOFTNESS = 0.14
"""Width of the penumbra to each side, in metres per metre of height."""
DARKEST = 0.5
"""Share of the floor's light that is missing in the umbra."""
CELLS = 48
"""Cells along each side of the shadow."""
BLOCKS = 4
"""Number of blocks of cells, computed one after another: arrays of all cells are slower, since they are so large that
the allocator maps them anew each time."""
EDGE = 0.28
"""Width in metres of the floor around the projected body that contains its penumbra, for a figure that reaches a metre.
"""

Single = NDArray[np.float32]


class Shadow:
    """The shadow of one body: a square of the floor around it, and the darkness of its cells.

    >>> ball = Shadow([Bone(0, 0, 0.1, 0.1, 0)], reach=0.5)
    >>> corner, side, dark = ball.cast(np.array([[2.0, 0.1, 0.0]]))
    >>> corner.round(2).tolist(), round(side, 2), dark.shape, bool(dark.max() > 0.4), float(dark[0].max())
    ([1.83, -0.16], 0.28, (48, 48), True, 0.0)
    """

    def __init__(self, bones: Sequence[Bone], *, reach: float) -> None:
        bones = [bone for bone in bones if max(bone.start_radius, bone.end_radius) > 0.012 * reach]
        self.starts = np.array([bone.start for bone in bones])
        self.ends = np.array([bone.end for bone in bones])
        self.points = np.union1d(self.starts, self.ends)
        self.radii = np.array([(bone.start_radius, bone.end_radius) for bone in bones])
        self.edge = EDGE * reach
        middles = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS
        z, x = (places.ravel() for places in np.meshgrid(middles, middles, indexing="ij"))  # rows go along z
        self.blocks = np.split(np.stack([x, z, np.ones_like(x), x * x + z * z]), BLOCKS, axis=1)

    def cast(self, points: Array) -> tuple[Array, float, Single]:
        """Returns the low corner ``(2,)`` of a square, its side, and its darkness ``(CELLS, CELLS)``, rows along z.

        The darkness by a bone depends on the distance of a cell from the bone's projected axis, in units of its
        penumbra there; the maximum over bones counts. A bone thinner than its penumbra never covers the whole light, so
        its shadow is faint.
        """
        floor = points[:, [0, 2]] + points[:, 1:2] * LEAN
        low, high = floor[self.points].min(0) - self.edge, floor[self.points].max(0) + self.edge
        side = float((high - low).max())
        corner = (low + high - side) / 2
        # Lengths are relative to the side from here on, so that the places of the cells are constant.
        flat, blurs = (floor - corner) / side, (0.015 + SOFTNESS * np.maximum(points[:, 1], 0.0)) / side
        start, along = flat[self.starts], flat[self.ends] - flat[self.starts]
        length = np.maximum((along**2).sum(-1), 1e-9)
        foot = _of_places(*along.T / length, -(start * along).sum(-1) / length, 0 * length)
        apart = _of_places(*-2 * start.T, (start**2).sum(-1), 1 + 0 * length)
        thick, blur = self.radii / side, np.stack([blurs[self.starts], blurs[self.ends]], axis=-1)
        dark = [
            _darkness(cells, foot, apart, *map(_column, (length, *thick.T, *blur.T))) for cells in self.blocks
        ]
        return corner, side, np.float32(DARKEST) * np.concatenate(dark).reshape(CELLS, CELLS)


def _darkness(
    cells: Single,
    foot: Single,
    apart: Single,
    length: Single,
    thick: Single,
    end_thick: Single,
    blur: Single,
    end_blur: Single,
) -> Single:
    """Returns the maximum darkness over bones at each cell, by the foot of its perpendicular on each bone's axis."""
    foot = foot @ cells  # (bones, cells), as a share of the bone
    share = np.clip(foot, 0.0, 1.0)
    away = np.sqrt(np.maximum(apart @ cells - length * share * (2 * foot - share), 0.0))
    thick = thick + share * (end_thick - thick)
    sharp = 1 / (blur + share * (end_blur - blur))
    edge = np.clip(0.5 + 0.5 * (thick - away) * sharp, 0.0, 1.0)
    dark: Single = (edge * edge * (3 - 2 * edge) * np.minimum(1.0, 0.25 + thick * sharp)).max(0)
    return dark


def _of_places(*weights: Array) -> Single:
    return np.stack(weights, axis=-1).astype(np.float32)


def _column(values: Array) -> Single:
    return values.astype(np.float32)[:, None]
