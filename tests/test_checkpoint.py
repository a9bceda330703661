"""Checkpoints: all that generation needs is restored, without torch; damaged and foreign files are refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import Generator

from moglow.checkpoint import BEST, Checkpoint
from moglow.errors import CheckpointError
from moglow.files.tables import to_table
from moglow.files.tensors import read_tensors, write_tensors
from moglow.models.moglow import MoGlow
from tests.support.tiny import tiny_context, tiny_corpus

CONFIG = MoGlow.Config(steps=2, hidden=8, encoder=(8,), scale="bounded", latent="student")


def model() -> MoGlow:
    context = tiny_context()
    generator = Generator().manual_seed(1)
    made = MoGlow(CONFIG, context.pose_dim, context.size, generator=generator)
    made.initialize(
        torch.randn(2, 5, context.pose_dim, generator=generator),
        torch.randn(2, 5, context.size, generator=generator),
    )
    return made


def checkpoint() -> Checkpoint:
    weights = {name: tensor.numpy() for name, tensor in model().state_dict().items()}
    corpus = tiny_corpus()
    return Checkpoint(
        "moglow",
        to_table(CONFIG),
        weights,
        tiny_context(),
        corpus.control_range,
        corpus.notices,
        {"steps": 7},
    )


def test_everything_is_restored(tmp_path: Path) -> None:
    before = checkpoint()
    before.write(tmp_path / BEST)
    after = Checkpoint.read(tmp_path)  # a folder means its best checkpoint
    for name in ("model", "config", "control_range", "notices", "about", "version"):
        assert getattr(after, name) == getattr(before, name)
    assert after.skeleton == before.skeleton == tiny_corpus().encoding.skeleton
    assert after.context.spec == before.context.spec and after.context.styles == ("brisk", "calm")
    assert after.weights.keys() == before.weights.keys()
    for name, array in after.weights.items():
        np.testing.assert_array_equal(array, before.weights[name])
    context = tiny_context()
    vectors = torch.ones(1, 3, context.size)
    noise = torch.ones(1, model().noise_dim)
    ours, theirs = (made.eval().step(vectors[:, 0], None, noise)[0] for made in (model(), after.to_torch()))
    assert torch.equal(ours.detach(), theirs)


def test_writing_is_deterministic_and_opens_with_safetensors(tmp_path: Path) -> None:
    checkpoint().write(tmp_path / "a")
    Checkpoint.read(tmp_path / "a").write(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert any(name.startswith("weight.") for name in safetensors.numpy.load_file(tmp_path / "a"))


def test_half_the_size_is_nearly_the_same_model(tmp_path: Path) -> None:
    checkpoint().write(tmp_path / "half", half=True)
    after = Checkpoint.read(tmp_path / "half")
    for name, array in after.weights.items():
        before = checkpoint().weights[name]
        assert array.dtype == before.dtype
        np.testing.assert_allclose(array, before, rtol=1e-3, atol=1e-4)
    stored = read_tensors(tmp_path / "half")[0]
    assert not any(array.dtype == np.float32 for name, array in stored.items() if name.startswith("weight."))


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    checkpoint().write(tmp_path / "a")
    script = (
        "import sys; from moglow.checkpoint import Checkpoint; Checkpoint.read(sys.argv[1])\n"
        "print([name for name in ('torch', 'scipy', 'bvh', 'pyvista', 'safetensors') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a"
    checkpoint().write(path)
    whole = path.read_bytes()
    for cut in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError) as caught:
            Checkpoint.read(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    arrays, metadata = read_tensors(path)
    for change, message in (
        ({"format": "moglow-corpus"}, "expected a moglow-checkpoint, found moglow-corpus"),
        ({"version": "99"}, "its version is 99, this moglow reads 1"),
        ({"checkpoint": "{}"}, "its description is damaged"),
        ({"checkpoint": "["}, "its description is damaged"),
    ):
        write_tensors(tmp_path / "b", arrays, metadata | change)
        with pytest.raises(CheckpointError, match=message):
            Checkpoint.read(tmp_path / "b")
    write_tensors(tmp_path / "b", {}, metadata)
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoint.read(tmp_path / "b")
    with pytest.raises(CheckpointError, match="nowhere"):
        Checkpoint.read(tmp_path / "nowhere")


def test_weights_that_do_not_fit_are_refused() -> None:
    whole = checkpoint()
    with pytest.raises(CheckpointError, match="'mogolw'; did you mean 'moglow'"):
        replace(whole, model="mogolw").to_torch()
    with pytest.raises(CheckpointError, match="more than its weights hold"):
        replace(whole, weights={}).to_torch()
    with pytest.raises(CheckpointError, match="does not know 'hiden'; did you mean 'hidden'"):
        replace(whole, config={"hiden": 3}).to_torch()
