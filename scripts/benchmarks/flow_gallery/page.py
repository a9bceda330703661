"""The page of `flow_gallery`: test likelihoods of flows on four densities in the plane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from scripts.benchmarks.flow_gallery.densities import DENSITIES

INTRODUCTION = """# Each flow on four densities in the plane

`scripts/benchmarks/flow_gallery/run.py` measures log p of {test:,} test points in nats, higher is better; mean and
standard error of {seeds} seeds, each with its own weights and data. All flows are trained on {batch} fresh points a
step with the same optimiser and learning rate; flows of one kind, of moglow and of zuko, have the same number of
steps and nets of the same widths. Seconds are processor time for one flow on one density. The picture shows the flows
of moglow after {steps} steps: densities, and samples below them. An ActNorm follows each step; RealNVP has only the
one before the first step, because with one after each coupling half of its seeds are 0.1 to 0.2 nats worse on the
moons after 400 steps, the mean of 6 at −1.468 ± 0.038.

The comparison of MAF at 400 steps is less certain than the standard errors. The map of zuko, computed by the classes
of moglow with the same initial weights under other masks, reaches −2.999 ± 0.006 on the rings, where zuko reaches
−2.965 ± 0.010, 6 seeds each. Over 18 seeds moglow is 0.013 ± 0.009 worse there, without one seed in which zuko's
diverged. Without effect on the rings, −2.981 to −2.999: the shift after the scale, scales bounded at e^6.9 instead of
e^2, ActNorm before the map or not at all, an invertible matrix instead of the reversal.
"""
SURE = 2.0
"""Standard errors above which a difference counts as significant."""


@dataclass(frozen=True)
class TrainedFlows:
    """Trained flows of one kind, one for each density and seed, with log p of test points ``(densities, seeds)``."""

    models: Sequence[nn.Module]
    log_prob: Tensor
    parameters: int
    seconds: float

    def cells(self, less: "TrainedFlows | None" = None) -> list[str]:
        """Returns `estimates` as text."""
        return [f"{mean:{'+' if less else ''}.3f} ± {error:.3f}" for mean, error in self.estimates(less)]

    def estimates(self, less: "TrainedFlows | None" = None) -> list[tuple[float, float]]:
        """Returns mean and standard error over the seeds for each density, of log p or of the gain over ``less``."""
        values = self.log_prob - less.log_prob if less else self.log_prob
        errors = values.std(dim=1) / values.shape[1] ** 0.5
        return list(zip(values.mean(dim=1).tolist(), errors.tolist(), strict=True))


def table(ours: Mapping[str, TrainedFlows], theirs: Mapping[str, TrainedFlows]) -> str:
    """Returns a Markdown table of test likelihoods: a row for each flow and each difference, a column for a density."""
    lines = [
        f"| flow | parameters | {' | '.join(DENSITIES)} | seconds |",
        "|---" * (len(DENSITIES) + 3) + "|",
    ]
    rows = {**ours, **{f"{flow}, zuko": trained for flow, trained in theirs.items()}}
    for flow, trained in rows.items():
        cells = " | ".join(trained.cells())
        lines.append(f"| {flow} | {trained.parameters:,} | {cells} | {trained.seconds:.1f} |")
    for flow, trained in theirs.items():
        lines.append(f"| **{flow}, moglow − zuko** | | {' | '.join(ours[flow].cells(trained))} | |")
    return "\n".join(lines)


def comparison(ours: Mapping[str, TrainedFlows], theirs: Mapping[str, TrainedFlows]) -> str:
    """Returns a sentence that names the significant differences between the flows of moglow and of zuko."""
    differences: dict[str, list[str]] = {"better": [], "worse": []}
    for flow, trained in theirs.items():
        for density, (mean, error) in zip(DENSITIES, ours[flow].estimates(trained), strict=True):
            if abs(mean) > SURE * error:
                side = "better" if mean > 0 else "worse"
                differences[side].append(f"{flow} on {density} by {abs(mean):.3f} nats")
    parts = [f"{side} with {', '.join(which) or 'none'}" for side, which in differences.items()]
    return f"By more than {SURE:g} standard errors, moglow is {' and '.join(parts)}."
