"""RealNVP as a model of motion: couplings with alternating masks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from moglow.flows.actnorm import ActNorm
from moglow.flows.bijection import Chain
from moglow.flows.masked_coupling import MASKS, MaskedCoupling
from moglow.flows.nets import ReluMLP
from moglow.flows.scales import SCALES
from moglow.models.model import MotionModel
from moglow.models.reader import ReadingFlow


class RealNVP(ReadingFlow):
    """z = fₖ ∘ … ∘ f₁(x), where each fₖ transforms some channels given those under a mask (arXiv 1605.08803, 2017).

    The masks alternate: every other channel, its opposite, the first half, its opposite. ActNorm replaces the paper's
    batch normalisation. Each step keeps half of the channels, so scoring and sampling are one pass each.

    Good for fast batches: its nets are shallow and not recurrent, and sampling costs as much as scoring.
    """

    @dataclass(frozen=True)
    class Config(ReadingFlow.Config):
        """The settings of a RealNVP."""

        net: int = 128  # width of each coupling's net

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        # Bounded scales cost 5 nats a frame and keep roll-outs stable: after 600 steps none of four minutes left the
        # limits of a body; with symmetric scales all sixteen roll-outs did (one seed each).
        "compact": Config(scale="bounded"),
        "toy": Config(hidden=64, encoded=64, steps=4, net=64),
    }

    config: Config
    small = ReluMLP

    def flow_step(self, k: int, generator: Generator) -> Chain:
        masks = [mask for make in MASKS.values() for mask in (make(self.pose_dim), ~make(self.pose_dim))]
        mask = masks[k % len(masks)]
        kept = int(mask.sum())
        net = self.small_net(kept, 2 * (self.pose_dim - kept), generator)
        coupling = MaskedCoupling(mask, net, SCALES[self.config.scale])
        return Chain(coupling=coupling, actnorm=ActNorm(self.pose_dim))
