"""Some channels go on, the others are done: what makes a flow multi-scale. Stands on `bijection`."""

import torch
from torch import Tensor

from moglow.flows.bijection import Bijection, State


class Split(Bijection):
    """z = (f(x₁), x₂), ladj = ladj of f: the first channels go through a further bijection, the rest is as it is.

    So fine detail leaves early and cheap, and the steps that are left work on what is coarse (*RealNVP*, arXiv
    1605.08803, 2017). A coupling before it makes the rest a Gaussian given the first, as in *Glow* (2018).

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
