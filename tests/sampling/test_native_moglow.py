"""The compiled kernel: a row has the same bits in any batch and for any processor, and the values of numpy's model."""

import ctypes
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.errors import DeviceError
from moglow.files.compiled import NATIVE
from moglow.sampling.fast import native_moglow
from moglow.sampling.fast.native_moglow import HALF, SHORT, SINGLE, NativeMoGlow, load_kernel, native_model
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow
from moglow.sampling.fast.row_by_row import RowByRow
from moglow.sampling.sampler import Sampler
from tests.sampling.test_sampler import make_checkpoint

ROWS = 70
"""Rows of the largest batch: more than two threads have at a time, and not a multiple of a tile."""
CAPS = ("-march=x86-64-v3", "-march=x86-64-v4")
"""Processors with AVX2 alone, and with AVX-512."""
MODELS: dict[str, dict[str, Any]] = {
    "small": {"hidden": 24},
    "deep": {"hidden": 70, "layers": 2, "encoder": (40, 33), "latent": "student"},
    "paper": {"hidden": 16, "layers": 2, "scale": "paper", "encoder": ()},
}


@cache
def checkpoint_of(name: str) -> Checkpoint:
    """A model of random weights; those of "deep" are float16, as in shipped models."""
    checkpoint = make_checkpoint(**MODELS[name])
    if name != "deep":
        return checkpoint
    half = {key: array.astype(np.float16).astype(array.dtype) for key, array in checkpoint.weights.items()}
    return replace(checkpoint, weights=half)


def made(name: str) -> NativeMoGlow:
    checkpoint = checkpoint_of(name)
    try:
        return NativeMoGlow(checkpoint.config, checkpoint.weights)
    except DeviceError as error:
        pytest.skip(str(error))


def drawn(model: NativeMoGlow | NumpyMoGlow, name: str, rows: slice, frames: int = 3) -> list[np.ndarray]:
    """Poses, likelihoods and memories of the last of some frames, of some rows of a batch that is always the same."""
    generator, state = np.random.default_rng(5), model.initial_state(len(range(ROWS)[rows]))
    for _ in range(frames):
        context = generator.standard_normal((ROWS, checkpoint_of(name).context.size), dtype=np.float32)
        noise = generator.standard_normal((ROWS, model.noise_dim), dtype=np.float32)
        target, nats, state = model.step(context[rows], state, noise[rows], temperature=0.7)
    return [target, nats, *(np.moveaxis(np.asarray(each), 0, 1) for each in state)]


@pytest.mark.parametrize("name", MODELS)
def test_a_row_has_the_same_bits_in_every_batch(name: str) -> None:
    model = made(name)
    whole = drawn(model, name, slice(None))
    for batch in range(1, ROWS + 1):
        for place in {0, ROWS - batch}:
            rows = slice(place, place + batch)
            for part, all_of_it in zip(drawn(model, name, rows), whole, strict=True):
                assert part.tobytes() == all_of_it[rows].tobytes(), (batch, place)


