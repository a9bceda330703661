"""Trains each flow on four densities in the plane; writes a picture and test likelihoods beside another library's.

    pip install matplotlib zuko
    python scripts/benchmarks/flow_gallery/run.py docs/flow_gallery.png docs/flow_gallery.md

Data, optimiser, steps, batches, learning rates and sizes are the same for all. Flows that zuko has too are also trained
for longer. Without zuko its rows are omitted.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, stack_module_state

from moglow.flows.actnorm import ActNorm
from moglow.flows.autoregressive import MaskedAffine
from moglow.flows.bases import StandardNormal
from moglow.flows.bijection import Bijection, Chain, Inverse
from moglow.flows.coupling import AffineCoupling
from moglow.flows.glow import GlowStep
from moglow.flows.linear import InvertibleLinear
from moglow.flows.made import MADE
from moglow.flows.masked_coupling import MASKS, MaskedCoupling
from moglow.flows.nets import MLP, ReluMLP
from moglow.flows.permutation import Permutation
from moglow.flows.planar import Planar
from moglow.flows.radial import Radial
from moglow.flows.scales import symmetric_scale
from scripts.benchmarks.flow_gallery.densities import DENSITIES, PointSampler
from scripts.benchmarks.flow_gallery.page import INTRODUCTION, TrainedFlows, comparison, table

HIDDEN, LAYERS = 32, 2  # of each net
STEPS = 8  # couplings, autoregressive maps
BENDS = 16  # planar and radial steps; each bends the plane once
BATCH, TEST = 512, 10_000  # points
RATE = 5e-3  # of Adam, at its peak; a cosine schedule reduces it to zero
LARGEST_GRADIENT = 10.0
VIEW = 3.2  # the picture reaches from −VIEW to VIEW
CELLS = 120  # of the picture's densities, along each side
SHOWN = 2000  # samples


def planar(k: int, generator: Generator) -> Bijection:
    weights = MLP(0, 1, Planar.outputs(2), hidden=1, layers=1, generator=generator)  # the context is always 1
    return Planar(2, weights, generator=generator)


def radial(k: int, generator: Generator) -> Bijection:
    weights = MLP(0, 1, Radial.outputs(2), hidden=1, layers=1, generator=generator)
    return Radial(2, weights, generator=generator)


def net(generator: Generator) -> ReluMLP:
    """Returns the net of a coupling of two channels."""
    return ReluMLP(1, 0, 2, hidden=HIDDEN, layers=LAYERS, generator=generator)


def realnvp(k: int, generator: Generator) -> Bijection:
    # No ActNorm in between, unlike in `models.realnvp`: with it half of the seeds are 0.1 nats and more worse on the
    # two moons after 400 steps, and the other densities gain nothing significant.
    mask = MASKS["checkerboard"](2)
    return MaskedCoupling(mask if k % 2 else ~mask, net(generator), symmetric_scale)


def glow(k: int, generator: Generator) -> Bijection:
    linear = InvertibleLinear(2, generator=generator)
    return GlowStep(
        actnorm=ActNorm(2), linear=linear, coupling=AffineCoupling(2, net(generator), symmetric_scale)
    )


def masked(generator: Generator) -> MaskedAffine:
    made = MADE(2, 0, 2, hidden=HIDDEN, layers=LAYERS, generator=generator)
    return MaskedAffine(made, symmetric_scale)


def maf(k: int, generator: Generator) -> Bijection:
    return Chain(masked=masked(generator), turn=Permutation.reversal(2), actnorm=ActNorm(2))


def iaf(k: int, generator: Generator) -> Bijection:
    return Chain(inverted=Inverse(masked(generator)), turn=Permutation.reversal(2), actnorm=ActNorm(2))


@dataclass(frozen=True)
class FlowKind:
    """Flows of one kind: how a step is made, the number of steps, and the name of zuko's class."""

    step: Callable[[int, Generator], Bijection]
    steps: int = STEPS
    context: int = 0
    peer: str | None = None


KINDS: Mapping[str, FlowKind] = {
    "planar": FlowKind(planar, BENDS, context=1),
    "radial": FlowKind(radial, BENDS, context=1),
    "RealNVP": FlowKind(realnvp, peer="NICE"),  # zuko's coupling is affine
    "Glow": FlowKind(glow),
    "MAF": FlowKind(maf, peer="MAF"),
    "IAF": FlowKind(iaf),
}


class MoglowFlow(nn.Module):
    """A flow of this package on points of the plane, which are the frames of one sequence."""

    def __init__(self, kind: FlowKind, first: Tensor, seed: int) -> None:
        super().__init__()
        generator = Generator().manual_seed(seed)
        self.context, self.latent = kind.context, StandardNormal(2)
        self.flow = Chain(
            actnorm=ActNorm(2), **{f"step{k:02d}": kind.step(k, generator) for k in range(kind.steps)}
        )
        self.flow.initialize(*self.frames(first))

    def frames(self, points: Tensor) -> tuple[Tensor, Tensor]:
        return points[None], torch.ones(1, len(points), self.context)

    def forward(self, points: Tensor) -> Tensor:
        z, ladj, _ = self.flow(*self.frames(points))
        log_prob: Tensor = self.latent.log_prob(z) + ladj
        return log_prob[0]

    def sample(self, count: int, generator: Generator) -> Tensor:
        points, _ = self.flow.inverse(*self.frames(torch.randn(count, 2, generator=generator)))
        return points[0]


class ZukoFlow(nn.Module):
    """A flow of zuko of the same kind and size."""

    def __init__(self, kind: FlowKind, first: Tensor, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)  # zuko samples its weights from the global generator
        flows = import_module("zuko.flows")
        self.flow = getattr(flows, str(kind.peer))(
            2, transforms=kind.steps, hidden_features=(HIDDEN,) * LAYERS
        )

    def forward(self, points: Tensor) -> Tensor:
        log_prob: Tensor = self.flow().log_prob(points)
        return log_prob


