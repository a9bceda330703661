"""Channels that are a smooth function of two others, as in a joint with two hinges. Needs numpy alone.

A joint that turns about two axes has a rotation vector of three numbers, the third a smooth function of the other two.
A polynomial of degree five fits it to a thousandth of a radian over the range of an elbow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.errors import FileFormatError
from moglow.files.tables import Numbers, from_table
from moglow.maths.rotations import Array

DEGREE = 5
_EXPONENTS = np.arange(DEGREE + 1)
_TERMS = np.argwhere(
    _EXPONENTS[:, None] + _EXPONENTS <= DEGREE
)  # exponents of the polynomial's terms, (21, 2)


@dataclass(frozen=True, eq=False)
class Curves:
    """``M`` dependent channels: their indices, the two pose channels of each and their ranges, and the polynomials."""

    channels: Annotated[NDArray[np.intp], Numbers(None, whole=True)]  # (M,)
    causes: Annotated[NDArray[np.intp], Numbers(None, 2, whole=True)]  # (M, 2)
    lowest: Annotated[Array, Numbers(None, 2)]  # (M, 2)
    highest: Annotated[Array, Numbers(None, 2)]  # (M, 2)
    coefficients: Annotated[Array, Numbers(None, DEGREE + 1, DEGREE + 1)]  # (M, 6, 6)

    @classmethod
    def none(cls) -> Self:
        """Returns curves for no channel."""
        pairs, numbers = np.zeros((0, 2)), np.zeros((0, 2), np.intp)
        return cls(numbers[:, 0], numbers, pairs, pairs, np.zeros((0, DEGREE + 1, DEGREE + 1)))

    @classmethod
    def fit(cls, values: Array, channels: Sequence[int], causes: Sequence[Sequence[int]]) -> Self:
        """Returns the best polynomials for columns of ``values`` ``(N, F)``; causes are column numbers here."""
        coefficients = np.zeros((len(channels), DEGREE + 1, DEGREE + 1))
        for i, (channel, pair) in enumerate(zip(channels, causes, strict=True)):
            powers = np.prod(values[:, None, pair] ** _TERMS, axis=-1)
            coefficients[i][tuple(_TERMS.T)] = np.linalg.lstsq(powers, values[:, channel], rcond=None)[0]
        numbers = np.array(causes, np.intp).reshape(-1, 2)
        ranges = values[:, numbers]
        return cls(np.array(channels, np.intp), numbers, ranges.min(0), ranges.max(0), coefficients)

    def __len__(self) -> int:
        return len(self.channels)

    def values(self, poses: Array) -> Array:
        """Returns the channels ``(..., M)`` of poses ``(..., D)``; constant beyond the range of the fitted data.

        >>> swing = np.random.default_rng(0).uniform(-1, 1, size=(200, 2))
        >>> values = np.column_stack([swing, swing[:, 0] * swing[:, 1]])
        >>> Curves.fit(values, [2], [(0, 1)]).values(np.array([0.5, -0.5])).round(6)
        array([-0.25])
        """
        known = np.clip(poses[..., self.causes], self.lowest, self.highest)
        powers = known[..., None] ** _EXPONENTS
        terms = powers[..., 0, :, None] * powers[..., 1, None, :] * self.coefficients
        values: Array = terms.sum((-1, -2))
        return values

    def to_json(self) -> dict[str, Any]:
        """Returns the curves as plain lists."""
        return {
            name: getattr(self, name).tolist()
            for name in ("channels", "causes", "lowest", "highest", "coefficients")
        }

    @classmethod
    def from_json(cls, data: object, place: str = "curves") -> Self:
        """Returns the curves that `to_json` wrote."""
        curves = from_table(cls, data, place, FileFormatError)
        arrays = (curves.channels, curves.causes, curves.lowest, curves.highest, curves.coefficients)
        if len({len(array) for array in arrays}) > 1:
            raise FileFormatError(f"{place} should have as many causes, ranges and coefficients as channels")
        return curves
