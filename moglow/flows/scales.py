"""Maps from what a net says to a scale that is positive and at most about 1. Used by `coupling`."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

ScaleMap = Callable[[Tensor], Tensor]

AT_ZERO = torch.sigmoid(torch.tensor(2.0, dtype=torch.float64)).item()
"""σ(2) = 0.88, the paper's scale where a net says zero, as it does before training."""


def paper_scale(a: Tensor) -> Tensor:
    """Returns s = σ(a + 2) + 1e-6, in (1e-6, 1 + 1e-6): 0.88 at a = 0.

    >>> round(paper_scale(torch.tensor(0.0)).item(), 4)
    0.8808
    """
    return torch.sigmoid(a + 2.0) + 1e-6


def bounded_scale(a: Tensor) -> Tensor:
    """Returns s = σ(a + 2) + 1 − σ(2), in (0.119, 1.119): the identity at a = 0.

    No frame can then be squeezed by more than 0.119 a step, so no roll-out is stretched by more than its inverse
    (a departure from the paper, for stable roll-outs).

    >>> bounded_scale(torch.tensor(0.0)).item()
    1.0
    """
    return torch.sigmoid(a + 2.0) + (1.0 - AT_ZERO)


SCALES: Mapping[str, ScaleMap] = {"paper": paper_scale, "bounded": bounded_scale}
