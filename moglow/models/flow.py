"""The base class of the models that are flows: likelihood, scoring and sampling."""

from abc import abstractmethod

import torch
from torch import Generator, Tensor

from moglow.flows.bases import Latent
from moglow.flows.bijection import Bijection, State
from moglow.models.model import MotionModel, Objective


class FlowModel(MotionModel):
    """log p(x | c) = log p(z) + log|det ∂z/∂x| with z = f(x; e(c), past): a flow given an encoding of the context.

    The state is the pair of the encoder's state and the flow's.
    """

    flow: Bijection
    latent: Latent

    @abstractmethod
    def encode(self, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the encoding (B, T, E) of contexts (B, T, C), and the state after the last frame."""

    @property
    def noise_dim(self) -> int:
        return self.latent.noise_dim

    @torch.no_grad()
    def initialize(self, pose: Tensor, context: Tensor) -> None:
        self.flow.initialize(pose, self.encode(context)[0])

    def objectives(self) -> tuple[Objective, ...]:
        return (Objective("nll", tuple(self.parameters()), self.loss),)

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean negative log-likelihood in nats per frame, and the state after the last frame."""
        log_prob, state = self.log_prob(pose, context, state)
        return -log_prob.mean(), state

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        read, moved = halves(state)
        encoded, read = self.encode(context, read)
        log_prob, moved = self.log_prob_given(pose, encoded, moved)
        return log_prob, (read, moved)

    def log_prob_given(self, pose: Tensor, encoded: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns log p(pose | encoding, past) (B, T) and the flow's state after the last frame."""
        z, ladj, state = self.flow(pose, encoded, state)
        return self.latent.log_prob(z) + ladj, state

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        read, moved = halves(state)
        encoded, read = self.encode(context[:, None], read)
        z = temperature * self.latent.from_noise(noise)
        pose, moved = self.flow.inverse(z[:, None], encoded, moved)
        return pose[:, 0], (read, moved)


def halves(state: State) -> tuple[State, State]:
    """Returns the two parts of a state; both are None for None.

    >>> halves(None), halves((None, ()))
    ((None, None), (None, ()))
    """
    first, second = state if isinstance(state, tuple) else (None, None)
    return first, second
