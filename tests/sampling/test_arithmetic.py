"""Every arithmetic samples like numpy, within its rounding; the native kernel is available or gives a reason."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from moglow.checkpoint import Checkpoint
from moglow.corpus.windows import on_device
from moglow.errors import DeviceError
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.arithmetic import FEW, KERNELS, Arithmetic, NumpyArithmetic, make_arithmetic
from moglow.sampling.fast.int16 import BLOCK, Int16Arithmetic, load_kernel
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow
from moglow.sampling.fast.torch_arithmetic import TorchArithmetic
from moglow.sampling.fast.torch_steps import DeviceMoGlow
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.sampler import Sampler, Track
from tests.sampling.test_sampler import make_checkpoint

ERRORS = {"numpy": 0.0, "native": 1e-4, "torch": 1e-5, "bfloat16": 5e-2}
"""Largest differences from numpy of a target, in standard deviations."""


@pytest.fixture
def fresh_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder, and no kernel loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_kernel.cache_clear()
    yield tmp_path / "moglow" / "kernels"
    load_kernel.cache_clear()


def arithmetic_of(kernel: str) -> Arithmetic:
    try:
        return make_arithmetic(kernel)
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("kernel", ERRORS)
@pytest.mark.parametrize("inputs, outputs, rows", [(5, 1, 1), (70, BLOCK, 2), (33, 3 * BLOCK + 7, 9)])
def test_a_product_is_a_product(kernel: str, inputs: int, outputs: int, rows: int) -> None:
    arithmetic, generator = arithmetic_of(kernel), np.random.default_rng(1)
    x, weight = (
        generator.standard_normal(shape, dtype=np.float32) for shape in ((rows, inputs), (inputs, outputs))
    )
    made = arithmetic.numpy(arithmetic.product(arithmetic.array(x), arithmetic.matrix(weight)))
    assert made.shape == (rows, outputs) and made.dtype == np.float32
    assert np.abs(made - x @ weight).max() <= ERRORS[kernel] * np.sqrt(inputs) + 1e-5


@pytest.mark.parametrize("kernel", ERRORS)
@pytest.mark.parametrize("latent", ["normal", "student"])
def test_every_arithmetic_samples_like_numpy(kernel: str, latent: str) -> None:
    checkpoint = make_checkpoint(latent=latent)
    plain = NumpyMoGlow(checkpoint.config, checkpoint.weights)
    other = NumpyMoGlow(checkpoint.config, checkpoint.weights, arithmetic_of(kernel))
    generator = np.random.default_rng(0)
    state, theirs = plain.initial_state(3), other.initial_state(3)
    for _ in range(12):
        context = generator.standard_normal((3, checkpoint.context.size), dtype=np.float32)
        noise = generator.standard_normal((3, plain.noise_dim), dtype=np.float32)
        expected, nats, state = plain.step(context, state, noise)
        sampled, likelihood, theirs = other.step(context, theirs, noise)
        sampled, likelihood = other.numpy(sampled), other.numpy(likelihood)
        assert np.abs(sampled - expected).max() <= ERRORS[kernel]
        assert likelihood.dtype == np.float64
        assert np.abs(likelihood - nats).max() <= 10 * plain.pose_dim * ERRORS[kernel]


@pytest.mark.parametrize("kernel", ERRORS)
def test_a_row_does_not_depend_on_the_others(kernel: str) -> None:
    checkpoint = make_checkpoint()
    model = NumpyMoGlow(checkpoint.config, checkpoint.weights, arithmetic_of(kernel))
    generator = np.random.default_rng(0)
    context = generator.standard_normal((5, checkpoint.context.size), dtype=np.float32)
    noise = generator.standard_normal((5, model.noise_dim), dtype=np.float32)
    together, _, _ = model.step(context, model.initial_state(5), noise)
    alone, _, _ = model.step(context[3:4], model.initial_state(1), noise[3:4])
    assert np.abs(model.numpy(together[3:4] - alone)).max() <= max(ERRORS[kernel], 1e-5)


@pytest.mark.parametrize("kernel", ERRORS)
def test_a_step_does_not_change_its_inputs(kernel: str) -> None:
    checkpoint = make_checkpoint()
    model = NumpyMoGlow(checkpoint.config, checkpoint.weights, arithmetic_of(kernel))
    context, noise = (
        np.ones((1, checkpoint.context.size), np.float32),
        np.ones((1, model.noise_dim), np.float32),
    )
    _, _, state = model.step(context, model.initial_state(), noise)
    kept = [torch.as_tensor(part).clone() for part in state]
    first, _, _ = model.step(context, state, noise)
    second, _, _ = model.step(context, state, noise)
    assert (
        np.array_equal(model.numpy(first), model.numpy(second))
        and (context == 1).all()
        and (noise == 1).all()
    )
    assert all(torch.equal(torch.as_tensor(part), before) for part, before in zip(state, kept, strict=True))


def test_a_device_samples_the_same_motions_from_the_same_noise() -> None:
    checkpoint = make_checkpoint(lookahead=1)
    model = DeviceMoGlow(checkpoint.config, checkpoint.weights, TorchArithmetic("cpu"))
    device, plain = Sampler(on_device(checkpoint.context, "cpu"), model), Sampler.of(checkpoint)
    paths = [ControlPath.from_velocities(np.tile([1.0, 0.0, turn], (9, 1)), plain.fps) for turn in (0.0, 0.5)]
    tracks = [Track(path, seed=3, take=take) for take, path in enumerate(paths)]
    for (ours, nats), (theirs, likelihood) in zip(device.sample(tracks), plain.sample(tracks), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4 and np.abs(nats - likelihood).max() <= 1e-2


def two_minutes(arithmetic: Arithmetic) -> Array:
    """Returns the poses ``(T, D)`` of two minutes of a walk along a bend."""
    frames = 3600
    velocities = np.tile([0.9, 0.0, 0.0], (frames, 1))
    velocities[:, 2] = 0.15 * np.sin(np.arange(frames) / 50)
    sampler = Sampler.of(Checkpoint.read(PRETRAINED), temperature=0.7, arithmetic=arithmetic)
    return np.stack(list(sampler.stream(velocities)))


@pytest.fixture(scope="module")
def float32_walk() -> Array:
    return two_minutes(NumpyArithmetic())


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["native", "bfloat16"])
def test_rounded_weights_drift_no_more_in_two_minutes(kernel: str, request: pytest.FixtureRequest) -> None:
    """The spread and the jerk of poses, in the first and the last minute, are those of float32 within 2 %."""
    rounded = two_minutes(arithmetic_of(kernel))
    walks = [request.getfixturevalue("float32_walk"), rounded]
    checkpoint = Checkpoint.read(PRETRAINED)
    for minute in (slice(0, 1800), slice(-1800, None)):
        plain, other = (walk[minute] / checkpoint.context.pose_deviation for walk in walks)
        assert other.std(0).mean() == pytest.approx(plain.std(0).mean(), rel=0.02)
        jerks = [np.abs(np.diff(each, 3, axis=0)).mean() for each in (plain, other)]
        assert jerks[1] == pytest.approx(jerks[0], rel=0.02)


def test_the_kernel_is_compiled_once_and_kept(fresh_kernel: Path) -> None:
    arithmetic_of("native")
    (kept,) = fresh_kernel.iterdir()
    made = kept.stat().st_mtime_ns
    load_kernel.cache_clear()
    Int16Arithmetic()
    assert [(path, path.stat().st_mtime_ns) for path in fresh_kernel.iterdir()] == [(kept, made)]


def test_a_damaged_or_planted_library_is_never_loaded(fresh_kernel: Path) -> None:
    arithmetic_of("native")
    (kept,) = fresh_kernel.iterdir()
    whole, planted = kept.read_bytes(), kept.with_name(f"{kept.stem[:-64]}{'0' * 64}.so")
    for damaged in (whole[:-100], b"", bytes([whole[0]]) + bytes(len(whole) - 1)):
        kept.unlink()  # a loaded library stays as it is in memory
        kept.write_bytes(damaged)
        planted.write_bytes(damaged)
        load_kernel.cache_clear()
        Int16Arithmetic()
        assert list(fresh_kernel.iterdir()) == [kept] and kept.read_bytes() == whole


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_the_cache_is_private_to_its_user(fresh_kernel: Path) -> None:
    fresh_kernel.mkdir(parents=True, mode=0o777)
    for folder in (fresh_kernel, fresh_kernel.parent):
        folder.chmod(0o777)
    arithmetic_of("native")
    assert stat.S_IMODE(fresh_kernel.stat().st_mode) == 0o700
    assert stat.S_IMODE(fresh_kernel.parent.stat().st_mode) == 0o755
    if os.geteuid() == 0:
        for folder in (fresh_kernel, fresh_kernel.parent):
            os.chown(folder, 65534, 65534)
            load_kernel.cache_clear()
            with pytest.raises(DeviceError, match="belongs to another user"):
                make_arithmetic("native")


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_numpy_does_the_work(
    fresh_kernel: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    assert isinstance(make_arithmetic("auto"), NumpyArithmetic)
    with pytest.raises(DeviceError, match=compiler) as caught:
        make_arithmetic("native")
    assert "\n" not in str(caught.value)
    assert not [name for _, _, names in os.walk(fresh_kernel) for name in names]


def test_auto_selects_by_batch_size() -> None:
    arithmetic_of("native")
    assert isinstance(make_arithmetic(batch=FEW), Int16Arithmetic)
    assert isinstance(make_arithmetic(batch=FEW + 1), NumpyArithmetic)
    assert set(KERNELS) == {"auto", *ERRORS}


@pytest.mark.parametrize(
    ("kernel", "device", "says"), [("nmpy", "cpu", "choose from"), ("numpy", "cuda", "runs on the CPU")]
)
def test_impossible_arithmetics_are_refused(kernel: str, device: str, says: str) -> None:
    with pytest.raises(DeviceError, match=says):
        make_arithmetic(kernel, device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("kernel", ["auto", "torch"])
def test_a_missing_gpu_is_an_error(kernel: str) -> None:
    with pytest.raises(DeviceError, match="no CUDA GPU"):
        make_arithmetic(kernel, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_samples_like_numpy() -> None:
    checkpoint = make_checkpoint()
    plain = NumpyMoGlow(checkpoint.config, checkpoint.weights)
    other = NumpyMoGlow(checkpoint.config, checkpoint.weights, make_arithmetic("torch", device="cuda"))
    context = np.ones((4, checkpoint.context.size), np.float32)
    noise = np.random.default_rng(0).standard_normal((4, plain.noise_dim), dtype=np.float32)
    expected, _, _ = plain.step(context, plain.initial_state(4), noise)
    sampled, _, _ = other.step(context, other.initial_state(4), noise)
    assert np.abs(other.numpy(sampled) - expected).max() <= 1e-4
