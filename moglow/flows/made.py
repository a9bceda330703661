"""A dense net whose output for a channel depends only on the channels before it."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear as product
from torch.nn.functional import relu

from moglow.flows.nets import linear


class Masked(nn.Module):
    """A dense layer whose weights are multiplied by a mask (outputs, inputs)."""

    mask: Tensor

    def __init__(self, layer: nn.Linear, mask: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("mask", mask, persistent=False)  # it follows from the widths

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.layer.weight * self.mask, self.layer.bias)


class MADE(nn.Module):
    """A masked autoregressive net: row i of its output (B, T, D, outputs) depends on x₁ … xᵢ₋₁ and the whole context.

    Each unit has a degree: channel i has i, the context 0, hidden units 0 … D − 1 in turn. A hidden unit is connected
    to units of its own degree or less, an output to units of a lower degree (Germain et al., *MADE*, arXiv 1502.03509,
    2015). Units of degree 0 depend on the context alone, so that the first channel is conditional too; without a
    context there are none. As in `ReluMLP`, units are ReLU and the head starts with random weights.

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
        inputs = torch.cat([channels, torch.zeros(context, dtype=torch.long)])
        body: list[nn.Module] = []
        for before, after in pairwise([inputs, *[units] * layers]):
            dense = linear(len(before), hidden, generator=generator)
            body += [Masked(dense, after[:, None] >= before), nn.ReLU()]
        self.body = nn.Sequential(*body)
        degrees = channels.repeat_interleave(outputs)
        head = linear(hidden, dim * outputs, generator=generator)
        self.head = Masked(head, degrees[:, None] > units)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(torch.cat([x, context], dim=-1)))
        return outputs.view(*x.shape, -1)

    def solve_in_order(self, solve: Callable[[int, Tensor], Tensor], context: Tensor) -> Tensor:
        """Returns x (B, T, D) with xᵢ = solve(i, row i of the output), computing each unit once.

        A unit can be computed as soon as the channels up to its degree are known, so all channels together take one
        pass of the net instead of one pass each.

        >>> made = MADE(3, 2, 1, hidden=6, layers=2, generator=Generator().manual_seed(1))
        >>> _ = nn.init.ones_(made.head.layer.weight)
        >>> x = made.solve_in_order(lambda i, output: output[..., 0] + i, torch.ones(1, 1, 2))
        >>> torch.allclose(x, made(x, torch.ones(1, 1, 2))[..., 0] + torch.arange(3.0))
        True
        """
        first, *further = (layer for layer in self.body if isinstance(layer, Masked))
        dim, order = self.dim, self.units.argsort(stable=True)
        ends = torch.cumsum(torch.bincount(self.units, minlength=dim), dim=0).tolist()
        from_context = product(context, first.layer.weight[order, dim:], first.layer.bias[order])
        from_channels = first.layer.weight[order, :dim]
        deeper = [(each.layer.weight[order][:, order], each.layer.bias[order]) for each in further]
        head = self.head.layer.weight[:, order].view(dim, -1, len(order))
        known, hidden = context[..., :0], [context[..., :0] for _ in (first, *further)]
        for i, (start, end) in enumerate(pairwise([0, *ends])):
            units = relu(from_context[..., start:end] + product(known, from_channels[start:end, :i]))
            hidden[0] = torch.cat([hidden[0], units], dim=-1)
            for k, (weight, bias) in enumerate(deeper):
                units = relu(product(hidden[k], weight[start:end, :end], bias[start:end]))
                hidden[k + 1] = torch.cat([hidden[k + 1], units], dim=-1)
            output = product(hidden[-1], head[i, :, :end], self.head.layer.bias.view(dim, -1)[i])
            known = torch.cat([known, solve(i, output)[..., None]], dim=-1)
        return known
