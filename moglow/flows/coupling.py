"""Affine coupling: a net computes the shift and scale of one part of the channels from the other part."""

import torch
from torch import Tensor

from moglow.flows.bijection import Bijection, State
from moglow.flows.nets import Conditioner
from moglow.flows.scales import ScaleMap


class AffineCoupling(Bijection):
    """z₁ = x₁ and z₂ = (x₂ + t) · s, where (t, a) = net(x₁, context, state) and s = scale(a) (*MoGlow*, 2020).

    The first part has `kept` channels, by default ⌊D / 2⌋. Since x₁ is unchanged, the inverse evaluates the same net on
    the same input: x₂ = z₂ / s − t. The shift comes before the scale, as in the paper. With `kept=0` it is a diagonal
    affine map whose entries depend on context and state: a conditional Gaussian, as a bijection.

    >>> from moglow.flows.nets import MLP
    >>> from moglow.flows.scales import bounded_scale
    >>> net = MLP(1, 0, 4, hidden=8, layers=1, generator=torch.Generator())
    >>> coupling = AffineCoupling(3, net, bounded_scale)
    >>> coupling(torch.ones(1, 1, 3), torch.zeros(1, 1, 0))[0]  # the net's output is zero: the identity
    tensor([[[1., 1., 1.]]], ...)
    """

    def __init__(
        self, dim: int, conditioner: Conditioner, scale: ScaleMap, *, kept: int | None = None
    ) -> None:
        """Takes a net with `kept` inputs and 2 (D − kept) outputs."""
        super().__init__()
        self.kept = dim // 2 if kept is None else kept
        self.conditioner = conditioner
        self.scale = scale

    def shift_and_scale(self, kept: Tensor, context: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Returns t and s (B, T, D − kept) and the state after the last frame."""
        outputs, state = self.conditioner(kept, context, state)
        shift, a = outputs.chunk(2, dim=-1)
        return shift, self.scale(a), state

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        kept, moved = x.tensor_split((self.kept,), dim=-1)
        shift, scale, state = self.shift_and_scale(kept, context, state)
        return torch.cat([kept, (moved + shift) * scale], dim=-1), scale.log().sum(dim=-1), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        kept, moved = z.tensor_split((self.kept,), dim=-1)
        shift, scale, state = self.shift_and_scale(kept, context, state)
        return torch.cat([kept, moved / scale - shift], dim=-1), state
