"""The numbers a bijection is made of, moved by a net on the context and the past. Used by `planar`, `radial`."""

import torch
from torch import Tensor, nn

from moglow.flows.bijection import State
from moglow.flows.nets import Conditioner

REACH = 3.0
"""The furthest that a net moves a number: a context far from all others then makes no nearly singular bijection."""


class ConditionalParameters(nn.Module):
    """p = start + 3 · tanh(net(context, past) / 3): P numbers a frame, which without a net's word are learnt constants.

    >>> from moglow.flows.nets import MLP
    >>> net = MLP(0, 2, 3, hidden=4, layers=1, generator=torch.Generator())
    >>> ConditionalParameters(torch.ones(3), net)(torch.zeros(1, 1, 2))[0]
    tensor([[[1., 1., 1.]]], ...)
    """

    def __init__(self, start: Tensor, conditioner: Conditioner) -> None:
        """Takes the P numbers to start from and a net of 0 inputs, the context and P outputs."""
        super().__init__()
        self.start = nn.Parameter(start)
        self.conditioner = conditioner

    def forward(self, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the numbers (B, T, P) of each frame and the state after the last."""
        said, state = self.conditioner(context[..., :0], context, state)
        return self.start + REACH * torch.tanh(said / REACH), state
