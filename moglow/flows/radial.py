"""Radial flow: contracts poses towards a centre or expands them away from it."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from moglow.flows.bijection import Bijection, State
from moglow.flows.nets import Conditioner
from moglow.flows.parameters import ConditionalParameters

FLATTEST = 0.1
"""Lower bound of the slope 1 + β / α, so that the inverse stretches distances and rounding errors at most tenfold."""

ZERO_AT_ZERO = math.log(math.expm1(1 - FLATTEST))
"""Its softplus is 1 − FLATTEST, so that the map starts as the identity."""


class Radial(Bijection):
    """z = x + β · (x − x₀) / (α + r), r = |x − x₀| (Rezende and Mohamed, arXiv 1505.05770, 2015).

    α = exp(a) and β = α · (softplus(b + c) − 1 + 0.1) > −α for any a and b, so the distance from the centre increases
    with r: s = |z − x₀| = r · (1 + β / (α + r)). This is a quadratic equation for r; the inverse is its positive root.
    ladj = (D − 1) · log(1 + β / (α + r)) + log(1 + α β / (α + r)²). A small net shifts the centre, a and b depending
    on context and past.

    >>> from moglow.flows.nets import MLP
    >>> generator = Generator().manual_seed(1)
    >>> radial = Radial(3, MLP(0, 2, Radial.outputs(3), hidden=4, layers=1, generator=generator), generator=generator)
    >>> x = torch.ones(1, 1, 3)
    >>> torch.allclose(radial(x, torch.zeros(1, 1, 2))[0], x)  # the net's output is zero: the identity
    True
    """

    def __init__(self, dim: int, conditioner: Conditioner, *, generator: Generator) -> None:
        super().__init__()
        self.parts = (dim, 1, 1)
        centre = torch.randn(dim, generator=generator)
        reach = torch.full((1,), math.log(dim) / 2)  # α is then as large as a typical r
        self.numbers = ConditionalParameters(torch.cat([centre, reach, torch.zeros(1)]), conditioner)

    @staticmethod
    def outputs(dim: int) -> int:
        """Returns the number of outputs of the net: the centre, a and b."""
        return dim + 2

    def shape(self, context: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, State]:
        """Returns the centre (B, T, D), α and β (B, T, 1), and the state after the last frame."""
        numbers, state = self.numbers(context, state)
        centre, a, b = numbers.split(self.parts, dim=-1)
        alpha = a.exp()
        return centre, alpha, alpha * (softplus(b + ZERO_AT_ZERO) - (1 - FLATTEST)), state

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        centre, alpha, beta, state = self.shape(context, state)
        away = x - centre
        near = 1 / (alpha + away.norm(dim=-1, keepdim=True))
        ladj = (x.shape[-1] - 1) * torch.log1p(beta * near) + torch.log1p(alpha * beta * near.square())
        return x + beta * near * away, ladj[..., 0], state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        centre, alpha, beta, state = self.shape(context, state)
        away = z - centre
        distance = away.norm(dim=-1, keepdim=True)
        half = (distance - alpha - beta) / 2
        root = (half.square() + distance * alpha).sqrt()
        # r = half + root. For negative half the sum cancels digits; r from the product of both roots, −s α, does not.
        r = torch.where(half > 0, half + root, distance * alpha / (root - half))
        return centre + away / (1 + beta / (alpha + r)), state
