"""Committed files: no motion capture of others, nothing huge, no trace of a machine."""

import csv
import hashlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 20_000_000  # bytes

# A path in a home or a work folder at the root, such as /home/ann/…; "/home" alone is no trace.
MACHINE_PATH = re.compile(
    rb"(?<![\w.~*-])(?:/home|/Users|/root|/work|/tmp/[\w.-]+|[A-Z]:\\Users)[/\\][\w.-]+"
)


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode or not listing.stdout:
        pytest.skip("needs a git checkout")
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_of_the_shared_data_is_committed(shared_data: Path) -> None:
    """Compared by content, so that a renamed copy is found; differences of line ends do not hide one."""
    manifests = sorted(shared_data.glob("*/manifest.csv"))
    theirs = {
        row["sha256"] for file in manifests for row in csv.DictReader(file.read_text("utf-8").splitlines())
    }
    assert len(theirs) > 500
    for path in tracked():
        data = path.read_bytes()
        lines = data.replace(b"\r\n", b"\n")
        for version in (data, lines, lines.replace(b"\n", b"\r\n")):
            assert hashlib.sha256(version).hexdigest() not in theirs, f"{path} is a file of the shared data"


def test_no_committed_file_is_huge() -> None:
    for path in tracked():
        assert path.stat().st_size <= LARGEST, f"{path} has {path.stat().st_size / 1e6:.0f} MB"


def test_no_committed_file_contains_a_machine_path() -> None:
    for path in tracked():
        found = MACHINE_PATH.search(path.read_bytes()) if path != Path(__file__) else None
        assert found is None, f"{path} mentions {found and found[0]!r}"


@pytest.mark.parametrize("text", [b"see /home/ann/data", b'"/Users/bo/x"', b"C:\\Users\\cy", b"/tmp/x1/y"])
def test_machine_paths_are_recognised(text: bytes) -> None:
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", [b"data/home/x", b"https://a.org/Users/x", b"/tmp is fine", b"/usr/bin/env"])
def test_other_paths_are_not(text: bytes) -> None:
    assert not MACHINE_PATH.search(text)
