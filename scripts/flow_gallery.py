"""Each flow learns four densities in the plane: one picture, and test likelihoods beside another library's.

    pip install matplotlib zuko
    python scripts/flow_gallery.py docs/flow_gallery.png docs/flow_gallery.md

Data, steps, batches, rates and sizes are the same for all. Without zuko its columns are left out.
"""

import argparse
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from moglow.flows.actnorm import ActNorm
from moglow.flows.autoregressive import MaskedAffine
from moglow.flows.bases import StandardNormal
from moglow.flows.bijection import Bijection, Chain, Inverse
from moglow.flows.coupling import AffineCoupling
from moglow.flows.glow import GlowStep
from moglow.flows.linear import InvertibleLinear
from moglow.flows.made import MADE
from moglow.flows.masked_coupling import MASKS, MaskedCoupling
from moglow.flows.nets import MLP
from moglow.flows.permutation import Permutation
from moglow.flows.planar import Planar
from moglow.flows.radial import Radial
from moglow.flows.scales import symmetric_scale

HIDDEN, LAYERS = 32, 2  # of each net
STEPS = 8  # couplings, autoregressive maps
BENDS = 16  # planar and radial steps: each is one bend
BATCH, TEST = 512, 10_000  # points
RATE = 5e-3  # Adam's at its peak; it ends at zero along a cosine
LARGEST_GRADIENT = 10.0
VIEW = 3.2  # the picture reaches from −VIEW to VIEW
CELLS = 120  # of the picture's densities, along each side
SHOWN = 2000  # samples

SAID = """# What each flow makes of four densities in the plane

By `scripts/flow_gallery.py`: {steps} steps of {batch} points each, seed {seed}, on one CPU thread. Mean and standard
error of log p over {test:,} points that no flow has seen, in nats; higher is better. Flows of one kind, ours and
zuko's, have the same number of steps and nets of the same widths. The picture has ours: densities, below them samples.
"""

Draw = Callable[[int, Generator], Tensor]


def two_moons(count: int, generator: Generator) -> Tensor:
    """Returns points (count, 2) on two half circles that reach into each other."""
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
    """Returns points on the dark squares of a board of four by four."""
    column = torch.randint(4, (count,), generator=generator)
    row = 2 * torch.randint(2, (count,), generator=generator) + column % 2
    corner = torch.stack([column, row], dim=-1) - 2.0
    return 1.2 * (corner + torch.rand(count, 2, generator=generator))


def spiral(count: int, generator: Generator) -> Tensor:
    """Returns points on two arms that wind once and a half around the origin."""
    turn = torch.rand(count, generator=generator).sqrt() * 3 * math.pi
    arm = torch.randint(2, (count,), generator=generator) * 2.0 - 1
    along = torch.stack([turn.cos(), turn.sin()], dim=-1) * (arm * turn / 3.6)[:, None]
    return along + 0.08 * torch.randn(count, 2, generator=generator)


DENSITIES: Mapping[str, Draw] = {
    "two moons": two_moons,
    "rings": rings,
    "checkerboard": checkerboard,
    "spiral": spiral,
}


def net(
    inputs: int, outputs: int, generator: Generator, *, hidden: int = HIDDEN, layers: int = LAYERS
) -> MLP:
    """Returns a net on inputs and a context of one number, which is always 1."""
    return MLP(inputs, 1, outputs, hidden=hidden, layers=layers, generator=generator)


def chain(step: Callable[[int, Generator], Bijection], count: int, generator: Generator) -> Chain:
    """Returns ActNorm and a number of steps."""
    return Chain(actnorm=ActNorm(2), **{f"step{k:02d}": step(k, generator) for k in range(count)})


def planar(k: int, generator: Generator) -> Bijection:
    told = net(0, Planar.outputs(2), generator, hidden=1, layers=1)  # nothing depends on a context here
    return Planar(2, told, generator=generator)


def radial(k: int, generator: Generator) -> Bijection:
    told = net(0, Radial.outputs(2), generator, hidden=1, layers=1)
    return Radial(2, told, generator=generator)


