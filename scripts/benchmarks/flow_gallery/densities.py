"""Four densities in the plane on which flows are compared; a generator determines the points."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

PointSampler = Callable[[int, Generator], Tensor]


def two_moons(count: int, generator: Generator) -> Tensor:
    """Returns points ``(count, 2)`` on two interleaved half circles."""
    angle = math.pi * torch.rand(count, generator=generator)
    upper = torch.rand(count, generator=generator) < 0.5
    x = torch.where(upper, angle.cos() - 0.5, 0.5 - angle.cos())
    y = torch.where(upper, angle.sin() - 0.25, 0.25 - angle.sin())
    return 1.4 * (torch.stack([x, y], dim=-1) + 0.07 * torch.randn(count, 2, generator=generator))


def rings(count: int, generator: Generator) -> Tensor:
    """Returns points on three circles about the origin."""
    radius = (1 + torch.randint(3, (count,), generator=generator)) * 0.8
    radius = radius + 0.08 * torch.randn(count, generator=generator)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=-1)


def checkerboard(count: int, generator: Generator) -> Tensor:
    """Returns points on the dark squares of a 4 × 4 board."""
    column = torch.randint(4, (count,), generator=generator)
    row = 2 * torch.randint(2, (count,), generator=generator) + column % 2
    corner = torch.stack([column, row], dim=-1) - 2.0
    return 1.2 * (corner + torch.rand(count, 2, generator=generator))


def spiral(count: int, generator: Generator) -> Tensor:
    """Returns points on two arms that wind one and a half times around the origin."""
    turn = torch.rand(count, generator=generator).sqrt() * 3 * math.pi
    arm = torch.randint(2, (count,), generator=generator) * 2.0 - 1
    along = torch.stack([turn.cos(), turn.sin()], dim=-1) * (arm * turn / 3.6)[:, None]
    return along + 0.08 * torch.randn(count, 2, generator=generator)


DENSITIES: Mapping[str, PointSampler] = {
    "two moons": two_moons,
    "rings": rings,
    "checkerboard": checkerboard,
    "spiral": spiral,
}
