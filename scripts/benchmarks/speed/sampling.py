#!/usr/bin/env python3
"""Times frames of a preset, sampled by several variants of the sampler, beside a straightforward port.

.venv/bin/python scripts/benchmarks/speed/sampling.py --preset paper --batch 1 --rounds 40
.venv/bin/python scripts/benchmarks/speed/sampling.py --preset paper --batch 1024 --device cuda
.venv/bin/python scripts/benchmarks/speed/sampling.py --preset paper --batch 1 --authors ../StyleGestures

Each variant runs in its own process; they take turns frame by frame, so that other load slows all of them equally. The
errors are relative to the port in float64 with the same weights, contexts and noise. Compare ratios, not times of
different runs; `moglow bench` reports the limits of the machine. With --authors the code of the paper's authors, which
is not part of this project, takes turns too, with random weights of the same sizes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

VARIANTS = {
    "port": "per frame K calls of nn.LSTM with length 1, inverses recomputed",
    "float32": "moglow's default: compiled kernel, float32",
    "numpy": "numpy's products",
    "native": "weights as short integers, compiled kernel",
    "torch": "the same sampler on torch, float32",
    "bfloat16": "the same, large products in bfloat16",
}
GPU_VARIANTS = {
    "port": "per frame K calls of nn.LSTM with length 1, inverses recomputed",
    "eager": "the fast sampler on torch, float32, one launch after the other",
    "graph": "the same as a CUDA graph",
    "graph16": "the same, large products in bfloat16",
    "torch": "few Triton kernels as a CUDA graph, float32",
    "bfloat16": "the same, large products in bfloat16",
}
TILES = (
    "row",
    "small",
    "tile",
)  # of moglow.sampling.fast.fused, which must be loaded after the threads are set
POSE, CONTROL, CHECKED = 63, 3, 4  # channels; frames whose error is measured
AHEAD = 16  # frames whose noise is sampled before the clock starts; it is used repeatedly


def ported(subject: Any, *, double: bool, device: str = "cpu") -> Any:
    """Returns a straightforward sampler: a function of context, noise and state."""
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
            hidden, state = step.lstm(torch.cat([x[:, :kept], context], -1)[:, None], state)
            after.append(state)
            shift, a = step.head(hidden[:, 0]).chunk(2, dim=-1)
            x = torch.cat([x[:, :kept], x[:, kept:] / (torch.sigmoid(a + 2) + floor) - shift], -1)
            x = (x @ torch.linalg.inv(step.weight).T) * torch.exp(-step.log_scale) - step.bias
        return x.cpu().numpy(), after

    return frame


def authors_of(folder: Path, subject: Any, batch: int) -> Iterator[Any]:
    """Yields frames of the authors' `Glow` without end, from the modules in a checkout of theirs."""
    from types import SimpleNamespace

    import numpy as np

    found = sorted(
        path for path in folder.rglob("models.py") if "class Glow" in path.read_text("utf-8", "replace")
    )
    if not found:
        sys.exit(
            f"{folder}: expected the authors' code with a class Glow in a file models.py; give their checkout"
        )
    file = found[0]
    sys.path.insert(0, str(file.parent.parent))
    try:
        import torch

        glow_class = import_module(f"{file.parent.name}.models").Glow
        config = subject.config
        glow_facts = SimpleNamespace(
            hidden_channels=config["hidden"], K=config["steps"], L=1, actnorm_scale=1.0, flow_permutation="invconv",
            flow_coupling="affine", network_model="LSTM", num_layers=config["layers"], LU_decomposed=True,
            distribution="normal",
        )  # fmt: skip
        train, device = SimpleNamespace(batch_size=batch), SimpleNamespace(glow=["cpu"])
        facts = SimpleNamespace(Glow=glow_facts, Train=train, Device=device)
        glow = glow_class(POSE, subject.context, facts).eval()
        for part in glow.modules():
            if hasattr(part, "inited"):
                part.inited = True  # the scales of the first batch are random here
        glow.init_lstm_hidden()
        generator = torch.Generator().manual_seed(0)
        context = torch.randn(batch, subject.context, 1, generator=generator)
        with torch.no_grad():
            while True:
                noise = torch.randn(batch, POSE, 1, generator=generator)
                yield np.asarray(glow(z=noise, cond=context, eps_std=1.0, reverse=True))[:, :, 0]
    except (ImportError, AttributeError, TypeError, ValueError, KeyError, RuntimeError) as error:
        sys.exit(f"{file}: it does not sample as expected: {type(error).__name__}: {error}")


