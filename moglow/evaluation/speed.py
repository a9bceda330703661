"""The speed at which a model samples frames on this machine, beside the machine's limits.

A frame of batch 1 reads every weight once, so memory bandwidth is the limit; for large batches it is the arithmetic.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.errors import CheckpointError, DeviceError
from moglow.files.tensors import read_tensors, write_tensors
from moglow.sampling.fast.arithmetic import FEW, Arithmetic, make_arithmetic
from moglow.sampling.fast.folded import Floats, Folded
from moglow.sampling.fast.native_moglow import NativeMoGlow, load_kernel
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow

if TYPE_CHECKING:
    from moglow.sampling.fast.fused import FusedMoGlow

ITEM_BYTES = {"float32": 4, "numpy": 4, "native": 2, "torch": 4, "bfloat16": 2}
"""Bytes of an item of a large matrix, by kernel; "float32" stores weights in two bytes if float16 represents them."""

COMPILED = "float32"
"""The compiled kernel that samples on a CPU by default."""

Clock = Callable[[], float]

WARM_UP = 3
"""Frames sampled before the timing, in which a GPU records its graphs."""
TICK = 1e-6
"""Seconds that anything takes at least: clocks of processor time may stand still for milliseconds."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A MoGlow to be timed: its configuration and weights, without the rest of a checkpoint."""

    name: str
    config: Mapping[str, Any]
    weights: Mapping[str, Floats]
    context: int  # channels

    def __post_init__(self) -> None:
        if not NumpyMoGlow.covers(self.config):
            conditioner = self.config.get("conditioner", "others")
            raise CheckpointError(
                f"{self.name}: the fast sampler needs lstm conditioners, found {conditioner}; train with lstm"
            )

    @classmethod
    def of_checkpoint(cls, path: Path) -> Self:
        """Returns the subject of a checkpoint file."""
        checkpoint = Checkpoint.read(path)
        return cls(path.name, checkpoint.config, checkpoint.weights, checkpoint.context.size)

    @classmethod
    def of_preset(cls, preset: str, *, pose: int, control: int) -> Self:
        """Returns a preset with the paper's context and random weights; also those that start at zero are random."""
        import torch

        from moglow.evaluation.model_card import preset_card
        from moglow.models.moglow import MoGlow

        context: int = preset_card("moglow", preset, pose=pose, control=control)["context channels"]
        config = MoGlow.PRESETS[preset]
        assert isinstance(config, MoGlow.Config)
        generator = torch.Generator().manual_seed(1)
        model = MoGlow(config, pose, context, generator=generator).requires_grad_(False)
        for name, parameter in model.named_parameters():
            if "head" in name or "actnorm" in name:
                parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator))
        weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        return cls(preset, asdict(config), weights, context)

    def write(self, path: Path) -> None:
        """Writes the subject to a file, for another process."""
        about = {"name": self.name, "config": dict(self.config), "context": self.context}
        write_tensors(path, self.weights, {"subject": json.dumps(about)})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Returns the subject that `write` wrote."""
        weights, metadata = read_tensors(path)
        return cls(weights=weights, **json.loads(metadata["subject"]))


@dataclass(frozen=True)
class Limits:
    """The measured limits of the machine."""

    bytes_per_second: float
    flop_per_second: float

    @classmethod
    def of(cls, arithmetic: Arithmetic, clock: Clock = time.perf_counter) -> Self:
        """Measures reading of 256 MB and a product with an arithmetic; the best of a few runs each."""
        if _device(arithmetic) == "cuda":
            return cls.of_gpu(arithmetic, clock)
        xp, rows, inputs, outputs = arithmetic.xp, 256, 1024, 2048
        memory = arithmetic.array(np.ones(2**26, np.float32))
        x, weight = (
            arithmetic.array(np.ones((rows, inputs), np.float32)),
            np.ones((inputs, outputs), np.float32),
        )
        matrix = arithmetic.matrix(weight)
        reading = _best(lambda: float(xp.dot(memory, memory)), clock)
        product = _best(lambda: float(arithmetic.product(x, matrix)[0, 0]), clock)
        return cls(4 * 2**26 / reading, 2 * rows * inputs * outputs / product)

    @classmethod
    def of_gpu(cls, arithmetic: Any, clock: Clock) -> Self:
        """Measures a copy of 2 GB and a product in the arithmetic's precision, large enough to hide the launch time."""
        import torch

        memory = torch.zeros(2**29, device=arithmetic.device)
        spare, size = torch.empty_like(memory), 8192
        generator = torch.Generator(arithmetic.device).manual_seed(0)
        x = torch.randn(size, size, device=arithmetic.device, generator=generator).to(arithmetic.precision)
        copying = _best(lambda: float(spare.copy_(memory)[0]), clock)
        product = _best(lambda: float((x @ x)[0, 0]), clock)
        return cls(2 * 4 * len(memory) / copying, 2 * size**3 / product)


