"""The page of `flow_gallery`: what flows know of four densities in the plane, in words and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from scripts.benchmarks.flow_gallery.densities import DENSITIES

SAID = """# What each flow makes of four densities in the plane

By `scripts/benchmarks/flow_gallery/run.py`: log p over {test:,} points that no flow has seen, in nats, higher
is better; mean and
standard error of {seeds} seeds, each with weights and data of its own. All learn from {batch} fresh points a step with
the same optimiser and rates; flows of one kind, ours and zuko's, have as many steps and nets of the same widths.
Seconds are those of a processor for one flow on one density. The picture has ours after {steps} steps: densities,
below them samples. ActNorm stands after each step, but for RealNVP only before the first: with one after each coupling,
half of its seeds are 0.1 to 0.2 nats behind on the moons after 400 steps, the mean of 6 at −1.468 ± 0.038.

What is certain of MAF at 400 steps is less than the errors say. zuko's own map, computed by our classes with the same
draws, of which masks hide others, comes to −2.999 ± 0.006 on the rings where zuko comes to −2.965 ± 0.010, 6 seeds
each. Over 18 seeds ours are behind there by 0.013 ± 0.009, leaving out one in which zuko's diverged. Tried without
effect on the rings, −2.981 to −2.999: the shift after the scale, scales bounded at e^6.9 instead of e^2, ActNorm before
the map or nowhere, an invertible matrix instead of the reversal.
"""
SURE = 2.0
"""Standard errors by which a difference is more than luck."""


@dataclass(frozen=True)
class Learnt:
    """Flows of a kind, one for each density and seed, and what they say of unseen points: log p (densities, seeds)."""

    models: Sequence[nn.Module]
    found: Tensor
    parameters: int
    seconds: float

    def cells(self, less: "Learnt | None" = None) -> list[str]:
        """Returns `estimates` in words."""
        return [f"{mean:{'+' if less else ''}.3f} ± {error:.3f}" for mean, error in self.estimates(less)]

    def estimates(self, less: "Learnt | None" = None) -> list[tuple[float, float]]:
        """Returns mean and standard error over the seeds for each density, or those of what it is better by."""
        values = self.found - less.found if less else self.found
        errors = values.std(dim=1) / values.shape[1] ** 0.5
        return list(zip(values.mean(dim=1).tolist(), errors.tolist(), strict=True))


def table(ours: Mapping[str, Learnt], theirs: Mapping[str, Learnt]) -> str:
    """Returns test likelihoods in Markdown, flows down, densities across, and what ours are better by."""
    lines = [
        f"| flow | parameters | {' | '.join(DENSITIES)} | seconds |",
        "|---" * (len(DENSITIES) + 3) + "|",
    ]
    rows = {**ours, **{f"{flow}, zuko": learnt for flow, learnt in theirs.items()}}
    for flow, learnt in rows.items():
        cells = " | ".join(learnt.cells())
        lines.append(f"| {flow} | {learnt.parameters:,} | {cells} | {learnt.seconds:.1f} |")
    for flow, learnt in theirs.items():
        lines.append(f"| **{flow}, ours − zuko's** | | {' | '.join(ours[flow].cells(learnt))} | |")
    return "\n".join(lines)


def verdict(ours: Mapping[str, Learnt], theirs: Mapping[str, Learnt]) -> str:
    """Returns a sentence on where ours are better than zuko's, and where they are worse, by more than luck."""
    said: dict[str, list[str]] = {"ahead": [], "behind": []}
    for flow, learnt in theirs.items():
        for density, (mean, error) in zip(DENSITIES, ours[flow].estimates(learnt), strict=True):
            if abs(mean) > SURE * error:
                said["ahead" if mean > 0 else "behind"].append(f"{flow} on {density} by {abs(mean):.3f} nats")
    places = [f"{where} with {', '.join(which) or 'none'}" for where, which in said.items()]
    return f"By more than {SURE:g} standard errors, ours are {' and '.join(places)}."
