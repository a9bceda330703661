"""Large matrices as short integers, read by a small kernel that the system's compiler makes on first use.

Optional: used on request only; without a C compiler or AVX2 numpy's own product does the work. Two bytes
of a weight in place of four make a frame of a large model twice as fast. 16 bits and a scale for each output round a
weight 128 times less than bfloat16 does, so samples are as good as float32's; 8 bits would be twice as fast again,
but their error shows. Activations stay float32.
"""

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.files.compiled import load_library
from moglow.sampling.fast.folded import Floats, Shelf

SOURCE = Path(__file__).with_name("int16.c")
BLOCK = 64  # outputs that the kernel sums at a time, as in int16.c
LARGEST = 32767


@dataclass(frozen=True, eq=False)
class Int16Matrix:
    """A weight ``(inputs, outputs)`` as ``blocks (outputs / 64, inputs, 64)`` times ``scale (outputs,)``, padded."""

    blocks: NDArray[np.int16]
    scale: Floats
    outputs: int

    @classmethod
    def of(cls, weight: Floats, shelf: Shelf) -> "Int16Matrix":
        """Rounds each column to 65,535 levels, and keeps it on the shelf.

        >>> Int16Matrix.of(np.float32([[0.5, 1.0], [-1.0, 0.0]]), Shelf()).blocks[0, :, :2]
        array([[ 16384,  32767],
               [-32767,      0]], dtype=int16)
        """
        inputs, outputs = weight.shape
        padded = np.pad(weight, ((0, 0), (0, -outputs % BLOCK)))
        scale = np.abs(padded).max(0) / np.float32(LARGEST)
        scale[scale == 0] = 1
        whole = np.rint(padded / scale).astype(np.int16)
        blocks = shelf.keep(whole.reshape(inputs, -1, BLOCK).swapaxes(0, 1))
        return cls(blocks, scale, outputs)


class Int16Arithmetic:
    """Weights of two bytes each, everything else as in numpy; an `Arithmetic` for one row or a few."""

    xp: Any = np

    def __init__(self) -> None:
        """Loads the kernel; raises `DeviceError` if this is impossible."""
        self._kernel, self._shelf = load_kernel(), Shelf()

    def array(self, values: Floats) -> Floats:
        return np.asarray(values, np.float32)

    def matrix(self, weight: Floats) -> Int16Matrix:
        return Int16Matrix.of(weight, self._shelf)

    def product(self, x: Floats, matrix: Int16Matrix) -> Floats:
        inputs, padded = matrix.blocks.shape[1], len(matrix.scale)
        x, out = np.ascontiguousarray(x), np.empty((*x.shape[:-1], padded), np.float32)
        assert x.dtype == np.float32 and x.shape[-1] == inputs, "the kernel trusts what it is given"
        arrays = (x, matrix.blocks, matrix.scale, out)
        self._kernel(*(array.ctypes.data for array in arrays), x.size // inputs, inputs, padded)
        return out[..., : matrix.outputs]

    def numpy(self, values: Floats) -> Floats:
        return values


@cache
def load_kernel() -> Any:
    """Returns the kernel, which is compiled on first use."""
    kernel = load_library(SOURCE, needs=" and AVX2").product
    kernel.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 3
    kernel.restype = None
    return kernel
