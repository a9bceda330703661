"""Glow as a model of motion: a multi-scale flow of whole windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from moglow.flows.actnorm import ActNorm
from moglow.flows.bases import LATENTS
from moglow.flows.bijection import Bijection, Chain, State
from moglow.flows.coupling import AffineCoupling
from moglow.flows.linear import InvertibleLinear
from moglow.flows.masked_coupling import MaskedCoupling
from moglow.flows.nets import ReluMLP
from moglow.flows.permutation import Permutation
from moglow.flows.scales import SCALES, ScaleMap
from moglow.flows.split import Split
from moglow.flows.squeeze import Squeeze
from moglow.models.model import MotionModel
from moglow.models.reader import ReaderConfig, read, reader
from moglow.models.windowed import WindowedFlow


class Glow(WindowedFlow):
    """z = f(x₁ … xₙ; e(c₁)): windows of motion, squeezed, mixed, coupled and split (arXiv 1807.03039, 2018).

    Each of log₂ n levels squeezes two neighbouring moments into one, and applies K steps of ActNorm, an invertible
    matrix shared by all moments, and a coupling. Half of each moment's channels then leaves the flow, as a Gaussian
    given the other half, which enters the next level as a window of half as many frames. The n frames of a window are
    sampled at once from the context of the first, whose lookahead should therefore reach n − 1 frames.

    Scales that cannot expand the density ("bounded") cost 3 nats a frame and keep roll-outs stable. After 600 steps
    none of ten minutes of the compact preset (two seeds) left the limits of a body, and a joint was 8 to 9 cm from the
    nearest real pose; with "symmetric" scales all six minutes did, 25 cm away. With 8 frames instead of 4 it was 10 cm.

    Good for whole windows: frames that are sampled together fit together, and one pass of each net samples n of them.

    >>> model = Glow(Glow.PRESETS["toy"], pose_dim=3, context_dim=6)
    >>> pose, context = torch.zeros(2, 5, 3), torch.zeros(2, 5, 6)
    >>> log_prob, state = model.log_prob(pose, context)
    >>> model.stride, (log_prob != 0)[0].tolist()
    (4, [False, False, False, True, False])
    """

    @dataclass(frozen=True)
    class Config(ReaderConfig):
        """The settings of a Glow."""

        window: int = 8  # n, frames at once: a power of two, since each level halves them
        steps: int = 4  # K, in each level
        net: int = 128  # width of the small nets in the steps
        depth: int = 1  # their hidden layers
        scale: str = "symmetric"  # "bounded" cannot expand: a lower likelihood, but stable roll-outs
        latent: str = "student"  # bounds the gradient of outliers; "normal" is the usual one

        def __post_init__(self) -> None:
            super().__post_init__()
            self.check("steps", "net", "depth", scale=SCALES, latent=LATENTS)
            if self.window < 2 or self.window & (self.window - 1):
                raise ValueError(f"window is {self.window}, expected a power of two from 2; try 4 or 8")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(window=4, scale="bounded"),
        "toy": Config(hidden=64, encoded=64, window=4, steps=2, net=64),
    }

    config: Config

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim)
        generator = generator or Generator().manual_seed(0)
        self.reader = reader(config, context_dim, generator=generator)
        whole = config.window * pose_dim
        self.flow = Chain(
            actnorm=ActNorm(whole),
            gaussian=self.coupling(kept=0, moved=whole, generator=generator),
            levels=self.level(config.window // 2, generator),
        )
        self.latent = LATENTS[config.latent](whole)

    @property
    def stride(self) -> int:
        return self.config.window

    def encode(self, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return read(self.reader, context, state)

    def level(self, moments: int, generator: Generator) -> Chain:
        """Returns the flow of a window of `moments` moments, each of two frames."""
        width, half = 2 * self.pose_dim, moments * self.pose_dim
        stays = (torch.arange(width, device="cpu") < self.pose_dim).repeat(moments)
        links: dict[str, Bijection] = {
            f"step{k:02d}": Chain(
                actnorm=ActNorm(2 * half),
                linear=Squeeze(InvertibleLinear(width, generator=generator), moments=moments),
                coupling=MaskedCoupling(stays, self.net(half, half, generator), self.scale),
            )
            for k in range(self.config.steps)
        }
        if moments > 1:
            links["stays_first"] = Permutation((~stays).to(torch.uint8).argsort(stable=True))
            links["gaussian"] = self.coupling(kept=half, moved=half, generator=generator)
            links["split"] = Split(self.level(moments // 2, generator), going=half)
        return Chain(**links)

    def coupling(self, *, kept: int, moved: int, generator: Generator) -> AffineCoupling:
        """Returns a coupling that makes the last channels a Gaussian given the first ones and the context."""
        return AffineCoupling(kept + moved, self.net(kept, moved, generator), self.scale, kept=kept)

    def net(self, kept: int, moved: int, generator: Generator) -> ReluMLP:
        """Returns the net of a coupling."""
        config = self.config
        return ReluMLP(
            kept, config.encoded, 2 * moved, hidden=config.net, layers=config.depth, generator=generator
        )

    @property
    def scale(self) -> ScaleMap:
        return SCALES[self.config.scale]
