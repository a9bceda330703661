"""A torch model as the sampler drives it, on any device. Floor 10."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moglow.captured import Function, captured
from moglow.context import Context
from moglow.errors import DeviceError
from moglow.flows.bijection import State
from moglow.flows.nets import has_bfloat16
from moglow.folded import Floats
from moglow.models.model import MotionModel
from moglow.numpy_moglow import NumpyMoGlow


class TorchSteps:
    """What `Sampler` asks of a model, answered by torch: on a GPU for hundreds of motions at once, else for one.

    It is always as many, so that all are computed alike: a motion does not depend on what is drawn beside it.
    """

    def __init__(self, model: MotionModel, device: str = "cpu") -> None:
        self.model, self.device = model, device
        self.rows = (1, 1) if device == "cpu" else (256, 256)

    @property
    def noise_dim(self) -> int:
        return self.model.noise_dim

    def array(self, values: NDArray[np.float32]) -> Tensor:
        return torch.as_tensor(values, device=self.device)

    def numpy(self, values: Tensor) -> NDArray[Any]:
        return np.asarray(values.cpu().numpy())

    def recorded(self, frame: Function) -> Function:
        return captured(frame, torch.device(self.device))

    def initial_state(self, batch: int = 1) -> State:
        return self.model.initial_state()

    @torch.no_grad()
    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        return self.model.draw(context.float(), state, noise, temperature=temperature)


class TorchArithmetic:
    """Torch as an `Arithmetic`: for batches, where its products are faster than numpy's, and for a GPU.

    Products may be computed in bfloat16, twice as fast where the hardware has it; the flow's variables stay float32.
    """

    xp: Any = torch

    def __init__(self, device: str = "cpu", precision: torch.dtype = torch.float32) -> None:
        self.device, self.precision = torch.device(device), precision
        if precision is torch.bfloat16 and not has_bfloat16(self.device):
            raise DeviceError(
                f"--kernel bfloat16: this {self.device.type} multiplies no bfloat16; use --kernel torch"
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


class DeviceMoGlow(NumpyMoGlow):
    """MoGlow's fast sampler, multiplied by torch: always as many motions at once, for the reason of `TorchSteps`."""

    rows = (256, 256)

    def __init__(
        self, config: Mapping[str, Any], weights: Mapping[str, Floats], arithmetic: TorchArithmetic
    ) -> None:
        super().__init__(config, weights, arithmetic)
        self.device = arithmetic.device

    def recorded(self, frame: Function) -> Function:
        return captured(frame, self.device)


def on_device(context: Context, device: str) -> Context:
    """The context whose arrays are tensors on a device."""
    return context.mapped(lambda array: torch.as_tensor(np.array(array, np.float32), device=device), torch)
