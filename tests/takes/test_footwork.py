"""Directed feet from the command line and from Python: --ground, --footprints and --footprints-in."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moglow
from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.errors import ControlError
from moglow.footsteps.files import FIRST
from moglow.footsteps.footprints import foot_names
from moglow.ground.shapes import Stairs
from moglow.motion.contacts import toe_points
from moglow.takes.footwork import Footwork
from moglow.takes.sidecars import read_sidecar
from tests.support import commands
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

SHORT = ("--control", "line:length=2.5")


run, fails = partial(commands.run, "generate"), partial(commands.fails, "generate")


def rows(file: Path) -> list[dict[str, str]]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A walk and its footprints, as the command writes them."""
    folder = tmp_path_factory.mktemp("walked")
    assert run(*SHORT, "-o", folder / "walk.bvh", "--footprints", folder / "steps.csv").exit_code == 0
    return folder / "walk.bvh", folder / "steps.csv"


def test_footprints_are_written_edited_and_followed(walked: tuple[Path, Path], tmp_path: Path) -> None:
    steps, moved = tmp_path / "steps.csv", tmp_path / "moved.bvh"
    found = rows(walked[1])
    assert list(found[0]) == ["t_on", "t_off", "foot", "x", "z", "heading", "height"]
    plain = run(*SHORT, "-o", tmp_path / "plain.bvh")
    assert plain.exit_code == 0
    same = read_bvh(walked[0]).world_positions - read_bvh(tmp_path / "plain.bvh").world_positions
    assert np.abs(same).max() < 2e-3, "writing footprints changes no motion"
    text = walked[1].read_text().replace(found[3]["x"], f"{float(found[3]['x']) + 0.12:.4f}")
    steps.write_text(text)
    assert run(*SHORT, "-o", moved, "--footprints-in", steps).exit_code == 0
    sidecar = read_sidecar(moved)
    assert (
        sidecar["footprints_followed"]["error_m"] < 0.01
        and not sidecar["footprints_followed"]["out_of_reach_s"]
    )
    clip, wanted = read_bvh(moved), rows(steps)[3]
    leg = foot_names(clip.skeleton).index(wanted["foot"])
    middle = round((float(wanted["t_on"]) + float(wanted["t_off"])) / 2 * clip.fps)
    place = toe_points(clip)[middle, leg]
    np.testing.assert_allclose(place[[0, 2]], [float(wanted["x"]), float(wanted["z"])], atol=0.01)


def test_footprints_alone_imply_a_path(walked: tuple[Path, Path], tmp_path: Path) -> None:
    steps = walked[1]
    done = run("-o", tmp_path / "mine.bvh", "--footprints-in", steps)
    assert done.exit_code == 0, done.output
    sidecar = read_sidecar(tmp_path / "mine.bvh")
    assert sidecar["footprints_followed"]["count"] == len(rows(steps))
    assert sidecar["footprints_followed"]["error_m"] < 0.01
    take = moglow.generate(footprints=steps)
    assert len(take.footprints) == len(rows(steps)) and len(take.clip) == sidecar["frames"]
    assert take.figures["footprints_followed"] == sidecar["footprints_followed"]


def test_stairs_are_climbed_on_a_rig_at_another_rate(tmp_path: Path) -> None:
    write_bvh(walk(skeleton_of(RIGS["mixamo"]), seconds=1.0)[0], tmp_path / "rig.bvh")
    out, text = tmp_path / "up.bvh", "stairs:rise=0.15,run=0.3,steps=3,start=1"
    words = ("--control", "line:length=3.2", "-o", out, "--skeleton", tmp_path / "rig.bvh", "--fps", 60)
    done = run(*words, "--ground", text)
    assert done.exit_code == 0, done.output
    sidecar, clip = read_sidecar(out), read_bvh(out)
    assert clip.fps == 60 and sidecar["ground"] == text and sidecar["frames"] == len(clip)
    assert (
        sidecar["on_ground"]["foothold_error_m"]["p95"] < 0.02
        and sidecar["on_ground"]["penetration_p99_m"] < 0.015
    )
    stairs = Stairs(rise=0.15, run=0.3, steps=3, start=1.0)
    for toe in np.moveaxis(toe_points(clip), 1, 0):
        assert toe[-1, 1] - toe[0, 1] == pytest.approx(0.45, abs=0.03)
        assert (toe[:, 1] > stairs.heights(toe[:, 0], toe[:, 2]) - 0.02).all()
    assert "is there already" in run(*words, "--ground", text).output


def test_python_makes_what_the_command_makes(tmp_path: Path) -> None:
    out = tmp_path / "hill.bvh"
    assert run(*SHORT, "-o", out, "--ground", "slope:angle=8", "--seed", 2).exit_code == 0
    take = moglow.generate("line:length=2.5", ground="slope:angle=8", seed=2)
    take.export(tmp_path / "ours.bvh")
    assert (tmp_path / "ours.bvh").read_bytes() == out.read_bytes()
    assert take.figures["on_ground"] == read_sidecar(out)["on_ground"]
    assert max(each.height for each in take.footprints) > 0.05


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--ground", "stares"), "did you mean stairs"),
        (("--ground", "stairs", "--loop"), "leave out the loop"),
        (("--ground", "stairs", "--no-foot-lock"), "keep the foot lock"),
        (("--footprints-in", "nowhere.csv"), "nowhere.csv: cannot be read"),
        (("--footprints", "steps.csv", "--takes", "3"), "one file of footprints for 3 motions"),
        (("--footprints", "steps.csv", "--loop"), "a loop has no last one"),
        (("--strides", "2"), "--strides needs --loop"),
        (("--ground", "{tmp}/small.obj"), "the path leaves it"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "small.obj").write_text("v -1 0 -1\nv -1 0 1\nv 1 0 1\nv 1 0 -1\nf 1 2 3 4\n")
    filled = [word.replace("{tmp}", str(tmp_path)) for word in words]
    assert message in fails(*SHORT, "-o", tmp_path / "out.bvh", *filled)
    assert not (tmp_path / "out.bvh").exists()


def test_footprints_replace_no_file_of_another_kind(tmp_path: Path) -> None:
    other = tmp_path / "rig.bvh"
    other.write_text("HIERARCHY")
    footwork = Footwork(write=other)
    options: dict[str, Any] = {"motions": 1, "loop": False, "mirror": False, "foot_lock": True, "inputs": ()}
    with pytest.raises(ControlError, match="no file of footprints"):
        footwork.check(**options)
    footwork.check(**options, overwrite=True)
    other.write_text(FIRST)
    footwork.check(**options)


def test_footprints_of_another_motion_are_refused(tmp_path: Path) -> None:
    (tmp_path / "far.csv").write_text("t_on,t_off,foot,x,z\n0,1,left,50,0\n1,2,right,50,1\n2,3,left,50,2\n")
    line = fails(*SHORT, "-o", tmp_path / "out.bvh", "--footprints-in", tmp_path / "far.csv")
    assert "3 of 3 are no steps of this motion" in line


def test_a_file_of_footprints_is_never_its_input(tmp_path: Path) -> None:
    steps = tmp_path / "steps.csv"
    steps.write_text("t_on,t_off,foot,x,z\n0,1,left,0,0\n")
    words = ("-o", tmp_path / "out.bvh", "--footprints-in", steps, "--footprints", steps)
    assert "is the input" in fails(*SHORT, *words)
