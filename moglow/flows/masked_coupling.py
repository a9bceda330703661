"""RealNVP's coupling: a mask selects the channels that are kept; two opposite masks change all of them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from moglow.flows.bijection import State
from moglow.flows.coupling import AffineCoupling
from moglow.flows.nets import Conditioner
from moglow.flows.scales import ScaleMap

MASKS: Mapping[str, Callable[[int], Tensor]] = {
    "checkerboard": lambda dim: torch.arange(dim, device="cpu") % 2 == 0,
    "channel": lambda dim: torch.arange(dim, device="cpu") < dim // 2,
}
"""Masks of the channels that are kept: every other one, or the first half. The next coupling takes the opposite.
They lie on the CPU, since sizes of nets follow from them also where a model is made on the meta device."""


class MaskedCoupling(AffineCoupling):
    """z = m ⊙ x + (1 − m) ⊙ (x + t) ⊙ s, where (t, a) = net(x at m, context, state) and s = scale(a).

    Dinh, Sohl-Dickstein and Bengio, *Density estimation using Real NVP*, arXiv 1605.08803, 2017. The shift comes first,
    as in all couplings here. The kept channels are moved to the front, coupled, and moved back.

    >>> from moglow.flows.nets import MLP
    >>> from moglow.flows.scales import symmetric_scale
    >>> net = MLP(2, 0, 2, hidden=8, layers=1, generator=torch.Generator())
    >>> coupling = MaskedCoupling(MASKS["checkerboard"](3), net, symmetric_scale)
    >>> _ = net.head.bias.data.fill_(1.0)
    >>> coupling(torch.zeros(1, 1, 3), torch.zeros(1, 1, 0))[0]
    tensor([[[0.0000, 2.5199, 0.0000]]], ...)
    """

    order: Tensor
    back: Tensor

    def __init__(self, mask: Tensor, conditioner: Conditioner, scale: ScaleMap) -> None:
        """Takes a mask (D,) and a net with one input per kept channel and two outputs per other channel."""
        super().__init__(len(mask), conditioner, scale, kept=int(mask.sum()))
        order = torch.cat([mask.nonzero()[:, 0], (~mask).nonzero()[:, 0]])
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        z, ladj, state = super().forward(x[..., self.order], context, state)
        return z[..., self.back], ladj, state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        x, state = super().inverse(z[..., self.order], context, state)
        return x[..., self.back], state
