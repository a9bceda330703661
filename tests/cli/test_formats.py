"""Commands take motion of any format: the same file as BVH and as GLB gives the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.bvh.read import read_bvh
from moglow.cli.main import cli
from moglow.formats.export import export
from moglow.formats.read import read_motion

CLOSE = 1e-5  # metres; single precision


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    for name in ("walk", "turns", "stop"):
        clip = read_bvh(samples / f"{name}.bvh")
        (tmp_path / "bvh" / "calm").mkdir(parents=True, exist_ok=True)
        (tmp_path / "glb" / "calm").mkdir(parents=True, exist_ok=True)
        export(clip, tmp_path / "bvh" / "calm" / f"{name}.bvh")
        export(clip, tmp_path / "glb" / "calm" / f"{name}.glb")
    return tmp_path


def test_inspect_reports_what_is_in_a_glb(folder: Path) -> None:
    both = [json.loads(run("inspect", folder / kind, "--json")) for kind in ("bvh", "glb")]
    for one, other in zip(*both, strict=True):
        assert (one["frames"], one["fps"], one["figure"]) == (other["frames"], other["fps"], other["figure"])
        assert other["axes"]["unit"] == "m" and other["axes"]["up"] == "Y" and other["axes"]["forward"] == "Z"
        assert one["motion"]["speed_median"] == pytest.approx(other["motion"]["speed_median"], abs=1e-4)


def test_export_converts_and_never_writes_over_its_input(folder: Path) -> None:
    source = folder / "glb" / "calm" / "walk.glb"
    run("export", source, folder / "back.bvh")
    assert "Frames: 204" in (folder / "back.bvh").read_text()
    expected = read_bvh(folder / "bvh" / "calm" / "walk.bvh").world()[0]
    assert np.abs(read_bvh(folder / "back.bvh").world()[0] - expected).max() < CLOSE
    done = CliRunner().invoke(cli, ["export", f"{source}#walk", str(source)])
    assert done.exit_code == 1 and "never overwritten" in done.output


def test_clean_mends_a_glb_into_any_format(folder: Path) -> None:
    clip = read_bvh(folder / "bvh" / "calm" / "walk.bvh")
    elbow = clip.skeleton.index("LeftForeArm")
    clip.rotations[60, elbow] = [0.0, 1.0, 0.0, 0.0]
    export(clip, folder / "spike.glb")
    for suffix in (".bvh", ".glb"):
        output = run("clean", folder / "spike.glb", "--no-model", "-o", folder / f"fixed{suffix}")
        assert "damage: 1 found, 1 mended" in output
        mended = read_motion(folder / f"fixed{suffix}")
        assert np.abs(mended.world()[0] - clip.world()[0])[:50].max() < CLOSE
        assert np.abs(np.diff(mended.world()[0], axis=0)).max() < 0.2


def test_preprocess_makes_the_same_corpus(folder: Path) -> None:
    summaries = [
        json.loads(run("preprocess", folder / kind, "-o", folder / f"{kind}.corpus", "--json"))
        for kind in ("bvh", "glb")
    ]
    assert summaries[0] == summaries[1]


def test_a_glb_is_a_rig(folder: Path) -> None:
    rig = folder / "glb" / "calm" / "walk.glb"
    run("generate", "--control", "line:length=1", "-o", folder / "a.bvh", "--skeleton", rig)
    run(
        "generate",
        "--control",
        "line:length=1",
        "-o",
        folder / "b.bvh",
        "--skeleton",
        folder / "bvh" / "calm" / "walk.bvh",
    )
    one, other = (read_bvh(folder / f"{name}.bvh").world()[0] for name in "ab")
    assert np.abs(one - other).max() < 1e-4


def test_export_mirrors_and_moves_the_root(folder: Path) -> None:
    source = folder / "bvh" / "calm" / "turns.bvh"
    clip = read_bvh(source)
    run("export", source, folder / "mirror.glb", "--mirror")
    assert np.abs(read_motion(folder / "mirror.glb").world()[0] - clip.mirrored().world()[0]).max() < CLOSE
    run("export", folder / "mirror.glb", folder / "twice.bvh", "--mirror")
    assert np.abs(read_bvh(folder / "twice.bvh").world()[0] - clip.world()[0]).max() < CLOSE
    for out in ("root.bvh", "root.glb"):
        run("export", source, folder / out, "--root-motion")
        moved = read_motion(folder / out)
        assert moved.skeleton.names[0] == "root"
        assert np.abs(moved.world()[0][:, 1:] - clip.world()[0]).max() < CLOSE


def test_export_packs_several_clips(folder: Path) -> None:
    files = sorted((folder / "bvh" / "calm").glob("*.bvh"))
    assert "3 animations: stop, turns, walk" in run("export", *files, folder / "pack.glb", "--root-motion")
    assert read_motion(f"{folder}/pack.glb#turns").skeleton.names[0] == "root"
    assert len(json.loads(run("inspect", folder / "pack.glb", "--json"))) == 3
    done = CliRunner().invoke(cli, ["export", *map(str, files), str(folder / "pack.bvh")])
    assert done.exit_code == 1 and "a .bvh file holds one clip; use .glb for several" in done.output


def test_generate_mirrors_and_moves_the_root(folder: Path) -> None:
    path = ("generate", "--control", "circle:r=1,laps=0.25", "-o")
    run(*path, folder / "plain.bvh")
    run(*path, folder / "mirror.bvh", "--mirror")
    run(*path, folder / "root.bvh", "--root-motion")
    plain = read_bvh(folder / "plain.bvh")
    assert np.abs(read_bvh(folder / "mirror.bvh").world()[0] - plain.mirrored().world()[0]).max() < CLOSE
    root = read_bvh(folder / "root.bvh")
    assert root.skeleton.names[0] == "root"
    assert np.abs(root.world()[0][:, 1:] - plain.world()[0]).max() < CLOSE
