"""MoGlow: motion as a normalising flow with recurrent nets (arXiv 1905.06598)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from moglow.errors import RecipeError
from moglow.flows.actnorm import ActNorm
from moglow.flows.bases import LATENTS
from moglow.flows.bijection import Chain, State
from moglow.flows.coupling import AffineCoupling
from moglow.flows.glow import GlowStep
from moglow.flows.linear import InvertibleLinear
from moglow.flows.nets import CONDITIONERS, dense
from moglow.flows.scales import SCALES
from moglow.flows.schedules.schedules import SCHEDULES, fastest
from moglow.models.flow import FlowModel, halves
from moglow.models.model import MotionModel


class MoGlow(FlowModel):
    """log p(x | c) = Σₜ [ log p(zₜ) + Σₖ (Σ log-scales of ActNorm + log|det Wₖ| + Σ log sₖₜ) ], z = f(x; c, past).

    K steps of ActNorm, an invertible matrix and an affine coupling, whose net depends on one half of the pose, the
    context and its recurrent state (Henter, Alexanderson and Beskow, *MoGlow*, arXiv 1905.06598, 2020). The defaults
    are the paper's model; presets change what `docs/ablation.md` found to be better.

    Good for generating: it is the model of the shipped checkpoint, and it has a sampler in numpy alone.

    >>> import torch
    >>> model = MoGlow(MoGlow.PRESETS["compact"], pose_dim=4, context_dim=6)
    >>> pose, context = torch.zeros(2, 5, 4), torch.zeros(2, 5, 6)
    >>> log_prob, state = model.log_prob(pose, context)
    >>> log_prob.shape
    torch.Size([2, 5])
    >>> noise = model.sample_noise(2, generator=torch.Generator().manual_seed(1))
    >>> pose, state = model.step(context[:, 0], state, noise)
    >>> pose.shape
    torch.Size([2, 4])
    """

    @dataclass(frozen=True)
    class Config(MotionModel.Config):
        """The settings of a MoGlow."""

        steps: int = 16  # the paper's K; each step mixes the halves once more
        hidden: int = 512  # width of each recurrent layer, the paper's
        layers: int = 2  # recurrent layers of each step's net, the paper's
        conditioner: str = "lstm"  # the paper's; "gru" is a quarter smaller, "mlp" has no memory
        encoder: tuple[
            int, ...
        ] = ()  # widths of a net on the context that all steps share; none in the paper
        scale: str = "paper"  # "bounded" starts at the identity and cannot collapse a channel
        latent: str = "normal"  # "student" bounds the gradient of outliers
        dropout: float = 0.0  # share of the (encoded) context's channels that are dropped, sampled per window

        def __post_init__(self) -> None:
            for field, choices in (("conditioner", CONDITIONERS), ("scale", SCALES), ("latent", LATENTS)):
                if getattr(self, field) not in choices:
                    raise RecipeError(
                        f"moglow: {field} is {getattr(self, field)!r}, expected one of {', '.join(choices)}; choose one"
                    )
            for field, value in (("steps", self.steps), ("hidden", self.hidden), ("layers", self.layers)):
                if value < 1:
                    raise RecipeError(f"moglow: {field} is {value}, expected at least 1; raise it")
            if not 0.0 <= self.dropout < 1.0:
                raise RecipeError(f"moglow: dropout is {self.dropout}, expected 0 ≤ dropout < 1; lower it")

    PRESETS: ClassVar[Mapping[str, MotionModel.Config]] = {
        "paper": Config(),
        "base": Config(hidden=256, encoder=(256, 256), scale="bounded", latent="student"),
        # For the half hour of motion behind the shipped checkpoint: 1.4 M parameters train in about half an hour on
        # one CPU core, and overfit without dropout.
        "compact": Config(
            steps=8, hidden=128, layers=1, encoder=(128, 128), scale="bounded", latent="student", dropout=0.1
        ),
        "toy": Config(steps=4, hidden=64, layers=1, encoder=(64,), scale="bounded", latent="student"),
    }

    config: Config
    flow: Chain
    schedule: str | None = None
    """Name of the execution order in `SCHEDULES`; None is the fastest on the device."""

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim)
        if pose_dim < 2:
            raise RecipeError(
                f"moglow: the pose has {pose_dim} channels, expected at least 2 to couple halves"
            )
        generator = generator or Generator().manual_seed(0)
        self.encoder = dense((context_dim, *config.encoder), generator=generator)
        encoded = (context_dim, *config.encoder)[-1]
        kept, moved = pose_dim // 2, pose_dim - pose_dim // 2

        def flow_step() -> GlowStep:
            net = CONDITIONERS[config.conditioner](
                kept, encoded, 2 * moved, hidden=config.hidden, layers=config.layers, generator=generator
            )
            return GlowStep(
                actnorm=ActNorm(pose_dim),
                linear=InvertibleLinear(pose_dim, generator=generator),
                coupling=AffineCoupling(pose_dim, net, SCALES[config.scale]),
            )

        self.flow = Chain(**{f"step{k:02d}": flow_step() for k in range(config.steps)})
        self.latent = LATENTS[config.latent](pose_dim)

    def encode(self, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.encoder(context), state

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean negative log-likelihood in nats per frame, and the state after the last frame."""
        encoded: Tensor = self.encoder(context)
        kept = 1.0 - self.config.dropout
        mask = encoded.new_empty(len(encoded), 1, encoded.shape[-1]).bernoulli_(kept, generator=generator)
        read, moved = halves(state)
        log_prob, moved = self.log_prob_given(pose, encoded * (mask / kept), moved)
        return -log_prob.mean(), (read, moved)

    def log_prob_given(self, pose: Tensor, encoded: Tensor, state: State) -> tuple[Tensor, State]:
        schedule = SCHEDULES[self.schedule] if self.schedule else fastest(self.flow, pose.device)
        z, ladj, state = schedule(self.flow, pose, encoded, state)
        return self.latent.log_prob(z) + ladj, state
