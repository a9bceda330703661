"""The reduction of a chart to independent channels: dependent ones are left out and restored. Needs numpy alone.

A density needs as many numbers as there are degrees of freedom. A joint that never turns has constant channels, a hinge
three channels that are multiples of one number, a joint with two hinges three channels on a curved surface. With any of
these a likelihood is unbounded. The reduction finds them in the data: it leaves out channels that the kept ones predict
to within a tolerance in metres or radians.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.curves import Curves
from moglow.errors import ClipError, FileFormatError
from moglow.files.tables import Numbers, from_table
from moglow.maths.rotations import Array

FRAMES_A_CAUSE = 10
"""Frames needed per kept channel before another may be left out: in few frames any channel depends on the others."""

LARGEST_SHARE = 20.0
"""Largest coefficient of a channel that is left out; a larger one would amplify errors away from the data."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """``kept`` ``(D,)`` channel numbers; all ``F`` values are ``[poses, curves] @ matrix + constant``."""

    kept: NDArray[np.intp]
    matrix: Array  # (D + M, F), with M curves
    constant: Array  # (F,)
    curves: Curves

    @classmethod
    def fit(
        cls,
        values: Array,
        partners: NDArray[np.intp],
        *,
        tolerance: float,
        always: NDArray[np.bool_] | None = None,
        joints: NDArray[np.intp] | None = None,
    ) -> Self:
        """Returns the reduction of chart values ``(N, F)``; mirrored channels are kept or left out together.

        Args:
            values: typical frames.
            partners: the mirror image ``(F,)`` of each channel.
            tolerance: the largest error of a channel that is left out.
            always: channels that are kept even if they are constant.
            joints: channels with the same number belong to one joint, which may have two hinges; −1 for the others.

        >>> swing = np.random.default_rng(0).normal(size=(50, 2))
        >>> values = np.stack([swing[:, 0], 3 + 0 * swing[:, 0], swing[:, 1], 0.5 * swing[:, 0]], axis=1)
        >>> Reduction.fit(values, np.arange(4), tolerance=1e-6).kept
        array([0, 2])
        """
        if len(values) < 2:
            raise ClipError(
                f"{len(values)} frames of training motion, expected at least 2; give more of it, or a higher data.fps"
            )
        always = np.zeros(len(partners), bool) if always is None else always
        # First in the order of their deviation; then again in that of the deviation that the others do not explain.
        first = cls._select(values, partners, tolerance, always, values.std(0))
        own = np.zeros(values.shape[1])
        own[first.kept] = _own_deviations(values[:, first.kept])
        reduction = cls._select(values, partners, tolerance, always, own)
        return reduction if joints is None else reduction._curved(values, partners, tolerance, joints)

    @classmethod
    def _select(
        cls,
        values: Array,
        partners: NDArray[np.intp],
        tolerance: float,
        always: NDArray[np.bool_],
        weight: Array,
    ) -> Self:
        """Returns the reduction that keeps channels in the order of weight unless earlier ones predict them."""
        frames, channels = values.shape
        moving = (np.ptp(values, axis=0) > 2 * tolerance) | always
        moving |= moving[partners]
        weight = weight + np.where(always, np.inf, 0.0)
        constant = np.where(moving, 0.0, (values.max(0) + values.min(0)) / 2)
        matrix = np.zeros((channels, channels))
        # Orthonormal basis of the kept channels and a constant.
        basis = np.full((frames, 1), frames**-0.5)
        kept: list[int] = []
        for channel in np.argsort(-np.maximum(weight, weight[partners]), kind="stable"):
            pair = sorted({int(channel), int(partners[channel])})
            if not moving[channel] or matrix[:, channel].any():
                continue
            predicted = (
                not always[channel]
                and frames >= FRAMES_A_CAUSE * len(kept)
                and all(np.abs(_residual(values[:, i], basis)).max() <= tolerance for i in pair)
            )
            shares = [_shares(values, kept, i) for i in pair] if predicted else []
            if predicted and max(np.abs(share[:-1]).max(initial=0.0) for share in shares) <= LARGEST_SHARE:
                for i, share in zip(pair, shares, strict=True):
                    matrix[kept, i], constant[i] = share[:-1], share[-1]
                continue
            for i in pair:
                matrix[i, i] = 1.0
                new = _residual(values[:, i], basis)
                length = np.linalg.norm(new)
                if length > 1e-9:
                    basis = np.column_stack([basis, new / length])
            kept += pair
        order = np.array(sorted(kept), np.intp)
        return cls(order, matrix[order], constant, Curves.none())

    def _curved(
        self, values: Array, partners: NDArray[np.intp], tolerance: float, joints: NDArray[np.intp]
    ) -> Self:
        """Returns the reduction without those channels of three per joint that the other two predict by a curve."""
        spread = values.std(0)
        candidates = [
            min(
                (int(i) for i in self.kept if joints[i] == joint),
                key=lambda i: (spread[i] + spread[partners[i]], i),
            )
            for joint in np.unique(joints[self.kept])
            if joint >= 0 and np.sum(joints[self.kept] == joint) == 3
        ]
        causes = {
            i: [int(k) for k in self.kept if joints[k] == joints[i] and k != i] for i in sorted(candidates)
        }
        curves = Curves.fit(values, list(causes), list(causes.values()))
        errors = np.abs(curves.values(values) - values[:, curves.channels]).max(0, initial=0.0)
        exact = {i for i, error in zip(causes, errors, strict=True) if error <= tolerance}
        gone = sorted(i for i in exact if int(partners[i]) in exact)
        stay = [int(i) for i in self.kept if i not in gone]
        rows = [self.kept.tolist().index(i) for i in (*stay, *gone)]
        curves = Curves.fit(values, gone, [causes[i] for i in gone])
        numbers = np.array([[stay.index(k) for k in causes[i]] for i in gone], np.intp).reshape(-1, 2)
        return replace(
            self,
            kept=np.array(stay, np.intp),
            matrix=self.matrix[rows],
            curves=replace(curves, causes=numbers),
        )

    def reduce(self, values: Array) -> Array:
        """Returns the poses ``(..., D)`` of chart values ``(..., F)``."""
        return values[..., self.kept]

    def restore(self, poses: Array) -> Array:
        """Returns the chart values ``(..., F)`` of poses ``(..., D)``; those of a pose do not depend on other poses."""
        if len(self.curves):
            poses = np.concatenate([poses, self.curves.values(poses)], axis=-1)
        if self._keeps_all:
            return np.asarray(poses + self.constant)
        # A product of many rows at once would depend, in the last bit, on their number.
        values: Array = (poses[..., None, :] @ self.matrix)[..., 0, :] + self.constant
        return values

    @cached_property
    def _keeps_all(self) -> bool:
        return np.array_equal(self.matrix, np.eye(*self.matrix.shape))

    def to_json(self) -> dict[str, Any]:
        """Returns the reduction as plain lists, with curves only if there are any."""
        plain = {
            "kept": self.kept.tolist(),
            "matrix": self.matrix.tolist(),
            "constant": self.constant.tolist(),
        }
        return plain | ({"curves": self.curves.to_json()} if len(self.curves) else {})

    @classmethod
    def from_json(cls, data: object, place: str = "reduction") -> Self:
        """Returns the reduction that `to_json` wrote."""
        table = from_table(_Table, data, place, FileFormatError)
        curves = Curves.none() if table.curves is None else Curves.from_json(table.curves, f"{place} curves")
        kept, rows, values = table.kept, len(table.kept) + len(curves), len(table.constant)
        if table.matrix.shape != (rows, values):
            raise FileFormatError(f"{place} matrix is {table.matrix.shape}, expected {(rows, values)}")
        if not all(0 <= channel < values for channel in (*kept, *curves.channels)) or len({*kept}) != len(
            kept
        ):
            raise FileFormatError(f"{place} kept should be channels from 0 to {values - 1}, each once")
        if not all(0 <= cause < len(kept) for cause in curves.causes.flat):
            raise FileFormatError(f"{place} curves causes should be kept channels, from 0 to {len(kept) - 1}")
        return cls(kept, table.matrix, table.constant, curves)


@dataclass(frozen=True, eq=False)
class _Table:
    """A reduction in JSON."""

    kept: Annotated[NDArray[np.intp], Numbers(None, whole=True)]
    matrix: Annotated[Array, Numbers(None, None)]
    constant: Annotated[Array, Numbers(None)]
    curves: Mapping[str, Any] | None = None


def _residual(column: Array, basis: Array) -> Array:
    """Returns a column minus its projection on an orthonormal basis; projected twice to remove rounding errors."""
    for _ in range(2):
        column = column - basis @ (basis.T @ column)
    return column


def _shares(values: Array, kept: list[int], channel: int) -> Array:
    """Returns the least-squares coefficients of a channel on the kept ones and, last, a constant."""
    causes = np.column_stack([values[:, kept], np.ones(len(values))])
    return np.linalg.lstsq(causes, values[:, channel], rcond=None)[0]


def _own_deviations(values: Array) -> Array:
    """Returns the deviation ``(D,)`` of each channel given all others."""
    covariance = np.cov(values.T).reshape(values.shape[1], -1) + 1e-14 * np.eye(values.shape[1])
    own: Array = np.sqrt(1.0 / np.maximum(np.diag(np.linalg.inv(covariance)), 1e-300))
    return own