def test_threads_step_one_model_at_the_same_time() -> None:
    model = made("deep")
    expected = drawn(model, "deep", slice(None))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: drawn(model, "deep", slice(None), 3), range(24)))
    for parts in found:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(parts, expected, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_the_values_are_those_of_numpy(name: str) -> None:
    checkpoint, model = checkpoint_of(name), made(name)
    assert model._model.heads[0].kind == (HALF if name == "deep" else SINGLE)
    assert model._model.cells[0].kind == (SINGLE if name == "paper" else SHORT)
    tolerance = 1e-4 if name == "paper" else 4e-3  # products of short integers
    plain = drawn(NumpyMoGlow(checkpoint.config, checkpoint.weights), name, slice(None))
    for ours, theirs in zip(drawn(model, name, slice(None)), plain, strict=True):
        assert np.abs(ours - theirs).max() <= tolerance * max(1.0, float(np.abs(theirs).max()))


@pytest.mark.parametrize("name", MODELS)
def test_every_processor_gives_the_same_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(name)
    expected, compared = drawn(model, name, slice(None)), 0
    for cap in CAPS:
        if not runs_here(cap):
            continue
        library = load_kernel(cap)
        monkeypatch.setattr(native_moglow, "load_kernel", lambda library=library: library)
        capped = made(name)
        assert capped._library is library
        for ours, theirs in zip(drawn(capped, name, slice(None)), expected, strict=True):
            assert ours.tobytes() == theirs.tobytes(), cap
        compared += 1
    if not compared:
        pytest.skip(f"this processor has none of {CAPS}")


def runs_here(cap: str) -> bool:
    """Whether the processor has the instructions of an x86-64 level."""
    needed = {"-march=x86-64-v3": {"avx2", "fma"}, "-march=x86-64-v4": {"avx512f", "avx512vl", "avx512dq"}}
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return False
    return needed[cap] <= set(next((line for line in lines if line.startswith("flags")), "").split())


@pytest.mark.parametrize(
    "setting", ["OPENBLAS_CORETYPE=Haswell", "NPY_DISABLE_CPU_FEATURES=X86_V4 AVX512_ICL AVX512_SPR"]
)
def test_poses_do_not_depend_on_the_libraries(setting: str) -> None:
    """The poses that the shipped model samples have the same bits, whatever OpenBLAS and numpy compute with."""
    made("small")
    outputs = []
    for more in ((), (setting,)):
        environment = {**os.environ, **dict(each.split("=") for each in more)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", POSES],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1] and len(outputs[0].strip()) == 64


POSES = """
from hashlib import sha256
import numpy as np
from moglow.checkpoint import Checkpoint
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.sampler import Sampler
turns = np.linspace(-1, 1, 40)
velocities = np.stack([1 + turns, 0 * turns, turns], axis=1)
poses = Sampler.of(Checkpoint.read(PRETRAINED), temperature=0.6).stream(velocities, seed=2)
print(sha256(np.stack(list(poses)).tobytes()).hexdigest())
"""


def test_activations_are_exact_to_rounding_and_bounded() -> None:
    made("small")
    x = np.concatenate([np.linspace(-100, 100, 4095, dtype=np.float32), np.zeros(1, np.float32)])
    x[:64] = np.array([np.inf, -np.inf, 1e-30, -1e-7] * 16, np.float32)
    exponentials, sigmoids, c, h = (np.empty_like(x) for _ in range(4))
    pointers = [each.ctypes.data_as(ctypes.c_void_p) for each in (x, exponentials, sigmoids, c, h)]
    load_kernel(NATIVE).activations(pointers[0], len(x), *pointers[1:])
    exact = np.clip(x.astype(float), -86, 88)
    with np.errstate(over="ignore"):
        assert np.abs(exponentials / np.exp(exact) - 1).max() <= 3e-7
        gates = 1 / (1 + np.exp(-exact))
    assert np.abs(sigmoids - gates).max() <= 2e-7
    finite = np.isfinite(x)
    gates, before = gates[finite], x[finite].astype(float)
    memory = gates * before + gates * np.tanh(before)
    assert (np.abs(c[finite] - memory) <= 5e-7 * np.maximum(1, np.abs(before))).all()
    assert np.abs(h[finite] - gates * np.tanh(memory)).max() <= 1e-6


def test_without_a_compiler_numpy_samples_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    load_kernel.cache_clear()
    checkpoint = make_checkpoint(**MODELS["small"])
    try:
        assert native_model(checkpoint) is None
        assert isinstance(Sampler.of(checkpoint).model, RowByRow)
        with pytest.raises(DeviceError, match="no-such-compiler"):
            NativeMoGlow(checkpoint.config, checkpoint.weights)
    finally:
        load_kernel.cache_clear()


def test_arrays_that_do_not_fit_are_refused() -> None:
    model = made("small")
    context, noise = np.zeros((2, model.context), np.float32), np.zeros((2, model.noise_dim), np.float32)
    with pytest.raises(ValueError, match="does not fit"):
        model.step(context[:, 1:], model.initial_state(2), noise)
    with pytest.raises(ValueError, match="expected"):
        model.step(context, model.initial_state(3), noise)
