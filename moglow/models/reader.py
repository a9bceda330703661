"""The reader, a net that encodes the contexts once for all parts of a model, and the flows that have one."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from moglow.errors import RecipeError
from moglow.flows.actnorm import ActNorm
from moglow.flows.bases import LATENTS
from moglow.flows.bijection import Bijection, Chain, State
from moglow.flows.coupling import AffineCoupling
from moglow.flows.nets import CONDITIONERS, MLP, Conditioner
from moglow.flows.scales import SCALES
from moglow.models.flow import FlowModel
from moglow.models.model import MotionModel


@dataclass(frozen=True)
class ReaderConfig(MotionModel.Config):
    """The settings of a reader; the settings of the models that have one are subclasses."""

    reader: str = "lstm"  # "gru" is a quarter smaller, "mingru" faster, "mlp" has no memory
    hidden: int = 256  # width of its recurrent layers
    layers: int = 1  # recurrent layers; one is enough, since the context contains ten past poses
    encoded: int = 128  # size of its output

    def __post_init__(self) -> None:
        self.check("hidden", "layers", "encoded", reader=CONDITIONERS)


def reader(config: ReaderConfig, context_dim: int, *, generator: Generator) -> Conditioner:
    """Returns a net whose only input is the context."""
    make = CONDITIONERS[config.reader]
    return make(
        0, context_dim, config.encoded, hidden=config.hidden, layers=config.layers, generator=generator
    )


def read(net: Conditioner, context: Tensor, state: State) -> tuple[Tensor, State]:
    """Returns a reader's encoding (B, T, E) of contexts (B, T, C), and its state after the last frame."""
    encoded, state = net(context[..., :0], context, state)
    return encoded, state


class ReadingFlow(FlowModel):
    """A flow with one reader: ActNorm, a Gaussian given the context, and then K steps.

    After the first two each channel is nearly standard normal; the steps model the rest.
    """

    @dataclass(frozen=True)
    class Config(ReaderConfig):
        """The settings of a flow with a reader."""

        steps: int = 8  # K
        net: int = 64  # width of the small nets in the steps
        scale: str = "symmetric"  # of the Gaussian and the couplings; "bounded" cannot expand the density
        latent: str = "student"  # bounds the gradient of outliers; "normal" is the usual one

        def __post_init__(self) -> None:
            super().__post_init__()
            self.check("steps", "net", scale=SCALES, latent=LATENTS)

    config: Config
    small: ClassVar[type[MLP]] = MLP
    """Class of the nets in the steps."""

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim)
        if pose_dim < 2:
            raise RecipeError(f"the pose has {pose_dim} channels, expected at least 2 for a flow")
        generator = generator or Generator().manual_seed(0)
        self.reader = reader(config, context_dim, generator=generator)
        self.flow = Chain(
            actnorm=ActNorm(pose_dim),
            gaussian=AffineCoupling(
                pose_dim, self.small_net(0, 2 * pose_dim, generator), SCALES[config.scale], kept=0
            ),
            **{f"step{k:02d}": self.flow_step(k, generator) for k in range(config.steps)},
        )
        self.latent = LATENTS[config.latent](pose_dim)

    @abstractmethod
    def flow_step(self, k: int, generator: Generator) -> Bijection:
        """Returns the k-th step of the flow."""

    def small_net(self, inputs: int, outputs: int, generator: Generator) -> MLP:
        """Returns a net with one hidden layer on `inputs` channels and the reader's output."""
        config = self.config
        return self.small(inputs, config.encoded, outputs, hidden=config.net, layers=1, generator=generator)

    def encode(self, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return read(self.reader, context, state)
