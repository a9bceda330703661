"""Radial flows as a model of motion."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Generator

from moglow.flows.radial import Radial
from moglow.models.model import MotionModel
from moglow.models.reader import ReadingFlow


class RadialFlow(ReadingFlow):
    """z = fₖ ∘ … ∘ f₁(x), fₖ(x) = x + βₖ (x − x₀ₖ) / (αₖ + |x − x₀ₖ|): steps that contract or expand about a centre.

    Centres and strengths depend on the context (Rothfuss et al., *Noise regularization for conditional density
    estimation*, arXiv 1907.08982, 2019). It has the fewest parameters of all flows here, and both directions are closed
    formulas.

    Good for a density at little cost: scoring and sampling take a few sums per step.
    """

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": ReadingFlow.Config(steps=16),
        "toy": ReadingFlow.Config(hidden=64, encoded=64, steps=4),
    }

    def flow_step(self, k: int, generator: Generator) -> Radial:
        dim = self.pose_dim
        return Radial(dim, self.small_net(0, Radial.outputs(dim), generator), generator=generator)
