"""The Blender extension: its zip contains all it needs and nothing else; its buttons work in Blender."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow import __version__
from moglow.blender.inside.making import make, read_checkpoint
from moglow.checkpoint import Checkpoint
from moglow.errors import CheckpointError
from moglow.paths.presets import preset
from moglow.sampling.generate import PRETRAINED, Take, generate
from scripts.make_addon import WHEEL, make_addon, wheel_files
from tests.support.blender import bpy_python

ON_THE_PATH = 0.15  # metres: a body sways about its path, by 0.12 at most on this circle
LARGEST = 25_000_000  # bytes


@pytest.fixture(scope="module")
def addon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("addon") / "addon.zip"
    make_addon(out)
    return out


def test_the_zip_is_small_and_has_a_manifest(addon: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(addon) as packed:
        manifest = packed.read("blender_manifest.toml").decode()
        assert sorted(packed.namelist()) == [
            "LICENSE",
            "__init__.py",
            "blender_manifest.toml",
            f"wheels/{WHEEL}",
        ]
    assert f'version = "{__version__}"' in manifest and WHEEL in manifest and "{" not in manifest
    assert addon.stat().st_size < LARGEST
    make_addon(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == addon.read_bytes()


def test_the_wheel_has_the_c_sources_of_its_kernels() -> None:
    kernels = ("moglow/sampling/fast/float32.c", "moglow/motion/leg_turns.c", "moglow/motion/kinematics.c")
    assert {*kernels} <= {*wheel_files()}


def test_the_manifest_keeps_the_rules_of_the_schema(addon: Path) -> None:
    """The rules of Blender's manual for version 1.0.0, where no Blender is at hand to check them."""
    with zipfile.ZipFile(addon) as packed:
        manifest = tomllib.loads(packed.read("blender_manifest.toml").decode())
    assert manifest["schema_version"] == "1.0.0" and manifest["type"] == "add-on"
    for name in ("id", "version", "name", "tagline", "maintainer", "license", "blender_version_min"):
        assert manifest[name], name
    assert re.fullmatch(r"[a-z][a-z0-9_]*", manifest["id"])
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", manifest[name]) for name in ("version", "blender_version_min"))
    for text in (manifest["tagline"], *manifest["permissions"].values()):
        assert 0 < len(text) <= 64 and text[-1].isalnum()
    assert set(manifest["permissions"]) <= {"files", "network", "clipboard", "camera", "microphone"}


@pytest.mark.blender
def test_blender_validates_the_zip(addon: Path) -> None:
    """With what `blender --command extension validate` runs, and Blender's list of tags."""
    python = bpy_python()
    find = "import importlib.util as it; print(*it.find_spec('bpy').submodule_search_locations)"
    found = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True)
    (program,) = Path(found.stdout.strip()).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    (tags,) = Path(found.stdout.strip()).glob("*/scripts/modules/_bpy_internal/extensions/tags.py")
    done = subprocess.run(
        [python, program, "validate", f"--valid-tags={tags}", addon],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and "Success" in done.stdout, done.stdout + done.stderr


def test_the_wheel_generates_with_numpy_alone(addon: Path, tmp_path: Path) -> None:
    """From its own files, with the checkout and all heavy packages out of reach."""
    with zipfile.ZipFile(addon) as packed, zipfile.ZipFile(packed.open(f"wheels/{WHEEL}")) as wheel:
        wheel.extractall(tmp_path)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'scipy', 'bvh', 'click', 'rich', 'pyvista']))\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from moglow.paths.control_path import ControlPath\n"
        "from moglow.blender.inside.making import make, read_checkpoint\n"
        "import moglow, moglow.motion.retarget, moglow.takes.editing, moglow.directing.pinned\n"
        "steps = make(read_checkpoint(''), ControlPath.standing(9, 30.0), seed=0, takes=1, temperature=0.7,\n"
        "             foot_lock=True, name='x')\n"
        "print(moglow.__file__, len([*steps][-1].clip))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path / "moglow" / "__init__.py"), "9"]


