"""`moglow bench` and the port that it is compared with: complete, and equal to the model. No test depends on time."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from moglow.cli.commands.bench import THREADS
from moglow.cli.main import cli
from moglow.errors import CheckpointError, DeviceError
from moglow.evaluation import speed
from moglow.evaluation.speed import ITEM_BYTES, Subject, measure, report_lines, sample_first
from moglow.flows.nets import has_bfloat16
from moglow.sampling.fast.folded import Folded
from moglow.sampling.fast.native_moglow import native_model
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow
from scripts.benchmarks.speed.sampling import POSE, ported
from scripts.benchmarks.speed.sampling import TILES as OFFERED
from tests.sampling.test_sampler import make_checkpoint


@pytest.fixture(autouse=True)
def same_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets them for its process, which here is that of all tests."""
    for name in THREADS:
        monkeypatch.setenv(name, "1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    make_checkpoint().write(file)
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["bench", *map(str, arguments)])


def test_a_trained_model_is_timed(model: Path) -> None:
    result = run("--checkpoint", model, "--frames", 6, "--batch", 2, "--kernel", "numpy", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    checkpoint = make_checkpoint()
    assert report["weights"] == sum(
        each.size for each in Folded.of(checkpoint.config, checkpoint.weights).matrices
    )
    assert report["first_frame_s"] > 0 and "numpy" in report["machine"] and report["model"] == model.name
    (only,) = report["runs"]
    assert (only["kernel"], only["batch"], only["frames"]) == ("numpy", 2, 3)
    assert 0 < only["ms_p50"] <= only["ms_p95"] and only["roofline_ms"] >= 0 and only["gb_per_s"] > 0
    assert only["frames_per_s"] == pytest.approx(2000 / only["ms_p50"], rel=0.01)


def test_every_kernel_that_suits_a_batch_is_timed() -> None:
    subject = Subject.of_preset("compact", pose=POSE, control=3)
    report = measure(subject, kernel="auto", batches=[1, 16], frames=1, device="cpu", cpu_time=True)
    kernels = [(timed["kernel"], timed["batch"]) for timed in report["runs"]]
    expected = [("float32", 1), ("numpy", 1), ("native", 1)]
    expected += [("float32", 16), ("numpy", 16), ("torch", 16), ("bfloat16", 16)]
    assert kernels == [(kernel, batch) for kernel, batch in expected if kernel not in report["missing"]]
    assert ("bfloat16" in report["missing"]) != has_bfloat16(torch.device("cpu"))
    assert {kernel for kernel, _ in kernels} <= set(ITEM_BYTES)
    assert ("float32" in report["missing"]) == (native_model(make_checkpoint()) is None)
    _, _, _, *reasons = list(report_lines(report))[: 3 + len(report["missing"])]
    assert [line.split(":")[0] for line in reasons] == [f"without {kernel}" for kernel in report["missing"]]
    head, *table = list(report_lines(report))[3 + len(reasons) :]
    assert len(table) == len(kernels) and "p95" in head and all(len(line) == len(head) for line in table)


def test_a_preset_is_restored_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject.of_preset("compact", pose=POSE, control=3)
    subject.write(tmp_path / "subject")
    again = Subject.read(tmp_path / "subject")
    assert (again.name, again.context, again.config["hidden"]) == ("compact", 663, subject.config["hidden"])
    assert again.weights.keys() == subject.weights.keys()
    copied = []
    monkeypatch.setattr(NumpyMoGlow, "numpy", lambda _, values: copied.append(values))
    sample_first(str(tmp_path / "subject"))
    assert copied[0].shape == (1, POSE) and np.isfinite(copied[0]).all()


@pytest.mark.parametrize("preset", ["compact", "base"])
def test_the_port_samples_the_same_poses(preset: str) -> None:
    """Otherwise the benchmark would compare different computations."""
    subject = Subject.of_preset(preset, pose=POSE, control=3)
    model, port = NumpyMoGlow(subject.config, subject.weights), ported(subject, double=True)
    generator, ours, theirs = np.random.default_rng(0), model.initial_state(2), None
    context = generator.standard_normal((2, subject.context), dtype=np.float32)
    for _ in range(3):
        noise = generator.standard_normal((2, model.noise_dim), dtype=np.float32)
        pose, _, ours = model.step(context, ours, noise)
        expected, theirs = port(torch.tensor(context), torch.tensor(noise), theirs)
        assert np.abs(pose - expected).max() < 2e-5


def test_impossible_benchmarks_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "gru.safetensors"
    make_checkpoint(conditioner="gru").write(file)
    with pytest.raises(CheckpointError, match="gru"):
        Subject.of_checkpoint(file)
    for arguments in (
        ["--preset", "papre"],
        ["--checkpoint", file],
        ["--kernel", "numpy", "--device", "cuda"],
    ):
        result = run(*arguments)
        assert result.exit_code == 1 and result.stderr.startswith("error: ")
        assert len(result.stderr.splitlines()) == 1
    assert "did you mean 'paper'" in run("--preset", "papre").stderr


def test_a_cpu_without_bfloat16_is_timed_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moglow.sampling.fast.torch_arithmetic.has_bfloat16", lambda device: False)
    subject = Subject.of_preset("compact", pose=POSE, control=3)
    report = measure(subject, kernel="auto", batches=[16], frames=1, device="cpu", cpu_time=True)
    assert [timed["kernel"] for timed in report["runs"] if timed["kernel"] != "float32"] == ["numpy", "torch"]
    assert "cannot multiply in bfloat16" in "\n".join(report_lines(report))
    result = run("--preset", "compact", "--kernel", "bfloat16")
    assert result.exit_code == 1 and result.stderr.startswith("error: kernel bfloat16")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_an_error() -> None:
    subject = Subject.of_preset("compact", pose=POSE, control=3)
    with pytest.raises(DeviceError, match="no CUDA GPU"):
        measure(subject, kernel="auto", batches=[1], frames=1, device="cuda")


def test_the_script_offers_all_tiles() -> None:
    from moglow.sampling.fast.fused import TILES

    assert tuple(TILES) == OFFERED


def test_a_clock_that_stands_still_takes_a_tick() -> None:
    assert speed._best(lambda: 0.0, lambda: 1.0) == speed.TICK
