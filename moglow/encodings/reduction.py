"""Which channels of a chart really move: the others are left out and restored. Floor 4; numpy alone.

A density needs as many numbers as there are degrees of freedom. A joint that never turns gives constant channels; a
hinge gives three channels that are multiples of one. Both would let a likelihood run away to infinity, so they are
found on the data: what the kept channels say anyway, to within a tolerance in metres or radians, goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.rotations import Array

FRAMES_A_CAUSE = 10
"""Frames needed for each kept channel before others are said to depend on them: few frames depend on anything."""

LARGEST_SHARE = 20.0
"""A channel that is a larger multiple of others than this stays: off the data it would amplify their errors."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """``kept`` ``(D,)`` channel numbers; all ``F`` values are ``poses @ matrix + constant``."""

    kept: NDArray[np.intp]
    matrix: Array  # (D, F)
    constant: Array  # (F,)

    @classmethod
    def fit(
        cls, values: Array, partners: NDArray[np.intp], always: NDArray[np.bool_], tolerance: float
    ) -> Self:
        """Finds the reduction of chart values ``(N, F)``; channels that mirror each other stay or go together.

        Channels are tried from the most to the least moving, so what is kept is what moves most.

        >>> swing = np.random.default_rng(0).normal(size=(50, 2))
        >>> values = np.stack([swing[:, 0], 3 + 0 * swing[:, 0], swing[:, 1], 0.5 * swing[:, 0]], axis=1)
        >>> Reduction.fit(values, np.arange(4), np.zeros(4, bool), 1e-6).kept
        array([0, 2])
        """
        frames, channels = values.shape
        moving = (np.ptp(values, axis=0) > 2 * tolerance) | always
        moving |= moving[partners]
        spread = values.std(0) + np.where(always, np.inf, 0.0)
        constant = np.where(moving, 0.0, (values.max(0) + values.min(0)) / 2)
        matrix = np.zeros((channels, channels))
        # What the kept channels and a constant can say, orthonormal columns.
        basis = np.full((frames, 1), frames**-0.5)
        kept: list[int] = []
        for channel in np.argsort(-np.maximum(spread, spread[partners]), kind="stable"):
            pair = sorted({int(channel), int(partners[channel])})
            if not moving[channel] or matrix[:, channel].any():
                continue
            # A planted channel stays even if nothing in the data moves it: `carry` needs it to be there.
            said = (
                not always[channel]
                and frames >= FRAMES_A_CAUSE * len(kept)
                and all(np.abs(_news(values[:, i], basis)).max() <= tolerance for i in pair)
            )
            shares = [_shares(values, kept, i) for i in pair] if said else []
            if said and max(np.abs(share[:-1]).max(initial=0.0) for share in shares) <= LARGEST_SHARE:
                for i, share in zip(pair, shares, strict=True):
                    matrix[kept, i], constant[i] = share[:-1], share[-1]
                continue
            for i in pair:
                matrix[i, i] = 1.0
                new = _news(values[:, i], basis)
                length = np.linalg.norm(new)
                if length > 1e-9:
                    basis = np.column_stack([basis, new / length])
            kept += pair
        order = np.array(sorted(kept), np.intp)
        return cls(order, matrix[order], constant)

    def reduce(self, values: Array) -> Array:
        """Poses ``(..., D)`` of chart values ``(..., F)``."""
        return values[..., self.kept]

    def restore(self, poses: Array) -> Array:
        """Chart values ``(..., F)`` of poses ``(..., D)``."""
        return poses @ self.matrix + self.constant

    def to_json(self) -> dict[str, Any]:
        return {
            "kept": self.kept.tolist(),
            "matrix": self.matrix.tolist(),
            "constant": self.constant.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(np.array(data["kept"], np.intp), np.array(data["matrix"]), np.array(data["constant"]))


def _news(column: Array, basis: Array) -> Array:
    """What an orthonormal basis cannot say of a column; projected twice, since once leaves rounding behind."""
    for _ in range(2):
        column = column - basis @ (basis.T @ column)
    return column


def _shares(values: Array, kept: list[int], channel: int) -> Array:
    """Least squares of a channel on the kept ones and a constant, which comes last."""
    causes = np.column_stack([values[:, kept], np.ones(len(values))])
    return np.linalg.lstsq(causes, values[:, channel], rcond=None)[0]
