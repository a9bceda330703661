"""A small convolutional net that is trained to distinguish sampled from recorded windows of motion."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class DiscriminatorSpec:
    """The width of the net, and its training by AdamW."""

    hidden: int = 32
    steps: int = 200
    batch: int = 128
    rate: float = 3e-3
    decay: float = 0.02
    noise: float = 0.05
    """Standard deviation of the noise added to the standardised windows in training."""


class Discriminator(nn.Module):
    """Two convolutions over time, their mean and maximum, and a linear layer for the log-odds of sampled motion."""

    def __init__(self, channels: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        layers = nn.Conv1d(channels, hidden, 3), nn.Conv1d(hidden, hidden, 3)
        self.convolutions = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU())
        self.head = nn.Linear(2 * hidden, 1)
        for layer in (*layers, self.head):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, windows: Tensor) -> Tensor:
        """Returns the log-odds ``(B,)`` of windows ``(B, channels, n)``."""
        found = self.convolutions(windows)
        pooled = torch.cat([found.mean(-1), found.amax(-1)], dim=1)
        odds: Tensor = self.head(pooled)[:, 0]
        return odds


def log_odds(
    real: Floats, other: Floats, unseen: Flags, *, spec: DiscriminatorSpec, seed: int
) -> tuple[Floats, Floats]:
    """Returns the log-odds of being sampled, of the unseen recorded windows and of the unseen others.

    ``real`` and ``other`` ``(N, n, j, 6)`` correspond row by row; both windows of an unseen row are unseen.
    """
    known = np.concatenate([real[~unseen], other[~unseen]])
    mean, deviation = real[~unseen].mean((0, 1)), real[~unseen].std((0, 1)) + 1e-3

    def prepared(windows: Floats) -> Tensor:
        scaled = np.clip((windows - mean) / deviation, -10, 10)
        return torch.as_tensor(scaled.reshape(*scaled.shape[:2], -1).transpose(0, 2, 1).copy())

    generator = torch.Generator().manual_seed(seed)
    values, labels = prepared(known), torch.arange(len(known)).ge(len(known) // 2).float()
    net = Discriminator(values.shape[1], spec.hidden, generator)
    optimizer = torch.optim.AdamW(net.parameters(), lr=spec.rate, weight_decay=spec.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, spec.rate, total_steps=spec.steps)
    for _ in range(spec.steps):
        rows = torch.randint(len(values), (spec.batch,), generator=generator)
        shown = values[rows]
        shown = shown + spec.noise * torch.randn(shown.shape, generator=generator)
        loss = nn.functional.binary_cross_entropy_with_logits(net(shown), labels[rows])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        truth, sampled = (net(prepared(windows[unseen])).numpy() for windows in (real, other))
    return truth, sampled


def area_under_curve(low: Floats, high: Floats) -> float:
    """Returns the share of pairs whose second number is larger; ties count half.

    >>> area_under_curve(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    order = np.sort(low)
    below, upto = np.searchsorted(order, high, "left"), np.searchsorted(order, high, "right")
    return float((below + upto).mean() / 2 / len(low))
