#!/usr/bin/env python3
"""Times frames of a preset, sampled in several ways, beside a straightforward port.

.venv/bin/python scripts/benchmarks/speed/sampling.py --preset paper --batch 1 --rounds 40
.venv/bin/python scripts/benchmarks/speed/sampling.py --preset paper --batch 1024 --device cuda

Each way runs in a process of its own; they take turns, frame by frame, so that a busy machine slows all alike. The
errors are against the port in float64 on the same weights, contexts and noise. Compare ratios, not times of different
runs; `moglow bench` has the machine's limits.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

WAYS = {
    "port": "per frame K calls of nn.LSTM with length 1, inverses recomputed",
    "numpy": "moglow's default",
    "native": "weights as short integers, compiled kernel",
    "torch": "the same sampler on torch, float32",
    "bfloat16": "the same, large products in bfloat16",
}
GPU_WAYS = {
    "port": "per frame K calls of nn.LSTM with length 1, inverses recomputed",
    "eager": "the fast sampler on torch, float32, one launch after the other",
    "captured": "the same as a CUDA graph",
    "captured16": "the same, large products in bfloat16",
    "torch": "few kernels of Triton as a CUDA graph, float32",
    "bfloat16": "the same, large products in bfloat16",
}
TILES = ("row", "small", "tile")  # of moglow.sampling.fast.fused, which is loaded after the threads are set
POSE, CONTROL, CHECKED = 63, 3, 4  # channels; frames whose error is taken
AHEAD = 16  # frames whose noise is drawn before the clock starts, and then again


def ported(subject: Any, *, double: bool, device: str = "cpu") -> Any:
    """The sampler as one would write it first: a function of context, noise and the state."""
    import torch
    from torch import nn

    from moglow.sampling.fast.folded import SCALE_FLOORS, STUDENT_DEGREES
    from scripts.benchmarks.speed.training import PortedStep

    config = subject.config
    weights = {name: torch.tensor(array) for name, array in subject.weights.items()}
    widths = (subject.context, *config["encoder"])
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.SiLU())]
    encoder = nn.Sequential(*layers)
    encoder.load_state_dict(
        {
            name.removeprefix("encoder."): tensor
            for name, tensor in weights.items()
            if name.startswith("encoder.")
        }
    )
    shape = config["hidden"], config["layers"], widths[-1]
    steps = [PortedStep(*shape) for _ in range(config["steps"])]
    for k, step in enumerate(steps):
        part = {
            name[12:]: tensor for name, tensor in weights.items() if name.startswith(f"flow.step{k:02d}.")
        }
        lower = part["linear.lower"].tril(-1) + torch.eye(POSE)
        upper = part["linear.upper"].triu(1)
        upper = upper + torch.diag(part["linear.sign"] * part["linear.log_scale"].exp())
        own = {
            "bias": part["actnorm.bias"],
            "log_scale": part["actnorm.log_scale"],
            "weight": part["linear.permutation"] @ lower @ upper,
        }
        net = {
            name.removeprefix("coupling.conditioner.").replace("recurrent.", "lstm."): tensor
            for name, tensor in part.items()
            if "conditioner" in name
        }
        step.load_state_dict(own | net)
    for module in (encoder, *steps):
        module.to(device, torch.float64 if double else torch.float32)
    floor, kept = float(SCALE_FLOORS[config["scale"]]), POSE // 2

    @torch.no_grad()
    def frame(context: Any, noise: Any, states: Any) -> Any:
        context, noise = (
            torch.as_tensor(each).to(device, torch.float64 if double else torch.float32)
            for each in (context, noise)
        )
        x, context, after = noise[:, :POSE], encoder(context), []
        if config["latent"] == "student":
            x = x * (STUDENT_DEGREES / noise[:, POSE:].square().sum(-1, keepdim=True)).sqrt()
        for step, state in zip(reversed(steps), states or [None] * len(steps), strict=True):
            said, state = step.lstm(torch.cat([x[:, :kept], context], -1)[:, None], state)
            after.append(state)
            shift, a = step.head(said[:, 0]).chunk(2, dim=-1)
            x = torch.cat([x[:, :kept], x[:, kept:] / (torch.sigmoid(a + 2) + floor) - shift], -1)
            x = (x @ torch.linalg.inv(step.weight).T) * torch.exp(-step.log_scale) - step.bias
        return x.cpu().numpy(), after

    return frame


def frames_of(way: str, subject: Any, batch: int, device: str, tiles: str | None) -> Iterator[Any]:
    """Endless frames, each way given the same contexts and noise."""
    import numpy as np

    generator = np.random.default_rng(0)
    context = generator.standard_normal((batch, subject.context), dtype=np.float32)
    noises = POSE + (50 if subject.config["latent"] == "student" else 0)
    state: Any = None
    if way in ("port", "double"):
        draw, array = ported(subject, double=way == "double", device=device), np.asarray
    else:
        model = sampler_of(way, subject, batch, device, tiles)
        array, step = model.array, model.step if way == "eager" else model.recorded(model.step)
        state = model.initial_state(batch)

        def draw(context: Any, noise: Any, state: Any) -> Any:
            pose, _, state = step(context, state, noise)
            return model.numpy(pose), state

    ahead = generator.standard_normal((AHEAD, batch, noises), dtype=np.float32)
    context = array(context)
    for noise in cycle(array(ahead)):
        pose, state = draw(context, noise, state)
        yield pose


def sampler_of(way: str, subject: Any, batch: int, device: str, tiles: str | None) -> Any:
    from moglow.evaluation.speed import sampler
    from moglow.sampling.fast.arithmetic import make_arithmetic

    if way not in ("eager", "captured", "captured16"):
        return sampler(subject, make_arithmetic(way, device=device), batch, tiles)
    from moglow.sampling.fast.torch_steps import DeviceMoGlow

    kernel = "bfloat16" if way == "captured16" else "torch"
    return DeviceMoGlow(subject.config, subject.weights, make_arithmetic(kernel, device=device))  # type: ignore[arg-type]


def work(arguments: argparse.Namespace) -> None:
    """A process that draws a frame for each line it is sent, and answers with seconds and the first frames."""
    from moglow.evaluation.speed import Subject

    subject = Subject.read(arguments.subject)
    running = frames_of(arguments.worker, subject, arguments.batch, arguments.device, arguments.tiles)
    print(json.dumps([next(running)[0].tolist() for _ in range(CHECKED)]), flush=True)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(arguments.turn):
            next(running)  # its pose is here, so the device has done it
        seconds = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps([each / arguments.turn for each in seconds]), flush=True)


def compare(arguments: argparse.Namespace) -> None:
    from moglow.evaluation.speed import Subject, device_name, machine

    with tempfile.TemporaryDirectory() as folder:
        subject = Path(folder) / "subject.safetensors"
        Subject.of_preset(arguments.preset, pose=POSE, control=CONTROL).write(subject)
        where = device_name(arguments.device)
        print(f"{machine()}; {where}; {arguments.preset}, batch {arguments.batch}", flush=True)
        command = [sys.executable, *sys.argv, "--subject", str(subject), "--worker"]
        known = WAYS if arguments.device == "cpu" else GPU_WAYS
        ways = arguments.ways.split(",") if arguments.ways else list(known)
        workers = {
            way: subprocess.Popen([*command, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for way in ("double", *ways)
        }
        drawn = {way: json.loads(answer(worker)) for way, worker in workers.items()}
        truth = drawn.pop("double")
        workers.pop("double").communicate()
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, worker in workers.items():
                assert worker.stdin is not None
                worker.stdin.write("frame\n")
                worker.stdin.flush()
                times[way].append(json.loads(answer(worker)))
        for worker in workers.values():
            worker.communicate()
    clock = 1 if arguments.cpu_time else 0
    reference = [row[clock] for row in times[ways[0]]]
    print(f"{'way':10} {'ms best':>8} {'median':>8} {'frames/s':>9} {'× ' + ways[0]:>7} {'error':>8}")
    for way in ways:
        seconds = [row[clock] for row in times[way]]
        ratio = statistics.median(a / b for a, b in zip(reference, seconds, strict=True))
        error = max(
            abs(a - b)
            for row, true in zip(drawn[way], truth, strict=True)
            for a, b in zip(row, true, strict=True)
        )
        median = statistics.median(seconds)
        print(
            f"{way:10} {1e3 * min(seconds):8.3f} {1e3 * median:8.3f} {arguments.batch / median:9.1f} "
            f"{ratio:7.2f} {error:8.1e}  {known[way]}"
        )


def answer(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout is not None
    return worker.stdout.readline()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=("paper", "base", "compact"), default="paper")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--turn", type=int, help="frames drawn in a turn: 1, on a GPU 30")
    parser.add_argument(
        "--tiles", choices=TILES, help="of the kernels on a GPU; the batch's own if not given"
    )
    parser.add_argument("--ways", help="separated by commas, the first is the reference; all if not given")
    parser.add_argument(
        "--cpu-time", action="store_true", help="count processor seconds: for one thread, on a busy machine"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--subject", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.turn = arguments.turn or (1 if arguments.device == "cpu" else 30)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)  # read when numpy and torch are loaded, so before they are
    (work if arguments.worker else compare)(arguments)


if __name__ == "__main__":
    main()
