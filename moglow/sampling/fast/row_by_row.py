"""A model in numpy that multiplies each row by itself, so that rows do not depend on each other."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.sampling.fast.numpy_moglow import NumpyMoGlow


class RowByRow:
    """The numpy model with an axis between rows and channels: a product of each row, with nothing else in it."""

    rows = (1, 16)

    def __init__(self, model: NumpyMoGlow) -> None:
        self.model = model

    @property
    def noise_dim(self) -> int:
        return self.model.noise_dim

    def array(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values

    def numpy(self, values: NDArray[Any]) -> NDArray[Any]:
        return values

    def recorded(self, frame: Callable[..., Any]) -> Callable[..., Any]:
        return self.model.recorded(frame)

    def initial_state(self, batch: int = 1) -> Any:
        return self.model.initial_state(batch, 1)

    def step(
        self, context: NDArray[Any], state: Any, noise: NDArray[Any], *, temperature: float = 1.0
    ) -> tuple[NDArray[Any], NDArray[Any], Any]:
        target, nats, after = self.model.step(
            context[:, None], state, noise[:, None], temperature=temperature
        )
        return self.model.numpy(target)[:, 0], self.model.numpy(nats)[:, 0], after
