"""The soft shadow that a body casts on the floor: sharp under a standing foot, wide under a head; numpy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moglow.maths.rotations import Array
from moglow_viewer.scene.shown_motion import Bone

LEAN = np.array([-0.28, -0.2])
"""Metres in x and z by which the shadow of a point a metre up lies aside: the light comes from the other side."""
SOFTNESS = 0.14
"""Metres of penumbra to each side for each metre up: a wide lamp."""
DARKEST = 0.5
"""The share of the floor's light that is gone where no lamp reaches."""
CELLS = 48
"""Cells of the shadow to each side."""
BLOCKS = 4
"""Parts of the cells that take turns: arrays of all of them are so large that each would be mapped anew, slowly."""
EDGE = 0.28
"""Metres of floor around the projected body, for a figure that reaches a metre, in which its penumbra ends."""

Single = NDArray[np.float32]


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
        self.radii = np.array([(bone.start_radius, bone.end_radius) for bone in bones])
        self.edge = EDGE * reach
        middles = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS
        z, x = (places.ravel() for places in np.meshgrid(middles, middles, indexing="ij"))  # rows go along z
        self.blocks = np.split(np.stack([x, z, np.ones_like(x), x * x + z * z]), BLOCKS, axis=1)

    def cast(self, points: Array) -> tuple[Array, float, Single]:
        """A square's low corner ``(2,)``, its side, and the darkness ``(CELLS, CELLS)`` of its cells, rows along z.

        A bone darkens by how far a cell is from its projected middle line, in units of its penumbra there; the
        darkest bone counts. A bone thinner than its penumbra never covers the lamp, so its shadow is faint.
        """
        floor = points[:, [0, 2]] + points[:, 1:2] * LEAN
        low, high = floor[self.drawn].min(0) - self.edge, floor[self.drawn].max(0) + self.edge
        side = float((high - low).max())
        corner = (low + high - side) / 2
        # Lengths are shares of the side from here on, so that the places of the cells never change.
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
    """What the darkest bone takes away at each cell, by the foot of its perpendicular on each bone's middle line."""
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