def realnvp(k: int, generator: Generator) -> Bijection:
    mask = MASKS["checkerboard"](2)
    coupling = MaskedCoupling(mask if k % 2 else ~mask, net(1, 2, generator), symmetric_scale)
    return Chain(coupling=coupling, actnorm=ActNorm(2))


def glow(k: int, generator: Generator) -> Bijection:
    linear = InvertibleLinear(2, generator=generator)
    return GlowStep(
        actnorm=ActNorm(2), linear=linear, coupling=AffineCoupling(2, net(1, 2, generator), symmetric_scale)
    )


def maf(k: int, generator: Generator) -> Bijection:
    made = MADE(2, 1, 2, hidden=HIDDEN, layers=LAYERS, generator=generator)
    return Chain(masked=MaskedAffine(made, symmetric_scale), turn=Permutation.reversal(2), actnorm=ActNorm(2))


def iaf(k: int, generator: Generator) -> Bijection:
    made = MADE(2, 1, 2, hidden=HIDDEN, layers=LAYERS, generator=generator)
    inverse = Inverse(MaskedAffine(made, symmetric_scale))
    return Chain(inverted=inverse, turn=Permutation.reversal(2), actnorm=ActNorm(2))


class Ours(nn.Module):
    """A flow of this package on points of the plane: all of them are frames of one sequence."""

    def __init__(self, flow: Chain, first: Tensor) -> None:
        super().__init__()
        self.flow, self.latent = flow, StandardNormal(2)
        flow.initialize(*self.frames(first))

    @staticmethod
    def frames(points: Tensor) -> tuple[Tensor, Tensor]:
        return points[None], torch.ones(1, len(points), 1)

    def log_prob(self, points: Tensor) -> Tensor:
        z, ladj, _ = self.flow(*self.frames(points))
        log_prob: Tensor = self.latent.log_prob(z) + ladj
        return log_prob[0]

    def sample(self, count: int, generator: Generator) -> Tensor:
        points, _ = self.flow.inverse(*self.frames(torch.randn(count, 2, generator=generator)))
        return points[0]


