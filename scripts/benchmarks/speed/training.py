#!/usr/bin/env python3
"""Times training steps of a preset in several variants beside a straightforward port, with the limits of the machine.

.venv/bin/python scripts/benchmarks/speed/training.py --preset paper --batch 100 --frames 70 --threads 2 --rounds 3

Each variant runs in its own process, whose peak memory is measured; they take turns step by step, so that other load
slows all of them equally. Compare ratios, not times of different runs.
"""

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import torch
from torch import Generator, Tensor, nn

from moglow.compute.cuda_graphs import GraphedGradients
from moglow.compute.memory import keep_freed_memory
from moglow.evaluation.speed import processor
from moglow.flows.nets import has_fast_bfloat16, recurrent_products_in
from moglow.flows.schedules.compiled import kernel
from moglow.models.moglow import MoGlow
from moglow.training.trainer import adam
from scripts.benchmarks.speed import tables

POSE, CONTEXT = 63, 663  # the paper's: 21 joints × xyz; 10 poses and 11 controls
VARIANTS = {
    "port": "nn.LSTM per flow step over the sequence, W as a full matrix, torch's default Adam",
    "plain": "schedule plain, the Adam of training: fused, with its moments allocated before the first step",
    "plain+heap": "the same, freed memory kept",
    "plain+heap+bf16": "the same, recurrent products in bfloat16",
    "compiled+heap": "schedule compiled, what `moglow train` does for LSTMs of one layer, freed memory kept",
    "compiled+heap+bf16": "the same, recurrent products in bfloat16",
    "recomputed": "schedule recomputed, fused Adam",
    "recomputed+heap": "the same, freed memory kept",
    "diagonal": "schedule diagonal, fused Adam",
    "diagonal+heap": "the same, freed memory kept",
    "diagonal+heap+bf16": "the same, recurrent products in bfloat16",
}
GPU_VARIANTS = {
    "port": "nn.LSTM (cuDNN) per flow step over the sequence, W as a full matrix, torch's default Adam",
    "port+bf16": "the same, its LSTMs in bfloat16 by autocast",
    "plain": "schedule plain, fused Adam",
    "diagonal+graph": "schedule diagonal in fused kernels, recorded as a CUDA graph, fused Adam",
    "diagonal+graph+bf16": "the same, recurrent products in bfloat16: what `moglow train` does",
}


class PortedStep(nn.Module):
    """A straightforward flow step."""

    def __init__(self, hidden: int, layers: int, context: int, *, narrow: bool = False) -> None:
        super().__init__()
        self.narrow = narrow
        self.bias = nn.Parameter(torch.zeros(POSE))
        self.log_scale = nn.Parameter(torch.zeros(POSE))
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(POSE, POSE)).Q)
        self.lstm = nn.LSTM(POSE // 2 + context, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, 2 * (POSE - POSE // 2))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        x = ((x + self.bias) * self.log_scale.exp()) @ self.weight.T
        constant = self.log_scale.sum() + torch.linalg.slogdet(self.weight).logabsdet
        kept, moved = x.tensor_split((POSE // 2,), dim=-1)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.narrow):
            hidden = self.lstm(torch.cat([kept, context], dim=-1))[0]
        shift, a = self.head(hidden.to(x.dtype)).chunk(2, dim=-1)
        scale = torch.sigmoid(a + 2) + 1e-6
        return torch.cat([kept, (moved + shift) * scale], dim=-1), constant + scale.log().sum(dim=-1)


class Port(nn.Module):
    """The straightforward port: the preset's net on the context, if it has one, then one flow step after the other."""

    def __init__(self, config: MoGlow.Config, *, narrow: bool = False) -> None:
        super().__init__()
        widths = (CONTEXT, *config.encoder)
        self.encoder = nn.Sequential(
            *[layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.SiLU())]
        )
        self.steps = nn.ModuleList(
            PortedStep(config.hidden, config.layers, widths[-1], narrow=narrow) for _ in range(config.steps)
        )

    def loss(self, x: Tensor, context: Tensor) -> Tensor:
        context = self.encoder(context)
        ladj = x.new_zeros(x.shape[:-1])
        for step in self.steps:
            x, gain = step(x, context)
            ladj = ladj + gain
        return (0.5 * x.square().sum(dim=-1) - ladj).mean()


def training_step(
    variant: str, config: MoGlow.Config, batch: int, frames: int, device: str
) -> Callable[[], None]:
    """Returns a function that makes one step of training."""
    name, *extras = variant.split("+")
    generator = Generator(device).manual_seed(1)
    pose = torch.randn(batch, frames, POSE, device=device, generator=generator)
    context = torch.randn(batch, frames, CONTEXT, device=device, generator=generator)
    if "heap" in extras:
        keep_freed_memory()
    optimizer: torch.optim.Optimizer
    if name == "port":
        port = Port(config, narrow="bf16" in extras).to(device)
        optimizer = torch.optim.Adam(port.parameters(), lr=1e-4)

        def gradients() -> None:
            torch.autograd.backward(port.loss(pose, context))
    else:
        model = MoGlow(config, POSE, CONTEXT).to(device)
        precision = torch.bfloat16 if "bf16" in extras else None
        model.schedule = name
        (objective,) = model.objectives()
        optimizer = adam(objective.parameters, rate=1e-4)
        recorded = GraphedGradients(objective.loss, objective.parameters, torch.device(device))

        def gradients() -> None:
            with recurrent_products_in(precision, model):
                if "graph" in extras:
                    recorded(pose, context, None, generator=generator)
                else:
                    torch.autograd.backward(objective.loss(pose, context, generator=generator)[0])

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        gradients()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def work(arguments: argparse.Namespace) -> None:
    """Runs as a worker: makes a step for each line it reads, and writes its seconds and bytes."""
    torch.set_num_threads(arguments.threads)
    config = configured(arguments)
    step = training_step(arguments.worker, config, arguments.batch, arguments.frames, arguments.device)
    step()
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        step()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        peak = torch.cuda.max_memory_allocated() if arguments.device == "cuda" else peak_memory()
        print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak}), flush=True)


