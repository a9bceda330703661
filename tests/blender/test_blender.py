"""`moglow blender`: its scenes open in Blender with the intended content; failures are one line."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.blender.program import Blender, candidates, find_blender, install_bpy, own_environment, python_of
from moglow.blender.scene_job import BlenderScene, build_scene, seam
from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.cli.main import cli
from moglow.errors import ExportError
from moglow.motion.capsule_body import capsule_body
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

CLOSE = 1e-4  # metres
ROOT = Path(__file__).resolve().parents[2]
WALK = ROOT / "data" / "samples" / "walk.bvh"
ORACLES = Path(__file__).parents[1] / "oracles"


@pytest.fixture(scope="session")
def bpy_python() -> Path:
    found = shutil.which(os.environ.get("MOGLOW_BPY_PYTHON", ""))
    if not found:
        pytest.skip("needs MOGLOW_BPY_PYTHON=…/bin/python, a Python with bpy")
    return Path(found)


def opened(python: Path, files: Mapping[Path, float], tmp_path: Path) -> dict[str, Any]:
    """Returns the content of files as Blender reads it, by suffix."""
    out, files_and_rates = (
        tmp_path / "found.json",
        json.dumps({str(file): fps for file, fps in files.items()}),
    )
    script = ORACLES / "scene_blender.py"
    subprocess.run([python, script, out, files_and_rates], check=True, capture_output=True, timeout=300)
    return {Path(file).suffix: what for file, what in json.loads(out.read_text()).items()}


@pytest.mark.blender
@pytest.mark.parametrize("rig", [None, "mixamo"])
def test_written_scenes_open_with_the_same_motion(bpy_python: Path, tmp_path: Path, rig: str | None) -> None:
    """A sample; and a rig with fingers and odd names, moved away, at another rate."""
    clip = read_bvh(WALK)[:40]
    if rig:
        clip = walk(skeleton_of(RIGS[rig]), seconds=1.0)[0].moved((3.0, 0.2, -2.0), heading=1.0)
        clip = replace(clip, name="odd name é", fps=24.0)
    files = {tmp_path / f"out{suffix}": clip.fps for suffix in (".blend", ".fbx", ".glb")}
    for file in files:
        built = build_scene(clip, BlenderScene(file), Blender(bpy_python))
        assert (built.bones, built.constrained, built.engine) == (len(clip.skeleton), 0, "")
    body = capsule_body(clip.skeleton).posed(*clip.world())
    extent = np.stack([body.min(1), body.max(1)], axis=1)
    for suffix, found in opened(bpy_python, files, tmp_path).items():
        assert sorted(found["names"]) == sorted(clip.skeleton.names)
        joints = [clip.skeleton.index(name) for name in found["names"]]
        name, first, last = found["action"]
        assert clip.name in name and (first, round(last, 3)) == (1, len(clip)), suffix
        assert found["armature"][0] == clip.name
        np.testing.assert_allclose(
            found["joints"], clip.world_positions[:, joints], atol=CLOSE, err_msg=suffix
        )
        np.testing.assert_allclose(found["extent"], extent, atol=CLOSE, err_msg=suffix)
        if suffix == ".blend":
            assert found["fps"] == pytest.approx(clip.fps, abs=1e-4)
            assert found["scene_range"] == [1, len(clip)]
            assert {"Floor", "Path", "Camera", "Sun"} < set(found["objects"])


@pytest.mark.blender
def test_the_camera_follows_and_the_path_is_drawn(bpy_python: Path, tmp_path: Path) -> None:
    clip, file = read_bvh(WALK)[:60], tmp_path / "walk.blend"
    path = ControlPath.from_clip(clip).moved((0.0, 1.0))
    build_scene(clip, BlenderScene(file, body=False), Blender(bpy_python), path=path)
    found = opened(bpy_python, {file: 30}, tmp_path)[".blend"]
    away = np.array(found["camera"])[:, [0, 2]] - path.positions
    assert np.ptp(away, axis=0).max() < CLOSE and 4 < np.linalg.norm(away[0]) < 8
    assert found["extent"] == []  # no body


@pytest.mark.blender
def test_a_loop_continues_from_its_end(bpy_python: Path, tmp_path: Path) -> None:
    """Ten frames into the fourth round: the pose of frame 10, three rounds farther on."""
    step = walk(skeleton_of(RIGS["mixamo"]), seconds=4.0)[0]
    clip = replace(step[:41], name="round", fps=29.97)
    file = tmp_path / "loop.blend"
    build_scene(clip, BlenderScene(file, loop=True), Blender(bpy_python))
    found = opened(bpy_python, {file: 30}, tmp_path)[".blend"]
    assert found["scene_range"] == [1, 40] and found["fps"] == pytest.approx(29.97, abs=1e-4)
    joints = [clip.skeleton.index(name) for name in found["names"]]
    onward = clip.positions[-1, 0] - clip.positions[0, 0]
    expected = clip.world_positions[10] + 4 * onward
    np.testing.assert_allclose(found["far"], expected[joints], atol=10 * CLOSE)


@pytest.mark.blender
@pytest.mark.parametrize("suffix", [".blend", ".fbx", ".glb"])
def test_a_character_takes_the_motion(bpy_python: Path, tmp_path: Path, suffix: str) -> None:
    """A rig of other proportions and names, itself written by Blender; its feet are where those of the clip are."""
    character, out = tmp_path / f"hero{suffix}", tmp_path / "out.blend"
    hero = walk(skeleton_of(RIGS["rigify"]), seconds=0.2)[0]
    build_scene(replace(hero, name="hero"), BlenderScene(character), Blender(bpy_python))
    clip = read_bvh(WALK)[:60]
    built = build_scene(clip, BlenderScene(out, character=character), Blender(bpy_python))
    assert built.bones == len(hero.skeleton)
    found = opened(bpy_python, {out: 30}, tmp_path)[".blend"]
    assert found["action"][0].startswith(clip.name)
    joints = np.array(found["joints"])
    hips = joints[:, found["names"].index(hero.skeleton.names[hero.skeleton.role("hips")])]
    assert np.abs(hips[:, [0, 2]] - clip.ground_positions()).max() < 0.06
    lowest = joints[..., 1].min(1)
    assert lowest.min() > -0.05 and lowest.max() < 0.25


@pytest.mark.blender
def test_scripts_in_a_character_do_not_run(bpy_python: Path, tmp_path: Path) -> None:
    character, touched = tmp_path / "hero.blend", tmp_path / "ran"
    hero = walk(skeleton_of(RIGS["rigify"]), seconds=0.2)[0]
    build_scene(replace(hero, name="hero"), BlenderScene(character), Blender(bpy_python))
    planting = [bpy_python, ORACLES / "script_blender.py", character, touched]
    subprocess.run(planting, check=True, capture_output=True, timeout=300)
    trusting = f"import bpy; bpy.ops.wm.open_mainfile(filepath={str(character)!r}, use_scripts=True)"
    subprocess.run([bpy_python, "-c", trusting], check=False, capture_output=True, timeout=300)
    assert touched.exists(), "the script runs where the file is trusted, or this would show nothing"
    touched.unlink()
    build_scene(
        read_bvh(WALK)[:3], BlenderScene(tmp_path / "out.blend", character=character), Blender(bpy_python)
    )
    assert (tmp_path / "out.blend").exists() and not touched.exists()


@pytest.mark.blender
@pytest.mark.render
def test_films_and_stills(bpy_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered by Workbench where possible; without OpenGL Blender crashes, and Cycles is used instead."""
    clip, out = read_bvh(WALK)[:3], tmp_path / "out.blend"
    film = build_scene(clip, BlenderScene(out, tmp_path / "film.mp4", size=(160, 90)), Blender(bpy_python))
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"
    assert film.engine in ("BLENDER_WORKBENCH", "CYCLES")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", str(tmp_path))
    still = build_scene(clip, BlenderScene(out, tmp_path / "still.png", size=(160, 90)), Blender(bpy_python))
    assert (tmp_path / "still.png").read_bytes().startswith(b"\x89PNG")
    assert still.engine == "CYCLES" or "DISPLAY" in os.environ


