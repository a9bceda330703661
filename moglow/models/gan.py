"""A generative adversarial network of the next pose, trained by two alternating objectives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from moglow.flows.bijection import State
from moglow.flows.nets import MLP, linear
from moglow.models.model import MotionModel, Objective
from moglow.models.reader import ReaderConfig, read, reader


class GAN(MotionModel):
    """x = G(noise, c, past), trained against a critic D(x, c) that separates real from generated poses; no density.

    The critic minimises log(1 + e^−D(x)) + log(1 + e^D(G)) + γ/2 |∂D/∂x|², the generator log(1 + e^−D(G))
    (Goodfellow et al., arXiv 1406.2661, 2014; the penalty on real poses is that of Mescheder et al., arXiv 1801.04406,
    2018, without which training oscillates). Neither loss measures progress: set `training.patience`, and watch the
    spread of samples that each validation reports. It falls to zero when all noise gives the same motion.

    Good for a comparison: it shows what adversarial training reaches without a likelihood.
    """

    @dataclass(frozen=True)
    class Config(ReaderConfig):
        """The settings of a GAN."""

        noise: int = 32  # random numbers per pose
        net: int = 256  # width of generator and critic
        depth: int = 2  # their hidden layers
        penalty: float = 1.0  # γ; a smaller one allows a sharper critic and makes training less stable

        def __post_init__(self) -> None:
            super().__post_init__()
            self.check("noise", "net", "depth")
            if self.penalty < 0:
                raise ValueError(f"penalty is {self.penalty}, expected at least 0; raise it")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "compact": Config(),
        "toy": Config(hidden=64, encoded=64, noise=16, net=64),
    }

    config: Config

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim)
        generator = generator or Generator().manual_seed(0)
        size = {"hidden": config.net, "layers": config.depth}
        self.reader = reader(config, context_dim, generator=generator)
        self.maker = MLP(config.noise, config.encoded, pose_dim, **size, generator=generator)
        # With a last layer of zeros all noise gives the same pose, which the critic would learn to detect at once.
        self.maker.head = linear(config.net, pose_dim, generator=generator)
        self.critic = MLP(pose_dim, context_dim, 1, **size, generator=generator)

    @property
    def noise_dim(self) -> int:
        return self.config.noise

    def initialize(self, pose: Tensor, context: Tensor) -> None:
        """Does nothing: no parameter depends on data."""

    def objectives(self) -> tuple[Objective, ...]:
        generator = (*self.reader.parameters(), *self.maker.parameters())
        return (
            Objective("critic", tuple(self.critic.parameters()), self.critic_loss),
            Objective("generator", generator, self.generator_loss),
        )

    def critic_loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the critic's loss with the penalty, and the state after the last frame."""
        with torch.no_grad():
            generated, state = self.generated(context, state, generator)
        real = pose.detach().requires_grad_()
        of_real, of_generated = self.judged(real, context), self.judged(generated, context)
        (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
        penalty = self.config.penalty / 2 * slope.square().sum(dim=-1)
        return (softplus(-of_real) + softplus(of_generated) + penalty).mean(), state

    def generator_loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the generator's loss, and the state after the last frame."""
        generated, state = self.generated(context, state, generator)
        return softplus(-self.judged(generated, context)).mean(), state

    def generated(self, context: Tensor, state: State, generator: Generator) -> tuple[Tensor, State]:
        """Returns a generated pose (B, T, D) for each context, and the state after the last frame."""
        encoded, state = read(self.reader, context, state)
        noise = self.sample_noise(*context.shape[:-1], generator=generator).to(context)
        return self.maker(noise, encoded)[0], state

    def judged(self, pose: Tensor, context: Tensor) -> Tensor:
        """Returns D(x, c) (B, T), positive for poses that the critic classifies as real."""
        verdict: Tensor = self.critic(pose, context)[0]
        return verdict[..., 0]

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        _, state = read(self.reader, context, state)
        return pose.new_full(pose.shape[:-1], torch.nan), state

    def score(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns −D(x, c) of each pose (B, T), and the state after the last frame."""
        _, state = read(self.reader, context, state)
        return -self.judged(pose, context), state

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        encoded, state = read(self.reader, context[:, None], state)
        return self.maker(temperature * noise, encoded[:, 0])[0], state
