"""Atomic writing of files, and checks that an output may be written and is none of the inputs."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from moglow.errors import ExportError
from moglow.files.locks import SUFFIX, remove_if_abandoned, short, try_lock
from moglow.files.system_errors import advice, reason

KINDS = {stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}
STREAMS = re.compile(r"/dev/(std(in|out|err)|fd/.*)|/proc/.*/fd/.*")
PARTIAL = re.compile(r".+\.(\d+)-[0-9a-f]{8}\.partial", re.DOTALL)
"""The name of a partial file: the name of the file, the process ID and a random number."""
SWEPT: dict[Path, float] = {}
"""The time from which a folder may be swept again, so that sweeping takes at most about 5 % of the time."""
NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def _at_once(work: Callable[[], None]) -> None:
    work()


@dataclass(frozen=True)
class Output(os.PathLike[str]):
    """A path to write to, with a callback that runs when the new file is complete, before it replaces ``path``.

    ``complete`` is called with the path of the complete file, which still has a temporary name. If it raises an
    exception, ``path`` is left unchanged.
    """

    path: Path
    complete: Callable[[Path], None]
    finish: Callable[[Callable[[], None]], None] = _at_once
    """Runs the function that flushes and renames the new file, at once or later; see `moglow.files.finishing`."""

    def __fspath__(self) -> str:
        return str(self.path)

    __str__ = __fspath__


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file that replaces `path` once it is complete and flushed to disk.

    If the process is killed, the disk is full or an exception is raised, `path` is left unchanged. The partial file
    has a unique name in the same folder, so two processes may write the same file; the one that finishes last replaces
    it. Partial files of dead processes are removed. The new file keeps the mode of the file that it replaces. If
    `path` is a link, its target is replaced. Raises `ExportError` for paths that `check_output` rejects.
    """
    mode = check_output(path)
    target = Path(os.path.realpath(path))
    partial = _partial(target)
    with _removed_on_failure(path, partial):
        sweep(target.parent)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOT_FOLLOWED, 0o666)
        with open(descriptor, "wb") as file:
            try_lock(descriptor)  # marks this process as running, also for other machines
            if mode is not None:
                os.chmod(partial, mode)
            yield file
            file.flush()
            kept = os.dup(descriptor)
        finish = path.finish if isinstance(path, Output) else _at_once
        finish(lambda: _finish(path, kept, partial, target))


def _finish(path: str | os.PathLike[str], kept: int, partial: Path, target: Path) -> None:
    """Flushes the complete partial file, which ``kept`` has open, and renames it to the target."""
    with _removed_on_failure(path, partial):
        try:
            os.fsync(kept)
        finally:
            os.close(kept)
        if isinstance(path, Output):
            path.complete(partial)
        os.replace(partial, target)
        _sync_folder(target.parent)


@contextlib.contextmanager
def _removed_on_failure(path: str | os.PathLike[str], partial: Path) -> Iterator[None]:
    """Removes the partial file if the block fails; errors of the system become an `ExportError` about the path."""
    try:
        yield
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(
            f"{path}: cannot be written ({reason(error)}); what was there is unchanged; {advice(error)}"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def append_line(path: str | Path, line: str) -> None:
    """Appends a line to a file in a single write, so that lines of several processes never mix."""
    check_output(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        with open(descriptor, "ab", buffering=0) as file:
            content = f"{line}\n".encode()
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({reason(error)}); {advice(error)}") from error


def check_output(path: str | os.PathLike[str]) -> int | None:
    """Returns the permissions of the file at an output path, or None if there is no file.

    Raises `ExportError` if the path is a folder, a device, a pipe, standard output or a read-only file.

    >>> check_output("-")
    Traceback (most recent call last):
    moglow.errors.ExportError: -: standard output is not written to; give the name of a file
    """
    if os.fspath(path) == "-" or STREAMS.fullmatch(os.path.abspath(path)):
        raise ExportError(f"{path}: standard output is not written to; give the name of a file")
    try:
        found = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({reason(error)}); {advice(error)}") from error
    except ValueError as error:  # a zero byte
        raise ExportError(f"{path}: is no file name ({error}); give another name") from error
    if not stat.S_ISREG(found):
        kind = KINDS.get(stat.S_IFMT(found), "a device or a pipe")
        raise ExportError(f"{path}: is {kind}, not a file; give the name of a file")
    if not found & 0o222:
        raise ExportError(f"{path}: is marked as read-only; make it writable, or give another name")
    return stat.S_IMODE(found)


def try_output(path: str | Path) -> None:
    """Raises `ExportError` if `path` cannot be written; tests this with a temporary file in the same folder."""
    check_output(path)
    probe = _partial(Path(os.path.realpath(path)))
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOT_FOLLOWED, 0o600))
        probe.unlink()
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({reason(error)}); {advice(error)}") from error


def refuse_overwriting(out: str | Path | Iterable[str | Path], inputs: Iterable[str | Path | None]) -> None:
    """Raises `ExportError` if an output is the same file as an input, also under another name.

    Outputs that `check_output` rejects raise `ExportError`, too.
    """
    known = {found: source for source in inputs if source is not None and (found := _identity(source))}
    for place in [out] if isinstance(out, str | Path) else out:
        check_output(place)
        found = _identity(place)
        if found in known:
            raise ExportError(
                f"{place}: is the input {known[found]}, which is never overwritten; give another name"
            )


def file_digest(path: str | Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Removes partial files and locks that dead processes left in a folder."""
    start = time.monotonic()
    if (
        SWEPT.get(folder, start) > start or sys.platform == "win32"
    ):  # on Windows, `os.kill` would end the process
        return
    for name in os.listdir(folder):
        partial = PARTIAL.fullmatch(name)
        if (partial and not _runs(int(partial[1]))) or (name[0] == "." and name.endswith(SUFFIX)):
            remove_if_abandoned(folder / name, is_lock=not partial)
    SWEPT[folder] = time.monotonic() + 20 * (time.monotonic() - start)


def _partial(target: Path) -> Path:
    """Returns a new name for a partial file beside a target."""
    return target.with_name(f"{short(target.name)}.{os.getpid()}-{secrets.token_hex(4)}.partial")


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Returns the device and inode of a file, which are equal for all its names, or None if there is no file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _runs(process: int) -> bool:
    """Returns whether a process runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Flushes a rename in `folder` to disk, on systems that can open a folder (Windows cannot)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
