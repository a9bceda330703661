"""Parameters of a bijection that a net shifts depending on the context and the past."""

import torch
from torch import Tensor, nn

from moglow.flows.bijection import State
from moglow.flows.nets import Conditioner

REACH = 3.0
"""Largest shift of a parameter, so that a context far from the training data gives no nearly singular bijection."""


class ConditionalParameters(nn.Module):
    """p = start + 3 · tanh(net(context, past) / 3): P numbers per frame, constants where the net's output is zero.

    >>> from moglow.flows.nets import MLP
    >>> net = MLP(0, 2, 3, hidden=4, layers=1, generator=torch.Generator())
    >>> ConditionalParameters(torch.ones(3), net)(torch.zeros(1, 1, 2))[0]
    tensor([[[1., 1., 1.]]], ...)
    """

    def __init__(self, start: Tensor, conditioner: Conditioner) -> None:
        """Takes the P initial numbers and a net with 0 inputs, the context and P outputs."""
        super().__init__()
        self.start = nn.Parameter(start)
        self.conditioner = conditioner

    def forward(self, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the numbers (B, T, P) of each frame and the state after the last."""
        shift, state = self.conditioner(context[..., :0], context, state)
        return self.start + REACH * torch.tanh(shift / REACH), state