class Peer(nn.Module):
    """A flow of zuko."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def log_prob(self, points: Tensor) -> Tensor:
        log_prob: Tensor = self.flow().log_prob(points)
        return log_prob


OURS: Mapping[str, Callable[[Generator], Chain]] = {
    "planar": lambda generator: chain(planar, BENDS, generator),
    "radial": lambda generator: chain(radial, BENDS, generator),
    "RealNVP": lambda generator: chain(realnvp, STEPS, generator),
    "Glow": lambda generator: chain(glow, STEPS, generator),
    "MAF": lambda generator: chain(maf, STEPS, generator),
    "IAF": lambda generator: chain(iaf, STEPS, generator),
}
PEERS: Mapping[str, str] = {"RealNVP": "NICE", "MAF": "MAF"}
"""What zuko calls its flow of the same kind; its NICE couples by affine maps."""


@dataclass(frozen=True)
class Learnt:
    """A flow after training: mean and standard error of log p over test points, in nats."""

    model: Ours | Peer
    mean: float
    error: float
    parameters: int
    seconds: float


def learn(model: Ours | Peer, draw: Draw, *, steps: int, seed: int) -> Learnt:
    """Returns the flow trained on fresh points of a density, and what it says of others."""
    start, points = time.perf_counter(), Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = -model.log_prob(draw(BATCH, points)).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found = model.log_prob(draw(TEST, Generator().manual_seed(seed + 1)))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    spread = float(found.std() / TEST**0.5)
    return Learnt(model, float(found.mean()), spread, parameters, time.perf_counter() - start)


def picture(path: Path, found: Mapping[str, Mapping[str, Learnt]], seed: int) -> None:
    """Draws a row of densities and a row of samples for each data set, the data themselves first."""
    axis = torch.linspace(-VIEW, VIEW, CELLS)
    grid = torch.cartesian_prod(axis, axis)
    extent = (-VIEW, VIEW, -VIEW, VIEW)
    pyplot: Any = import_module("matplotlib.pyplot")
    rows, columns = 2 * len(found), 1 + len(OURS)
    figure, axes = pyplot.subplots(rows, columns, figsize=(1.5 * columns, 1.5 * rows), squeeze=False)
    for row, (name, flows) in enumerate(found.items()):
        above, below = axes[2 * row], axes[2 * row + 1]
        data = DENSITIES[name](SHOWN, Generator().manual_seed(seed + 2)).numpy()
        counts = DENSITIES[name](400_000, Generator().manual_seed(seed + 2)).numpy()
        above[0].hist2d(*counts.T, bins=CELLS, range=[extent[:2], extent[2:]], cmap="magma")
        below[0].plot(*data.T, ".", ms=1, color="black")
        above[0].set_ylabel(name)
        for column, (flow, learnt) in enumerate(flows.items(), start=1):
            model = learnt.model
            assert isinstance(model, Ours), "the picture shows our own flows"
            with torch.no_grad():
                density = model.log_prob(grid).exp().view(CELLS, CELLS).T.numpy()
                samples = model.sample(SHOWN, Generator().manual_seed(seed + 3)).numpy()
            above[column].imshow(density, origin="lower", extent=extent, cmap="magma")
            below[column].plot(*samples.T, ".", ms=1, color="black")
            above[column].set_title(
                f"{flow} {learnt.mean:.2f}" if row else f"{flow}\n{learnt.mean:.2f}", size=9
            )
    axes[0, 0].set_title("data", size=9)
    for each in axes.flat:
        each.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[], aspect="equal")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=90)


def table(found: Mapping[str, Mapping[str, Learnt]]) -> str:
    """Returns test likelihoods in Markdown, flows down, densities across, with parameters and time."""
    lines = [f"| flow | parameters | {' | '.join(found)} | seconds |", "|---" * (len(found) + 3) + "|"]
    for flow in next(iter(found.values())):
        learnt = [flows[flow] for flows in found.values()]
        means = " | ".join(f"{each.mean:.3f} ± {each.error:.3f}" for each in learnt)
        seconds = sum(each.seconds for each in learnt)
        lines.append(f"| {flow} | {learnt[0].parameters:,} | {means} | {seconds:.0f} |")
    return "\n".join(lines)


def peers(seed: int) -> dict[str, Peer]:
    """Returns zuko's flows of the same kinds and sizes, none where zuko is not installed."""
    try:
        flows = import_module("zuko.flows")
    except ImportError:
        return {}
    torch.manual_seed(seed)  # zuko draws its weights from the global generator
    size = {"transforms": STEPS, "hidden_features": (HIDDEN,) * LAYERS}
    return {f"{name} (zuko)": Peer(getattr(flows, theirs)(2, **size)) for name, theirs in PEERS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("picture", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    shown: dict[str, dict[str, Learnt]] = {}
    scored: dict[str, dict[str, Learnt]] = {}
    for name, draw in DENSITIES.items():
        first = draw(10 * BATCH, Generator().manual_seed(arguments.seed))
        models: dict[str, Ours | Peer] = {
            flow: Ours(make(Generator().manual_seed(arguments.seed)), first) for flow, make in OURS.items()
        }
        models |= peers(arguments.seed)
        scored[name] = {}
        for flow, model in models.items():
            scored[name][flow] = learn(model, draw, steps=arguments.steps, seed=arguments.seed)
            print(f"{name}, {flow}: {scored[name][flow].mean:.3f} nats", flush=True)
        shown[name] = {flow: scored[name][flow] for flow in OURS}
    picture(arguments.picture, shown, arguments.seed)
    said = SAID.format(steps=arguments.steps, batch=BATCH, seed=arguments.seed, test=TEST)
    page = f"{said}\n{table(scored)}\n\n![Densities and samples]({arguments.picture.name})\n"
    arguments.table.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
