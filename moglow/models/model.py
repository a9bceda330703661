"""What every model of motion offers to training, scoring and sampling. Stands on `flows`; training stands on it."""

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
    """A function of a batch of windows that training makes small.

    It takes pose (B, T, D), context (B, T, C), the state before the first frame (None at the start) and a generator
    on their device for whatever is random, and returns one number and the state after the last frame.
    """

    def __call__(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]: ...


@dataclass(frozen=True)
class Objective:
    """One thing that training makes small, and the parameters it may change for it.

    A flow has one, a GAN has two that take turns; the loop is the same.
    """

    name: str
    parameters: tuple[nn.Parameter, ...]
    loss: Loss


class MotionModel(nn.Module, ABC):
    """A distribution of the next pose given its context and what came before.

    The model sees targets and context vectors, never clips: history, the residual to the carried pose, dropout of
    poses and style labels are made by whoever cuts the windows, the same for every model.
    """

    @dataclass(frozen=True)
    class Config:
        """The choices a model is built from; each model has its own."""

        def check(self, *at_least_one: str, **choices: Iterable[str]) -> None:
            """Refuses numbers below 1 and words that are not among the choices, by the names of the fields."""
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
            """Returns the choices for contexts whose last channels say one of so many styles; most need not know."""
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
        """How many standard normals one frame takes."""

    @property
    def stride(self) -> int:
        """How many frames are scored and drawn at once; `log_prob` pays for all of them at the last, 0 before it."""
        return 1

    @abstractmethod
    def initialize(self, pose: Tensor, context: Tensor) -> None:
        """Sets what is to be set from data (once: a second call changes nothing); pose (B, T, D), context (B, T, C)."""

    @abstractmethod
    def objectives(self) -> tuple[Objective, ...]:
        """Returns what training is to make small, in the order of a training step."""

    @abstractmethod
    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns log p(pose | context, past) in nats (B, T), and the state after the last frame.

        A model with a bound in place of the density returns the bound; one with neither returns NaN.
        """

    def score(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns how strange each pose is (B, T), larger being stranger, and the state after the last frame.

        It is −log p(pose | context, past), paid at the last frame of a `stride`; a model without a density says
        something of its own, in its loss's unit.
        """
        log_prob, state = self.log_prob(pose, context, state)
        return -log_prob, state

    @abstractmethod
    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        """Returns the next pose (B, D) for a context (B, C) and noise (B, noise_dim), and the state after it."""

    def draw(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, State]:
        """Returns what `step` does, and between them the log-density (B,) of the pose at temperature 1, in nats.

        A model with a stride gives each of the frames that it draws at once an equal share of their density.
        """
        pose, after = self.step(context, state, noise, temperature=temperature)
        log_prob, _ = self.log_prob(pose[:, None], context[:, None], state)
        return pose, log_prob[:, 0], after

    def draw_noise(self, *shape: int, generator: Generator) -> Tensor:
        """Returns noise (*shape, noise_dim) on the generator's device."""
        return torch.randn(*shape, self.noise_dim, generator=generator, device=generator.device)

    def initial_state(self) -> State:
        """The state before the first frame: None, which stands for zeros."""
        return None
