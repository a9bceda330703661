"""Files that are written whole or not at all, and never over what they are made from."""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from moglow.errors import ExportError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` only once it is complete and on the disk.

    A killed process, a full disk or an exception leaves what was at `path` unchanged. The partial file stands in the
    same folder under a name of its own, so that two processes may write one file: the later one wins, whole. Partial
    files of processes that no longer run are removed. The file keeps the mode of the file that it replaces. A device or
    a pipe is refused.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        mode = _mode(path)
        _remove_abandoned(path)
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(os.open(partial, flags, 0o666), "wb") as file:
            if mode is not None:
                os.chmod(partial, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(
            f"{path}: cannot be written ({error.strerror or error}); what was there is unchanged"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def refuse_overwriting(out: str | Path, inputs: Iterable[str | Path | None]) -> None:
    """Raises `ExportError` if an output is one of the files that it is made from, by this name or another."""
    for source in inputs:
        if (
            source is not None
            and os.path.exists(out)
            and os.path.exists(source)
            and os.path.samefile(out, source)
        ):
            raise ExportError(
                f"{out}: is the input {source}, which is never overwritten; give another name with -o"
            )


def _mode(path: Path) -> int | None:
    """Returns the permissions of the file at a path, or None if there is none."""
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
        raise ExportError(f"{path}: is a device or a pipe, not a file; give the name of a file")
    return stat.S_IMODE(found)


def _remove_abandoned(path: Path) -> None:
    """Removes the partial files of `path` whose processes no longer run."""
    form = re.compile(re.escape(path.name) + r"\.(\d+)-[0-9a-f]{8}\.partial")
    for name in os.listdir(path.parent):
        found = form.fullmatch(name)
        if found and not _runs(int(found[1])):
            path.with_name(name).unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Returns whether a process runs; on Windows, where asking would end it, every process counts as running."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable, where the system lets one open a folder (Windows does not)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
