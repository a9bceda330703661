"""The sampler of few kernels samples like numpy: on a GPU, and in Triton's interpreter."""

import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from moglow.checkpoint import Checkpoint
from moglow.compute.cuda_graphs import GraphedFunction
from moglow.evaluation.speed import Subject
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.arithmetic import make_arithmetic
from moglow.sampling.fast.fused import SAMPLING, TILES, FusedMoGlow, moglow_on, tiles_for
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow
from moglow.sampling.fast.torch_arithmetic import TorchArithmetic
from moglow.sampling.fast.torch_steps import DeviceMoGlow
from moglow.sampling.sampler import Sampler, Track
from tests.sampling.test_sampler import make_checkpoint

EXACT, NATS = 1e-4, 1e-2
"""Largest difference of a pose, in standard deviations, and of a likelihood, from numpy's over some frames."""
ROUNDED, ROUNDED_NATS = 5e-2, 3.0
"""The same for bfloat16."""

CONFIGS = (
    {"latent": "student", "scale": "bounded"},
    {"encoder": (), "layers": 1, "hidden": 20},
)
CHOSEN = sorted({tiles_for(batch) for batch in (1, 64, 1024)} | {SAMPLING})
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton: pip install triton")
on_a_gpu = pytest.mark.skipif(
    not torch.cuda.is_available() or find_spec("triton") is None, reason="needs a CUDA GPU and Triton"
)


def differences(
    checkpoint: Checkpoint | Subject, model: FusedMoGlow | DeviceMoGlow, batch: int, frames: int = 4
) -> tuple[float, float]:
    """Returns the largest differences of poses and likelihoods from those of numpy, over some frames."""
    plain = NumpyMoGlow(checkpoint.config, checkpoint.weights)
    size = checkpoint.context if isinstance(checkpoint, Subject) else checkpoint.context.size
    generator, step = np.random.default_rng(0), model.recorded(model.step)
    state, theirs = plain.initial_state(batch), model.initial_state(batch)
    poses, nats = [0.0], [0.0]
    for _ in range(frames):
        context = generator.standard_normal((batch, size), dtype=np.float32)
        noise = generator.standard_normal((batch, plain.noise_dim), dtype=np.float32)
        expected, likely, state = plain.step(context, state, noise)
        sampled, found, theirs = step(model.array(context), theirs, model.array(noise))
        poses.append(float(np.abs(model.numpy(sampled) - expected).max()))
        nats.append(float(np.abs(model.numpy(found) - likely).max()))
    return max(poses), max(nats)


def interpreted() -> None:
    """Runs in a process with Triton's interpreter, which is selected when Triton is loaded."""
    for config in CONFIGS:
        checkpoint = make_checkpoint(steps=2, **config)
        for tiles, batch in (("row", 2), ("small", 18), ("tile", 1)):
            fused = FusedMoGlow(checkpoint.config, checkpoint.weights, TorchArithmetic("cpu"), tiles=tiles)
            pose, nats = differences(checkpoint, fused, batch, frames=2)
            assert pose < EXACT and nats < NATS, (config, tiles, pose, nats)


@needs_triton
def test_the_interpreter_samples_like_numpy() -> None:
    code = "from tests.sampling.test_fused import interpreted; interpreted()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_without_a_gpu_it_is_torch() -> None:
    checkpoint = make_checkpoint()
    model = moglow_on(checkpoint.config, checkpoint.weights, TorchArithmetic("cpu"))
    assert isinstance(model, DeviceMoGlow)
    assert max(differences(checkpoint, model, 3)) < EXACT


