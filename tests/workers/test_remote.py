"""A task on a worker: refused with one line where the version, the folder or a file differs."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from moglow.errors import LinkError
from moglow.workers.remote import Build, Remote
from moglow.workers.task import Bound


def here(shared: str, job: int) -> tuple[str, int, str]:
    return shared, job, os.getcwd()


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.chdir(tmp_path)
    return Remote(Bound.of(here, "shared"), Build.of_this_process(), str(tmp_path))


def test_a_task_runs_in_the_folder_of_the_command(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("abc")
    monkeypatch.chdir("/")
    assert remote(1, (("a", 3),)) == ("shared", 1, str(tmp_path))


@pytest.mark.parametrize("name", ["moglow", "source", "numpy", "python"])
def test_another_build_is_refused(remote: Remote, name: str) -> None:
    other = replace(remote.build, **{name: "0.0"})
    with pytest.raises(
        LinkError, match=r"has .*, the command 0\.0; install the same version on all machines"
    ):
        replace(remote, build=other)(1, ())


def test_missing_files_are_refused(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="a: No such file or directory; all machines need the same files"):
        remote(1, (("a", 3),))
    (tmp_path / "a").write_text("abcd")
    with pytest.raises(LinkError, match="a: has 4 bytes there, 3 here"):
        remote(1, (("a", 3),))
    with pytest.raises(LinkError, match="has no folder /nowhere"):
        replace(remote, folder="/nowhere")(1, ())
