"""A torch model seen through numpy arrays, so that the sampler can drive it. Floor 9."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.flows.bijection import State
from moglow.models.model import MotionModel


class TorchSteps:
    """What `Sampler` asks of a model, answered by torch."""

    def __init__(self, model: MotionModel) -> None:
        self.model = model

    def initial_state(self, batch: int = 1) -> State:
        return self.model.initial_state()

    @property
    def noise_dim(self) -> int:
        return self.model.noise_dim

    @torch.no_grad()
    def step(
        self, context: NDArray[Any], state: State, noise: NDArray[Any], *, temperature: float = 1.0
    ) -> tuple[NDArray[Any], NDArray[Any], State]:
        vector, numbers = (torch.as_tensor(np.asarray(array, np.float32)) for array in (context, noise))
        pose, after = self.model.step(vector, state, numbers, temperature=temperature)
        log_prob, _ = self.model.log_prob(pose[:, None], vector[:, None], state)
        return pose.numpy(), log_prob[:, 0].double().numpy(), after
