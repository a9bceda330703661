"""Files that are flushed while the next ones are made."""

import os
from pathlib import Path

import pytest

from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow.files.finishing import Finishing
from moglow.files.locks import lock_file, locked_in_turn
from moglow.takes.sidecars import sidecar_of, start_motion

FIGURES = {
    **{key: "" for key in ("moglow", "model_sha256", "control_sha256")},
    **{"take": 0, "frames": 2, "fps": 30.0, "path_error_m": {"mean": 0.0}},
    "foot_slide_m_s": {"sampled": {"mean": 0.0}, "written": {"mean": 0.0}},
    "log_likelihood_nats": {"mean": None},
}


def fill(path: os.PathLike[str]) -> None:
    with replacing(path) as file:
        file.write(b"motion")


def test_a_motion_takes_its_place_after_it_is_flushed_and_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    motion, done = tmp_path / "walk.bvh", list[str]()
    sync, replace = os.fsync, os.replace

    def noted_sync(descriptor: int) -> None:
        sync(descriptor)
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.partition(".bvh")
        done.append(f"flush {'folder' if not name[1] else 'sidecar' if '.json' in name[2] else 'motion'}")

    def noted_replace(source: Path, target: Path) -> None:
        replace(source, target)
        done.append(f"place {'sidecar' if target.name.endswith('.json') else 'motion'}")

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc, to find the name of an open file")
    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    finish = start_motion(motion, fill, lambda: FIGURES)
    assert not done and not motion.exists() and not sidecar_of(motion).exists()
    finish()
    assert done == [
        *("flush motion", "flush sidecar", "place sidecar", "flush folder"),
        *("place motion", "flush folder"),
    ]
    assert motion.read_bytes() == b"motion" and not list(tmp_path.glob("*.partial"))


def test_a_motion_that_cannot_be_flushed_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    motion = tmp_path / "walk.bvh"
    motion.write_bytes(b"before")
    finish = start_motion(motion, fill, lambda: FIGURES)

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with Finishing[object](1) as finishing:
        finishing.add(finish)
        with pytest.raises(ExportError, match=r"walk\.bvh: cannot be written"):
            finishing.rest()
    assert motion.read_bytes() == b"before" and [*tmp_path.iterdir()] == [motion]


def test_locks_are_held_until_motions_are_finished(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.bvh" for k in range(5)]
    turns = locked_in_turn(paths, held=2)
    for k, path in enumerate(turns):
        held = [each for each in paths if lock_file(each).exists()]
        assert path == paths[k] and held == paths[max(0, k - 1) : k + 1]
    assert not any(lock_file(each).exists() for each in paths)
