"""The interface of a model of motion: training, scoring and sampling use nothing else of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State

WIDEST, MOST_LAYERS = 100_000, 1000
"""The largest width of a net, and the largest number of its layers or of a flow's steps."""


class Loss(Protocol):
    """A function of a batch of windows that training minimises.

    It takes pose (B, T, D), context (B, T, C), the state before the first frame (None at the start) and a random
    generator on their device, and returns one number and the state after the last frame.
    """

    def __call__(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]: ...


@dataclass(frozen=True)
class Objective:
    """A loss that training minimises, and the parameters that it updates.

    A flow has one objective, a GAN two that alternate; the training loop is the same.
    """

    name: str
    parameters: tuple[nn.Parameter, ...]
    loss: Loss


class MotionModel(nn.Module, ABC):
    """A distribution of the next pose given its context and the past.

    A model gets targets and context vectors, not clips: `moglow.corpus` computes history, the residual to the carried
    pose, dropout of poses and style labels, in the same way for every model.
    """

    @dataclass(frozen=True)
    class Config:
        """The settings of a model; each model has its own subclass."""

        def check(self, *at_least_one: str, **choices: Iterable[str]) -> None:
            """Raises ValueError where a named field is below 1, or is not one of its choices."""
            for name in at_least_one:
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1; raise it")
            for name, known in choices.items():
                if getattr(self, name) not in known:
                    raise ValueError(
                        f"{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}; choose one"
                    )

        def must_be_bounded(self) -> None:
            """Refuses widths and counts that no machine holds; building such a model would never end."""
            for name, value in vars(self).items():
                for number in value if isinstance(value, tuple) else (value,):
                    most = MOST_LAYERS if name in ("steps", "layers", "depth", "window") else WIDEST
                    if isinstance(number, int) and number > most:
                        raise ValueError(f"{name} is {number}, expected at most {most}; lower it")

        def fitted(self, *, styles: int) -> Self:
            """Returns the settings for contexts that end in a one-hot style of this many channels; by default self."""
            return self

    PRESETS: ClassVar[Mapping[str, Config]]

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.pose_dim = pose_dim
        self.context_dim = context_dim

    @property
    @abstractmethod
    def noise_dim(self) -> int:
        """Number of standard normals that one frame needs."""

    @property
    def stride(self) -> int:
        """Number of frames that are scored and sampled at once; `log_prob` is 0 for all of them but the last."""
        return 1

    @abstractmethod
    def initialize(self, pose: Tensor, context: Tensor) -> None:
        """Sets the parameters that depend on data, on the first call only; pose (B, T, D), context (B, T, C)."""

    @abstractmethod
    def objectives(self) -> tuple[Objective, ...]:
        """Returns the objectives in the order of a training step."""

    @abstractmethod
    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns log p(pose | context, past) in nats (B, T), and the state after the last frame.

        A model with a bound in place of the density returns the bound; one with neither returns NaN.
        """

    def score(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the anomaly score of each pose (B, T), larger for less likely poses, and the state after the last.

        It is −log p(pose | context, past), at the last frame of each `stride`; a model without a density defines
        another score, in the unit of its loss.
        """
        log_prob, state = self.log_prob(pose, context, state)
        return -log_prob, state

    @abstractmethod
    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        """Returns the next pose (B, D) for a context (B, C) and noise (B, noise_dim), and the state after it."""

    def sample(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        """Returns the pose of `step`, its log-density (B,) at temperature 1 in nats, and the state after it.

        A model with a stride divides the log-density of a window equally among its frames.
        """
        pose, after = self.step(context, state, noise, temperature=temperature)
        log_prob, _ = self.log_prob(pose[:, None], context[:, None], state)
        return pose, log_prob[:, 0], after

    def sample_noise(self, *shape: int, generator: Generator) -> Tensor:
        """Returns noise (*shape, noise_dim) on the generator's device."""
        return torch.randn(*shape, self.noise_dim, generator=generator, device=generator.device)

    def initial_state(self) -> State:
        """Returns the state before the first frame: None, which means zeros."""
        return None
