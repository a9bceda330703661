"""Maps from a net's output to a positive, bounded scale."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

ScaleMap = Callable[[Tensor], Tensor]

AT_ZERO = torch.sigmoid(torch.tensor(2.0, dtype=torch.float64)).item()
"""σ(2) = 0.88, the paper's scale where a net's output is zero, as it is before training."""

WIDEST = 2.0
"""The largest |log s| of `symmetric_scale`."""


def paper_scale(a: Tensor) -> Tensor:
    """Returns s = σ(a + 2) + 1e-6, in (1e-6, 1 + 1e-6): 0.88 at a = 0.

    >>> round(paper_scale(torch.tensor(0.0)).item(), 4)
    0.8808
    """
    return torch.sigmoid(a + 2.0) + 1e-6


def bounded_scale(a: Tensor) -> Tensor:
    """Returns s = σ(a + 2) + 1 − σ(2), in (0.119, 1.119): the identity at a = 0.

    A step cannot contract a frame by more than 0.119, so it cannot expand one by more than the inverse when sampling
    (a departure from the paper, for stable roll-outs).

    >>> bounded_scale(torch.tensor(0.0)).item()
    1.0
    """
    return torch.sigmoid(a + 2.0) + (1.0 - AT_ZERO)


def symmetric_scale(a: Tensor) -> Tensor:
    """Returns s = exp(2 · tanh(a / 2)), in (0.135, 7.39): the identity at a = 0, with equal bounds for both directions.

    A flow whose first layer standardises its input needs to expand as well as to contract (the scale of *RealNVP*,
    2017).

    >>> round(symmetric_scale(torch.tensor(100.0)).item(), 2)
    7.39
    """
    return torch.exp(WIDEST * torch.tanh(a / WIDEST))


FLOORS: Mapping[ScaleMap, float] = {paper_scale: 1e-6, bounded_scale: 1.0 - AT_ZERO}
"""The constant `floor` of the scales of the form σ(a + 2) + floor."""

SCALES: Mapping[str, ScaleMap] = {
    "paper": paper_scale,
    "bounded": bounded_scale,
    "symmetric": symmetric_scale,
}
