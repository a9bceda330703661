"""The base class of the autoencoders: code, reconstruction, and the distribution of codes for sampling."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from moglow.errors import RecipeError
from moglow.flows.bijection import State
from moglow.flows.nets import MLP, linear
from moglow.models.model import MotionModel, Objective
from moglow.models.reader import ReaderConfig, read, reader

FORGETS = 0.01
"""Weight of a batch in the running mean and covariance of the codes: they average about the last hundred batches."""


class Autoencoder(MotionModel):
    """x̂ = D(E(x, e), e), e = e(c, past): a pose is encoded and reconstructed.

    Trained by the mean squared error of x̂ (Hinton and Salakhutdinov, *Reducing the dimensionality of data with neural
    networks*, Science 313, 2006), here given the context, so that the code need not contain what the past predicts.
    `score` is the squared reconstruction error. Poses are sampled from a normal distribution of codes with the mean and
    covariance of training, independent of the context, so it scores motion better than it generates it. Subclasses
    differ in what keeps E from copying x: `corrupted`, `activated` and `penalty`.
    """

    @dataclass(frozen=True)
    class Config(ReaderConfig):
        """The settings of an autoencoder."""

        code: float = 0.25  # size of the code as a multiple of the pose's
        net: int = 256  # width of encoder and decoder
        depth: int = 2  # their hidden layers

        def __post_init__(self) -> None:
            super().__post_init__()
            self.check("net", "depth")
            if self.code <= 0:
                raise RecipeError(
                    f"code is {self.code} times the pose's size, expected more than 0; raise it"
                )

    config: Config
    code_mean: Tensor
    code_covariance: Tensor

    def __init__(
        self, config: Config, pose_dim: int, context_dim: int, *, generator: Generator | None = None
    ) -> None:
        """Builds the model with random weights from the generator, by default one with seed 0."""
        super().__init__(config, pose_dim, context_dim)
        generator = generator or Generator().manual_seed(0)
        self.code_dim = max(1, round(config.code * pose_dim))

        def net(inputs: int, outputs: int) -> MLP:
            width, depth = config.net, config.depth
            return MLP(inputs, config.encoded, outputs, hidden=width, layers=depth, generator=generator)

        self.reader = reader(config, context_dim, generator=generator)
        self.encoder = net(pose_dim, self.code_dim)
        # With a last layer of zeros all poses have the same code, and a rectified code would get no gradient.
        self.encoder.head = linear(config.net, self.code_dim, generator=generator)
        self.decoder = net(self.code_dim, pose_dim)
        self.register_buffer("code_mean", torch.zeros(self.code_dim))
        self.register_buffer("code_covariance", torch.eye(self.code_dim))
        self._root: tuple[Tensor, int, Tensor] | None = None

    @property
    def noise_dim(self) -> int:
        return self.code_dim

    def initialize(self, pose: Tensor, context: Tensor) -> None:
        """Does nothing: no parameter depends on data."""

    def objectives(self) -> tuple[Objective, ...]:
        return (Objective("squared_error", tuple(self.parameters()), self.loss),)

    def corrupted(self, pose: Tensor, generator: Generator) -> Tensor:
        """Returns the encoder's input for poses (B, T, D) in training: by default the poses."""
        return pose

    def activated(self, raw: Tensor) -> Tensor:
        """Returns the code (…, code) of the encoder's output: by default the same."""
        return raw

    def penalty(self, code: Tensor) -> Tensor:
        """Returns the penalty on the codes (B, T, code) of a batch: by default zero."""
        return code.new_zeros(())

    def loss(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        """Returns the mean squared error per channel and the penalty, and the state after the last frame."""
        encoded, state = read(self.reader, context, state)
        raw = self.encoder(self.corrupted(pose, generator), encoded)[0]
        self._update_statistics(raw)
        code = self.activated(raw)
        return (self.decoder(code, encoded)[0] - pose).square().mean() + self.penalty(code), state

    @torch.no_grad()
    def _update_statistics(self, raw: Tensor) -> None:
        """Moves the running mean and covariance of the encoder's output towards those of a batch."""
        rows = raw.flatten(0, -2)
        self.code_mean.lerp_(rows.mean(dim=0), FORGETS)
        away = rows - self.code_mean
        self.code_covariance.lerp_(away.T @ away / len(rows), FORGETS)

    def reconstruct(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the reconstruction of each pose (B, T, D), and the state after the last frame."""
        encoded, state = read(self.reader, context, state)
        code = self.activated(self.encoder(pose, encoded)[0])
        return self.decoder(code, encoded)[0], state

    def score(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the squared reconstruction error per channel (B, T), and the state after the last frame."""
        reconstruction, state = self.reconstruct(pose, context, state)
        return (reconstruction - pose).square().mean(dim=-1), state

    def log_prob(self, pose: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        _, state = read(self.reader, context, state)
        return pose.new_full(pose.shape[:-1], torch.nan), state

    def step(
        self, context: Tensor, state: State, noise: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        encoded, state = read(self.reader, context[:, None], state)
        away = temperature * noise @ self.code_root().T
        return self.decoder(self.activated(self.code_mean + away), encoded[:, 0])[0], state

    def code_root(self) -> Tensor:
        """Returns R with R Rᵀ = the covariance of codes; it is cached until the covariance changes.

        Eigenvalues take longer than the rest of a frame, and their computation cannot be part of a CUDA graph.
        """
        now = self.code_covariance
        if self._root is None or self._root[0] is not now or self._root[1] != now._version:
            self._root = now, now._version, _root(now)
        return self._root[2]


def _root(covariance: Tensor) -> Tensor:
    """Returns R with R Rᵀ = covariance (N, N), symmetric.

    It uses eigenvalues instead of Cholesky factors, since constant codes make the matrix singular.

    >>> _root(torch.diag(torch.tensor([4.0, 0.0])))
    tensor([[2., 0.],
            [0., 0.]])
    """
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