def measure(
    subject: Subject,
    *,
    kernel: str,
    batches: Sequence[int],
    frames: int,
    device: str,
    cpu_time: bool = False,
) -> dict[str, Any]:
    """Returns all figures of `moglow bench` as JSON values.

    With ``cpu_time`` the seconds are processor time, which excludes other programs; for one thread only.
    """
    clock = time.process_time if cpu_time else time.perf_counter
    missing = _missing(kernel, device)
    folded = Folded.of(subject.config, subject.weights)
    runs = [
        _timed(subject, folded, name, batch, frames, device, clock)
        for batch in batches
        for name in _kernels(kernel, batch, device)
        if name not in missing
    ]
    return {
        "machine": machine(),
        "device": device_name(device),
        "seconds": "of the processor" if cpu_time else "of the clock",
        "model": subject.name,
        "weights": sum(matrix.size for matrix in folded.matrices),
        "first_frame_s": round(first_frame(subject), 3),
        "missing": missing,
        "runs": runs,
    }


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yields the lines of a report: the machine, the model, a table."""
    yield f"{report['machine']}, device {report['device']}, seconds {report['seconds']}"
    yield f"{report['model']}: {report['weights'] / 1e6:.1f} M weights in large matrices"
    yield f"first frame of a fresh process, with numpy: {report['first_frame_s']:.2f} s"
    for kernel, reason in report["missing"].items():
        yield f"without {kernel}: {reason}"
    yield "kernel   batch   ms p50   ms p95   frames/s   roofline ms     GB/s   GFLOP/s"
    for run in report["runs"]:
        yield (
            f"{run['kernel']:8} {run['batch']:5} {run['ms_p50']:8.3f} {run['ms_p95']:8.3f} "
            f"{run['frames_per_s']:10.0f} {run['roofline_ms']:13.3f} {run['gb_per_s']:8.1f} {run['gflop_per_s']:9.0f}"
        )


def processor() -> str:
    """Returns the processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> str:
    """Returns a description of this machine: processor, cores, threads for products, versions."""
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    versions = f"numpy {np.__version__}, Python {platform.python_version()}"
    return f"{processor()} × {os.cpu_count()}, threads: {threads}, {versions}"


def device_name(device: str) -> str:
    """Returns a description of a device, with a GPU's name."""
    if device == "cpu":
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)}, torch {torch.__version__})"


