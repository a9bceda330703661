"""A variational autoencoder of the next pose, given context and past."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State
from moglow.flows.nets import MLP
from moglow.flows.scales import symmetric_scale
from moglow.models.model import MotionModel, Objective
from moglow.models.reader import ReaderConfig, read, reader

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class VAE(MotionModel):
    """log p(x | c) ≥ E log p(x | z, c) − KL(q(z | x, c) ‖ N(0, I)), z ~ q: the code z selects a possible next pose.

    Encoder and decoder are nets on the encoding of the contexts by one recurrent net, and return means and deviations
    (Kingma and Welling, arXiv 1312.6114, 2014; Sohn et al., *Structured output representation*, 2015). Training
    maximises the bound; scoring uses the tighter importance-weighted one of n samples,
    log 1/n Σ p(x, zₙ | c) / q(zₙ | x, c) (Burda et al., arXiv 1509.00519, 2016). Sampling adds the noise of
    p(x | z, c): without it the samples would be smoother than the density that is scored.

    Good for a low-dimensional code of motion: z is a short vector that describes one of the possible next poses.
    """

    @dataclass(frozen=True)
    class Config(ReaderConfig):
        """The settings of a VAE."""

        code: int = 32  # size of z
        net: int = 256  # width of encoder and decoder
        depth: int = 2  # their hidden layers
        draws: int = (
            16  # n, samples of the importance-weighted bound; more cost more and come closer to log p
        )

        def __post_init__(self) -> None:
            super().__post_init__()
            self.check("code", "net", "depth", "draws")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, code=8, net=64),
    }

    config: Config
    points: Tensor

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim)
        generator = generator or Generator().manual_seed(0)

        def net(inputs: int, outputs: int) -> MLP:
            width, depth = config.net, config.depth
            return MLP(inputs, config.encoded, outputs, hidden=width, layers=depth, generator=generator)

        self.reader = reader(config, context_dim, generator=generator)
        self.encoder = net(pose_dim, 2 * config.code)
        self.decoder = net(config.code, 2 * pose_dim)
        self.log_deviation = nn.Parameter(torch.zeros(pose_dim))
        # The same for every frame and stored with the weights, so that the score is a function of the motion.
        self.register_buffer("points", torch.randn(config.draws, config.code, generator=generator))

    @property
    def noise_dim(self) -> int:
        return self.config.code + self.pose_dim

    def initialize(self, pose: Tensor, context: Tensor) -> None:
        """Does nothing: no parameter depends on data."""

    def objectives(self) -> tuple[Objective, ...]:
        return (Objective("elbo", tuple(self.parameters()), self.loss),)

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean of −ELBO in nats per frame, by one sample of z each, and the state after the last frame."""
        encoded, state = read(self.reader, context, state)
        mean, deviation = self.posterior(pose, encoded)
        noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
        code = mean + deviation * noise
        divergence = 0.5 * (mean.square() + deviation.square() - 1).sum(dim=-1) - deviation.log().sum(dim=-1)
        return (divergence - self.log_likelihood(pose, code, encoded)).mean(), state

    def posterior(self, pose: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and deviation of q(z | x, c), each (…, code)."""
        mean, a = self.encoder(pose, encoded)[0].chunk(2, dim=-1)
        return mean, symmetric_scale(a)

    def decoded(self, code: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and deviation of p(x | z, c), each (…, D)."""
        mean, a = self.decoder(code, encoded)[0].chunk(2, dim=-1)
        return mean, self.log_deviation.exp() * symmetric_scale(a)

    def log_likelihood(self, pose: Tensor, code: Tensor, encoded: Tensor) -> Tensor:
        """Returns log p(x | z, c) (…)."""
        mean, deviation = self.decoded(code, encoded)
        return _log_normal((pose - mean) / deviation) - deviation.log().sum(dim=-1)

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        encoded, state = read(self.reader, context, state)
        mean, deviation = self.posterior(pose, encoded)
        points = self.points[:, None, None]  # (n, 1, 1, code)
        code, repeated = mean + deviation * points, encoded.expand(len(points), -1, -1, -1)
        of_code = _log_normal(code) - _log_normal(points) + deviation.log().sum(dim=-1)
        weights = self.log_likelihood(pose, code, repeated) + of_code  # (n, B, T)
        return weights.logsumexp(dim=0) - math.log(len(points)), state

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        encoded, state = read(self.reader, context[:, None], state)
        code, own = (temperature * noise).tensor_split((self.config.code,), dim=-1)
        mean, deviation = self.decoded(code, encoded[:, 0])
        return mean + deviation * own, state


def _log_normal(x: Tensor) -> Tensor:
    """Returns the log-density of independent standard normals (…, D) at x."""
    return -(0.5 * x.square() + HALF_LOG_TAU).sum(dim=-1)
