"""Locks: one process at a time; a killed process blocks no other."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moglow.errors import ExportError
from moglow.files.atomic import SWEPT, replacing
from moglow.files.locks import lock_file, locked, locked_in_turn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the files of open locks")

HOLD = """
import sys, time
from moglow.files.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holding(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Yields another process that holds the lock of a path; it is killed at the end."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_second_process_is_refused_until_the_first_one_ends(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "walk.bvh"
    if kind == "folder":
        path.mkdir()
    with holding(path) as process, pytest.raises(ExportError) as caught, locked(path):
        pass
    assert f"process {process.pid} on " in str(caught.value) and "\n" not in str(caught.value)
    assert lock_file(path).exists(), "killed, it left its lock"
    with locked(path):
        pass
    assert not lock_file(path).exists()


def test_waiting_for_a_lock_is_reported_once_and_ends_when_its_process_is_killed(tmp_path: Path) -> None:
    path, lines = tmp_path / "open.corpus", list[str]()
    with holding(path) as process:
        killer = threading.Timer(0.7, process.kill)
        killer.start()
        with locked(path, wait=lines.append):
            assert process.wait() < 0
        killer.join()
    (line,) = lines
    assert f"process {process.pid} on " in line and "waiting" in line
    assert os.listdir(tmp_path) == []


def test_the_next_lock_is_taken_before_the_last_one_is_released(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    turns = locked_in_turn(paths)
    for number, path in enumerate(turns):
        assert [lock_file(each).exists() for each in paths] == [k == number for k in range(3)]
        with pytest.raises(ExportError, match="is writing it"), locked(path):
            pass
        if number == 1:
            with locked(paths[2]), pytest.raises(ExportError, match="is writing it"):
                next(turns)
            break
    turns.close()
    assert os.listdir(tmp_path) == []


def test_a_lock_of_another_program_stays(tmp_path: Path) -> None:
    foreign = lock_file(tmp_path / "walk.bvh")
    foreign.write_text("mine")
    with locked(tmp_path / "walk.bvh"), replacing(tmp_path / "other.bvh") as file:
        file.write(b"x")
    assert foreign.read_text() == "mine"


def test_writing_removes_the_temporary_files_of_killed_processes(tmp_path: Path) -> None:
    with holding(tmp_path / "a.bvh"):
        with replacing(tmp_path / "b.bvh") as file:
            file.write(b"x")
        assert lock_file(tmp_path / "a.bvh").exists(), "its process runs"
    SWEPT.clear()  # a folder is not swept twice at once
    with replacing(tmp_path / "b.bvh") as file:
        file.write(b"x")
    assert os.listdir(tmp_path) == ["b.bvh"]


def test_where_there_are_no_locks_nothing_is_held_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def unknown(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with locked(tmp_path / "a"), locked(tmp_path / "a"):
        pass
    assert os.listdir(tmp_path) == []


def test_many_processes_one_after_the_other(tmp_path: Path) -> None:
    """Each adds one to a number in a file under the lock; none is lost, however they meet."""
    count = tmp_path / "count"
    count.write_text("0")
    code = """
import sys
from pathlib import Path
from moglow.files.locks import locked
count = Path(sys.argv[1])
for _ in range(30):
    with locked(count, wait=lambda line: None):
        count.write_text(str(int(count.read_text()) + 1))
"""
    workers = [subprocess.Popen([sys.executable, "-c", code, str(count)]) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert count.read_text() == "90" and os.listdir(tmp_path) == ["count"]
