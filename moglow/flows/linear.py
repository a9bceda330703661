"""An invertible matrix across the channels, parametrised by its LU factors."""

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import Bijection, State


class InvertibleLinear(Bijection):
    """z = W x with W = P · L · (U + diag(sign · exp(log_scale))), so that log|det W| = Σ log_scale (*Glow*, 2018).

    P is a fixed permutation, L has a unit diagonal, U is strictly upper. W starts as a random rotation. L and U are
    stored as full matrices of which one triangle is used, which gives the parameter count of the MoGlow paper.

    >>> mix = InvertibleLinear(3)
    >>> W = mix.weight()
    >>> torch.allclose(W @ W.T, torch.eye(3), atol=1e-6)
    True
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, dim: int, *, generator: Generator | None = None) -> None:
        super().__init__()
        noise = torch.randn(dim, dim, dtype=torch.float64, generator=generator or Generator().manual_seed(0))
        rotation = torch.linalg.qr(noise).Q
        permutation, lower, upper = (m.float() for m in torch.linalg.lu(rotation))
        diagonal = upper.diagonal()
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(diagonal.abs().log())
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())

    def factors(self) -> tuple[Tensor, Tensor]:
        """Returns the unit lower triangular L and the upper triangular factor with its diagonal."""
        eye = torch.eye(len(self.sign), dtype=self.lower.dtype, device=self.lower.device)
        return self.lower.tril(-1) + eye, self.upper.triu(1) + torch.diag(self.sign * self.log_scale.exp())

    def weight(self) -> Tensor:
        """Returns W (D, D), which multiplies column vectors."""
        lower, upper = self.factors()
        return self.permutation @ lower @ upper

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        return x @ self.weight().T, self.log_scale.sum().expand(x.shape[:-1]), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        # In rows instead of columns: x Uᵀ Lᵀ Pᵀ = z. Two triangular solves invert it; W⁻¹ is never formed.
        lower, upper = self.factors()
        y = torch.linalg.solve_triangular(
            lower.T, z @ self.permutation, upper=True, left=False, unitriangular=True
        )
        return torch.linalg.solve_triangular(upper.T, y, upper=False, left=False), state
