"""A flow whose latent space has one Gaussian per style, trained on labelled and unlabelled clips."""

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
"""Logarithm of a zero weight, as a finite number, so that its product with zero is zero."""


class FlowGMM(RealNVP):
    """p(x₁ … x_T) = Σₛ πₛ Πₜ p_Z((zₜ − μₛ) / σₛ) / σₛ · |det ∂zₜ/∂xₜ|: a motion has one style (arXiv 1912.13025, 2020).

    A frame with a style label uses only the component of that style. Without a label, the density is the sum over
    styles, frame by frame: p(xₜ | past) = Σₛ w(s | past) p(xₜ | s), with the weights w in the state. The flow's context
    does not contain the style, so the information that separates styles is in z, for unlabelled motion too. All
    components start equal; labels separate them, and unlabelled clips then refine them.

    A departure from the paper: consecutive frames are highly correlated, so only the share `news` of each frame's
    evidence for a style is counted. With `news` = 1 the weights are Bayes' and the formula above is exact, but a few
    early frames then fix the component of an unlabelled clip for good. It is a density for any `news`.

    Good for styles where few clips are labelled: `moglow classify clips/` finds them, and each style can be sampled.
    """

    @dataclass(frozen=True)
    class Config(RealNVP.Config):
        """The settings of a FlowGMM."""

        styles: int = 0  # set from the context; without styles there is one component
        news: float = 0.1  # share of a frame's evidence for a style that is counted; 1: independent frames
        emphasis: float = 5.0  # weight of a frame with a style label; 1 is the plain likelihood of all

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
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim - config.styles, generator=generator)
        self.context_dim = context_dim
        components = max(1, config.styles)
        self.means = nn.Parameter(torch.zeros(components, pose_dim))
        self.log_deviations = nn.Parameter(torch.zeros(components, pose_dim))

    @property
    def noise_dim(self) -> int:
        return super().noise_dim + 1  # the last one chooses the component

    def split(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the contexts without the style, and the style vectors."""
        others, styles = context.tensor_split((self.context_dim - self.config.styles,), dim=-1)
        return others, styles

    @torch.no_grad()
    def initialize(self, pose: Tensor, context: Tensor) -> None:
        super().initialize(pose, self.split(context)[0])

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean negative log-likelihood in nats per frame, labelled frames weighted by `emphasis`."""
        log_prob, state = self.log_prob(pose, context, state)
        weight = 1 + (self.config.emphasis - 1) * has_label(self.split(context)[1]).to(pose)
        return -(weight * log_prob).sum() / weight.sum(), state

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        others, styles = self.split(context)
        below, evidence = halves(state)
        read, moved = halves(below)
        encoded, read = self.encode(others, read)
        z, ladj, moved = self.flow(pose, encoded, moved)
        each = self.each_component(z)
        before, after = self.accumulated(each, evidence)
        log_prob = (self.log_weights(styles, before) + each).logsumexp(dim=-1) + ladj
        return log_prob, ((read, moved), after)

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        others, styles = self.split(context)
        below, evidence = halves(state)
        read, moved = halves(below)
        encoded, read = self.encode(others[:, None], read)
        own, choice = noise.tensor_split((super().noise_dim,), dim=-1)
        before = evidence if isinstance(evidence, Tensor) else self.no_evidence(context)
        weights = self.log_weights(styles, before).exp()
        share = 0.5 + 0.5 * torch.erf(choice / math.sqrt(2))  # uniform
        chosen = (share > weights.cumsum(dim=-1)).sum(dim=-1).clamp(max=len(self.means) - 1)
        z = self.means[chosen] + self.log_deviations[chosen].exp() * temperature * self.latent.from_noise(own)
        pose, moved = self.flow.inverse(z[:, None], encoded, moved)
        _, after = self.accumulated(self.each_component(z[:, None]), before)
        return pose[:, 0], ((read, moved), after)

    def each_component(self, z: Tensor) -> Tensor:
        """Returns the log-density of z (B, T, D) under each component (B, T, S)."""
        standard = (z[..., None, :] - self.means) * (-self.log_deviations).exp()
        density: Tensor = self.latent.log_prob(standard)
        return density - self.log_deviations.sum(dim=-1)

    def no_evidence(self, like: Tensor) -> Tensor:
        return like.new_zeros(len(like), len(self.means))

    def accumulated(self, each: Tensor, evidence: State) -> tuple[Tensor, Tensor]:
        """Returns the evidence in nats for each style before each frame (B, T, S) and after the last (B, S).

        Only differences between styles matter: each frame's best style adds zero, which keeps the numbers small.
        """
        begin = evidence if isinstance(evidence, Tensor) else self.no_evidence(each)
        difference = self.config.news * (each - each.amax(dim=-1, keepdim=True))
        total = begin[:, None] + difference.cumsum(dim=1)
        return torch.cat([begin[:, None], total[:, :-1]], dim=1), total[:, -1]

    def log_weights(self, styles: Tensor, evidence: Tensor) -> Tensor:
        """Returns the log-weight of each component (…, S): one for a labelled style, else by the evidence."""
        weights = evidence.log_softmax(dim=-1)
        if not self.config.styles:
            return weights
        one = nn.functional.one_hot(styles.argmax(dim=-1), len(self.means))
        return torch.where(has_label(styles)[..., None], NEVER * (1.0 - one), weights)


def has_label(styles: Tensor) -> Tensor:
    """Returns whether style vectors (…, S) name a style: one-hot if they do, zeros if not.

    >>> has_label(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([ True, False])
    """
    return (styles > 0.5).any(dim=-1)
