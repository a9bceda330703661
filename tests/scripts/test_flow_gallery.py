"""The comparison of the flow gallery names significant differences only."""

import torch

from scripts.benchmarks.flow_gallery.densities import DENSITIES
from scripts.benchmarks.flow_gallery.page import TrainedFlows, comparison


def trained_flows(shifts: list[float]) -> TrainedFlows:
    """Returns log p of three seeds for each density, around −2 nats plus a shift."""
    noise = torch.tensor([-0.01, 0.0, 0.01])
    return TrainedFlows((), -2 + torch.tensor(shifts)[:, None] + noise, 0, 0.0)


def test_significant_differences_are_named() -> None:
    one, two = list(DENSITIES)[:2]
    noisy = trained_flows([0.0, 0.0, 0.0, 0.0])
    theirs = {"MAF": TrainedFlows((), noisy.log_prob.flip(1), 0, 0.0)}
    level, unequal = {"MAF": noisy}, {"MAF": trained_flows([0.5, -0.25, 0.01, 0.0])}
    assert comparison(level, theirs).endswith("better with none and worse with none.")
    text = comparison(unequal, theirs)
    assert f"better with MAF on {one} by 0.500 nats and worse with MAF on {two} by 0.250 nats." in text