def frames_of(variant: str, subject: Any, batch: int, device: str, tiles: str | None) -> Iterator[Any]:
    """Yields frames without end; contexts and noise are the same for all variants."""
    import numpy as np

    generator = np.random.default_rng(0)
    context = generator.standard_normal((batch, subject.context), dtype=np.float32)
    noises = POSE + (50 if subject.config["latent"] == "student" else 0)
    state: Any = None
    if variant in ("port", "double"):
        sample, array = ported(subject, double=variant == "double", device=device), np.asarray
    else:
        model = sampler_of(variant, subject, batch, device, tiles)
        array, step = model.array, model.step if variant == "eager" else model.recorded(model.step)
        state = model.initial_state(batch)

        def sample(context: Any, noise: Any, state: Any) -> Any:
            pose, _, state = step(context, state, noise)
            return model.numpy(pose), state

    ahead = generator.standard_normal((AHEAD, batch, noises), dtype=np.float32)
    context = array(context)
    for noise in cycle(array(ahead)):
        pose, state = sample(context, noise, state)
        yield pose


def sampler_of(variant: str, subject: Any, batch: int, device: str, tiles: str | None) -> Any:
    from moglow.evaluation.speed import COMPILED, compiled, sampler
    from moglow.sampling.fast.arithmetic import make_arithmetic

    if variant == COMPILED:
        return compiled(subject)
    if variant not in ("eager", "graph", "graph16"):
        return sampler(subject, make_arithmetic(variant, device=device), batch, tiles)
    from moglow.sampling.fast.torch_steps import DeviceMoGlow

    kernel = "bfloat16" if variant == "graph16" else "torch"
    return DeviceMoGlow(subject.config, subject.weights, make_arithmetic(kernel, device=device))  # type: ignore[arg-type]


