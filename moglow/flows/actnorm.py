"""ActNorm: a shift and a scale per channel, set once from data."""

import torch
from torch import Tensor, nn

from moglow.flows.bijection import Bijection, State

SMALLEST_DEVIATION = 1e-6
"""Added to the measured deviation, so that a constant channel has a finite scale."""


class ActNorm(Bijection):
    """z = (x + bias) · exp(log_scale), one bias and scale per channel (Kingma and Dhariwal, *Glow*, 2018).

    `initialize` sets both so that the output on the given data has mean 0 and deviation 1. Only the first call does:
    the flag is a buffer, saved and loaded with the weights, so resumed training keeps its values.

    >>> norm = ActNorm(2)
    >>> x = torch.tensor([[[1.0, 10.0], [3.0, 30.0]]])
    >>> norm.initialize(x, torch.zeros(1, 2, 0))
    tensor([[[-1., -1.],
             [ 1.,  1.]]])
    """

    initialized: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Tensor) -> Tensor:
        if not self.initialized:
            frames = x.flatten(end_dim=-2)  # (B * T, D)
            deviation = frames.std(dim=0, correction=0) + SMALLEST_DEVIATION
            self.bias.copy_(-frames.mean(dim=0))
            self.log_scale.copy_(-deviation.log())
            self.initialized.fill_(True)
        return super().initialize(x, context)

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        z = (x + self.bias) * self.log_scale.exp()
        return z, self.log_scale.sum().expand(x.shape[:-1]), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return z * (-self.log_scale).exp() - self.bias, state
