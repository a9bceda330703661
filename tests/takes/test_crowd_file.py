"""`moglow generate` of a crowd file: a file for each figure, or one with all; figures do not move alike."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from moglow.bvh.read import read_bvh
from moglow.cli.main import cli
from moglow.formats.read import clips_in, read_motion
from moglow.takes.sidecars import read_sidecar
from tests.sampling.test_sampler import make_checkpoint

HEADER = "id,t,x,z\n"
SINGLE = 5e-6  # metres; single precision a few metres from the origin
ROWS = "".join(
    f"{figure},{at + late},0,{at}\n" for figure, late in (("a", 0), ("b", 0), ("c", 2)) for at in (0, 1)
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "model.safetensors"
    make_checkpoint(carry={}).write(file)
    return file


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    file = tmp_path / "crowd.csv"
    file.write_text(HEADER + ROWS)
    return file


def generate(model: Path, control: object, out: Path, *more: str) -> Result:
    words = ["generate", "--checkpoint", model, "--control", control, "-o", out, *more]
    return CliRunner().invoke(cli, [str(word) for word in words])


def document(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    made: dict[str, Any] = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
    return made


def test_each_figure_has_a_file_and_moves_in_its_own_way(model: Path, crowd: Path, tmp_path: Path) -> None:
    assert generate(model, crowd, tmp_path / "out", "--seed", "5").exit_code == 0
    files = [tmp_path / "out" / f"crowd_{figure}.bvh" for figure in "abc"]
    assert [read_sidecar(file)["seed"] for file in files] == [5, 6, 7]
    a, b, _ = (read_bvh(file) for file in files)
    assert a.rotations.shape == b.rotations.shape and abs(a.rotations - b.rotations).max() > 1e-3
    again = tmp_path / "again.bvh"
    assert generate(model, f"{crowd}#b", again, "--seed", "5").exit_code == 0
    assert again.read_bytes() == files[1].read_bytes()


def test_one_file_has_all_figures_at_their_times(model: Path, crowd: Path, tmp_path: Path) -> None:
    out = tmp_path / "crowd.glb"
    made = generate(model, crowd, out)
    assert made.exit_code == 0 and "3 figures in one file" in made.output
    glb = document(out)
    names = [glb["nodes"][root]["name"] for root in glb["scenes"][0]["nodes"]]
    assert sorted(names) == ["a", "b", "c"] and len(glb["skins"]) == 3
    starts = sorted(
        {
            accessor["min"][0]
            for accessor in glb["accessors"]
            if accessor["type"] == "SCALAR" and "min" in accessor
        }
    )
    assert starts == [0.0, 2.0]
    before = out.read_bytes()
    assert "is there already" in generate(model, crowd, out).output
    assert generate(model, crowd, out, "--overwrite").exit_code == 0 and out.read_bytes() == before


@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usdz"])
def test_figures_of_a_stage_are_those_of_single_files(
    suffix: str, model: Path, crowd: Path, tmp_path: Path
) -> None:
    Usd = pytest.importorskip("pxr.Usd", reason="needs usd-core: pip install '.[usd]'")
    out = tmp_path / f"crowd{suffix}"
    made = generate(model, crowd, out)
    assert made.exit_code == 0 and "3 figures in one file" in made.output
    assert [each.name for each in clips_in(out)] == [f"{out.name}#{figure}" for figure in "abc"]
    stage = Usd.Stage.Open(str(out))
    length = {}
    for figure in "abc":
        assert generate(model, f"{crowd}#{figure}", tmp_path / f"{figure}{suffix}").exit_code == 0
        one, same = (read_motion(file) for file in (f"{out}#{figure}", tmp_path / f"{figure}{suffix}"))
        assert one.fps == same.fps and one.skeleton.names == same.skeleton.names
        assert np.abs(one.world_positions - same.world_positions).max() < SINGLE
        turns = stage.GetPrimAtPath(f"/Crowd/{figure}/Skeleton/{figure}").GetAttribute("rotations")
        length[figure] = len(one)
        begin = {"c": 2.0}.get(figure, 0.0) * one.fps
        assert turns.GetTimeSamples() == list(range(int(begin), int(begin) + len(one)))
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 2.0 * same.fps + length["c"] - 1)
    before = out.read_bytes()
    assert "is there already" in generate(model, crowd, out).output
    assert generate(model, crowd, out, "--overwrite").exit_code == 0 and out.read_bytes() == before


def test_a_crowd_as_one_clip_is_one_line(model: Path, crowd: Path, tmp_path: Path) -> None:
    pytest.importorskip("pxr", reason="needs usd-core: pip install '.[usd]'")
    out = tmp_path / "crowd.usda"
    assert generate(model, crowd, out).exit_code == 0
    read = CliRunner().invoke(cli, ["export", str(out), str(tmp_path / "a.bvh")])
    assert read.exit_code == 1
    assert f"{out}: has 3 animated figures (a, b, c); choose one: {out}#a" in read.output.replace("\n", "")


@pytest.mark.parametrize("suffix", [".glb", ".usda"])
@pytest.mark.parametrize(
    ("more", "says"),
    [(("--takes", "2"), "takes: this needs a file for each figure"), (("--loop",), "loop: this needs")],
)
def test_options_of_single_files_are_refused(
    model: Path, crowd: Path, tmp_path: Path, more: tuple[str, ...], says: str, suffix: str
) -> None:
    out = tmp_path / f"crowd{suffix}"
    made = generate(model, crowd, out, *more)
    assert made.exit_code != 0 and says in made.output and not out.exists()


def test_a_bad_row_is_one_line_and_the_other_figures_are_made(
    model: Path, crowd: Path, tmp_path: Path
) -> None:
    crowd.write_text(f"{HEADER}{ROWS}d,0,0,0\nd,1,0,wide\n")
    made = generate(model, crowd, tmp_path / "out")
    assert made.exit_code == 1 and "crowd.csv#d: line 9, column z: found 'wide'" in made.output
    assert len(list((tmp_path / "out").glob("*.bvh"))) == 3
    whole = generate(model, crowd, tmp_path / "crowd.glb")
    assert (
        whole.exit_code == 1 and "line 9, column z" in whole.output and not (tmp_path / "crowd.glb").exists()
    )
