"""Adapts a torch model to the sampler, on any device."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moglow.compute.cuda_graphs import Function, graphed
from moglow.flows.bijection import State
from moglow.models.model import MotionModel
from moglow.sampling.fast.folded import Floats
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow
from moglow.sampling.fast.torch_arithmetic import TorchArithmetic


class TorchSteps:
    """A torch model with the interface that `Sampler` needs: on a GPU for hundreds of motions at once, else for one.

    It is always as many, so that all are computed alike: a motion does not depend on the rest of the batch.
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
        return graphed(frame, torch.device(self.device))

    def initial_state(self, batch: int = 1) -> State:
        return self.model.initial_state()

    @torch.no_grad()
    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        return self.model.sample(context.float(), state, noise, temperature=temperature)


class DeviceMoGlow(NumpyMoGlow):
    """MoGlow's fast sampler, multiplied by torch: always as many motions at once, for the reason of `TorchSteps`."""

    rows = (256, 256)

    def __init__(
        self, config: Mapping[str, Any], weights: Mapping[str, Floats], arithmetic: TorchArithmetic
    ) -> None:
        super().__init__(config, weights, arithmetic)
        self.device = arithmetic.device

    def recorded(self, frame: Function) -> Function:
        return graphed(frame, self.device)
