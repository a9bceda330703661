"""A flow whose latent space has a Gaussian for each style, learnt from labels and from clips without. On `realnvp`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State
from moglow.models.flow import halves
from moglow.models.model import MotionModel
from moglow.models.realnvp import RealNVP

NEVER = -1e9
"""The logarithm of a weight that is none, as a number that can be multiplied by zero."""


class FlowGMM(RealNVP):
    """p(x₁ … x_T) = Σₛ πₛ Πₜ p_Z((zₜ − μₛ) / σₛ) / σₛ · |det ∂zₜ/∂xₜ|: a motion has one style (arXiv 1912.13025, 2020).

    Where the style is told only its own component counts. Where it is not, the sum over styles is taken frame by
    frame, p(xₜ | past) = Σₛ w(s | past) p(xₜ | s): the state carries the weights, so that a sequence is its frames.
    The flow does not see the style: what tells styles apart has to lie in z, for motion without labels as well. All
    components start as one, and only labels part them; clips without labels then sharpen what the labels began.

    A departure from the paper: frames of motion repeat each other, so only a part of what each says for a style is
    news. At `news` = 1 the weights are Bayes' and the formula holds to the letter, but then a few early frames decide
    for good in which component a clip without a label is, walks in one and runs in another. It is a density at any.

    Good for styles where few clips are labelled: `moglow classify clips/` tells them, a component draws in its own.
    """

    @dataclass(frozen=True)
    class Config(RealNVP.Config):
        """What a FlowGMM is built from."""

        styles: int = 0  # set from the context; without styles there is one component
        news: float = (
            0.1  # share of a frame's evidence for a style that counts; 1 takes frames as independent
        )
        emphasis: float = 5.0  # weight of a frame whose style is told; 1 is the plain likelihood of all

        def __post_init__(self) -> None:
            super().__post_init__()
            if not 0 < self.news <= 1:
                raise ValueError(f"news is {self.news}; give a share from above 0 to 1")
            if self.emphasis <= 0:
                raise ValueError(f"emphasis is {self.emphasis}; give a weight above 0")

        def fitted(self, *, styles: int) -> Self:
            return replace(self, styles=styles)

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(scale="bounded"),  # as RealNVP's
        "toy": Config(hidden=64, encoded=64, steps=4, net=64),
    }

    config: Config

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with weights drawn from the generator (seeded with 0 when there is none)."""
        super().__init__(config, pose_dim, context_dim - config.styles, generator=generator)
        self.context_dim = context_dim
        components = max(1, config.styles)
        self.means = nn.Parameter(torch.zeros(components, pose_dim))
        self.log_deviations = nn.Parameter(torch.zeros(components, pose_dim))

    @property
    def noise_dim(self) -> int:
        return super().noise_dim + 1  # the last one says which component

    def split(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what the flow sees of the contexts, and the style vectors."""
        seen, styles = context.tensor_split((self.context_dim - self.config.styles,), dim=-1)
        return seen, styles

    @torch.no_grad()
    def initialize(self, pose: Tensor, context: Tensor) -> None:
        super().initialize(pose, self.split(context)[0])

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean negative log-likelihood in nats per frame, told styles emphasised, and the state after."""
        log_prob, state = self.log_prob(pose, context, state)
        weight = 1 + (self.config.emphasis - 1) * told(self.split(context)[1]).to(pose)
        return -(weight * log_prob).sum() / weight.sum(), state

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        seen, styles = self.split(context)
        below, evidence = halves(state)
        read, moved = halves(below)
        encoded, read = self.encode(seen, read)
        z, ladj, moved = self.flow(pose, encoded, moved)
        each = self.each_component(z)
        before, after = self.gathered(each, evidence)
        log_prob = (self.log_weights(styles, before) + each).logsumexp(dim=-1) + ladj
        return log_prob, ((read, moved), after)

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        seen, styles = self.split(context)
        below, evidence = halves(state)
        read, moved = halves(below)
        encoded, read = self.encode(seen[:, None], read)
        own, choice = noise.tensor_split((super().noise_dim,), dim=-1)
        before = evidence if isinstance(evidence, Tensor) else self.no_evidence(context)
        weights = self.log_weights(styles, before).exp()
        share = 0.5 + 0.5 * torch.erf(choice / math.sqrt(2))  # uniform
        chosen = (share > weights.cumsum(dim=-1)).sum(dim=-1).clamp(max=len(self.means) - 1)
        z = self.means[chosen] + self.log_deviations[chosen].exp() * temperature * self.latent.from_noise(own)
        pose, moved = self.flow.inverse(z[:, None], encoded, moved)
        _, after = self.gathered(self.each_component(z[:, None]), before)
        return pose[:, 0], ((read, moved), after)

    def each_component(self, z: Tensor) -> Tensor:
        """Returns the log-density of z (B, T, D) under each component (B, T, S)."""
        standard = (z[..., None, :] - self.means) * (-self.log_deviations).exp()
        density: Tensor = self.latent.log_prob(standard)
        return density - self.log_deviations.sum(dim=-1)

    def no_evidence(self, like: Tensor) -> Tensor:
        return like.new_zeros(len(like), len(self.means))

    def gathered(self, each: Tensor, evidence: State) -> tuple[Tensor, Tensor]:
        """Returns what speaks for each style before each frame (B, T, S), and after the last (B, S), in nats.

        Only differences between styles count: they are kept small by leaving out what the best one has.
        """
        begin = evidence if isinstance(evidence, Tensor) else self.no_evidence(each)
        difference = self.config.news * (each - each.amax(dim=-1, keepdim=True))
        total = begin[:, None] + difference.cumsum(dim=1)
        return torch.cat([begin[:, None], total[:, :-1]], dim=1), total[:, -1]

    def log_weights(self, styles: Tensor, evidence: Tensor) -> Tensor:
        """Returns the log-weight of each component (…, S): the told style's alone, else by the evidence."""
        weights = evidence.log_softmax(dim=-1)
        if not self.config.styles:
            return weights
        one = nn.functional.one_hot(styles.argmax(dim=-1), len(self.means))
        return torch.where(told(styles)[..., None], NEVER * (1.0 - one), weights)


def told(styles: Tensor) -> Tensor:
    """Returns whether style vectors (…, S) name a style: one-hot where they do, zeros where any will do.

    >>> told(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([ True, False])
    """
    return (styles > 0.5).any(dim=-1)
