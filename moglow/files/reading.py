"""Opens input files: regular files and pipes, which are read up to a limit."""

import os
import select
import stat
from pathlib import Path
from typing import BinaryIO

from moglow.errors import FileFormatError, MoglowError
from moglow.files.system_errors import advice, reason

LARGEST = 2_000_000_000
"""The most bytes of a motion file that is read as a whole."""


def open_input(path: str | Path, error: type[MoglowError] = FileFormatError) -> BinaryIO:
    """Opens a file for reading in binary mode.

    A pipe is accepted if another process has it open for writing. Raises ``error`` for a folder, a device and a pipe
    without a writer, since reading them would fail or never end.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_input(folder)
    Traceback (most recent call last):
    moglow.errors.FileFormatError: ...: is a folder; give the name of a file
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as failure:
        if isinstance(failure, FileNotFoundError):
            raise error(f"{path}: no such file; check the name") from failure
        raise error(f"{path}: cannot be read ({reason(failure)}); {advice(failure)}") from failure
    except ValueError as failure:
        raise error(f"{path}: is no file name ({failure}); check the name") from failure
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode):
            _check_writer(descriptor, path, error)
        elif stat.S_ISDIR(mode):
            raise error(f"{path}: is a folder; give the name of a file")
        elif not stat.S_ISREG(mode):
            raise error(f"{path}: is a device, not a file; give the name of a file")
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return open(descriptor, "rb")


def read_bytes(path: str | Path, most: int, error: type[MoglowError] = FileFormatError) -> bytes:
    """Returns the content of a file; raises ``error`` if it has more than ``most`` bytes."""
    try:
        with open_input(path, error) as file:
            content = file.read(most + 1)
    except OSError as failure:
        raise error(f"{path}: cannot be read ({reason(failure)}); {advice(failure)}") from failure
    if len(content) > most:
        size = f"{most / 1e6:g} MB" if most >= 1e6 else f"{most / 1e3:g} kB"
        raise error(f"{path}: is larger than {size}, the most that a file of this kind has; check the name")
    return content


def read_text(path: str | Path, most: int, error: type[MoglowError] = FileFormatError) -> str:
    """Returns the text of a UTF-8 file without its byte-order mark; the limit is ``most`` bytes."""
    try:
        return read_bytes(path, most, error).decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise error(f"{path}: not a text file in UTF-8 (byte {failure.start}); save it as UTF-8") from failure


def _check_writer(descriptor: int, path: str | Path, error: type[MoglowError]) -> None:
    """Raises ``error`` for an empty pipe without a writer; a read from such a pipe returns at once, without data."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if any(event & select.POLLIN for _, event in poll.poll(0)):
        return
    try:
        os.read(descriptor, 1)
    except BlockingIOError:
        return
    raise error(f"{path}: is a pipe that no process writes to; give the name of a file")
