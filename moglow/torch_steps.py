"""A torch model as the sampler drives it, on any device. Floor 10."""

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moglow.context import Context
from moglow.errors import MoglowError
from moglow.flows.bijection import State
from moglow.models.model import MotionModel


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

    def initial_state(self, batch: int = 1) -> State:
        return self.model.initial_state()

    @torch.no_grad()
    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        context = context.float()
        pose, after = self.model.step(context, state, noise, temperature=temperature)
        log_prob, _ = self.model.log_prob(pose[:, None], context[:, None], state)
        return pose, log_prob[:, 0], after


def on_device(context: Context, device: str) -> Context:
    """The context whose arrays are tensors on a device."""
    return context.mapped(lambda array: torch.as_tensor(np.array(array, np.float32), device=device), torch)


def find_device(device: str) -> str:
    """The device of this process: "auto" is a GPU if torch sees one, each process of a machine having its own."""

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise MoglowError(f"--device {device}: torch sees no CUDA GPU here; use --device cpu")
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device
