"""Patching a BVH file: unchanged parts keep their bytes, and changed parts read back with the new values."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.patch import patch_bvh
from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.maths.rotations import axis_angle_to_quat, quat_multiply
from moglow.motion.clip import Clip
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

WALK, _ = walk(skeleton_of(RIGS["snu"]), seconds=1.0)
KNEE = WALK.skeleton.index("LeftLeg")
SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "no newline at the end": lambda text: text.rstrip(),
    "blank lines at the end": lambda text: text + b"\n\n",
    "blanks around": lambda text: text.replace(b"\n", b"  \n").replace(b"MOTION  \n", b"MOTION \n"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_bvh(WALK, tmp_path / "walk.bvh")
    return tmp_path / "walk.bvh"


def bent(clip: Clip, frames: slice) -> tuple[Clip, np.ndarray]:
    """Returns the clip with a knee bent in some frames, and flags of the joints that changed."""
    rotations, changed = clip.rotations.copy(), np.zeros((len(clip), len(clip.skeleton)), bool)
    rotations[frames, KNEE] = quat_multiply(rotations[frames, KNEE], axis_angle_to_quat([1.0, 0, 0], 0.3))
    changed[frames, KNEE] = True
    return replace(clip, rotations=rotations), changed


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nothing_changed_keeps_every_byte(file: Path, spelling: str) -> None:
    text = SPELLINGS[spelling](file.read_bytes())
    file.write_bytes(text)
    clip = read_bvh(file)
    none = np.zeros((len(clip), len(clip.skeleton)), bool)
    patch_bvh(file, clip, file.with_name("out.bvh"), frames=np.arange(len(clip)), changed=none)
    assert file.with_name("out.bvh").read_bytes().rstrip() == text.rstrip()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_only_numbers_of_changed_joints_are_written(file: Path, spelling: str) -> None:
    file.write_bytes(SPELLINGS[spelling](file.read_bytes()))
    clip, changed = bent(read_bvh(file), slice(10, 14))
    out = file.with_name("out.bvh")
    patch_bvh(file, clip, out, frames=np.arange(len(clip)), changed=changed)
    before, after = (path.read_bytes().split() for path in (file, out))
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 4 * 3
    rows, patched = (path.read_bytes().rstrip().splitlines() for path in (file, out))
    assert [k for k, pair in enumerate(zip(rows, patched, strict=True)) if pair[0] != pair[1]] == [
        len(rows) - len(clip) + frame for frame in range(10, 14)
    ]
    assert np.abs(read_bvh(out).world_positions - clip.world_positions).max() < 1e-6


def test_angles_are_continuous_with_the_unchanged_ones(file: Path) -> None:
    clip, changed = bent(read_bvh(file), slice(5, 20))
    patch_bvh(file, clip, file.with_name("out.bvh"), frames=np.arange(len(clip)), changed=changed)
    lines = file.with_name("out.bvh").read_text().rstrip().splitlines()[-len(clip) :]
    table = np.array([line.split() for line in lines], float)
    assert np.abs(np.diff(table[:, 3:], axis=0)).max() < 60


def test_new_frames_and_another_rate_are_in_the_header(file: Path) -> None:
    clip = read_bvh(file)
    frames = np.insert(np.arange(len(clip)), 10, -1)
    longer = Clip(clip.skeleton, clip.positions[frames], clip.rotations[frames], 60.0)
    changed = np.broadcast_to((frames < 0)[:, None], (len(frames), len(clip.skeleton)))
    patch_bvh(file, longer, file.with_name("out.bvh"), frames=frames, changed=changed)
    out = read_bvh(file.with_name("out.bvh"))
    assert (len(out), out.fps) == (len(clip) + 1, 60.0)
    assert np.abs(out.world_positions - longer.world_positions).max() < 1e-6


def test_frames_on_several_lines_are_patched_too(file: Path) -> None:
    head, mark, motion = file.read_text().partition("Frame Time: ")
    time, *rows = motion.splitlines()
    words = " ".join(rows).split()
    wrapped = [" ".join(words[k : k + 7]) for k in range(0, len(words), 7)]
    file.write_text("\n".join([head + mark + time, *wrapped, ""]))
    clip, changed = bent(read_bvh(file), slice(10, 14))
    patch_bvh(file, clip, file.with_name("out.bvh"), frames=np.arange(len(clip)), changed=changed)
    assert np.abs(read_bvh(file.with_name("out.bvh")).world_positions - clip.world_positions).max() < 1e-6
