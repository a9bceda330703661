"""A split of the channels: only the first ones go through further bijections, which makes a flow multi-scale."""

import torch
from torch import Tensor

from moglow.flows.bijection import Bijection, State


class Split(Bijection):
    """z = (f(x₁), x₂), ladj = ladj of f: the first channels go through a further bijection, the rest is unchanged.

    Fine detail takes few steps, and the remaining steps work on the coarse part (*RealNVP*, arXiv 1605.08803, 2017).
    A coupling before it makes x₂ a Gaussian given x₁, as in *Glow* (2018).

    >>> from moglow.flows.permutation import Permutation
    >>> flow = Split(Permutation.reversal(2), going=2)
    >>> flow(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.zeros(1, 1, 0))[0]
    tensor([[[2., 1., 3.]]])
    """

    def __init__(self, further: Bijection, *, going: int) -> None:
        super().__init__()
        self.further = further
        self.going = going

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        going, done = x.tensor_split((self.going,), dim=-1)
        z, ladj, state = self.further(going, context, state)
        return torch.cat([z, done], dim=-1), ladj, state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        gone, done = z.tensor_split((self.going,), dim=-1)
        x, state = self.further.inverse(gone, context, state)
        return torch.cat([x, done], dim=-1), state

    def initialize(self, x: Tensor, context: Tensor) -> Tensor:
        going, done = x.tensor_split((self.going,), dim=-1)
        return torch.cat([self.further.initialize(going, context), done], dim=-1)
