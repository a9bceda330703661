"""Which `Arithmetic` a fast sampler multiplies with, by name. Floor 10; torch is imported only when asked for."""

from moglow.errors import DeviceError
from moglow.numpy_moglow import Arithmetic, NumpyArithmetic

KERNELS = ("auto", "numpy", "native", "torch", "bfloat16")
"""numpy: float32, needs nothing else. native: weights as short integers, a small compiled kernel, for a few rows at a
time. torch: float32, for batches and GPUs. bfloat16: the same with large products rounded, where speed counts most."""

FEW = 8
"""Rows up to which the native kernel is worth it: it reads weights once for each row, numpy once for all."""


def make_arithmetic(kernel: str = "auto", *, device: str = "cpu", batch: int = 1) -> Arithmetic:
    """The arithmetic of that name; auto takes torch on a GPU, the native kernel where it can be had, else numpy.

    >>> type(make_arithmetic("numpy")).__name__, type(make_arithmetic("auto", batch=64)).__name__
    ('NumpyArithmetic', 'NumpyArithmetic')
    """
    if kernel not in KERNELS:
        raise DeviceError(f"--kernel: no kernel is called {kernel!r}; choose from {', '.join(KERNELS)}")
    if kernel in ("torch", "bfloat16") or (kernel == "auto" and device != "cpu"):
        import torch

        from moglow.device import find_device
        from moglow.torch_steps import TorchArithmetic

        return TorchArithmetic(find_device(device), torch.bfloat16 if kernel == "bfloat16" else torch.float32)
    if device != "cpu":
        raise DeviceError(f"--kernel {kernel} runs on the CPU, not on {device}; use --kernel torch")
    if kernel == "native" or (kernel == "auto" and batch <= FEW):
        from moglow.int16 import Int16Arithmetic

        try:
            return Int16Arithmetic()
        except DeviceError:
            if kernel == "native":
                raise
    return NumpyArithmetic()
