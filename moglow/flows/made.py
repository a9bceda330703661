"""A dense net whose answer for a channel sees only the channels before it. Used by `autoregressive`."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear as product
from torch.nn.functional import relu

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

    units: Tensor

    def __init__(
        self, dim: int, context: int, outputs: int, *, hidden: int, layers: int, generator: Generator
    ) -> None:
        super().__init__()
        lowest = 0 if context or dim == 1 else 1
        channels, units = torch.arange(1, dim + 1), lowest + torch.arange(hidden) % (dim - lowest)
        self.dim = dim
        self.register_buffer("units", units, persistent=False)
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

    def solved(self, solve: Callable[[int, Tensor], Tensor], context: Tensor) -> Tensor:
        """Returns the x (B, T, D) whose channel i is solve(i, answer i), each unit computed once, by its degree.

        A unit is known as soon as the channels up to its degree are, so that all channels take one pass of the net
        and not a pass each.

        >>> made = MADE(3, 2, 1, hidden=6, layers=2, generator=Generator().manual_seed(1))
        >>> _ = nn.init.ones_(made.head.layer.weight)
        >>> x = made.solved(lambda i, answer: answer[..., 0] + i, torch.ones(1, 1, 2))
        >>> torch.allclose(x, made(x, torch.ones(1, 1, 2))[..., 0] + torch.arange(3.0))
        True
        """
        first, *further = (layer for layer in self.body if isinstance(layer, Masked))
        dim, order = self.dim, self.units.argsort(stable=True)
        ends = torch.cumsum(torch.bincount(self.units, minlength=dim), dim=0).tolist()
        said = product(context, first.layer.weight[order, dim:], first.layer.bias[order])
        hears = first.layer.weight[order, :dim]
        deeper = [(each.layer.weight[order][:, order], each.layer.bias[order]) for each in further]
        answers = self.head.layer.weight[:, order].view(dim, -1, len(order))
        known, hidden = context[..., :0], [context[..., :0] for _ in (first, *further)]
        for i, (start, end) in enumerate(pairwise([0, *ends])):
            units = relu(said[..., start:end] + product(known, hears[start:end, :i]))
            hidden[0] = torch.cat([hidden[0], units], dim=-1)
            for k, (weight, bias) in enumerate(deeper):
                units = relu(product(hidden[k], weight[start:end, :end], bias[start:end]))
                hidden[k + 1] = torch.cat([hidden[k + 1], units], dim=-1)
            answer = product(hidden[-1], answers[i, :, :end], self.head.layer.bias.view(dim, -1)[i])
            known = torch.cat([known, solve(i, answer)[..., None]], dim=-1)
        return known
