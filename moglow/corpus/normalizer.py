"""Standardisation of channels by mean and deviation. Needs numpy alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.errors import FileFormatError
from moglow.files.tables import Numbers, from_table

Floats = NDArray[np.float32]

SMALLEST = 5e-3
"""Lower bound of deviations, in metres, radians or their rates, so that noise is not scaled to unit size.

Differences of 5 mm or a third of a degree in a joint that hardly moves are invisible, but at unit size they would have
the weight of a step in a likelihood, and clips with such differences would be reported as damaged."""


@dataclass(frozen=True, eq=False)
class Moments:
    """The number of values ``(N, D)``, their sum and the sum of their squares; those of parts are added.

    >>> (Moments.of(np.array([[1.0], [2.0]])) + Moments.of(np.array([[3.0]]))).sum
    array([6.])
    """

    count: int
    sum: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Self:
        """Returns the moments of values, in double precision."""
        return cls(len(values), values.sum(0, dtype=float), np.square(values, dtype=float).sum(0))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.count + other.count, self.sum + other.sum, self.squares + other.squares)

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Returns the moments of at least one part; the result depends on their order in its last bits."""
        return reduce(add, parts)


@dataclass(frozen=True, eq=False)
class Normalizer:
    """``normalized = (values − mean) / deviation``, all float32, features last.

    >>> normalizer = Normalizer.fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> normalizer.normalize(np.array([3.0, 5.0])).tolist()
    [1.0, 0.0]
    """

    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, values: NDArray[Any], mirror: tuple[NDArray[np.intp], NDArray[Any]] | None = None) -> Self:
        """Returns the statistics of training values ``(N, D)``.

        With ``mirror`` (partners and signs of the channels), these are the statistics of the values together with their
        mirror images; mirroring and normalising then commute.
        """
        return cls.of(Moments.of(values), mirror)

    @classmethod
    def of(cls, moments: Moments, mirror: tuple[NDArray[np.intp], NDArray[Any]] | None = None) -> Self:
        """Returns the statistics of values with these moments; see `fit`."""
        mean, square = moments.sum / moments.count, moments.squares / moments.count
        if mirror is not None:
            partners, signs = mirror
            mean, square = (mean + signs * mean[partners]) / 2, (square + square[partners]) / 2
        deviation = np.sqrt(np.maximum(square - mean**2, SMALLEST**2))
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    @classmethod
    def fit_rates(cls, values: NDArray[Any]) -> Self:
        """Returns the scale of rates ``(N, C)`` whose sign changes in mirror images or reversed time; the mean is zero.

        Standing still remains zero, and mirroring and reversing commute with normalising.
        """
        return cls.of_rates(Moments.of(values))

    @classmethod
    def of_rates(cls, moments: Moments) -> Self:
        """Returns the scale of rates with these moments; see `fit_rates`."""
        scale = np.sqrt(np.maximum(moments.squares / moments.count, SMALLEST**2))
        return cls(np.zeros(len(scale), np.float32), scale.astype(np.float32))

    def normalize(self, values: NDArray[Any]) -> Floats:
        """Returns values ``(..., D)`` with mean 0 and deviation 1."""
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def denormalize(self, normalized: NDArray[Any]) -> Floats:
        """Returns the values of normalised ones; the inverse of `normalize`."""
        return (normalized * self.deviation + self.mean).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Returns the normalizer as plain lists; float32 values are exact."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_json(cls, data: object, channels: int, place: str = "normalizer") -> Self:
        """Returns the normalizer from the result of `to_json`; raises an error if the number of channels differs."""
        table = from_table(_Table, data, place, FileFormatError)
        if table.mean.shape != (channels,) or table.deviation.shape != (channels,):
            raise FileFormatError(
                f"{place} mean and deviation have {len(table.mean)} and {len(table.deviation)} numbers, "
                f"expected {channels}"
            )
        if not (table.deviation > 0).all():
            raise FileFormatError(f"{place} deviation should be above 0 in all channels")
        return cls(table.mean.astype(np.float32), table.deviation.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Table:
    """The JSON form of a normalizer."""

    mean: Annotated[NDArray[Any], Numbers(None)]
    deviation: Annotated[NDArray[Any], Numbers(None)]