def learn(make: type[MoglowFlow] | type[ZukoFlow], kind: FlowKind, *, steps: int, seeds: int) -> TrainedFlows:
    """Returns flows trained on fresh points, one for each density and seed, as one batch of models."""
    start = time.process_time()
    tasks = [(sample, seed) for sample in DENSITIES.values() for seed in range(seeds)]
    models = [make(kind, sample(10 * BATCH, Generator().manual_seed(seed)), seed) for sample, seed in tasks]
    weights, buffers = stack_module_state(models)
    # Buffers that are equal in all models, such as masks, are not mapped over: zuko reads the values of its masks.
    varied = {name: buffer for name, buffer in buffers.items() if not (buffer == buffer[:1]).all()}

    log_prob = torch.vmap(lambda *given: functional_call(models[0], given[:2], given[2:]))

    leaves, streams = list(weights.values()), [Generator().manual_seed(seed) for _, seed in tasks]
    optimizer = torch.optim.Adam(leaves, lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = -log_prob(weights, varied, _points(tasks, streams, BATCH)).mean(dim=1).sum()
        optimizer.zero_grad()
        loss.backward()
        _clip([leaf.grad for leaf in leaves if leaf.grad is not None])
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        test = [Generator().manual_seed(seed + seeds) for _, seed in tasks]
        test_log_prob = log_prob(weights, varied, _points(tasks, test, TEST)).mean(dim=1)
        for k, model in enumerate(models):
            for name, parameter in model.named_parameters():
                parameter.copy_(weights[name][k])
    size = sum(parameter.numel() for parameter in models[0].parameters())
    found = test_log_prob.view(len(DENSITIES), seeds)
    return TrainedFlows(models, found, size, (time.process_time() - start) / len(tasks))


def _points(tasks: Sequence[tuple[PointSampler, int]], streams: Sequence[Generator], count: int) -> Tensor:
    return torch.stack([sample(count, stream) for (sample, _), stream in zip(tasks, streams, strict=True)])


def _clip(gradients: Sequence[Tensor]) -> None:
    """Scales the gradient of each model down to `LARGEST_GRADIENT` where it is longer."""
    squares = torch.stack([each.flatten(start_dim=1).square().sum(dim=1) for each in gradients])
    factor = (LARGEST_GRADIENT / (squares.sum(dim=0).sqrt() + 1e-6)).clamp(max=1.0)
    for each in gradients:
        each.mul_(factor.view(-1, *[1] * (each.dim() - 1)))


def picture(path: Path, found: Mapping[str, TrainedFlows], seeds: int) -> None:
    """Draws a row of densities and a row of samples for each data set; the first column shows the data."""
    axis = torch.linspace(-VIEW, VIEW, CELLS)
    grid = torch.cartesian_prod(axis, axis)
    extent = (-VIEW, VIEW, -VIEW, VIEW)
    pyplot: Any = import_module("matplotlib.pyplot")
    rows, columns = 2 * len(DENSITIES), 1 + len(found)
    figure, axes = pyplot.subplots(rows, columns, figsize=(1.5 * columns, 1.5 * rows), squeeze=False)
    for row, (name, sample) in enumerate(DENSITIES.items()):
        above, below = axes[2 * row], axes[2 * row + 1]
        above[0].hist2d(
            *sample(400_000, Generator().manual_seed(1)).numpy().T,
            bins=CELLS, range=[extent[:2], extent[2:]], cmap="magma",
        )  # fmt: skip
        below[0].plot(*sample(SHOWN, Generator().manual_seed(1)).numpy().T, ".", ms=1, color="black")
        above[0].set_ylabel(name)
        for column, (flow, trained) in enumerate(found.items(), start=1):
            model, nats = trained.models[row * seeds], trained.log_prob[row, 0]
            assert isinstance(model, MoglowFlow), "the picture shows the flows of moglow"
            with torch.no_grad():
                density = model(grid).exp().view(CELLS, CELLS).T.numpy()
                samples = model.sample(SHOWN, Generator().manual_seed(2)).numpy()
            above[column].imshow(density, origin="lower", extent=extent, cmap="magma")
            below[column].plot(*samples.T, ".", ms=1, color="black")
            above[column].set_title(f"{nats:.2f}" if row else f"{flow}\n{nats:.2f}", size=9)
    axes[0, 0].set_title("data", size=9)
    for each in axes.flat:
        each.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[], aspect="equal")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("picture", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--long", type=int, default=800, help="steps of the flows that zuko has too")
    parser.add_argument("--seeds", type=int, default=6)
    given = parser.parse_args()
    shared = {name: kind for name, kind in KINDS.items() if kind.peer and find_spec("zuko")}
    tables = []
    for steps, kinds in ((given.steps, KINDS), (given.long, shared)):
        ours = {name: learn(MoglowFlow, kind, steps=steps, seeds=given.seeds) for name, kind in kinds.items()}
        theirs = {
            name: learn(ZukoFlow, kind, steps=steps, seeds=given.seeds) for name, kind in shared.items()
        }
        compared = f"\n\n{comparison(ours, theirs)}\n" if theirs else ""
        tables.append(f"## {steps:,} steps\n{table(ours, theirs)}{compared}")
        print(tables[-1], flush=True)
        if kinds is KINDS:
            picture(given.picture, ours, given.seeds)
    introduction = INTRODUCTION.format(steps=given.steps, batch=BATCH, seeds=given.seeds, test=TEST)
    page = [introduction, f"![Densities and samples]({given.picture.name})\n", *tables]
    given.table.write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
