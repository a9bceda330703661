"""A dense net whose answer for a channel sees only the channels before it. Used by `autoregressive`."""

from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear as product

from moglow.flows.nets import linear


class Masked(nn.Module):
    """A dense layer of which only the weights under a mask (outputs, inputs) count."""

    mask: Tensor

    def __init__(self, layer: nn.Linear, mask: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("mask", mask, persistent=False)  # it follows from the widths

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.layer.weight * self.mask, self.layer.bias)


class MADE(nn.Module):
    """Answers (B, T, D, outputs) of which row i depends on x₁ … xᵢ₋₁ and on the whole context.

    Each unit has a degree: channel i has i, the context 0, hidden units 0 … D − 1 in turn. A unit hears those of its
    own degree or less, an answer those of a lower one (Germain et al., *MADE*, arXiv 1502.03509, 2015). Units of degree
    0 hear the context alone, so that the first channel has a net as well; without a context there are none. As in
    `KinkedMLP` units are ReLU and the head is drawn.

    >>> made = MADE(3, 0, 1, hidden=6, layers=2, generator=Generator().manual_seed(1))
    >>> _ = nn.init.ones_(made.head.layer.weight)
    >>> x = torch.linspace(-1, 1, 30).view(1, 10, 3)
    >>> jacobian = torch.autograd.functional.jacobian(lambda x: made(x, x[..., :0]).sum(dim=(0, 1, 3)), x)
    >>> (jacobian != 0).any(dim=2)[:, 0].int()
    tensor([[0, 0, 0],
            [1, 0, 0],
            [1, 1, 0]], dtype=torch.int32)
    """

    def __init__(
        self, dim: int, context: int, outputs: int, *, hidden: int, layers: int, generator: Generator
    ) -> None:
        super().__init__()
        lowest = 0 if context or dim == 1 else 1
        channels, units = torch.arange(1, dim + 1), lowest + torch.arange(hidden) % (dim - lowest)
        heard = torch.cat([channels, torch.zeros(context, dtype=torch.long)])
        body: list[nn.Module] = []
        for before, after in pairwise([heard, *[units] * layers]):
            dense = linear(len(before), hidden, generator=generator)
            body += [Masked(dense, after[:, None] >= before), nn.ReLU()]
        self.body = nn.Sequential(*body)
        answers = channels.repeat_interleave(outputs)
        head = linear(hidden, dim * outputs, generator=generator)
        self.head = Masked(head, answers[:, None] > units)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        said: Tensor = self.head(self.body(torch.cat([x, context], dim=-1)))
        return said.view(*x.shape, -1)
