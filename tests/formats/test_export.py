"""Every format represents the clip: read back by other means, the motion is the same."""

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.errors import ExportError
from moglow.formats.export import EXPORTERS, export
from moglow.maths.rotations import quat_angle
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

WRITTEN = [suffix for suffix in EXPORTERS if find_spec("pxr") or not suffix.startswith(".usd")]
FILE = 1e-6  # metres; a text file keeps six decimals


@pytest.fixture(scope="module")
def clip() -> Clip:
    return walk(skeleton_of(RIGS["mixamo"]), seconds=1.0)[0]


def test_csv_holds_the_world_positions(clip: Clip, tmp_path: Path) -> None:
    export(clip, tmp_path / "walk.csv")
    with open(tmp_path / "walk.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    values = np.array(rows, float)
    assert header[0] == "time" and header[1:4] == [f"{clip.skeleton.names[0]}_{axis}" for axis in "xyz"]
    assert np.abs(values[:, 0] - clip.times).max() < FILE
    assert np.abs(values[:, 1:].reshape(len(clip), -1, 3) - clip.world_positions).max() < FILE


def test_csv_quotes_names_that_need_it(tmp_path: Path) -> None:
    rig = Skeleton(('a,"b"', "ヒップ", "half\udcff"), (-1, 0, 1), np.eye(3))
    export(Clip.at_rest(rig), tmp_path / "rest.csv")
    with open(tmp_path / "rest.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        header = next(csv.reader(file))
    assert header[1::3] == ['a,"b"_x', "ヒップ_x", "half\udcff_x"]


def test_npz_holds_the_clip(clip: Clip, tmp_path: Path) -> None:
    export(clip, tmp_path / "walk.npz")
    with np.load(tmp_path / "walk.npz") as arrays:
        skeleton = Skeleton(tuple(arrays["names"]), tuple(arrays["parents"].tolist()), arrays["offsets"])
        found = Clip(skeleton, arrays["positions"], arrays["rotations"], float(arrays["fps"]))
    assert found.fps == clip.fps and skeleton.names == clip.skeleton.names
    assert np.array_equal(found.world_positions, clip.world_positions)


def test_bvh_holds_the_clip(clip: Clip, tmp_path: Path) -> None:
    export(clip, tmp_path / "walk.bvh", unit="m")
    found = read_bvh(tmp_path / "walk.bvh", unit="m", up="Y")
    assert np.abs(found.world_positions - clip.world_positions).max() < 1e-5
    assert quat_angle(found.world_rotations, clip.world_rotations).max() < 1e-5


@pytest.mark.parametrize("suffix", WRITTEN)
def test_every_format_gives_the_same_bytes_twice(clip: Clip, tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{name}{suffix.upper()}" for name in "ab"]
    for path in paths:
        export(clip, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("suffix", WRITTEN)
def test_the_old_file_stays_if_writing_fails(clip: Clip, tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"walk{suffix}").mkdir()
    with pytest.raises(ExportError, match=r"cannot be written|is a folder"):
        export(clip, tmp_path / f"walk{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"walk{suffix}"]


def test_an_unknown_suffix_lists_the_known_ones(clip: Clip) -> None:
    with pytest.raises(ExportError, match=r"'\.fbx'; use one of \.bvh, \.csv, \.glb, \.npz, \.usda"):
        export(clip, "walk.fbx")


def test_an_option_of_another_format_is_refused(clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has no option 'unit'"):
        export(clip, tmp_path / "walk.glb", unit="m")
    assert not list(tmp_path.iterdir())
