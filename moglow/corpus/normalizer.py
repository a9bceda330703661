"""Mean and deviation of each channel, so that a model sees numbers about one; numpy alone."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.errors import FileFormatError
from moglow.files.tables import Numbers, from_table

Floats = NDArray[np.float32]

SMALLEST = 5e-3
"""Metres, radians or their rates: deviations below are taken as this, so that noise is not blown up to size one.

Nobody sees 5 mm or a third of a degree of a joint that otherwise keeps still, but at size one it would weigh as much in
a likelihood as a step, and a clip in which it differs would look like a fault."""


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
        """The statistics of training values ``(N, D)``.

        With ``mirror`` (partners and signs of the channels) those of the values and their mirror images together;
        mirroring then commutes with normalising, and may be done on either side of it.
        """
        mean, square = values.mean(0, dtype=float), np.square(values, dtype=float).mean(0)
        if mirror is not None:
            partners, signs = mirror
            mean, square = (mean + signs * mean[partners]) / 2, (square + square[partners]) / 2
        deviation = np.sqrt(np.maximum(square - mean**2, SMALLEST**2))
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    @classmethod
    def fit_rates(cls, values: NDArray[Any]) -> Self:
        """For rates ``(N, C)`` that a mirror or reversed time only change in sign: scaled about zero, not centred.

        So standing still is zero, and mirroring and reversing commute with normalising.
        """
        scale = np.sqrt(np.maximum(np.square(values, dtype=float).mean(0), SMALLEST**2))
        return cls(np.zeros(values.shape[-1], np.float32), scale.astype(np.float32))

    def normalize(self, values: NDArray[Any]) -> Floats:
        """Values ``(..., D)`` about zero, of size one."""
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def denormalize(self, normalized: NDArray[Any]) -> Floats:
        """Undoes `normalize`."""
        return (normalized * self.deviation + self.mean).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain lists; float32 values survive exactly."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_json(cls, data: object, channels: int, place: str = "normalizer") -> Self:
        """The normalizer of so many channels that `to_json` wrote."""
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
    """A normalizer in JSON."""

    mean: Annotated[NDArray[Any], Numbers(None)]
    deviation: Annotated[NDArray[Any], Numbers(None)]