def first_frame(subject: Subject) -> float:
    """Returns the seconds from the start of a process to its first frame with numpy: reading, folding, sampling."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "subject.safetensors"
        subject.write(file)
        code = "import sys; from moglow.evaluation.speed import sample_first; sample_first(sys.argv[1])"
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, str(file)], check=True)
        return time.perf_counter() - start


def sample_first(path: str) -> None:
    """Samples one frame of a written subject."""
    subject = Subject.read(Path(path))
    next(_frames(subject, NumpyMoGlow(subject.config, subject.weights), 1))


def _frames(
    subject: Subject, model: "NumpyMoGlow | NativeMoGlow | FusedMoGlow", batch: int
) -> Iterator[Floats]:
    """Yields frames of one context without end; the noise is sampled ahead."""
    generator, state, step = np.random.default_rng(0), model.initial_state(batch), model.recorded(model.step)
    context = model.array(generator.standard_normal((batch, subject.context), dtype=np.float32))
    ahead = model.array(generator.standard_normal((16, batch, model.noise_dim), dtype=np.float32))
    while True:
        for noise in ahead:
            pose, _, state = step(context, state, noise)
            yield model.numpy(pose)


def _timed(
    subject: Subject, folded: Folded, kernel: str, batch: int, frames: int, device: str, clock: Clock
) -> dict[str, Any]:
    model: NumpyMoGlow | NativeMoGlow | FusedMoGlow
    if kernel == COMPILED:
        arithmetic, model = make_arithmetic("numpy", device=device), compiled(subject)
    else:
        arithmetic = make_arithmetic(kernel, device=device, batch=batch)
        model = sampler(subject, arithmetic, batch)
    limits = Limits.of(arithmetic, clock)
    running = _frames(subject, model, batch)
    times = []
    for frame in range(WARM_UP + max(3 if device == "cpu" else 50, frames // batch)):
        start = clock()
        next(running)
        if frame >= WARM_UP:
            times.append(max(clock() - start, TICK))
    p50, p95 = np.percentile(times, [50, 95])
    weights = sum(matrix.size for matrix in folded.matrices)
    size = model.weight_bytes if isinstance(model, NativeMoGlow) else ITEM_BYTES[kernel] * weights
    roofline = max(size / limits.bytes_per_second, 2 * weights * batch / limits.flop_per_second)
    return {
        "kernel": kernel,
        "batch": batch,
        "frames": len(times),
        "ms_p50": round(1e3 * p50, 4),
        "ms_p95": round(1e3 * p95, 4),
        "frames_per_s": round(batch / float(p50), 1),
        "roofline_ms": round(1e3 * roofline, 4),
        "gb_per_s": round(limits.bytes_per_second / 1e9, 1),
        "gflop_per_s": round(limits.flop_per_second / 1e9, 1),
    }


def compiled(subject: Subject) -> NativeMoGlow:
    """Returns the compiled float32 kernel with as many threads as the products of numpy have."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return NativeMoGlow(subject.config, subject.weights, threads=int(threads) if threads.isdigit() else None)


def sampler(
    subject: Subject, arithmetic: Arithmetic, batch: int, tiles: str | None = None
) -> "NumpyMoGlow | FusedMoGlow":
    """Returns the fast sampler of a subject with an arithmetic; `tiles` of a GPU are by default those for the batch."""
    if _device(arithmetic) != "cuda":
        return NumpyMoGlow(subject.config, subject.weights, arithmetic)
    from moglow.sampling.fast.fused import moglow_on, tiles_for

    return moglow_on(
        subject.config,
        subject.weights,
        arithmetic,  # type: ignore[arg-type]  # only the arithmetic of torch has a CUDA device
        tiles=tiles or tiles_for(batch),
    )


def _device(arithmetic: Arithmetic) -> str:
    """Returns the device of an arithmetic: cpu or cuda."""
    return str(getattr(getattr(arithmetic, "device", None), "type", "cpu"))


def _kernels(kernel: str, batch: int, device: str) -> list[str]:
    """Returns the kernels to time at a batch: the given one, or for "auto" all candidates."""
    if kernel != "auto":
        return [kernel]
    if device != "cpu":
        return ["torch", "bfloat16"]
    if batch > FEW:
        return [COMPILED, "numpy", "torch", "bfloat16"]
    return [COMPILED, "numpy", "native"]


def _missing(kernel: str, device: str) -> dict[str, str]:
    """Returns the candidates for "auto" that this machine lacks, each with the reason in one line."""
    reasons = {}
    for name in (COMPILED, "native", "bfloat16") if kernel == "auto" and device == "cpu" else ():
        try:
            load_kernel() if name == COMPILED else make_arithmetic(name)
        except DeviceError as error:
            reasons[name] = str(error)
    return reasons


def _best(call: Callable[[], float], clock: Clock, times: int = 5) -> float:
    """Returns the seconds of the shortest of a few runs."""
    seconds = []
    for _ in range(times):
        start = clock()
        call()
        seconds.append(max(clock() - start, TICK))
    return min(seconds)
