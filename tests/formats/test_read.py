"""Motion of every format is read by one function: as Blender wrote it, by content, clip by clip, damage in one line."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.cleaning.inspect import inspect_file, motion_files
from moglow.errors import MoglowError, MotionFileError
from moglow.formats.export import export
from moglow.formats.read import MOTIONS, SUFFIXES, clips_in, read_motion, split_name
from tests.conftest import SHARED_DATA
from tests.support.blender import bpy_python
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

JUDGED = 1e-4  # metres; how far from Blender's joints ours may be
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
CMU = 0.0254 / 0.45


def test_a_name_behind_the_file_chooses_a_clip(tmp_path: Path) -> None:
    assert split_name("a/pack.glb#Walk cycle") == (Path("a/pack.glb"), "Walk cycle")
    assert split_name("a/walk.bvh") == (Path("a/walk.bvh"), None)
    assert split_name("a#b/walk.bvh") == (Path("a#b/walk.bvh"), None)
    (tmp_path / "take.bvh#1").write_text("a file of its own")
    assert split_name(tmp_path / "take.bvh#1") == (tmp_path / "take.bvh#1", None)


def test_without_usd_core_a_usd_file_is_an_error_of_its_own(
    tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands for folders report it and go on with the other files."""
    monkeypatch.setitem(sys.modules, "pxr", None)
    (tmp_path / "walk.usda").write_text("#usda 1.0\n")
    with pytest.raises(MotionFileError, match=r"walk\.usda: needs pxr: pip install 'moglow\[usd\]'"):
        read_motion(tmp_path / "walk.usda")
    (tmp_path / "walk.bvh").write_bytes((samples / "walk.bvh").read_bytes())
    assert [bool(inspect_file(file).error) for file in motion_files(tmp_path)] == [False, True]


def test_the_content_decides_before_the_suffix(tmp_path: Path, samples: Path) -> None:
    clip = read_bvh(samples / "walk.bvh")
    export(clip, tmp_path / "walk.glb")
    (tmp_path / "walk.glb").rename(tmp_path / "glb.bvh")
    shutil.copy(samples / "walk.bvh", tmp_path / "bvh.glb")
    for name in ("glb.bvh", "bvh.glb"):
        assert np.abs(read_motion(tmp_path / name).world()[0] - clip.world()[0]).max() < 1e-5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_no_such_file_is_one_line(suffix: str, tmp_path: Path) -> None:
    if suffix.startswith(".usd") and not find_spec("pxr"):
        pytest.skip("needs usd-core")
    for content in (
        b"",
        b"\0" * 200,
        b"glTF",
        b"Kaydara FBX Binary  \x00",
        b"#usda 1.0\n(",
        b"{}",
        b"\xff" * 50,
    ):
        file = tmp_path / f"broken{suffix}"
        file.write_bytes(content)
        with pytest.raises(MoglowError) as caught:
            read_motion(file)
        assert "\n" not in str(caught.value) and "broken" in str(caught.value)
    with pytest.raises(MoglowError, match="none"):
        read_motion(tmp_path / f"none{suffix}")


def test_an_empty_glb_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(b"")
    with pytest.raises(MotionFileError, match=r"a\.glb: the file is empty; get or export the file again"):
        read_motion(tmp_path / "a.glb")


def test_a_file_of_several_clips_counts_as_several(tmp_path: Path) -> None:
    clip = walk(skeleton_of(RIGS["mixamo"]), seconds=1.0)[0]
    export(clip, tmp_path / "one.glb")
    export(clip, tmp_path / "one.bvh")
    assert motion_files(tmp_path) == [tmp_path / "one.bvh", tmp_path / "one.glb"]
    assert clips_in(tmp_path / "one.glb") == [tmp_path / "one.glb"]
    assert inspect_file(tmp_path / "one.glb").frames == len(clip)
    (tmp_path / "broken.glb").write_bytes(b"glTF")
    assert "too short" in (inspect_file(motion_files(tmp_path)[0]).error or "")


def test_a_skeleton_alone_serves_as_a_rig_only(tmp_path: Path) -> None:
    nodes = [
        {"name": "Hips", "children": [1], "translation": [0, 1, 0]},
        {"name": "Spine", "translation": [0, 0.3, 0]},
    ]
    document = {"asset": {"version": "2.0"}, "nodes": nodes, "skins": [{"joints": [0, 1]}]}
    (tmp_path / "rig.gltf").write_text(json.dumps(document))
    with pytest.raises(MotionFileError, match="has no animation, only a skeleton for motion to be put on"):
        read_motion(tmp_path / "rig.gltf")
    rig = read_motion(tmp_path / "rig.gltf", pose_only=True)
    assert rig.skeleton.names == ("Hips", "Spine") and len(rig) == 1


def scale_of(file: Path) -> float:
    """Metres per unit of a recording, for Blender."""
    return {"16_35": CMU, "02_01": CMU, "wd2_WalkForwardNormal00": 1.0}.get(file.stem, 0.01)


@pytest.mark.blender
def test_what_blender_writes_is_read_as_it_moves(tmp_path: Path) -> None:
    interpreter = bpy_python()
    files = sorted(file for file in SAMPLES.glob("*.bvh") if file.stem != "figure")[:6]
    files += sorted((SHARED_DATA / "tiny").glob("*/*.bvh"))[:4]
    script, out = Path(__file__).parents[1] / "oracles" / "motion_blender.py", tmp_path / "found.json"
    jobs = json.dumps({str(file): scale_of(file) for file in files})
    subprocess.run(
        [interpreter, script, "write", out, tmp_path, jobs], check=True, capture_output=True, timeout=600
    )
    found = json.loads(out.read_text())
    assert len(found) == 5 * len(files)
    worst: dict[str, float] = defaultdict(float)
    for name, judged in found.items():
        file = Path(name)
        if file.suffix.startswith(".usd") and not find_spec("pxr"):
            continue
        clip = read_motion(file)
        joints, expected = [clip.skeleton.index(bone) for bone in judged["names"]], np.array(judged["joints"])
        assert len(clip) == len(expected) and abs(clip.fps / read_bvh(file_of(file, files)).fps - 1) < 1e-4
        worst[file.suffix] = max(
            worst[file.suffix], float(np.abs(clip.world()[0][:, joints] - expected).max())
        )
    assert {".glb", ".gltf", ".fbx"} <= worst.keys() and max(worst.values()) < JUDGED, worst


def file_of(written: Path, files: list[Path]) -> Path:
    return next(file for file in files if file.stem == written.stem)


def test_every_format_of_motion_is_looked_for_in_folders(tmp_path: Path) -> None:
    for suffix in (*SUFFIXES, ".txt", ".csv"):
        (tmp_path / f"a{suffix}").write_bytes(b"x")
    assert {file.suffix for file in motion_files(tmp_path)} == set(MOTIONS)
