"""The command `moglow inspect`: its output and exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.cleaning.injection import inject
from moglow.cli.main import cli
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file and a truncated one."""
    folder = tmp_path_factory.mktemp("mocap")
    write_bvh(walk(skeleton_of(RIGS["snu"]), seconds=3.0)[0].on_floor(), folder / "walk.bvh")
    (folder / "cut.bvh").write_text((folder / "walk.bvh").read_text()[:6000])
    return folder


def inspect(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["inspect", *map(str, arguments)])


def test_a_file_is_shown_in_full(folder: Path) -> None:
    result = inspect(folder / "walk.bvh")
    assert result.exit_code == 0
    for text in (
        "20 joints",
        "cm",
        "Y up, facing Z",
        "91 frames at 30 fps",
        "1.00 m/s",
        "LeftUpLeg",
        "RightToes",
    ):
        assert text in result.stdout
    assert result.stdout.count("%") > 20  # how sure each role is


def test_damage_is_shown_with_frames_and_reasons(tmp_path: Path) -> None:
    sample = read_bvh(Path(__file__).resolve().parents[2] / "data/samples/walk.bvh")
    write_bvh(inject(sample, "swap", generator=np.random.default_rng(2)).clip, tmp_path / "swap.bvh")
    shown = inspect(tmp_path / "swap.bvh").stdout
    assert "where and why" in shown and "27 to 38" in shown and "left leg and right leg are swapped" in shown
    assert "27 to 38: left leg and right leg" in " ".join(inspect(tmp_path).stdout.split())
    (report,) = json.loads(inspect(tmp_path, "--json").stdout)
    (swap,) = report["faults"]
    assert (swap["kind"], swap["start"], swap["stop"]) == ("swap", 27, 39)


def test_a_folder_is_shown_whole_and_ends_in_1_for_its_broken_file(folder: Path) -> None:
    result = inspect(folder)
    assert result.exit_code == 1
    assert "walk.bvh" in result.stdout and "cut.bvh" in result.stdout
    assert "2 files, 0.1 min: 1 undamaged, 0 damaged, 1 unusable" in result.stdout


def test_a_broken_file_is_one_line_on_stderr(folder: Path) -> None:
    result = inspect(folder / "cut.bvh")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: cut.bvh: ") and result.stderr.count("\n") == 1


def test_json_holds_the_reports(folder: Path) -> None:
    result = inspect(folder, "--json")
    assert result.exit_code == 1
    broken, sound = json.loads(result.stdout)
    assert set(broken) >= {"file", "error"}
    assert sound["motion"]["slide"]["median"] < 1e-3
    assert sound["figure"]["roles"]["left_foot"][0] == "LeftFoot"


def test_a_map_changes_the_figure(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('[roles]\nleft_toe = ""\nright_toe = ""\n')
    result = inspect(folder / "walk.bvh", "--map", tmp_path / "map.toml")
    assert result.exit_code == 0
    assert "LeftToes" not in result.stdout
    (tmp_path / "map.toml").write_text('[roles]\nleft_tow = "LeftToes"\n')
    wrong = inspect(folder / "walk.bvh", "--map", tmp_path / "map.toml")
    assert wrong.exit_code == 1
    assert "did you mean 'left_toe'" in wrong.stderr


@pytest.mark.parametrize("name", ["nowhere.bvh", "nowhere"])
def test_a_missing_file_is_one_line(folder: Path, name: str) -> None:
    result = inspect(folder / name)
    assert result.exit_code == 1
    assert name in result.stderr and result.stderr.count("\n") == 1
