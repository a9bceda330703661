"""Other programs place every joint where moglow does: in portable files, and in verbatim ones if they can read them."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.conftest import SHARED_DATA

ORACLES = Path(__file__).parents[1] / "oracles"
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
CLOSE = 1e-4  # metres
FRAMES = 24
CLIPS_A_SOURCE = 3
SOURCES = ("open_cmu69", "open_cmu_120fps", "open_snu_walk", "nc_bandai2")


def clips() -> list[Clip]:
    """Returns the beginning of the samples and, where available, of clips from all sources."""
    paths = sorted(SAMPLES.glob("*.bvh"))
    for source in SOURCES:
        found = sorted((SHARED_DATA / "locomotion" / source).glob("*.bvh"))
        paths += found[:: max(1, len(found) // CLIPS_A_SOURCE)][:CLIPS_A_SOURCE]
    return [replace(read_bvh(path)[:FRAMES], name=path.stem) for path in paths]


def replaced_offsets(skeleton: Skeleton) -> bool:
    """Returns whether position channels replace a non-zero OFFSET, to which some readers add them instead."""
    assert skeleton.layout is not None
    replaced = [any("position" in name for name in channels) for channels in skeleton.layout.channels]
    return any(skeleton.layout.root_offset) or bool(np.any(skeleton.offsets[np.array(replaced)]))


def moving_joints(skeleton: Skeleton) -> bool:
    """Returns whether joints below the root have position channels."""
    assert skeleton.layout is not None
    return any("position" in name for channels in skeleton.layout.channels[1:] for name in channels)


@dataclass(frozen=True)
class Reader:
    """A program that reads BVH files: its command, its requirements, and the verbatim files that it misreads."""

    command: Callable[[], Sequence[str] | None]
    needs: str
    misreads: Callable[[Skeleton], bool] = lambda skeleton: False


def python(variable: str, script: str) -> Callable[[], Sequence[str] | None]:
    """Returns a command that runs a script with the Python of an environment variable."""

    def command() -> Sequence[str] | None:
        interpreter = os.environ.get(variable, "")
        return [interpreter, str(ORACLES / script)] if shutil.which(interpreter) else None

    return command


def three() -> Sequence[str] | None:
    modules = Path(os.environ.get("MOGLOW_NODE_MODULES", "node_modules")).resolve()
    ready = shutil.which("node") and (modules / "three").is_dir()
    return ["node", str(ORACLES / "bvh_three.mjs"), str(modules)] if ready else None


READERS_PYTHON = "MOGLOW_READERS_PYTHON=…/bin/python, a Python with bvhio and pybvh"
READERS = {
    "blender": Reader(
        python("MOGLOW_BPY_PYTHON", "bvh_blender.py"), "MOGLOW_BPY_PYTHON=…/bin/python, a Python with bpy"
    ),
    "three": Reader(three, "node and MOGLOW_NODE_MODULES=…/node_modules with three", replaced_offsets),
    "bvhio": Reader(python("MOGLOW_READERS_PYTHON", "bvh_bvhio.py"), READERS_PYTHON),
    "pybvh": Reader(python("MOGLOW_READERS_PYTHON", "bvh_pybvh.py"), READERS_PYTHON, moving_joints),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.blender if name == "blender" else pytest.mark.slow)
        for name in READERS
    ],
)
def test_other_programs_agree(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    command = reader.command()
    if command is None:
        pytest.skip(f"needs {reader.needs}")
    expected: dict[str, Clip] = {}
    units: dict[str, float] = {}
    for clip in clips():
        for verbatim in (False, True):
            path = str(tmp_path / f"{clip.name}-{'verbatim' if verbatim else 'portable'}.bvh")
            write_bvh(clip, path, verbatim=verbatim)
            assert clip.skeleton.layout is not None
            if not (verbatim and reader.misreads(clip.skeleton)):
                expected[path] = clip
                units[path] = clip.skeleton.layout.unit if verbatim else 0.01
    out = tmp_path / "found.json"
    subprocess.run([*command, str(out), json.dumps(units)], check=True, capture_output=True, timeout=300)
    for path, found in json.loads(out.read_text()).items():
        clip = expected.pop(path)
        assert found["fps"] is None or found["fps"] == pytest.approx(clip.fps, rel=1e-6)
        joints = [clip.skeleton.index(joint) for joint in found["names"]]
        assert len(joints) >= len(clip.skeleton) - 1  # a root without rotation is folded
        np.testing.assert_allclose(
            found["positions"], clip.world_positions[:, joints], atol=CLOSE, err_msg=path
        )
    assert not expected