def work(arguments: argparse.Namespace) -> None:
    """Runs as a worker: writes the first frames, then samples frames for each line it reads and writes the seconds."""
    from moglow.evaluation.speed import Subject

    subject = Subject.read(arguments.subject)
    if arguments.worker == "authors":
        running = authors_of(arguments.authors, subject, arguments.batch)
    else:
        running = frames_of(arguments.worker, subject, arguments.batch, arguments.device, arguments.tiles)
    print(json.dumps([next(running)[0].tolist() for _ in range(CHECKED)]), flush=True)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(arguments.turn):
            next(running)  # the pose is in host memory, so the device has finished
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
        known = VARIANTS if arguments.device == "cpu" else GPU_VARIANTS
        variants = arguments.variants.split(",") if arguments.variants else list(known)
        if arguments.authors:
            variants.append("authors")
            known = {**known, "authors": "the code of the paper's authors, random weights of the same sizes"}
        clock = time.process_time if arguments.cpu_time else time.perf_counter
        on_cpu = arguments.device == "cpu"
        limits = [roofline(subject, arguments.batch, clock)] if on_cpu else []
        pipe = subprocess.PIPE
        workers = {
            variant: subprocess.Popen([*command, variant], stdin=pipe, stdout=pipe, text=True)
            for variant in ("double", *variants)
        }
        sampled = {variant: json.loads(answer(worker) or "null") for variant, worker in workers.items()}
        if failed := [variant for variant, frames in sampled.items() if frames is None]:
            for worker in workers.values():
                worker.communicate()
            sys.exit(f"variant {failed[0]}: it ended early, for the reason above")
        truth = sampled.pop("double")
        workers.pop("double").communicate()
        times: dict[str, list[tuple[float, float]]] = {variant: [] for variant in variants}
        for _ in range(arguments.rounds):
            for variant, worker in workers.items():
                assert worker.stdin is not None
                worker.stdin.write("frame\n")
                worker.stdin.flush()
                times[variant].append(json.loads(answer(worker)))
        for worker in workers.values():
            worker.communicate()
        if on_cpu:  # again, since other load disturbs it too
            limits.append(roofline(subject, arguments.batch, clock))
    limit = min(limits, default=None)
    measured = 1 if arguments.cpu_time else 0
    reference = [row[measured] for row in times[variants[0]]]
    print(f"{'variant':10} {'ms best':>8} {'median':>8} {'frames/s':>9} {'× ' + variants[0]:>7} {'error':>8}")
    table: dict[str, dict[str, float]] = {}
    for variant in variants:
        seconds = [row[measured] for row in times[variant]]
        ratio = statistics.median(a / b for a, b in zip(reference, seconds, strict=True))
        error = max(
            abs(a - b)
            for row, true in zip(sampled[variant], truth, strict=True)
            for a, b in zip(row, true, strict=True)
        )
        median = statistics.median(seconds)
        table[variant] = {
            "ms": 1e3 * median,
            "best": 1e3 * min(seconds),
            "frames/s": arguments.batch / median,
            f"× {variants[0]}": ratio,
        }
        if limit:
            table[variant]["roofline ÷ best"] = limit / min(seconds)
        if variant != "authors":  # which has other weights
            table[variant]["error"] = error
        print(
            f"{variant:10} {1e3 * min(seconds):8.3f} {1e3 * median:8.3f} {arguments.batch / median:9.1f} "
            f"{ratio:7.2f} {error:8.1e}  {known[variant]}"
        )
    from scripts.benchmarks.speed import tables

    about = (
        f"a frame of {arguments.preset}, batch {arguments.batch}, {arguments.threads} thread, "
        f"{'processor' if arguments.cpu_time else 'wall-clock'} time"
    ) + (f"; roofline {1e3 * limit:.1f} ms in float32" if limit else "")
    tables.write(arguments.json, about, table)


def roofline(subject: Path, batch: int, clock: Callable[[], float]) -> float:
    """Returns the fewest seconds of a frame: to read the weights in float32, or to multiply them."""
    from moglow.evaluation.speed import Limits, Subject
    from moglow.sampling.fast.arithmetic import make_arithmetic
    from moglow.sampling.fast.folded import Folded

    found = Subject.read(subject)
    weights = sum(matrix.size for matrix in Folded.of(found.config, found.weights).matrices)
    limits = Limits.of(make_arithmetic("numpy", device="cpu"), clock)
    return max(4 * weights / limits.bytes_per_second, 2 * weights * batch / limits.flop_per_second)


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
    parser.add_argument("--turn", type=int, help="frames sampled in a turn (default: 1; 30 on a GPU)")
    parser.add_argument(
        "--tiles", choices=TILES, help="of the kernels on a GPU (default: those for the batch size)"
    )
    parser.add_argument("--variants", help="separated by commas, the first is the reference (default: all)")
    parser.add_argument(
        "--cpu-time", action="store_true", help="count processor seconds: for one thread, on a busy machine"
    )
    parser.add_argument(
        "--authors", type=Path, metavar="FOLDER", help="a checkout of the authors' code, timed too"
    )
    parser.add_argument("--json", type=Path, help="writes the figures")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--subject", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.turn = arguments.turn or (1 if arguments.device == "cpu" else 30)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)  # numpy and torch read it when they are loaded
    (work if arguments.worker else compare)(arguments)


if __name__ == "__main__":
    main()
