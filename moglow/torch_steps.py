"""A torch model seen through numpy arrays, so that the sampler can drive it. Floor 9."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moglow.flows.bijection import State
from moglow.models.model import MotionModel


class TorchSteps:
    """What `Sampler` asks of a model, answered by torch; noise comes from the numpy generator all the same."""

    def __init__(self, model: MotionModel) -> None:
        self.model = model

    def initial_state(self, batch: int = 1) -> State:
        return self.model.initial_state()

    def draw_noise(self, *shape: int, generator: np.random.Generator) -> NDArray[Any]:
        seed = int(generator.integers(2**63))
        return self.model.draw_noise(*shape, generator=torch.Generator().manual_seed(seed)).numpy()

    @torch.no_grad()
    def step(
        self, context: NDArray[Any], state: State, noise: NDArray[Any], *, temperature: float = 1.0
    ) -> tuple[NDArray[Any], State]:
        inputs = (torch.as_tensor(np.asarray(array, np.float32)) for array in (context, noise))
        vector, numbers = inputs
        pose, state = self.model.step(vector, state, numbers, temperature=temperature)
        return pose.numpy(), state
