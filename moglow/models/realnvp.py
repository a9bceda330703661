"""RealNVP as a model of motion: couplings under masks. Stands on `reader`."""

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
    """z = fₖ ∘ … ∘ f₁(x), each fₖ coupling the channels under a mask to the others (arXiv 1605.08803, 2017).

    The masks take turns: every other channel, its opposite, the first half, its opposite. ActNorm stands where the
    paper has batch normalisation. Half of the channels pass each step as they are, so both directions are one pass.

    Good for fast batches: its nets are shallow and without memory of their own, and drawing costs what scoring does.
    """

    @dataclass(frozen=True)
    class Config(ReadingFlow.Config):
        """What a RealNVP is built from."""

        net: int = 128  # width of each coupling's net

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        # Bounded scales cost it 5 nats a frame and keep it upright: after 600 steps none of four minutes left what a
        # body can do, with symmetric ones all sixteen of the family's roll-outs did (one seed each).
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
