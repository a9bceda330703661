"""A generative adversarial network of the next pose: two objectives that take turns. Stands on `reader`."""

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
    """x = G(noise, c, past), trained until a critic D(x, c) cannot tell made poses from real ones: no density at all.

    The critic makes log(1 + e^−D(x)) + log(1 + e^D(G)) + γ/2 |∂D/∂x|² small, the generator log(1 + e^−D(G))
    (Goodfellow et al., arXiv 1406.2661, 2014; the penalty on real poses is that of Mescheder et al., arXiv 1801.04406,
    2018, without which the two circle each other). Neither loss says how far training is: set `training.patience`, and
    watch the spread of samples that each validation reports, which falls to nothing where all noise makes one motion.

    Good for a comparison: it says what a model can do that is taught by a critic alone, without any likelihood.
    """

    @dataclass(frozen=True)
    class Config(ReaderConfig):
        """What a GAN is built from."""

        noise: int = 32  # numbers that a pose is made from, besides its context
        net: int = 256  # width of generator and critic
        depth: int = 2  # their hidden layers
        penalty: float = 1.0  # γ; smaller lets the critic be sharper and training wilder

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
        """Builds the model with weights drawn from the generator (seeded with 0 when there is none)."""
        super().__init__(config, pose_dim, context_dim)
        generator = generator or Generator().manual_seed(0)
        size = {"hidden": config.net, "layers": config.depth}
        self.reader = reader(config, context_dim, generator=generator)
        self.maker = MLP(config.noise, config.encoded, pose_dim, **size, generator=generator)
        # A last layer of zeros would make one pose of all noise, and the critic would find that out first.
        self.maker.head = linear(config.net, pose_dim, generator=generator)
        self.critic = MLP(pose_dim, context_dim, 1, **size, generator=generator)

    @property
    def noise_dim(self) -> int:
        return self.config.noise

    def initialize(self, pose: Tensor, context: Tensor) -> None:
        """Nothing here is set from data."""

    def objectives(self) -> tuple[Objective, ...]:
        making = (*self.reader.parameters(), *self.maker.parameters())
        return (
            Objective("critic", tuple(self.critic.parameters()), self.critic_loss),
            Objective("generator", making, self.generator_loss),
        )

    def critic_loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns how badly the critic tells real from made, with the penalty, and the state after the last frame."""
        with torch.no_grad():
            made, state = self.made(context, state, generator)
        real = pose.detach().requires_grad_()
        of_real, of_made = self.judged(real, context), self.judged(made, context)
        (steepness,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
        penalty = self.config.penalty / 2 * steepness.square().sum(dim=-1)
        return (softplus(-of_real) + softplus(of_made) + penalty).mean(), state

    def generator_loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns how well the critic knows what is made, and the state after the last frame."""
        made, state = self.made(context, state, generator)
        return softplus(-self.judged(made, context)).mean(), state

    def made(self, context: Tensor, state: State, generator: Generator) -> tuple[Tensor, State]:
        """Returns a pose of the model (B, T, D) for each context, and the state after the last."""
        encoded, state = read(self.reader, context, state)
        noise = self.draw_noise(*context.shape[:-1], generator=generator).to(context)
        return self.maker(noise, encoded)[0], state

    def judged(self, pose: Tensor, context: Tensor) -> Tensor:
        """Returns D(x, c) (B, T), positive where a pose looks real."""
        verdict: Tensor = self.critic(pose, context)[0]
        return verdict[..., 0]

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        _, state = read(self.reader, context, state)
        return pose.new_full(pose.shape[:-1], torch.nan), state

    def score(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns how much the critic takes each pose (B, T) for a made one, and the state after the last frame."""
        _, state = read(self.reader, context, state)
        return -self.judged(pose, context), state

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        encoded, state = read(self.reader, context[:, None], state)
        return self.maker(temperature * noise, encoded[:, 0])[0], state
