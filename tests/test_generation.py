"""From a checkpoint and a path to takes on the disk: the library and `moglow generate`."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from moglow.bvh_read import read_bvh
from moglow.cli.main import cli
from moglow.contacts import contacts, toe_points
from moglow.control import ControlPath
from moglow.errors import ControlError
from moglow.generation import generate, ranked, styled, within_range
from tests.test_sampling import make_checkpoint

PATH = ControlPath.from_velocities(np.tile([0.8, 0.0, 0.2], (61, 1)), 30.0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    make_checkpoint().write(file)
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["generate", *map(str, arguments)])


def test_takes_differ_and_repeat() -> None:
    first, second = generate(make_checkpoint(), PATH, seed=5, takes=2)
    (again,) = generate(make_checkpoint(), PATH, seed=5, takes=1)
    assert np.array_equal(first.clip.rotations, again.clip.rotations)
    assert not np.allclose(first.clip.rotations, second.clip.rotations)


def test_the_foot_lock_holds_what_stands() -> None:
    (free,) = generate(make_checkpoint(), PATH, foot_lock=False)
    (held,) = generate(make_checkpoint(), PATH)
    assert free.slide == free.slide_before == held.slide_before
    planted = contacts(free.clip)
    toes = toe_points(held.clip)
    both = planted[1:] & planted[:-1]
    assert held.slide.mean <= free.slide.mean
    if both.any():
        assert np.abs(np.diff(toes[..., [0, 2]], axis=0)[both]).max() < 0.02


def test_ranking_puts_the_stillest_feet_first() -> None:
    takes = ranked(list(generate(make_checkpoint(), PATH, takes=4)))
    slides = [take.slide_before.mean for take in takes]
    assert slides == sorted(slides) and {take.number for take in takes} == {0, 1, 2, 3}


def test_a_path_beyond_what_was_seen_is_told_fitted_or_refused() -> None:
    checkpoint = make_checkpoint()
    fast = ControlPath.from_velocities(np.tile([6.2, 0.0, 0.0], (61, 1)), 20.0)
    same, warnings = within_range(checkpoint, fast, fit=False, strict=False)
    assert same is fast and "6.2 m/s asked" in warnings[0] and "1.5 m/s seen" in warnings[0]
    slowed, told = within_range(checkpoint, fast, fit=True, strict=False)
    assert slowed.duration > 2 * fast.duration and "slowed from" in told[0]
    with pytest.raises(ControlError, match="--fit"):
        within_range(checkpoint, fast, fit=False, strict=True)


def test_an_unknown_style_is_named_with_the_known_ones() -> None:
    with pytest.raises(ControlError, match="brisk"):
        list(generate(make_checkpoint(), styled(PATH, "briks")))


def test_the_command_writes_a_take_and_its_figures(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.bvh"
    done = run("--control", "line:length=2", "-o", out, "--checkpoint", model, "--seed", 3, "--fps", 60)
    assert done.exit_code == 0, done.output
    clip, sidecar = read_bvh(out), json.loads(out.with_suffix(".json").read_text())
    assert clip.fps == 60 and len(clip) == sidecar["frames"]
    assert sidecar["seed"] == 3 and sidecar["foot_slide_m_s"]["written"]["mean"] >= 0
    first = out.read_bytes()
    run("--control", "line:length=2", "-o", out, "--checkpoint", model, "--seed", 3, "--fps", 60)
    assert out.read_bytes() == first


def test_the_command_numbers_takes_and_puts_them_on_a_rig(model: Path, tmp_path: Path) -> None:
    rig = Path(__file__).parents[1] / "data" / "samples" / "figure.bvh"
    out = tmp_path / "walk.bvh"
    done = run(
        *("--control", "stand", "-o", out, "--checkpoint", model, "--takes", 2, "--rank", "--skeleton", rig)
    )
    assert done.exit_code == 0, done.output
    files = sorted(tmp_path.glob("walk_*.bvh"))
    assert [file.name for file in files] == ["walk_1.bvh", "walk_2.bvh"]
    assert read_bvh(files[0]).skeleton.names == read_bvh(rig).skeleton.names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--control", "no.csv", "-o", "w.bvh"), "no such file"),
        (("--control", "circel:r=2", "-o", "w.bvh"), "circle"),
        (("--control", "line", "-o", "w.fbx"), "no format"),
        (("--control", "line:length=60,speed=9", "-o", "w.bvh", "--strict"), "m/s asked"),
        (("--control", "line", "-o", "w.bvh", "--style", "cal"), "calm"),
    ],
)
def test_a_mistake_is_one_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, "--checkpoint", model)
    assert done.exit_code == 1 and message in done.output and done.output.count("\n") == 1
    assert not list(tmp_path.glob("w.*"))
