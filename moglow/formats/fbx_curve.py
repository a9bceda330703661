"""An animation curve of an FBX file, which interpolates between its keys. Needs numpy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moglow.formats.fbx_file import Record
from moglow.maths.rotations import Array

_CONSTANT, _LINEAR = 2, 4  # flags of the interpolation to the next key; else cubic


@dataclass(frozen=True)
class FbxCurve:
    """Keys of one number: times in seconds, values, interpolation to the next key, and slopes at both."""

    times: Array
    values: Array
    kinds: NDArray[np.intp]
    slopes: Array

    @classmethod
    def of(cls, record: Record, second: int) -> "FbxCurve":
        """Returns the curve of a record of the file, whose unit of time is a part of a ``second``."""
        times = np.asarray(record.first("KeyTime").value, float) / second
        values = np.asarray(record.first("KeyValueFloat").value, float)
        flags = record.first("KeyAttrFlags").value
        flags = np.atleast_1d(np.asarray(_LINEAR if flags is None else flags, int))
        counts = record.first("KeyAttrRefCount").value
        counts = [len(times)] if counts is None else np.asarray(counts, int)
        data = np.asarray(record.first("KeyAttrDataFloat").value, float).reshape(-1, 4)
        if not len(times) == len(values) == np.sum(counts):
            raise ValueError(
                f"a curve of {len(times)} times, {len(values)} values, {np.sum(counts)} attributes"
            )
        return cls(times, values, np.repeat(flags, counts), np.repeat(data[:, :2], counts, axis=0))

    def at(self, times: Array) -> Array:
        """Returns the values at times ``(T,)``, constant before the first key and after the last."""
        if len(self.times) == 1:
            return np.full(len(times), self.values[0])
        k = np.clip(np.searchsorted(self.times, times + 1e-6, side="right") - 1, 0, len(self.times) - 2)
        span = np.maximum(self.times[k + 1] - self.times[k], 1e-9)
        u = np.clip((times - self.times[k]) / span, 0.0, 1.0)
        first, last = self.values[k], self.values[k + 1]
        cubic = (
            (2 * u**3 - 3 * u**2 + 1) * first + (u**3 - 2 * u**2 + u) * span * self.slopes[k, 0]
            + (3 * u**2 - 2 * u**3) * last + (u**3 - u**2) * span * self.slopes[k, 1]
        )  # fmt: skip
        held = np.where(u > 1 - 1e-4, last, first)
        line = first + u * (last - first)
        return np.where(self.kinds[k] & _CONSTANT, held, np.where(self.kinds[k] & _LINEAR, line, cubic))
