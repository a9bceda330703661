"""Atomic writing: a file is complete or unchanged, whatever else writes it, and input files stay as they are."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moglow.cli.main import cli
from moglow.errors import ExportError
from moglow.files.atomic import Output, append_line, check_output, refuse_overwriting, replacing
from moglow.files.locks import locked


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_two_writers_leave_one_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "walk.bvh"
    with replacing(file) as first:
        first.write(b"first " * 1000)
        with replacing(file) as second:
            second.write(b"second")
        assert file.read_bytes() == b"second"
        first.write(b"end")
    assert file.read_bytes() == b"first " * 1000 + b"end"
    assert os.listdir(tmp_path) == ["walk.bvh"]


def test_an_exception_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "walk.bvh"
    file.write_bytes(b"before")
    with pytest.raises(RuntimeError), replacing(file) as written:
        written.write(b"after")
        raise RuntimeError
    assert file.read_bytes() == b"before" and os.listdir(tmp_path) == ["walk.bvh"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_the_mode_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "walk.bvh"
    file.write_bytes(b"before")
    file.chmod(0o640)
    with replacing(file) as written:
        written.write(b"after")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps process numbers to itself")
def test_partial_files_of_dead_processes_go_and_others_stay(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    dead = tmp_path / f"walk.bvh.{done.stdout.strip()}-00000000.partial"
    alive = tmp_path / f"walk.bvh.{os.getpid()}-00000000.partial"
    foreign = tmp_path / "walk.bvh.partial"
    for file in (dead, alive, foreign):
        file.write_bytes(b"")
    with replacing(tmp_path / "walk.bvh") as written:
        written.write(b"whole")
    assert not dead.exists() and alive.exists() and foreign.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.bvh"
    os.mkfifo(pipe)
    with pytest.raises(ExportError, match="device or a pipe"), replacing(pipe):
        pass
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_to_an_input_is_that_input(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_bytes(b"")
    os.link(tmp_path / "a.bvh", tmp_path / "b.bvh")
    with pytest.raises(ExportError, match="never overwritten"):
        refuse_overwriting(tmp_path / "b.bvh", [None, tmp_path / "a.bvh"])
    refuse_overwriting(tmp_path / "c.bvh", [tmp_path / "a.bvh"])


def test_commands_never_overwrite_their_input(tmp_path: Path, samples: Path) -> None:
    path, rig = tmp_path / "path.csv", tmp_path / "rig.bvh"
    path.write_text("t,x,z\n0,0,0\n2,0,2\n")
    shutil.copy(samples / "walk.bvh", rig)
    before = path.read_bytes(), rig.read_bytes()
    best = tmp_path / "rig_1.bvh"  # the name of the better one of two ranked takes
    shutil.copy(rig, best)
    for arguments in (
        ("generate", "--control", path, "-o", path, "--overwrite"),
        ("generate", "--control", path, "-o", rig, "--skeleton", rig, "--overwrite"),
        ("generate", "--control", path, "-o", rig, "--skeleton", best, "--takes", 2, "--rank", "--overwrite"),
        ("export", rig, rig, "--fps", 10),
    ):
        result = run(*arguments)
        assert result.exit_code == 1 and "never overwritten" in result.stderr, result.output
        assert len(result.stderr.splitlines()) == 1
        assert (path.read_bytes(), rig.read_bytes()) == before
        assert best.read_bytes() == before[1]


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real, link, dangling = tmp_path / "elsewhere" / "a.bvh", tmp_path / "a.bvh", tmp_path / "b.bvh"
    real.write_bytes(b"before")
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "elsewhere" / "b.bvh")
    for place in (link, dangling):
        with replacing(place) as file:
            file.write(b"after")
        assert place.is_symlink() and place.read_bytes() == b"after"
    assert real.read_bytes() == b"after" and sorted(os.listdir(tmp_path / "elsewhere")) == ["a.bvh", "b.bvh"]


def test_a_planted_link_in_place_of_the_partial_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    monkeypatch.setattr("secrets.token_hex", lambda _: "00000000")
    (tmp_path / f"a.bvh.{os.getpid()}-00000000.partial").symlink_to(victim)
    with pytest.raises(ExportError, match="cannot be written"), replacing(tmp_path / "a.bvh") as file:
        file.write(b"x")
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/null", "."])
def test_streams_devices_and_folders_are_refused(path: str) -> None:
    with pytest.raises(ExportError, match=r"standard output|a device or a pipe|a folder"):
        check_output(path)


def test_a_file_that_is_marked_as_read_only_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.bvh"
    file.write_bytes(b"mine")
    file.chmod(0o444)
    with pytest.raises(ExportError, match="read-only"), replacing(file) as written:
        written.write(b"x")
    assert file.read_bytes() == b"mine"


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    for name in ("w" * 251 + ".bvh", "é" * 125 + ".bvh"):
        with locked(tmp_path / name), replacing(tmp_path / name) as file:
            file.write(b"x")
    assert len(os.listdir(tmp_path)) == 2


def test_a_new_file_is_complete_before_its_place_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "a.bvh"
    file.write_bytes(b"before")
    seen = []

    def complete(partial: Path) -> None:
        seen.append((partial.read_bytes(), file.read_bytes()))

    with replacing(Output(file, complete)) as written:
        written.write(b"after")
    assert seen == [(b"after", b"before")] and file.read_bytes() == b"after"

    def fails(partial: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ExportError, match="No space left"), replacing(Output(file, fails)) as written:
        written.write(b"later")
    assert file.read_bytes() == b"after" and os.listdir(tmp_path) == ["a.bvh"]


def test_lines_that_are_appended_are_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    for line in ("one", "two"):
        append_line(log, line)
    assert log.read_text() == "one\ntwo\n"
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(ExportError, match="device or a pipe"):
        append_line(tmp_path / "pipe.jsonl", "one")
