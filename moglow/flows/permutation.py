"""A fixed permutation of the channels."""

import torch
from torch import Generator, Tensor

from moglow.flows.bijection import Bijection, State


class Permutation(Bijection):
    """zᵢ = x at order[i], log|det| = 0: the channels that one coupling keeps are those that the next one changes.

    >>> swap = Permutation(torch.tensor([2, 0, 1]))
    >>> swap(torch.tensor([[[10.0, 11.0, 12.0]]]), torch.zeros(1, 1, 0))[0]
    tensor([[[12., 10., 11.]]])
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    @classmethod
    def reversal(cls, dim: int) -> "Permutation":
        """Returns the permutation that puts the last channel first.

        >>> Permutation.reversal(3).order
        tensor([2, 1, 0])
        """
        return cls(torch.arange(dim).flip(0))

    @classmethod
    def random(cls, dim: int, *, generator: Generator) -> "Permutation":
        """Returns a random permutation."""
        return cls(torch.randperm(dim, generator=generator))

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        return x[..., self.order], x.new_zeros(x.shape[:-1]), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return z[..., self.back], state
