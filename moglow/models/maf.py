"""Masked autoregressive flow as a model of motion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from moglow.flows.actnorm import ActNorm
from moglow.flows.autoregressive import MaskedAffine
from moglow.flows.bijection import Chain
from moglow.flows.made import MADE
from moglow.flows.permutation import Permutation
from moglow.flows.scales import SCALES
from moglow.models.model import MotionModel
from moglow.models.reader import ReadingFlow


class MAF(ReadingFlow):
    """p(x | c) = Πᵢ p(xᵢ | x₁ … xᵢ₋₁, c), K times over, the channels reversed each time (arXiv 1705.07057, 2017).

    A masked net computes each channel's shift and scale from the channels before it. One pass of each net scores a
    frame; a sample is computed channel by channel.

    Good for scoring: in no other flow here does every channel depend on all earlier ones within one step.
    """

    @dataclass(frozen=True)
    class Config(ReadingFlow.Config):
        """The settings of a MAF."""

        steps: int = 4  # autoregressive maps; each depends on all channels, so few are enough
        net: int = 256  # width of each MADE, at least one unit per channel
        depth: int = 2  # hidden layers of each MADE, the paper's

        def __post_init__(self) -> None:
            super().__post_init__()
            self.check("depth")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        # After 600 steps roll-outs with bounded scales are three times nearer to real motion than with symmetric ones
        # (one seed each); those of minutes still leave the limits of a body.
        "compact": Config(scale="bounded"),
        "toy": Config(hidden=64, encoded=64, steps=2, net=128),
    }

    config: Config

    def flow_step(self, k: int, generator: Generator) -> Chain:
        config, dim = self.config, self.pose_dim
        net = MADE(dim, config.encoded, 2, hidden=config.net, layers=config.depth, generator=generator)
        return Chain(
            masked=MaskedAffine(net, SCALES[config.scale]),
            reversal=Permutation.reversal(dim),
            actnorm=ActNorm(dim),
        )
