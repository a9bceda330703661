"""Locks on outputs: one process at a time makes a file or fills a folder.

A lock is a file beside the output, locked by the operating system, which releases it when the process ends, however it
ends. The next process takes over what a killed one left, and removes it at the end.
"""

import contextlib
import hashlib
import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Literal

from moglow.errors import ExportError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

SUFFIX = ".moglow-lock"
MARK = b"moglow "
"""How the content of a lock file begins; files with other content are never removed."""
TRIES, PAUSE = 5, 0.02
"""Another process may hold a lock for a moment only to see whether its owner is dead."""
POLL = 0.2
"""Seconds between two tries to get a lock that is waited for."""

State = Literal["ours", "theirs", "unknown"]


@contextlib.contextmanager
def locked(path: str | Path, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds the lock of a file, or of everything in a folder.

    Args:
        path: the file that is made, or the folder, which must exist.
        wait: is called once with a line that names the owner if another process holds the lock; then the lock is waited
            for. Without it such a lock raises `ExportError`.

    On a file system without locks nothing is locked; files are whole there too, see `moglow.files.atomic.replacing`.
    """
    place = lock_file(path)
    descriptor, tries = _open(place, path), 1
    while (state := _owned(descriptor, place)) == "theirs":
        os.close(descriptor)
        if tries >= TRIES:
            owner = _owner(place)
            if wait is None:
                raise ExportError(f"{path}: {owner} is writing it; let it end, or give another name")
            if tries == TRIES:
                wait(f"{path}: {owner} is making it; waiting")
        time.sleep(PAUSE if tries < TRIES else POLL)
        descriptor, tries = _open(place, path), tries + 1
    try:
        if state == "ours" and os.fstat(descriptor).st_size == 0:
            with contextlib.suppress(OSError):  # a full disk: the lock holds without a name in it
                os.write(descriptor, MARK + f"{os.getpid()} {socket.gethostname()}\n".encode())
        yield
    finally:
        _release(descriptor, place)


def locked_in_turn(paths: Iterable[Path]) -> Generator[Path, None, None]:
    """Yields the paths, each while its lock is held; the next lock is taken before the last one is released.

    A process that comes second to the same list therefore never gets between two of its files.
    """
    with contextlib.ExitStack() as held:
        for path in paths:
            following = contextlib.ExitStack()
            following.enter_context(locked(path))
            held.close()
            held.push(following)
            yield path


def lock_file(path: str | Path) -> Path:
    """Returns where the lock of a file or a folder lies.

    >>> lock_file("takes/walk.bvh").as_posix()
    'takes/.walk.bvh.moglow-lock'
    """
    path = Path(path)
    return path / SUFFIX if path.is_dir() else path.with_name(f".{short(path.name)}{SUFFIX}")


def short(name: str) -> str:
    """Returns a file name with room for more letters: long ones are cut, and end in a digest of the whole.

    >>> short("walk.bvh"), len(short("w" * 250))
    ('walk.bvh', 57)
    """
    content = os.fsencode(name)
    return name if len(content) <= 200 else f"{name[:40]}-{hashlib.sha256(content).hexdigest()[:16]}"


def remove_if_abandoned(place: Path, *, is_lock: bool) -> None:
    """Removes a partial file or a lock that no process holds: the process that made it is dead."""
    with contextlib.suppress(OSError):
        descriptor = os.open(place, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        try:
            made_here = _is_marked(descriptor) if is_lock else True
            if made_here and try_lock(descriptor) == "ours" and _is_at(descriptor, place):
                place.unlink()
        finally:
            os.close(descriptor)


def try_lock(descriptor: int) -> State:
    """Returns whose lock an open file has after this; "unknown" on a file system that has no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return "theirs"
    except OSError:
        return "unknown"
    return "ours"


def _open(place: Path, path: str | Path) -> int:
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(place, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except OSError as error:
        if isinstance(error, PermissionError):
            with contextlib.suppress(
                OSError
            ):  # another user's process was killed: its file can be locked all the same
                return os.open(place, os.O_RDONLY | flags)
        raise ExportError(f"{path}: cannot be written ({error.strerror or error})") from error


def _owned(descriptor: int, place: Path) -> State:
    """Returns whose the lock is; one on a file that another process has removed meanwhile counts as theirs."""
    state = try_lock(descriptor)
    return "theirs" if state == "ours" and not _is_at(descriptor, place) else state


def _is_at(descriptor: int, place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(place, follow_symlinks=False))
    except OSError:
        return False


def _owner(place: Path) -> str:
    """Returns the process that holds a lock, in words."""
    with contextlib.suppress(OSError, ValueError):
        words = place.read_bytes()[:300].decode("utf-8", "replace").split()
        if words[:1] == ["moglow"] and len(words) == 3:
            return f"process {words[1]} on {words[2]}"
    return "another process"


def _release(descriptor: int, place: Path) -> None:
    """Removes the lock file, while it is still locked, and releases it."""
    with contextlib.suppress(OSError):
        if _is_marked(descriptor) and _is_at(descriptor, place):
            place.unlink()
    os.close(descriptor)


def _is_marked(descriptor: int) -> bool:
    """Returns whether an open file is a lock of moglow, by its content."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, len(MARK)) in (b"", MARK)