@pytest.mark.blender
def test_a_file_without_a_character_is_reported(bpy_python: Path, tmp_path: Path) -> None:
    for name, content in (("broken.blend", b"no blend"), ("broken.glb", b"no glb")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ExportError, match=name):
            scene = BlenderScene(tmp_path / "out.blend", character=tmp_path / name)
            build_scene(read_bvh(WALK)[:5], scene, Blender(bpy_python))
    assert not (tmp_path / "out.blend").exists()


def program(folder: Path, name: str, script: str) -> Path:
    """Returns a program that acts as Blender."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(cli, ["blender", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    return line


posix = pytest.mark.skipif(os.name != "posix", reason="pretends with shell scripts")


@posix
@pytest.mark.parametrize(
    ("name", "script", "reason"),
    [
        ("blender", "echo Segmentation fault; kill -11 $$", "Segmentation fault"),
        ("blender", "exit 0", "last line of output: none"),
        ("python3", "echo \"ModuleNotFoundError: No module named 'bpy'\" >&2; exit 1", "has no bpy"),
        (
            "blender",
            'for last; do :; done; echo \'{"error": "this is Blender 3.4.1; install 4.2 or newer"}\' '
            '> "$last/answer.json"',
            "3.4.1; install 4.2",
        ),
    ],
    ids=["crash", "silence", "no bpy", "old"],
)
def test_a_blender_that_fails_is_reported(tmp_path: Path, name: str, script: str, reason: str) -> None:
    file = program(tmp_path, name, script)
    line = refused(WALK, tmp_path / "out.blend", "--blender", file)
    assert reason in line
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@posix
def test_blender_gets_its_job(tmp_path: Path) -> None:
    """Blender itself is started with other arguments than a Python with bpy; its output files are copied back."""
    script = (
        'echo "$@" > "$(dirname "$0")/arguments"; for last; do :; done; cp "$last/job.json" "$(dirname "$0")"\n'
        'echo scene > "$last/scene.fbx"; echo film > "$last/film.mp4"\n'
        'echo \'{"blender": "4.2.1", "bones": 21, "constrained": 2}\' > "$last/answer.json"'
    )
    blender = program(tmp_path, "blender", script)
    out, film = tmp_path / "out.FBX", tmp_path / "out.mp4"
    result = CliRunner().invoke(
        cli, ["blender", str(WALK), str(out), "--render", str(film), "--blender", str(blender), "--loop"]
    )
    assert result.exit_code == 0, result.output
    constraints, scene, rendered = result.stdout.splitlines()  # it ends as it begins, so no jump is reported
    assert "2 of its bones have constraints" in constraints
    assert "21 bones, 204 frames at 30 fps, by Blender 4.2.1" in scene and "Workbench" in rendered
    assert (out.read_text(), film.read_text()) == ("scene\n", "film\n")
    words = (tmp_path / "arguments").read_text().split()
    assert words[:3] == ["--background", "--factory-startup", "--disable-autoexec"] and words[-2] == "--"
    job = json.loads((tmp_path / "job.json").read_text())
    assert (job["name"], job["loop"], job["body"], job["size"]) == ("walk", True, True, [960, 540])


def test_a_character_is_never_overwritten(tmp_path: Path) -> None:
    hero = tmp_path / "hero.blend"
    hero.write_bytes(b"hero")
    for out in (hero, tmp_path / "link.blend"):
        if out != hero:
            out.symlink_to(hero)
        assert "never overwritten" in refused(WALK, out, "--character", hero)
    assert hero.read_bytes() == b"hero"


def test_impossible_scenes_are_refused_before_the_work(tmp_path: Path) -> None:
    out = tmp_path / "out.blend"
    assert ".blend, .fbx, .glb" in refused(WALK, tmp_path / "out.obj")
    assert ".mp4, .png" in refused(WALK, out, "--render", tmp_path / "film.avi")
    assert "even" in refused(WALK, out, "--render", tmp_path / "film.mp4", "--size", "99x50")
    assert "no such file" in refused(WALK, out, "--character", tmp_path / "hero.blend")
    assert "a character is" in refused(WALK, out, "--character", tmp_path / "hero.bvh")
    assert "nope.bvh" in refused(tmp_path / "nope.bvh", out)
    assert "no such program" in refused(WALK, out, "--blender", tmp_path / "blender")
    assert CliRunner().invoke(cli, ["blender", str(WALK), str(out), "--size", "big"]).exit_code == 2


@posix
def test_a_missing_folder_is_reported_before_the_work(tmp_path: Path) -> None:
    blender = program(tmp_path, "blender", 'touch "$(dirname "$0")/ran"')
    assert "cannot be written" in refused(WALK, tmp_path / "none" / "out.blend", "--blender", blender)
    assert not (tmp_path / "ran").exists()


def test_a_missing_blender_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("moglow.blender.program.PLACES", ())
    monkeypatch.delenv("MOGLOW_BPY_PYTHON", raising=False)
    assert "--install" in refused(WALK, tmp_path / "out.blend")
    monkeypatch.setenv("MOGLOW_BPY_PYTHON", "nowhere/python")
    assert "MOGLOW_BPY_PYTHON=nowhere/python: no such program" in refused(WALK, tmp_path / "out.blend")


@posix
def test_blender_is_found_in_the_order_of_preference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("moglow.blender.program.PLACES", (str(tmp_path / "Blender */blender"),))
    monkeypatch.delenv("MOGLOW_BPY_PYTHON", raising=False)
    own = python_of(own_environment())
    for folder in (own.parent, tmp_path / "Blender 4.2", tmp_path / "Blender 4.5"):
        folder.mkdir(parents=True)
    for folder in (own.parent, tmp_path / "Blender 4.2", tmp_path / "Blender 4.5", tmp_path):
        better = program(folder, own.name if folder == own.parent else "blender", "exit 0")
        assert find_blender().program == better
    named = program(tmp_path, "python-with-bpy", "exit 0")
    monkeypatch.setenv("MOGLOW_BPY_PYTHON", str(named))
    assert find_blender() == Blender(named) and Blender(named).is_python
    assert list(candidates())[-1] == str(own)


@posix
def test_bpy_is_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bpy is installed for the first Python that it supports; if there is none, the reason is reported and nothing is
    left.
    """
    made = own_environment
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fits = 'mkdir -p "$4/bin"; printf "#!/bin/sh\\nexit 0\\n" > "$4/bin/python"; chmod +x "$4/bin/python"'
    pip = 'printf "#!/bin/sh\\necho ERROR: No matching distribution >&2; exit 1\\n"'
    fails = fits.replace('printf "#!/bin/sh\\nexit 0\\n"', pip)
    old, new = program(tmp_path, "old", fails), program(tmp_path, "new", f"echo x >> {tmp_path}/runs; {fits}")
    monkeypatch.setattr("moglow.blender.program.PYTHONS", (str(old),))
    with pytest.raises(ExportError, match="No matching distribution"):
        install_bpy()
    assert not made().exists()
    monkeypatch.setattr("moglow.blender.program.PYTHONS", (str(old), str(new)))
    result = CliRunner().invoke(cli, ["blender", "--install"])
    assert result.exit_code == 0 and str(python_of(made())) in result.stdout
    install_bpy()
    assert (tmp_path / "runs").read_text() == "x\n"


def test_the_seam_of_a_loop_is_measured(tmp_path: Path) -> None:
    clip: Clip = walk(skeleton_of(RIGS["mixamo"]), seconds=1.0)[0]
    there_and_back = replace(
        clip,
        positions=np.concatenate([clip.positions, clip.positions[::-1]]),
        rotations=np.concatenate([clip.rotations, clip.rotations[::-1]]),
    )
    assert max(seam(there_and_back)) < 1e-6
    assert seam(clip[:15])[0] > 0.05 and seam(clip[:15])[1] > 0.1
    write_bvh(there_and_back, tmp_path / "a.bvh")
