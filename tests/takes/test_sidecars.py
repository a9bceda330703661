"""Laws of sidecars: one describes its motion or is ignored, and the files of others are never touched."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from moglow.errors import ExportError, FileFormatError
from moglow.files.atomic import replacing
from moglow.takes.sidecars import (
    move_motion,
    read_sidecar,
    refuse_foreign,
    remove_lone_sidecar,
    sidecar_of,
    write_motion,
    write_sidecar,
)
from tests.support.sidecars import figures_of


def make(motion: Path, content: bytes, **figures: Any) -> dict[str, Any]:
    """Writes a motion of some bytes with made-up figures."""

    def write(path: os.PathLike[str]) -> None:
        with replacing(path) as file:
            file.write(content)

    blank = motion.with_name("blank")
    blank.write_bytes(b"")
    figures = {
        key: value for key, value in figures_of(blank, **figures).items() if key not in ("bytes", "sha256")
    }
    blank.unlink()
    return write_motion(motion, write, lambda: figures)


def test_a_motion_is_written_with_its_figures(tmp_path: Path) -> None:
    motion = tmp_path / "walk.bvh"
    found = make(motion, b"one", seed=1)
    assert read_sidecar(motion) == found and (found["seed"], found["bytes"]) == (1, 3)
    assert sorted(os.listdir(tmp_path)) == ["walk.bvh", "walk.bvh.json"]
    make(tmp_path / "walk.glb", b"other", seed=2)
    assert [read_sidecar(tmp_path / f"walk.{suffix}")["seed"] for suffix in ("bvh", "glb")] == [1, 2]


def test_a_motion_that_changed_is_not_described(tmp_path: Path) -> None:
    motion = tmp_path / "walk.bvh"
    make(motion, b"one")
    motion.write_bytes(b"two")
    assert read_sidecar(motion) == {}
    with pytest.raises(ExportError, match="was changed after moglow generate made it"):
        refuse_foreign(motion, overwrite=False)
    assert refuse_foreign(motion, overwrite=True) == {}
    motion.unlink()
    assert read_sidecar(motion) == {} == refuse_foreign(motion, overwrite=False)


def test_while_a_motion_is_replaced_the_sidecar_describes_the_old_and_the_new_one(tmp_path: Path) -> None:
    motion, seen = tmp_path / "walk.bvh", list[tuple[Any, Any]]()
    make(motion, b"old", seed=1)
    replace = os.replace

    def watched(source: Any, target: Any) -> None:
        before = read_sidecar(motion)["seed"]
        replace(source, target)
        seen.append((before, read_sidecar(motion)["seed"]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", watched)
        make(motion, b"new", seed=2)
    assert seen == [(1, 1), (1, 2), (2, 2)], "the sidecar with both, the motion, the sidecar of the new one"
    assert "previous" not in json.loads(sidecar_of(motion).read_text())


def test_a_failure_leaves_the_old_motion_and_its_sidecar(tmp_path: Path) -> None:
    motion = tmp_path / "walk.bvh"
    found = make(motion, b"old", seed=1)

    def write(path: os.PathLike[str]) -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise ExportError("no more")

    with pytest.raises(ExportError, match="no more"):
        write_motion(motion, write, dict)
    assert motion.read_bytes() == b"old" and read_sidecar(motion) == found
    assert sorted(os.listdir(tmp_path)) == ["walk.bvh", "walk.bvh.json"]


def test_sidecars_with_the_old_name_are_read_and_go_with_their_motion(tmp_path: Path) -> None:
    motion, old = tmp_path / "walk.bvh", tmp_path / "walk.json"
    motion.write_bytes(b"one")
    figures = {key: value for key, value in figures_of(motion, seed=5).items() if key != "sha256"}
    old.write_text(json.dumps(figures))
    assert read_sidecar(motion) == figures == refuse_foreign(motion, overwrite=False)
    make(tmp_path / "walk.glb", b"other", seed=6)
    assert old.exists(), "it describes walk.bvh, not walk.glb"
    make(motion, b"two", seed=7)
    assert read_sidecar(motion)["seed"] == 7 and not old.exists()


@pytest.mark.parametrize("content", ['{"name": "my-package"}', "[1, 2]", "{", '{"moglow": 1}', "", "null"])
def test_a_file_of_another_program_is_never_replaced_or_removed(tmp_path: Path, content: str) -> None:
    motion = tmp_path / "package.bvh"
    for foreign in (tmp_path / "package.json", tmp_path / "package.bvh.json"):
        foreign.write_text(content)
    for overwrite in (False, True):
        with pytest.raises(ExportError, match=r"package\.bvh\.json: is no sidecar"):
            refuse_foreign(motion, overwrite=overwrite)
    remove_lone_sidecar(motion)
    (tmp_path / "package.bvh.json").unlink()
    make(motion, b"one")
    make(motion, b"two")
    assert (tmp_path / "package.json").read_text() == content and read_sidecar(motion)


def test_a_motion_of_another_program_is_replaced_only_on_request(tmp_path: Path) -> None:
    motion = tmp_path / "walk.bvh"
    motion.write_bytes(b"mine")
    with pytest.raises(ExportError, match="was not made by moglow generate; give another name"):
        refuse_foreign(motion, overwrite=False)
    refuse_foreign(motion, overwrite=True)
    motion.write_bytes(b"")  # nothing to lose
    refuse_foreign(motion, overwrite=False)


@pytest.mark.parametrize("damage", ["fps", "path_error_m", "take", "bytes", "moglow"])
def test_a_sidecar_with_wrong_values_is_none(tmp_path: Path, damage: str) -> None:
    motion = tmp_path / "walk.bvh"
    motion.write_bytes(b"one")
    values: tuple[Any, ...] = (None, [], "x", {"mean": "y"}, 0.0)
    for wrong in values:
        write_sidecar(motion, figures_of(motion) | {damage: wrong})
        if (damage, wrong) != ("moglow", "x"):
            assert read_sidecar(motion) == {}
    write_sidecar(motion, figures_of(motion) | {"previous": [[]]})
    assert read_sidecar(motion) == figures_of(motion)


@pytest.mark.parametrize("content", ["[" * 100_000, "9" * 5000, '{"a": '])
def test_unreadable_sidecars_are_one_line(tmp_path: Path, content: str) -> None:
    motion = tmp_path / "walk.bvh"
    motion.write_bytes(b"one")
    sidecar_of(motion).write_text(content)
    with pytest.raises(FileFormatError, match=r"walk\.bvh\.json: is no JSON") as caught:
        read_sidecar(motion)
    assert "\n" not in str(caught.value)


def test_a_motion_moves_with_its_sidecar(tmp_path: Path) -> None:
    source, target = tmp_path / "walk.take1.bvh", tmp_path / "walk_1.bvh"
    make(target, b"old", seed=1)
    found = make(source, b"new", seed=2)
    move_motion(source, target, found | {"score": 3.5})
    assert target.read_bytes() == b"new" and read_sidecar(target) == found | {"score": 3.5}
    assert sorted(os.listdir(tmp_path)) == ["walk_1.bvh", "walk_1.bvh.json"]


def test_what_is_no_file_has_no_sidecar(tmp_path: Path) -> None:
    for place in (".", "", tmp_path, tmp_path / "missing.bvh"):
        assert read_sidecar(place) == {}
