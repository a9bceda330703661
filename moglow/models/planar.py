"""Planar flows as a model of motion."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Generator

from moglow.flows.planar import Planar
from moglow.models.model import MotionModel
from moglow.models.reader import ReadingFlow


class PlanarFlow(ReadingFlow):
    """z = fₖ ∘ … ∘ f₁(x), fₖ(x) = x + uₖ tanh(wₖᵀx + bₖ): each step bends the poses along one direction.

    Directions and bends depend on the context (Trippe and Turner, *Conditional density estimation with Bayesian
    normalising flows*, arXiv 1802.04908, 2018; the step is that of Rezende and Mohamed, arXiv 1505.05770, 2015).
    Scoring is cheap; sampling solves one scalar equation per step.

    Good for explaining what a flow is: each step bends space along one line and can be drawn.
    """

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": ReadingFlow.Config(steps=16),
        "toy": ReadingFlow.Config(hidden=64, encoded=64, steps=4),
    }

    def flow_step(self, k: int, generator: Generator) -> Planar:
        dim = self.pose_dim
        return Planar(dim, self.small_net(0, Planar.outputs(dim), generator), generator=generator)
