"""Impossible motion is not written, and impossible controls cause no warnings of numpy."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.errors import ClipError
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import write_path
from moglow.sampling.generate import PRETRAINED, generate
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import FAR, bounded, is_wild, possible_blocks, why_impossible
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

IMPOSSIBLE = ([6.5, 0, 0], [0, 4, 0], [0.5, 0, 15], [1000, 0, 0])


def steady(velocity: list[float], frames: int = 120) -> ControlPath:
    return ControlPath.from_velocities([velocity] * frames, fps=30.0)


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


@pytest.mark.parametrize("velocity", IMPOSSIBLE)
def test_impossible_paths_give_a_body_or_are_refused_without_a_warning(
    model: Checkpoint, velocity: list[float]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            (take,) = generate(model, steady(velocity), temperature=1.0)
        except ClipError as error:
            assert "loses the figure at" in str(error) and "nothing is written" in str(error)
        else:
            assert why_impossible(take.clip) == ""


def test_a_model_that_loses_the_figure_is_refused(monkeypatch: pytest.MonkeyPatch, model: Checkpoint) -> None:
    monkeypatch.setattr("moglow.sampling.sanity.FAREST", 0.1)
    with pytest.raises(ClipError, match=r"loses the figure at \d+\.\d s.*nothing is written"):
        list(generate(model, steady([1, 0, 0])))


@pytest.mark.parametrize("velocity", [[3, 0, 0], [-1.5, 0, 0], [0, 1.0, 0], [0.5, 0, 3]])
def test_possible_motion_is_written(model: Checkpoint, velocity: list[float]) -> None:
    (take,) = generate(model, steady(velocity), temperature=1.0)
    assert len(list(possible_blocks(iter([take.clip])))) == 1


def test_poses_within_reach_keep_every_bit() -> None:
    poses = np.random.default_rng(0).normal(size=(3, 62)).astype(np.float32)
    assert np.array_equal(bounded(np, poses), poses)
    wild = np.array([[np.nan, np.inf, -np.inf, 2e3]], np.float32)
    assert np.abs(bounded(np, wild)).tolist() == [[FAR] * 4]


def test_one_wild_motion_of_a_batch_changes_no_other(model: Checkpoint) -> None:
    sampler, calm = Sampler.of(model), Track(steady([1, 0, 0]), 1)
    alone = np.stack([pose[0] for pose, _ in sampler.sample([calm])])
    beside = np.stack([pose[0] for pose, _ in sampler.sample([calm, Track(steady([1000, 0, 0]), 2)])])
    assert np.array_equal(alone, beside) and not is_wild(alone, model.context).any()


def damaged(clip: Clip) -> dict[str, Clip]:
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[10, 3] *= 3
    far = clip.positions.copy()
    far[:, 1] = [0, 50, 0]
    return {
        "long instead of": replace(clip, positions=positions),
        "at .* m/s": replace(clip, rotations=rotations, fps=5000.0),
        "long instead": replace(clip, positions=far),
    }


def test_impossible_bones_and_speeds_are_named() -> None:
    clip = walk(skeleton_of(RIGS["mixamo"]), seconds=2.0)[0]
    assert why_impossible(clip) == ""
    for words, wrong in damaged(clip).items():
        with pytest.raises(ClipError, match=words):
            list(possible_blocks(iter([clip, wrong])))


def test_every_sample_is_a_body(samples: Path) -> None:
    from moglow.bvh.read import read_bvh

    for file in sorted(samples.glob("*.bvh")):
        assert why_impossible(read_bvh(file)) == "", file


def test_a_folder_with_a_bad_path_makes_all_others(tmp_path: Path) -> None:
    folder = tmp_path / "paths"
    folder.mkdir()
    write_path(steady([1, 0, 0], 30), folder / "a.csv")
    write_path(steady([0.5, 0, 15]), folder / "b.csv")
    (folder / "c.csv").write_text("t,x,z\n0,0,x\n")
    (folder / "d.csv").write_text("t,x,z,style\n0,0,0,tango\n1,0,1,tango\n")
    write_path(steady([1.2, 0, 0], 30), folder / "e.csv")
    result = CliRunner().invoke(
        cli, ["generate", "--control", str(folder), "-o", str(tmp_path / "out"), "--as-asked"]
    )
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 1 and line.startswith("error: 3 of 5 paths failed: ")
    for words in ("b.csv: the model loses", "c.csv: line 2, column z", "d.csv: no style is called"):
        assert words in line
    assert sorted(path.name for path in (tmp_path / "out").glob("*.bvh")) == ["a.bvh", "e.bvh"]


def test_one_bad_path_is_named(tmp_path: Path) -> None:
    write_path(steady([0.5, 0, 15]), tmp_path / "fast.csv")
    for option in ("--as-asked", "--strict"):
        result = CliRunner().invoke(
            cli, ["generate", "--control", str(tmp_path / "fast.csv"), "-o", str(tmp_path / "a.bvh"), option]
        )
        (line,) = result.stderr.splitlines()
        assert result.exit_code == 1 and "fast.csv: " in line and "path:" not in line
        assert not (tmp_path / "a.bvh").exists()


def test_waypoints_far_apart_cause_a_warning(tmp_path: Path) -> None:
    from moglow.paths.csv_files import read_path

    (tmp_path / "a.csv").write_text("x,z\n0,0\n0,300\n")
    assert read_path(tmp_path / "a.csv").resample(20.0).notes == (
        "300 m from one point to the next; are these centimetres? give metres",
    )
    (tmp_path / "a.csv").write_text("x,z\n0,0\n0,3\n")
    assert read_path(tmp_path / "a.csv").notes == ()
