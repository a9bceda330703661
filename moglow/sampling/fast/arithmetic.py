"""The `Arithmetic` of a fast sampler, by name. Imports torch only when needed."""

from typing import Any, Protocol

import numpy as np

from moglow.errors import DeviceError
from moglow.sampling.fast.folded import Floats, Shelf

KERNELS = ("auto", "numpy", "native", "torch", "bfloat16")
"""numpy: float32, needs nothing else. native: weights as short integers, a small compiled kernel, for a few rows at a
time. torch: float32, for batches and GPUs. bfloat16: the same with large products rounded, where speed counts most."""

FEW = 8
"""Largest number of rows for the native kernel, which reads the weights once for each row, numpy once for all."""


class Arithmetic(Protocol):
    """The type of numbers, and the product of a batch of rows and a large matrix."""

    @property
    def xp(self) -> Any:
        """The array library: numpy, or torch for functions of the same names."""
        ...

    def array(self, values: Floats) -> Any:
        """Returns numbers as an array of float32."""
        ...

    def matrix(self, weight: Floats) -> Any:
        """Returns a weight ``(inputs, outputs)``, prepared for many products."""
        ...

    def product(self, x: Any, matrix: Any) -> Any:
        """Returns rows ``(…, inputs)`` times such a matrix: a new array ``(…, outputs)``."""
        ...

    def numpy(self, values: Any) -> Floats:
        """Returns an array as an array of numpy."""
        ...


class NumpyArithmetic:
    """float32 and numpy's own product: OpenBLAS reads a matrix at the speed of the memory."""

    xp: Any = np

    def __init__(self) -> None:
        self._shelf = Shelf()

    def array(self, values: Floats) -> Floats:
        return np.asarray(values, np.float32)

    def matrix(self, weight: Floats) -> Floats:
        return self._shelf.keep(weight)

    def product(self, x: Floats, matrix: Floats) -> Floats:
        return np.asarray(x @ matrix)

    def numpy(self, values: Floats) -> Floats:
        return values


def make_arithmetic(kernel: str = "auto", *, device: str = "cpu", batch: int = 1) -> Arithmetic:
    """Returns the arithmetic of a name; auto is torch on a GPU, the native kernel if it is available, else numpy.

    >>> type(make_arithmetic("numpy")).__name__, type(make_arithmetic("auto", batch=64)).__name__
    ('NumpyArithmetic', 'NumpyArithmetic')
    """
    if kernel not in KERNELS:
        raise DeviceError(f"no kernel is called {kernel!r}; choose from {', '.join(KERNELS)}")
    if kernel in ("torch", "bfloat16") or (kernel == "auto" and device != "cpu"):
        import torch

        from moglow.compute.device import find_device
        from moglow.sampling.fast.torch_arithmetic import TorchArithmetic

        return TorchArithmetic(find_device(device), torch.bfloat16 if kernel == "bfloat16" else torch.float32)
    if device != "cpu":
        raise DeviceError(f"the kernel {kernel} runs on the CPU, not on {device}; use the kernel torch")
    if kernel == "native" or (kernel == "auto" and batch <= FEW):
        from moglow.sampling.fast.int16 import Int16Arithmetic

        try:
            return Int16Arithmetic()
        except DeviceError:
            if kernel == "native":
                raise
    return NumpyArithmetic()
