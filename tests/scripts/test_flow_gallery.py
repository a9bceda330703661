"""The gallery's verdict: only differences beyond luck are called ahead or behind."""

import torch

from scripts.benchmarks.flow_gallery.densities import DENSITIES
from scripts.benchmarks.flow_gallery.page import Learnt, verdict


def learnt(shifts: list[float]) -> Learnt:
    """Returns log p of three seeds for each density, about −2 nats and what they are shifted by."""
    noise = torch.tensor([-0.01, 0.0, 0.01])
    return Learnt((), -2 + torch.tensor(shifts)[:, None] + noise, 0, 0.0)


def test_what_is_better_or_worse_by_more_than_luck_is_named() -> None:
    one, two = list(DENSITIES)[:2]
    noisy = learnt([0.0, 0.0, 0.0, 0.0])
    theirs = {"MAF": Learnt((), noisy.found.flip(1), 0, 0.0)}
    level, unequal = {"MAF": noisy}, {"MAF": learnt([0.5, -0.25, 0.01, 0.0])}
    assert verdict(level, theirs).endswith("ahead with none and behind with none.")
    said = verdict(unequal, theirs)
    assert f"ahead with MAF on {one} by 0.500 nats and behind with MAF on {two} by 0.250 nats." in said
