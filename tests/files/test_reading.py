"""Input files: devices, pipes without a writer and files over the limit are refused."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from moglow.errors import BvhError, ControlError, FileFormatError
from moglow.files.descriptions import parse_json, parse_toml
from moglow.files.numbers import read_number, read_whole_number
from moglow.files.reading import open_input, read_bytes, read_text

pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def test_what_is_no_file_is_refused_with_the_callers_error(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "nowhere", "no such file"),
        ("a\0b", "is no file name"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(BvhError, match=reason):
            open_input(path, BvhError)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_device_is_refused() -> None:
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(ControlError, match="is a device"):
            read_text(device, 100, ControlError)


@pipes
def test_a_pipe_without_a_writer_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileFormatError, match="no process writes to"):
        open_input(tmp_path / "pipe")


@pipes
def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path) -> None:
    read, write = os.pipe()

    def tell() -> None:
        for word in (b"one ", b"two"):
            os.write(write, word)
        os.close(write)

    writer = threading.Thread(target=tell)
    writer.start()
    assert read_text(f"/dev/fd/{read}", 100) == "one two"
    writer.join()
    os.close(read)


def test_a_file_over_the_limit_is_refused_and_one_at_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    assert len(read_bytes(tmp_path / "a", 1000)) == 1000
    with pytest.raises(FileFormatError, match=r"larger than 0\.999 kB"):
        read_bytes(tmp_path / "a", 999)


def test_text_is_utf8_without_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffLäufer".encode())
    assert read_text(tmp_path / "a", 100) == "Läufer"
    (tmp_path / "a").write_bytes(b"L\xe4ufer")
    with pytest.raises(FileFormatError, match="not a text file in UTF-8"):
        read_text(tmp_path / "a", 100)


@pytest.mark.parametrize("text", ["1_0", "²", "١", "nan", "inf", "1e", "0x10", "", ".", "1,5", "--1", "1 2"])
def test_what_only_python_reads_is_no_number(text: str) -> None:
    assert read_number(text) != read_number(text)
    assert read_whole_number(text) is None


@pytest.mark.parametrize(("parse", "text"), [(parse_toml, "a = {}"), (parse_json, '{{"a": {}}}')])
def test_a_number_of_thousands_of_digits_is_refused_in_plain_words(
    parse: Callable[[str, str], object], text: str
) -> None:
    with pytest.raises(FileFormatError, match=r"a\.file: .*\(a whole number has thousands of digits\)"):
        parse(text.format("1" * 5000), "a.file")
