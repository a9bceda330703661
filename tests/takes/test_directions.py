"""Directions on the command line: pins, reaches, looks, pin files, starts, ends, continued clips, and their prices."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import moglow
from moglow.bvh.read import read_bvh
from moglow.takes.sidecars import read_sidecar
from tests.support import commands

SHORT = ("--control", "line:length=1.5")


run, fails = partial(commands.run, "generate"), partial(commands.fails, "generate")


@pytest.fixture(scope="module")
def pose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("poses") / "pose.bvh"
    moglow.generate("line:length=2", seed=6).export(file)
    return file


def test_options_direct_a_motion_and_say_what_they_cost(pose: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "pins.csv", tmp_path / "out.bvh"
    table.write_text(f"t,pose,frame,joints\n1.2,{pose},40,arms\n")
    words = (
        *("--start", f"{pose}@20", "--pins", table, "--reach", "1.8=right_hand:-0.3,1.2,1.1"),
        *(
            "--look",
            "0-1=0.5,1.6,3",
            "--end",
            f"{pose}@-1",
            "--seed",
            3,
            "--footprints",
            tmp_path / "steps.csv",
        ),
    )
    done = run(*SHORT, "-o", out, *words)
    assert done.exit_code == 0, done.output
    lines = [line.strip() for line in done.stdout.splitlines()[1:]]
    sidecar = read_sidecar(out)
    assert [pin["says"] for pin in sidecar["pins"]] == lines and len(lines) == 4
    assert all("nats more than usual" in line for line in lines)
    made, source = read_bvh(out), read_bvh(pose)
    for frame, number in ((0, 20), (len(made) - 1, len(source) - 1)):
        np.testing.assert_allclose(made.rotations[frame, 1:], source.rotations[number, 1:], atol=1e-6)
    assert "\nt_on,t_off,foot" in (tmp_path / "steps.csv").read_text()
    again = run(*SHORT, "-o", out, *words)
    assert "is there already" in again.stdout
    followed = ("--footprints-in", tmp_path / "steps.csv", "-o", tmp_path / "same.bvh")
    assert run(*SHORT, *words[:-2], *followed).exit_code == 0
    same = read_bvh(tmp_path / "same.bvh")
    apart = np.abs(same.world_positions - made.world_positions)
    assert np.quantile(apart, 0.999) < 2e-3 and apart.max() < 5e-3  # nearly straight legs magnify millimetres
    figures = read_sidecar(tmp_path / "same.bvh")["footprints_followed"]
    assert figures["error_m"] < 0.01 and not figures["changed_for_pins"]


def test_a_clip_is_continued_on_its_skeleton(pose: Path, tmp_path: Path) -> None:
    out = tmp_path / "on.bvh"
    assert run(*SHORT, "-o", out, "--continue", pose).exit_code == 0
    made, source = read_bvh(out), read_bvh(pose)
    assert made.skeleton == source.skeleton
    np.testing.assert_allclose(made.world_positions[0], source.world_positions[-1], atol=1e-5)


def test_mistakes_end_in_one_line(pose: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "out.bvh")
    pin = ("--pin", f"1={pose}@3")
    assert "loop: not with pins" in fails("--control", "line", "--loop", *pin, *out)
    assert "mirror: not with pins" in fails(*SHORT, "--mirror", *pin, *out)
    high = fails(*SHORT, "--ground", "flat:height=0.7", "--continue", pose, *out)
    assert re.search(r"pose: it ends with its feet 0\.(69|7\d?) m below the ground flat:height=0\.7", high)
    assert "leave out one of them" in fails(*SHORT, "--start", pose, "--continue", pose, *out)
    assert "nowhere.csv: no such file" in fails(*SHORT, "--pins", "nowhere.csv", *out)
    assert "nowhere.bvh: no such file" in fails(*SHORT, "--continue", "nowhere.bvh", *out)
    assert "nowhere.bvh" in fails(*SHORT, "--pin", "1=nowhere.bvh", *out)
    assert "time within it" in fails(*SHORT, "--pin", f"9={pose}", *out)
    assert "never overwritten" in fails(*SHORT, *pin, "-o", pose, "--overwrite")
    assert not (tmp_path / "out.bvh").exists()
