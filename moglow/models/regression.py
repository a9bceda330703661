"""Regression: a deterministic LSTM that predicts the next pose, the usual baseline of papers on motion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from moglow.errors import RecipeError
from moglow.flows.bijection import State
from moglow.flows.nets import LSTM
from moglow.models.model import MotionModel, Objective


class Regression(MotionModel):
    """x = f(c, past), trained by the mean squared error; the net is the same as in each of a MoGlow's sixteen steps.

    Recurrent nets that predict the next pose were among the first learnt models of motion (Fragkiadaki et al.,
    *Recurrent network models for human dynamics*, arXiv 1508.00271, 2015). The model is deterministic: noise and
    temperature change no pose. It has no density, and `log_prob` is NaN. (The squared error is the likelihood of a
    Gaussian of fixed width, but the model does not sample from that Gaussian, so it would not describe its motion.)

    Good for a baseline: without random samples it never generates an unlikely pose by chance.

    >>> model = Regression(Regression.PRESETS["compact"], pose_dim=4, context_dim=6)
    >>> pose, state = model.step(torch.zeros(2, 6), model.initial_state(), torch.zeros(2, 0))
    >>> pose.shape, model.noise_dim
    (torch.Size([2, 4]), 0)
    """

    @dataclass(frozen=True)
    class Config(MotionModel.Config):
        """The settings of a Regression."""

        hidden: int = 512  # width of each recurrent layer, as in the paper's MoGlow
        layers: int = 2  # recurrent layers, as in the paper's MoGlow
        dropout: float = 0.0  # share of the context's channels that are dropped, sampled per window

        def __post_init__(self) -> None:
            for field, value in (("hidden", self.hidden), ("layers", self.layers)):
                if value < 1:
                    raise RecipeError(f"regression: {field} is {value}, expected at least 1; raise it")
            if not 0.0 <= self.dropout < 1.0:
                raise RecipeError(
                    f"regression: dropout is {self.dropout}, expected 0 ≤ dropout < 1; lower it"
                )

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "paper": Config(),
        "compact": Config(hidden=256),  # 1.5 M parameters on our own context, as many as the compact MoGlow
        "toy": Config(hidden=64, layers=1),
    }

    config: Config

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim)
        generator = generator or Generator().manual_seed(0)
        self.net = LSTM(
            0, context_dim, pose_dim, hidden=config.hidden, layers=config.layers, generator=generator
        )

    @property
    def noise_dim(self) -> int:
        return 0

    def initialize(self, pose: Tensor, context: Tensor) -> None:
        """Does nothing: targets are standardised, and an untrained net returns their mean, zero."""

    def objectives(self) -> tuple[Objective, ...]:
        return (Objective("squared_error", tuple(self.parameters()), self.loss),)

    def predict(self, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the pose (B, T, D) of each context (B, T, C), and the state after the last."""
        return self.net(context[..., :0], context, state)  # type: ignore[no-any-return]

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean squared error per channel, and the state after the last frame."""
        kept = 1.0 - self.config.dropout
        mask = context.new_empty(len(context), 1, context.shape[-1]).bernoulli_(kept, generator=generator)
        predicted, state = self.predict(context * (mask / kept), state)
        return (predicted - pose).square().mean(), state

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns NaN (B, T), and the state after the last frame."""
        _, state = self.predict(context, state)
        return pose.new_full(pose.shape[:-1], torch.nan), state

    def score(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the squared error per channel (B, T), and the state after the last frame."""
        predicted, state = self.predict(context, state)
        return (predicted - pose).square().mean(dim=-1), state

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        pose, state = self.predict(context[:, None], state)
        return pose[:, 0], state