def test_step_by_step_is_the_same_motion() -> None:
    """The extension samples frame by frame the same motion as `moglow generate`, and its progress only increases."""
    checkpoint, path = Checkpoint.read(PRETRAINED), preset("line:length=1", 30.0)
    wish = {"seed": 2, "takes": 2, "temperature": 0.5, "foot_lock": True, "name": "x"}
    steps = list(make(checkpoint, path, **wish))  # type: ignore[arg-type]
    shares = [step for step in steps if not isinstance(step, Take)]
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 2 * len(path)
    ours = list(generate(checkpoint, path, **wish))  # type: ignore[arg-type]
    for take, other in zip((step for step in steps if isinstance(step, Take)), ours, strict=True):
        assert np.array_equal(take.clip.rotations, other.clip.rotations)
        assert (take.number, take.clip.name, take.figures) == (other.number, "x", other.figures)


def test_a_missing_model_is_reported() -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint("nowhere.safetensors")
    assert read_checkpoint("").model == "moglow"


@pytest.fixture(scope="module")
def day(addon: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns the results of a session with the extension, installed into a Blender without moglow."""
    python = bpy_python()
    home = tmp_path_factory.mktemp("blender")
    script, out = Path(__file__).parents[1] / "oracles" / "addon_blender.py", home / "found.json"
    env = {**os.environ, "BLENDER_USER_RESOURCES": str(home)}
    env.pop("PYTHONPATH", None)  # moglow comes from the zip
    done = subprocess.run(
        [python, script, out, addon], env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def away(found: Mapping[str, Any], centre: tuple[float, float], radius: float) -> float:
    """Returns the largest distance of the hips from a circle, in metres."""
    ground = np.array(found["ground"]) - centre
    return float(np.abs(np.linalg.norm(ground, axis=-1) - radius).max())


blender = pytest.mark.blender


@blender
def test_a_figure_walks_a_circle(day: dict[str, Any]) -> None:
    found = day["circle"]
    assert away(found, (0, 0), 2) < ON_THE_PATH
    turned = np.unwrap(np.arctan2(*np.array(found["ground"]).T))
    assert abs(turned[-1] - turned[0]) == pytest.approx(2 * np.pi, abs=0.1)
    assert (found["fps"], found["range"]) == (30, [1, len(found["ground"])])
    ((name, figures),) = found["results"]
    assert found["active"] == name and "path" in figures and "slide" in figures
    assert any("figure" in thing for thing in found["objects"]) and any(
        "body" in thing for thing in found["objects"]
    )
    assert -0.05 < found["lowest"][0] < found["lowest"][1] < 0.1


@blender
def test_units_parents_turns_and_heights_are_understood(day: dict[str, Any]) -> None:
    """Two takes of 15 s in the opposite direction, half a metre up, in a scene in centimetres that keeps its 24 fps."""
    found = day["parented"]
    assert away(found, (3, 0), 2) < ON_THE_PATH
    assert found["fps"] == 24 and found["range"] == [1, 15 * 24 + 1]
    assert 0.45 < found["lowest"][0] < 0.6
    assert len(found["results"]) == len(found["actions"]) == 2 and found["active"] == found["results"][0][0]
    assert day["second take"] == found["results"][1][0]
    assert not any("body" in thing for thing in found["objects"])
    ways = [
        np.unwrap(np.arctan2(x, y))
        for x, y in (np.array(day["circle"]["ground"]).T, (np.array(found["ground"]) - (3, 0)).T)
    ]
    assert np.sign(ways[0][-1] - ways[0][0]) == -np.sign(ways[1][-1] - ways[1][0])


@blender
def test_more_takes_use_the_existing_armature(day: dict[str, Any]) -> None:
    assert day["again"]["objects"] == day["parented"]["objects"]
    assert len(day["again"]["actions"]) == 3 and away(day["again"], (3, 0), 2) < ON_THE_PATH


@blender
def test_keyframes_time_the_walk(day: dict[str, Any]) -> None:
    """Evaluation time: half a circle between its keys. Speed: from 0.6 to 1.2 m/s, 4.5 m in five seconds."""
    timed, sped = day["timed"], day["sped"]
    assert timed["range"] == [11, 131] and timed["fps"] == 24
    ground = np.array(timed["ground"])
    middle = np.array(day["circle"]["ground"][0])
    assert np.linalg.norm(ground[0] + middle) < 0.1 and np.linalg.norm(ground[-1] - middle) < 0.1
    assert np.linalg.norm(ground[60] - ground[0]) == pytest.approx(2 * np.sqrt(2), abs=0.15)
    walked = np.linalg.norm(np.diff(sped["ground"], axis=0), axis=-1)
    angle = np.unwrap(np.arctan2(*np.array(sped["ground"]).T))
    assert 2 * abs(angle[-1] - angle[0]) == pytest.approx(4.5, abs=0.15)
    assert walked[-24:].sum() / walked[:24].sum() == pytest.approx(1.14 / 0.66, rel=0.15)
    for found in (timed, sped):
        assert away(found, (0, 0), 2) < ON_THE_PATH


@blender
def test_corners_and_excessive_speed_are_reported(day: dict[str, Any]) -> None:
    assert "forward" in day["corner"]["messages"] and "m/s within reach" in day["corner"]["messages"]
    assert "rises by 1.0 m" in day["corner"]["messages"]
    ends = np.array(day["corner"]["ground"])[[0, -1]]
    np.testing.assert_allclose(ends, [[0, 0], [3, -3]], atol=0.3)


@blender
def test_a_rig_of_the_user_walks(day: dict[str, Any]) -> None:
    found = day["metarig"]
    assert away(found, (0, 0), 2) < 2 * ON_THE_PATH
    assert "metarig" in found["objects"] and not any("figure" in thing for thing in found["objects"])
    assert -0.06 < found["lowest"][0] < found["lowest"][1] < 0.1


@blender
@pytest.mark.parametrize("which", ["stairs", "stairs rigged"])
def test_a_mesh_is_walked_over(day: dict[str, Any], which: str) -> None:
    """Six steps of 17 cm, from 1.5 m ahead: the hips rise with them, and the feet stay on the treads."""
    found = day[which]
    heights, ahead = np.array(found["heights"]), np.array(found["ground"])[:, 1]
    assert heights[-1] - heights[0] == pytest.approx(6 * 0.17, abs=0.04)
    assert np.abs(heights[ahead < 1.0] - heights[0]).max() < 0.1
    assert ahead[0] == pytest.approx(0, abs=0.1) and ahead[-1] == pytest.approx(5, abs=0.15)
    assert -0.06 < found["lowest"][0] < 0.05 and found["lowest"][1] < 6 * 0.17 + 0.1
    assert "level" not in found["messages"]


@blender
def test_failures_are_one_sentence(day: dict[str, Any]) -> None:
    refusals = day["refused"]
    assert "moonwalk" in refusals["style"] and "no such file" in refusals["model"]
    assert "seen from above" in refusals["upright"] and "poll" in refusals["path"]


@blender
def test_it_does_not_block_blender(day: dict[str, Any]) -> None:
    """It works in ticks of a timer, shows its progress, stops at Esc without leftovers, and makes the same takes."""
    cancelled, modal = day["cancelled"], day["modal"]
    assert cancelled["answers"] == [["RUNNING_MODAL"], ["PASS_THROUGH"], ["PASS_THROUGH"], ["CANCELLED"]]
    assert 0 < cancelled["progress"][0] < 0.5 and cancelled["progress"][1] < 0
    assert cancelled["timers"] == 0 and not any("figure" in thing for thing in cancelled["objects"])
    assert modal["ticks"] > 3 and modal["rising"] and modal["timers"] == 0
    assert away(modal, (0, 0), 2) < ON_THE_PATH


@blender
def test_the_panel_shows_its_settings_and_results(day: dict[str, Any]) -> None:
    before, during, timed, after = (day["panel"][when] for when in ("before", "during", "timed", "after"))
    assert {"path", "pace", "speed", "style", "takes", "seed", "temperature", "moglow.generate"} < set(before)
    assert {"live", "moglow.add_reach", "moglow.pin_pose", "moglow.redo", "thin"} < set(before)
    assert {"rigify", "feet_ik", "keep_path", "moglow.bake_rigify"} < set(before)
    assert "25%" in during and "moglow.cancel" in during and "moglow.generate" not in during
    assert any("keyframes" in text for text in timed) and "speed" not in timed
    assert "moglow.show_take" in after and day["corner"]["results"][0][1] in after
    assert "m/s within reach" in " ".join(after)  # a warning may take several lines


@blender
def test_it_can_be_undone_and_removed(day: dict[str, Any]) -> None:
    assert (
        "Success" in day["valid"] and "ERROR" not in day["valid"]
    )  # the message of Blender's own checker of extensions
    assert day["installed"] == ["bl_ext.user_default.moglow"]
    assert any("figure" in thing for thing in day["circle"]["objects"])
    assert len(day["undone"]) == 1 and day["drawn"] == ["Path", "EDIT"] and not day["left over"]