def peak_memory() -> int:
    """Returns the peak memory of this process in bytes; on Linux getrusage would include that of its parent."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def configured(arguments: argparse.Namespace) -> MoGlow.Config:
    preset = MoGlow.PRESETS[arguments.preset]
    assert isinstance(preset, MoGlow.Config)
    return dataclasses.replace(preset, steps=arguments.steps or preset.steps)


def flop_per_frame(config: MoGlow.Config) -> float:
    """Returns the floating-point operations of a training step for a frame: one product forward and two backward."""
    model = MoGlow(config, POSE, CONTEXT)
    matrices = (
        parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.dim() == 2 and not name.endswith("linear.upper")  # L and U make one matrix
    )
    return 6.0 * sum(matrices)


def rates(device: str, clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:
    """Returns measured FLOP/s of a matrix product (float32; bfloat16 on a GPU), and bytes/s of a copy, both ways."""

    def best(call: Callable[[], object]) -> float:
        times = []
        for _ in range(6):
            start = clock()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(clock() - start)
        return min(times)

    kind, rows = (torch.bfloat16, 70_000) if device == "cuda" else (torch.float32, 7_000)
    a, b = (torch.randn(*shape, device=device).to(kind) for shape in ((rows, 1024), (1024, 2048)))
    product = torch.empty(rows, 2048, device=device, dtype=kind)
    source = torch.randn(2**26, device=device)
    target = torch.empty_like(source)
    flops = 2 * rows * 1024 * 2048 / best(lambda: torch.mm(a, b, out=product))
    return flops, 2 * 4 * 2**26 / best(lambda: target.copy_(source))


def compare(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    config, frames = configured(arguments), arguments.batch * arguments.frames
    cores = f"{processor()} × {os.cpu_count()} ({torch.backends.cpu.get_cpu_capability()})"
    gpu = f", {torch.cuda.get_device_name()}" if arguments.device == "cuda" else ""
    print(f"{cores}{gpu}, {arguments.threads} threads, torch {torch.__version__}, device {arguments.device}")
    print(f"{arguments.preset}: {config}; batch {arguments.batch}, T {arguments.frames}, float32")
    flop, bytes_moved = flop_per_frame(config) * frames, 4.0 * 10 * weights(config)
    matrix, memory = rates(arguments.device, time.process_time if arguments.cpu_time else time.perf_counter)
    print(
        f"roofline: {flop / 1e9:.0f} GFLOP at {matrix / 1e9:.0f} GFLOP/s = {1e3 * flop / matrix:.0f} ms; "
        f"{bytes_moved / 1e9:.2f} GB of weights, gradients and moments at {memory / 1e9:.1f} GB/s "
        f"= {1e3 * bytes_moved / memory:.0f} ms"
    )
    known = GPU_VARIANTS if arguments.device == "cuda" else VARIANTS
    variants = [
        variant
        for variant in (arguments.variants or ",".join(known)).split(",")
        if "bf16" not in variant or has_fast_bfloat16(torch.device(arguments.device))
        if "compiled" not in variant or kernel(torch.bfloat16 if "bf16" in variant else torch.float32)
    ]
    workers = {variant: start_worker(variant) for variant in variants}
    answers: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for _ in range(arguments.rounds):
        for variant, worker in workers.items():
            ask, answer = pipes(worker)
            ask.write("step\n")
            ask.flush()
            answers[variant].append(json.loads(answer.readline()))
    for worker in workers.values():
        worker.communicate()
    if arguments.device == "cpu":  # again, since other load disturbs it too
        matrix = max(
            matrix, rates(arguments.device, time.process_time if arguments.cpu_time else time.perf_counter)[0]
        )

    reference = answers[variants[0]]
    clock = "cpu" if arguments.cpu_time else "seconds"
    print(
        f"{'way':18} {'ms best':>9} {'median':>9} {'cpu ms':>9} {'frames/s':>9} {'peak MB':>8}  "
        f"× {variants[0]} (median of rounds)"
    )
    table = {}
    for variant, rows in answers.items():
        times = [row[clock] for row in rows]
        ratio = statistics.median(a[clock] / b[clock] for a, b in zip(reference, rows, strict=True))
        peak = max(row["peak"] for row in rows) / 1e6
        table[variant] = {
            "ms": 1e3 * statistics.median(times),
            "best": 1e3 * min(times),
            f"× {variants[0]}": ratio,
            "roofline ÷ best": flop / matrix / min(times),
            "frames/s": frames / statistics.median(times),
            "peak MB": peak,
        }
        print(
            f"{variant:18} {1e3 * min(times):9.1f} {1e3 * statistics.median(times):9.1f} "
            f"{1e3 * min(row['cpu'] for row in rows):9.1f} {frames / min(times):9.0f} "
            f"{peak:8.0f}  {ratio:.2f} faster, best to best {min(r[clock] for r in reference) / min(times):.2f}, "
            f"memory {peak * 1e6 / max(row['peak'] for row in reference):.2f}  ({known[variant]})"
        )
    about = (
        f"a step of {arguments.preset}, {arguments.batch} × {arguments.frames} frames, {arguments.threads} threads, "
        f"{'processor' if arguments.cpu_time else 'wall-clock'} time; roofline {1e3 * flop / matrix:.0f} ms at "
        f"{matrix / 1e9:.0f} GFLOP/s in float32"
    )
    tables.write(arguments.json, about, table)


def weights(config: MoGlow.Config) -> int:
    return sum(parameter.numel() for parameter in MoGlow(config, POSE, CONTEXT).parameters())


def start_worker(variant: str) -> "subprocess.Popen[str]":
    command = [sys.executable, *sys.argv, "--worker", variant]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def pipes(worker: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert worker.stdin is not None and worker.stdout is not None
    return worker.stdin, worker.stdout


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options: list[tuple[str, dict[str, Any]]] = [
        ("--preset", {"choices": sorted(MoGlow.PRESETS), "default": "paper"}),
        ("--steps", {"type": int, "help": "number of flow steps (default: that of the preset)"}),
        ("--batch", {"type": int, "default": 100}),
        ("--frames", {"type": int, "default": 70}),
        ("--threads", {"type": int, "default": 2}),
        ("--rounds", {"type": int, "default": 3}),
        ("--device", {"choices": ("cpu", "cuda"), "default": "cpu"}),
        (
            "--variants",
            {"help": "separated by commas, the first is the reference (default: all of the device)"},
        ),
        (
            "--cpu-time",
            {"action": "store_true", "help": "count processor seconds: for one thread, on a busy machine"},
        ),
        ("--json", {"type": Path, "help": "writes the figures"}),
        ("--worker", {"help": argparse.SUPPRESS}),
    ]
    for name, keywords in options:
        parser.add_argument(name, **keywords)
    arguments = parser.parse_args()
    (work if arguments.worker else compare)(arguments)


if __name__ == "__main__":
    main()
