"""Planar flow: moves the pose along one direction by an amount that depends on its coordinate along another."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from moglow.flows.bijection import Bijection, State
from moglow.flows.nets import Conditioner
from moglow.flows.parameters import ConditionalParameters
from moglow.flows.roots import increasing_root

FLATTEST = 0.1
"""Lower bound of the slope 1 + wᵀu, so that the inverse stretches distances and rounding errors at most tenfold."""

ZERO_AT_ZERO = math.log(math.expm1(1 - FLATTEST))
"""Its softplus is 1 − FLATTEST, so that u = v where v is at a right angle to w."""


class Planar(Bijection):
    """z = x + u · tanh(wᵀx + b), ladj = log(1 + wᵀu · tanh'(wᵀx + b)) (Rezende and Mohamed, arXiv 1505.05770, 2015).

    The parameters w, v and b are unconstrained: u is v with its component along w replaced, so that
    wᵀu = softplus(wᵀv + c) − 1 + 0.1 > −1. Along w the map is then increasing, a + wᵀu · tanh(a) = wᵀz + b for
    a = wᵀx + b, and the inverse is x = z − u · tanh(a). A small net shifts w, v and b depending on context and past.

    >>> from moglow.flows.nets import MLP
    >>> generator = Generator().manual_seed(1)
    >>> planar = Planar(3, MLP(0, 2, Planar.outputs(3), hidden=4, layers=1, generator=generator), generator=generator)
    >>> x, context = torch.ones(1, 1, 3), torch.zeros(1, 1, 2)
    >>> z, ladj, _ = planar(x, context)
    >>> torch.allclose(planar.inverse(z, context)[0], x, atol=1e-6)
    True
    """

    def __init__(self, dim: int, conditioner: Conditioner, *, generator: Generator) -> None:
        super().__init__()
        # wᵀx has deviation one on standardised poses, for any number of channels.
        directions = torch.randn(2, dim, generator=generator) * dim**-0.5
        self.parts = (dim, dim, 1)
        self.numbers = ConditionalParameters(torch.cat([*directions, torch.zeros(1)]), conditioner)

    @staticmethod
    def outputs(dim: int) -> int:
        """Returns the number of outputs of the net: w, v and b."""
        return 2 * dim + 1

    def directions(self, context: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, Tensor, State]:
        """Returns w and u (B, T, D), b and wᵀu (B, T), and the state after the last frame."""
        numbers, state = self.numbers(context, state)
        w, v, b = numbers.split(self.parts, dim=-1)
        along = (w * v).sum(dim=-1)
        slope = softplus(along + ZERO_AT_ZERO) - (1 - FLATTEST)
        square = w.square().sum(dim=-1).clamp(min=torch.finfo(w.dtype).tiny)
        u = v + ((slope - along) / square)[..., None] * w
        return w, u, b[..., 0], slope, state

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        w, u, b, slope, state = self.directions(context, state)
        bend = torch.tanh((w * x).sum(dim=-1) + b)
        return x + u * bend[..., None], torch.log1p(slope * (1 - bend.square())), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        w, u, b, slope, state = self.directions(context, state)

        def curve(a: Tensor) -> tuple[Tensor, Tensor]:
            bend = torch.tanh(a)
            return a + slope * bend, 1 + slope * (1 - bend.square())

        target = (w * z).sum(dim=-1) + b
        a = increasing_root(curve, target, target - slope.abs(), target + slope.abs())
        return z - u * torch.tanh(a)[..., None], state
