"""System errors on paths are one line with the place, the reason and what to do."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moglow.errors import MoglowError
from moglow.files.atomic import append_line, check_output, replacing, try_output
from moglow.files.locks import locked
from moglow.files.reading import open_input

WRONG = {
    "no/such/o.bvh": "No such file or directory",
    "file/o.bvh": "Not a directory",
    "loop.bvh": "Too many levels of symbolic links",
    "a" * 300: "File name too long",
}


def replaced(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"new")


def appended(path: Path) -> None:
    append_line(path, "new")


def held(path: Path) -> None:
    with locked(path):
        pass


def test_a_name_with_a_zero_byte_is_no_file_name(tmp_path: Path) -> None:
    for use in (replaced, try_output, check_output, open_input):
        with pytest.raises(MoglowError, match="is no file name"):
            use(tmp_path / "a\0.bvh")


@pytest.mark.parametrize("name", WRONG, ids=lambda name: name[:14])
@pytest.mark.parametrize("use", [replaced, appended, held, try_output, check_output, open_input])
def test_a_path_that_cannot_be_used_is_named_with_advice(
    use: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    os.symlink("loop.bvh", tmp_path / "loop.bvh")
    if (use is check_output and name.startswith("no/")) or (use is held and "/" not in name):
        return  # the folder may still be made; a lock has a name of its own
    with pytest.raises(MoglowError) as caught:
        use(tmp_path / name)
    place, _, rest = str(caught.value).partition(": ")
    assert place == str(tmp_path / name)
    assert WRONG[name] in rest or "no such file" in rest
    assert "; " in rest and len(rest.rpartition("; ")[2].split()) > 2, "advice"
    assert (tmp_path / "file").read_text() == "kept"
