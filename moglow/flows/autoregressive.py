"""Masked autoregressive flow: a net computes each channel's shift and scale from the channels before it."""

from torch import Tensor

from moglow.flows.bijection import Bijection, State
from moglow.flows.made import MADE
from moglow.flows.scales import ScaleMap


class MaskedAffine(Bijection):
    """zᵢ = (xᵢ + tᵢ) · sᵢ, where (t, a)ᵢ = MADE(x₁ … xᵢ₋₁, context) and s = scale(a), ladj = Σ log sᵢ.

    Papamakarios, Pavlakou and Murray, *Masked autoregressive flow*, arXiv 1705.07057, 2017. z takes one pass of the
    net; x is computed channel by channel. Its `Inverse` is the inverse autoregressive flow (arXiv 1606.04934), which
    samples in one pass.

    >>> import torch
    >>> from moglow.flows.scales import symmetric_scale
    >>> flow = MaskedAffine(MADE(3, 0, 2, hidden=8, layers=1, generator=torch.Generator()), symmetric_scale)
    >>> none = torch.zeros(1, 1, 0)
    >>> torch.allclose(flow.inverse(flow(torch.ones(1, 1, 3), none)[0], none)[0], torch.ones(1, 1, 3))
    True
    """

    def __init__(self, net: MADE, scale: ScaleMap) -> None:
        """Takes a net with two outputs per channel."""
        super().__init__()
        self.net = net
        self.scale = scale

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        shift, a = self.net(x, context).unbind(dim=-1)
        scale = self.scale(a)
        return (x + shift) * scale, scale.log().sum(dim=-1), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        def channel(i: int, output: Tensor) -> Tensor:
            shift, a = output.unbind(dim=-1)
            return z[..., i] / self.scale(a) - shift

        return self.net.solve_in_order(channel, context), state
