"""Torch as an arithmetic of the fast sampler: float32 or bfloat16, on a CPU or a GPU."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from moglow.errors import DeviceError
from moglow.flows.nets import has_bfloat16
from moglow.sampling.fast.folded import Floats


class TorchArithmetic:
    """Torch as an `Arithmetic`: for batches, where its products are faster than numpy's, and for a GPU.

    Products may be computed in bfloat16, twice as fast where the hardware has it; the flow's variables stay float32.
    """

    xp: Any = torch

    def __init__(self, device: str = "cpu", precision: torch.dtype = torch.float32) -> None:
        self.device, self.precision = torch.device(device), precision
        if precision is torch.bfloat16 and not has_bfloat16(self.device):
            raise DeviceError(
                f"kernel bfloat16: this {self.device.type} cannot multiply in bfloat16; choose torch"
            )
        # oneDNN's product on weights in its own order; torch's product of float32 on the CPU is MKL's, which is
        # slower on some processors. The operators are torch's own but not for the public, so they may be missing.
        packed = torch.ops.mkldnn if self.device.type == "cpu" else None
        self._packed = packed if hasattr(packed, "_linear_pointwise") else None

    def array(self, values: Any) -> Tensor:
        if isinstance(values, Tensor):
            return values.to(self.device, torch.float32)
        return torch.tensor(
            values, dtype=torch.float32, device=self.device
        )  # a copy: files give read-only arrays

    def matrix(self, weight: Floats) -> Tensor:
        rows = torch.as_tensor(np.ascontiguousarray(weight.T)).to(self.device, self.precision)
        packed: Tensor = self._packed._reorder_linear_weight(rows) if self._packed else rows
        return packed

    def product(self, x: Tensor, matrix: Tensor) -> Tensor:
        x = x.to(self.precision)
        if self._packed:
            made: Tensor = self._packed._linear_pointwise(x, matrix, None, "none", [], "")
        else:
            made = torch.nn.functional.linear(x, matrix)
        return made.to(torch.float32)

    def numpy(self, values: Tensor) -> Floats:
        return np.asarray(values.cpu().numpy())