def test_a_batch_has_tiles_of_its_own_kind() -> None:
    """The bits of a motion depend on the tiles; a batch uses whole tiles of one kind."""
    rows = sorted({tiles.rows for tiles in TILES.values()})
    assert rows[0] == 1 and all(large % small == 0 for small, large in pairwise(rows))


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("tiles", CHOSEN)
@pytest.mark.parametrize("config", CONFIGS, ids=["two layers", "one layer"])
def test_a_gpu_samples_like_numpy(config: dict[str, Any], tiles: str) -> None:
    checkpoint = make_checkpoint(**config)
    arithmetic = TorchArithmetic("cuda")
    model = moglow_on(checkpoint.config, checkpoint.weights, arithmetic, tiles=tiles)
    assert isinstance(model, FusedMoGlow)
    for batch in (1, 70):
        pose, nats = differences(checkpoint, model, batch)
        assert pose < EXACT and nats < NATS, (pose, nats)


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("tiles", CHOSEN)
@pytest.mark.parametrize("kernel", ["torch", "bfloat16"])
def test_a_gpu_samples_a_preset(kernel: str, tiles: str) -> None:
    subject = Subject.of_preset("compact", pose=63, control=3)
    arithmetic = make_arithmetic(kernel, device="cuda")
    assert isinstance(arithmetic, TorchArithmetic)
    model = moglow_on(subject.config, subject.weights, arithmetic, tiles=tiles)
    pose, nats = differences(subject, model, 5)
    limits = (EXACT, NATS) if kernel == "torch" else (ROUNDED, ROUNDED_NATS)
    assert pose < limits[0] and nats < limits[1], (pose, nats)


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("fused", [True, False], ids=["few kernels", "torch"])
def test_a_graph_samples_like_single_launches(fused: bool) -> None:
    checkpoint = make_checkpoint()
    made = FusedMoGlow if fused else DeviceMoGlow
    model = made(checkpoint.config, checkpoint.weights, TorchArithmetic("cuda"))
    step = model.recorded(model.step)
    assert isinstance(step, GraphedFunction)
    state = before = model.initial_state(64)
    generator = np.random.default_rng(0)
    for _ in range(4):
        context, noise = (
            model.array(generator.standard_normal((64, width), dtype=np.float32))
            for width in (checkpoint.context.size, model.noise_dim)
        )
        pose, nats, state = step(context, state, noise)
        expected, likely, before = model.step(context, before, noise)
        assert torch.equal(pose, expected) and torch.equal(nats, likely)
        assert all(torch.equal(one, other) for one, other in zip(state, before, strict=True))
    assert step.recordings == 1


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("conditioner", ["lstm", "gru"])
def test_on_a_gpu_a_motion_does_not_depend_on_its_batch(conditioner: str) -> None:
    """To the last bit, in a batch of one tile, of several, or alone; for any model."""
    sampler = Sampler.of(make_checkpoint(conditioner=conditioner, lookahead=1), device="cuda")
    paths = [ControlPath.from_velocities(np.tile([1.0, 0.0, turn], (6, 1)), sampler.fps) for turn in (0, 0.5)]
    tracks = [Track(path, seed=3, take=take) for take in range(45) for path in paths]
    together = [pose for pose, _ in sampler.sample(tracks)]
    for place in (0, 33, 89):
        alone = [pose[0] for pose, _ in sampler.sample(tracks[place : place + 1])]
        assert all(np.array_equal(mine, all_[place]) for mine, all_ in zip(alone, together, strict=True))
    assert sampler.device == "cuda"


@pytest.mark.gpu
@on_a_gpu
def test_a_gpu_samples_the_same_motions_from_the_same_noise() -> None:
    checkpoint = make_checkpoint(lookahead=1)
    device, plain = Sampler.of(checkpoint, device="cuda"), Sampler.of(checkpoint)
    path = ControlPath.from_velocities(np.tile([1.0, 0.0, 0.5], (9, 1)), plain.fps)
    tracks = [Track(path, seed=3, take=take) for take in range(3)]
    for (ours, nats), (theirs, likelihood) in zip(device.sample(tracks), plain.sample(tracks), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-3 and np.abs(nats - likelihood).max() <= 1e-1
