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
        return triangular_factors(self.lower, self.upper, self.sign, self.log_scale)

    def weight(self) -> Tensor:
        """Returns W (D, D), which multiplies column vectors."""
        return invertible_matrix(self.permutation, self.lower, self.upper, self.sign, self.log_scale)

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        return x @ self.weight().T, self.log_scale.sum().expand(x.shape[:-1]), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        # In rows instead of columns: x Uᵀ Lᵀ Pᵀ = z. Two triangular solves invert it; W⁻¹ is never formed.
        lower, upper = self.factors()
        y = torch.linalg.solve_triangular(
            lower.T, z @ self.permutation, upper=True, left=False, unitriangular=True
        )
        return torch.linalg.solve_triangular(upper.T, y, upper=False, left=False), state


def triangular_factors(
    lower: Tensor, upper: Tensor, sign: Tensor, log_scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns L and U + diag(sign · exp(log_scale)) of stored factors (…, D, D), of which one triangle is used."""
    eye = torch.eye(sign.shape[-1], dtype=lower.dtype, device=lower.device)
    return lower.tril(-1) + eye, upper.triu(1) + torch.diag_embed(sign * log_scale.exp())


def invertible_matrix(
    permutation: Tensor, lower: Tensor, upper: Tensor, sign: Tensor, log_scale: Tensor
) -> Tensor:
    """Returns W (…, D, D) of stored factors."""
    unit, diagonal = triangular_factors(lower, upper, sign, log_scale)
    return permutation @ unit @ diagonal
