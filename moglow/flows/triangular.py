"""A triangular matrix across the channels."""

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import Bijection, State


class Triangular(Bijection):
    """z = L x with L lower triangular and positive on the diagonal, log|det L| = Σ log Lᵢᵢ, O(D²) both ways.

    Followed by a shift it whitens a Gaussian by its Cholesky factor: Σ⁻¹ = LᵀL. It starts near the identity.

    >>> matrix = Triangular(2, generator=Generator().manual_seed(1))
    >>> bool(matrix.weight()[0, 1] == 0), bool((matrix.weight().diagonal() > 0).all())
    (True, True)
    """

    def __init__(self, dim: int, *, generator: Generator) -> None:
        super().__init__()
        self.lower = nn.Parameter(0.1 * dim**-0.5 * torch.randn(dim, dim, generator=generator).tril(-1))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    def weight(self) -> Tensor:
        """Returns L (D, D), which multiplies column vectors."""
        return self.lower.tril(-1) + torch.diag(self.log_scale.exp())

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        return x @ self.weight().T, self.log_scale.sum().expand(x.shape[:-1]), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return torch.linalg.solve_triangular(self.weight().T, z, upper=True, left=False), state
