"""USD files: what is written is read again, by Blender too; packs and damage."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.errors import ExportError, MoglowError
from moglow.formats.read import read_motion
from moglow.formats.usd import write_usd, write_usd_crowd
from tests.formats.test_glb import SKELETONS, dance
from tests.support.blender import bpy_python

pytest.importorskip("pxr", reason="needs usd-core: pip install '.[usd]'")

SINGLE = 5e-6  # metres
JUDGED = 1e-4  # metres, in Blender
TIME = 1e-6  # time codes
SUFFIXES = (".usda", ".usdc", ".usdz")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["cmu", "mixamo", "repeated, broken names", "lone joint"])
def test_what_is_written_is_read_again(name: str, suffix: str, tmp_path: Path) -> None:
    clip = dance(SKELETONS[name])
    write_usd(clip, tmp_path / f"a{suffix}")
    found = read_motion(tmp_path / f"a{suffix}", unit=1.0, up="Y")
    assert found.fps == clip.fps and found.skeleton.parents == clip.skeleton.parents
    assert np.abs(found.world()[0] - clip.world()[0]).max() < SINGLE
    assert np.abs(found.skeleton.offsets[1:] - clip.skeleton.offsets[1:]).max(initial=0.0) < SINGLE


def test_the_body_is_valid_by_usd_itself(tmp_path: Path, samples: Path) -> None:
    from pxr import Usd, UsdGeom, UsdSkel

    write_usd(read_bvh(samples / "walk.bvh")[:5], tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    root = UsdSkel.Root(stage.GetPrimAtPath("/Figure"))
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.PrimDefaultPredicate)
    (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
    (body,) = binding.GetSkinningTargets()
    assert body.GetPrim().GetName() == "Body" and body.HasJointInfluences()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_crowd_has_the_poses_of_its_clips_by_usd_itself(suffix: str, tmp_path: Path) -> None:
    from pxr import Usd, UsdGeom, UsdSkel

    clips = [dance(SKELETONS["cmu"], frames=20 + k, seed=k) for k in range(3)]
    names, begins = ("anna", "4 b", "4-b"), (0.0, 0.5, 1.01)
    out = tmp_path / f"crowd{suffix}"
    assert write_usd_crowd(zip(names, begins, clips, strict=True), out) == 3
    stage = Usd.Stage.Open(str(out))
    assert stage.GetDefaultPrim().GetPath() == "/Crowd"
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert stage.GetTimeCodesPerSecond() == clips[0].fps
    last = max((begin + clip.times[-1]) * clip.fps for begin, clip in zip(begins, clips, strict=True))
    assert abs(stage.GetEndTimeCode() - last) < TIME
    cache = UsdSkel.Cache()
    for name, begin, clip in zip(("anna", "_4_b", "_4_b_2"), begins, clips, strict=True):
        root = UsdSkel.Root(stage.GetPrimAtPath(f"/Crowd/{name}"))
        cache.Populate(root, Usd.PrimDefaultPredicate)
        (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
        (body,) = binding.GetSkinningTargets()
        assert body.GetPrim().GetPath() == f"/Crowd/{name}/Body"
        query = cache.GetSkelQuery(binding.GetSkeleton())
        for frame in (0, 7, len(clip) - 1):
            for code in {begin * clip.fps + frame, 0.0 if frame == 0 else begin * clip.fps + frame}:
                joints = np.array(query.ComputeJointSkelTransforms(code))[:, 3, :3]
                assert np.abs(joints - clip.world_positions[frame]).max() < SINGLE
        assert np.abs(read_motion(f"{out}#{name}").world_positions - clip.world_positions).max() < SINGLE


def test_a_crowd_has_some_figures(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no figures"):
        write_usd_crowd([], tmp_path / "crowd.usda")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_is_one_line(suffix: str, tmp_path: Path) -> None:
    write_usd(dance(SKELETONS["cmu"], frames=3), tmp_path / f"whole{suffix}")
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    for number, share in enumerate(np.linspace(0.0, 0.9, 8)):
        file = tmp_path / f"cut{number}{suffix}"  # a new name, since USD remembers files
        file.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(MoglowError) as caught:
            read_motion(file)
        assert "\n" not in str(caught.value) and "cut" in str(caught.value)


def test_values_that_are_damaged_are_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The library opens such files, and fails when the values are read."""
    write_usd(dance(SKELETONS["cmu"], frames=40), tmp_path / "whole.usdc")
    whole, random = (tmp_path / "whole.usdc").read_bytes(), np.random.default_rng(0)
    tail = int.from_bytes(whole[16:24], "little")  # where the table of contents is, behind the values
    refused = 0
    for number in range(60):
        data = bytearray(whole)
        for at in random.integers(tail - 12_000, len(whole), 5):
            data[at] = random.integers(256)
        file = tmp_path / f"damaged{number}.usdc"
        file.write_bytes(data)
        try:
            read_motion(file)
        except MoglowError as error:
            refused += 1
            assert "\n" not in str(error) and file.name in str(error)
    assert refused > 10
    printed = capfd.readouterr()
    assert "Warning" not in printed.err and "Error" not in printed.err and not printed.out


@pytest.mark.blender
def test_blender_agrees(tmp_path: Path, samples: Path) -> None:
    interpreter = bpy_python()
    files = sorted(samples.glob("*.bvh"))
    clips = {str(tmp_path / f"{file.stem}{SUFFIXES[k % 3]}"): replace(read_bvh(file)[:30], name=file.stem)
             for k, file in enumerate(files)}  # fmt: skip
    for path, clip in clips.items():
        write_usd(clip, path)
    script, out = Path(__file__).parents[1] / "oracles" / "motion_blender.py", tmp_path / "found.json"
    command: list[str | Path] = [
        interpreter,
        script,
        "read",
        out,
        *(word for path in clips for word in (path, "30")),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    for path, judged in json.loads(out.read_text()).items():
        clip = clips[path]
        joints = [clip.skeleton.index(name.rpartition("/")[2]) for name in judged["names"]]
        assert sorted(joints) == list(range(len(clip.skeleton)))
        found = np.array(judged["joints"])[: len(clip)]
        assert np.abs(found - clip.world()[0][: len(found)][:, joints]).max() < JUDGED, path
