"""The interface between a sampler and the model that computes its frames, and what a frame depends on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moglow.sampling.label_change import LabelChange


class StepModel(Protocol):
    """The interface of a model for the sampler, in numpy or in torch with tensors on its device."""

    @property
    def rows(self) -> tuple[int, int]:
        """The batch size is a multiple of the first number and at most the second."""
        ...

    @property
    def noise_dim(self) -> int: ...

    def array(self, values: NDArray[np.float32]) -> Any:
        """Returns an array or tensor for `step`."""
        ...

    def numpy(self, values: Any) -> NDArray[Any]:
        """Returns results of `step` as numpy arrays."""
        ...

    def recorded(self, frame: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a pure function of arrays, unchanged or compiled for repeated calls."""
        ...

    def initial_state(self, batch: int = 1) -> Any: ...

    def step(self, context: Any, state: Any, noise: Any, *, temperature: float = 1.0) -> tuple[Any, Any, Any]:
        """Returns the target ``(B, D)``, its log-density ``(B,)`` in nats at temperature 1, and the state after it."""
        ...


@dataclass(frozen=True)
class Past:
    """The last K poses ``(B, K, D)`` and controls ``(B, K, 3)``, standardised, and the model's memory."""

    poses: Any
    controls: Any
    memory: Any
    change: LabelChange | None = None
    """The changes of label that are not over yet."""

    @property
    def fields(self) -> tuple[Any, Any, Any]:
        """The poses, the controls and the memory."""
        return self.poses, self.controls, self.memory
