"""A learnt rotation of the channels, orthogonal at every step of training."""

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import Bijection, State


class Orthogonal(Bijection):
    """z = W x with W = Q · exp(A − Aᵀ), so that WᵀW = 1, log|det W| = 0 and the inverse is Wᵀ.

    Q is a fixed random rotation and A starts at zero. The exponentials of skew-symmetric matrices are exactly the
    rotations (Golinski, Lezcano-Casado and Rainforth, *Improving normalizing flows via better orthogonal
    parameterizations*, 2019).

    >>> W = Orthogonal(3, generator=Generator().manual_seed(1)).weight()
    >>> torch.allclose(W @ W.T, torch.eye(3), atol=1e-6)
    True
    """

    start: Tensor

    def __init__(self, dim: int, *, generator: Generator) -> None:
        super().__init__()
        self.skew = nn.Parameter(torch.zeros(dim, dim))
        noise = torch.randn(dim, dim, dtype=torch.float64, generator=generator)
        self.register_buffer("start", torch.linalg.qr(noise).Q.float())

    def weight(self) -> Tensor:
        """Returns W (D, D), which multiplies column vectors."""
        # Q was rounded when it was stored; one Newton-Schulz step makes it orthogonal to the current precision.
        start = self.start
        start = 1.5 * start - 0.5 * start @ start.T @ start
        turned: Tensor = start @ torch.linalg.matrix_exp(self.skew - self.skew.T)
        return turned

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        return x @ self.weight().T, x.new_zeros(x.shape[:-1]), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return z @ self.weight(), state
