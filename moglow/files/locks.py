"""Locks on outputs, so that only one process at a time writes a file or a folder.

A lock is a file beside the output that is locked by the operating system. The system releases it when the process
ends for any reason. The lock file of a killed process is reused by the next process, which removes it at its end.
"""

import contextlib
import hashlib
import os
import platform
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Literal

from moglow.errors import ExportError
from moglow.files.system_errors import advice, reason

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

SUFFIX = ".moglow-lock"
MARK = b"moglow "
"""The first bytes of a lock file; files with other content are never removed."""
TRIES, PAUSE = 5, 0.02
"""Another process may hold a lock briefly to check whether the owner is dead, so taking it is retried."""
POLL = 0.2
"""Seconds between two attempts while waiting for a lock."""

State = Literal["ours", "theirs", "unknown"]


@contextlib.contextmanager
def locked(path: str | Path, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds the lock of an output file, or of a whole folder.

    Args:
        path: the output file, or a folder, which must exist.
        wait: if another process holds the lock, this is called once with a line that names the owner, and the call
            then waits for the lock. If it is None, `ExportError` is raised instead.

    On a file system without locks, no lock is taken; files are still written atomically, see
    `moglow.files.atomic.replacing`.
    """
    place, descriptor = lock_file(path), -1
    try:
        descriptor, tries = _open(place, path), 1
        while (state := _owned(descriptor, place)) == "theirs":
            os.close(descriptor)
            descriptor = -1
            if tries >= TRIES:
                owner = _owner(place)
                if wait is None:
                    raise ExportError(f"{path}: {owner} is writing it; let it end, or give another name")
                if tries == TRIES:
                    wait(f"{path}: {owner} is making it; waiting")
            time.sleep(PAUSE if tries < TRIES else POLL)
            descriptor, tries = _open(place, path), tries + 1
    except BaseException:  # such as an interruption
        if descriptor >= 0:
            os.close(descriptor)
        remove_if_abandoned(place, is_lock=True)
        raise
    try:
        if state == "ours" and os.fstat(descriptor).st_size == 0:
            with contextlib.suppress(OSError):  # on a full disk the lock file remains empty and still locks
                os.write(descriptor, MARK + f"{os.getpid()} {platform.node()}\n".encode())
        yield
    finally:
        _release(descriptor, place)


def locked_in_turn(paths: Iterable[Path], held: int = 1) -> Generator[Path, None, None]:
    """Yields each path while its lock is held; the next lock is taken before the oldest one is released.

    Another process with the same list therefore cannot overtake this one. The locks of the last ``held`` paths are
    held.
    """
    with contextlib.ExitStack() as all_held:
        holding: deque[contextlib.ExitStack] = deque()
        for path in paths:
            holding.append(all_held.enter_context(contextlib.ExitStack()))
            holding[-1].enter_context(locked(path))
            if len(holding) > held:
                holding.popleft().close()
            yield path


def lock_file(path: str | Path) -> Path:
    """Returns the path of the lock of a file or a folder.

    >>> lock_file("takes/walk.bvh").as_posix()
    'takes/.walk.bvh.moglow-lock'
    """
    path = Path(path)
    return path / SUFFIX if path.is_dir() else path.with_name(f".{short(path.name)}{SUFFIX}")


def short(name: str) -> str:
    """Shortens long file names, so that a suffix fits; a shortened name ends in a digest of the full name.

    >>> short("walk.bvh"), len(short("w" * 250))
    ('walk.bvh', 57)
    """
    content = os.fsencode(name)
    return name if len(content) <= 200 else f"{name[:40]}-{hashlib.sha256(content).hexdigest()[:16]}"


def remove_if_abandoned(place: Path, *, is_lock: bool) -> None:
    """Removes a partial file or a lock if no process holds it, which means that its process has ended."""
    with contextlib.suppress(OSError):
        descriptor = os.open(place, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        try:
            made_here = _is_marked(descriptor) if is_lock else True
            if made_here and try_lock(descriptor) == "ours" and _is_at(descriptor, place):
                place.unlink()
        finally:
            os.close(descriptor)


def try_lock(descriptor: int) -> State:
    """Tries to lock an open file; returns who holds the lock, or "unknown" on a file system without locks."""
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
            ):  # a lock left by another user cannot be written, but it can be locked
                return os.open(place, os.O_RDONLY | flags)
        raise ExportError(f"{path}: cannot be written ({reason(error)}); {advice(error)}") from error


def _owned(descriptor: int, place: Path) -> State:
    """Tries to lock an open file; returns "theirs" also if another process has removed the file meanwhile."""
    state = try_lock(descriptor)
    return "theirs" if state == "ours" and not _is_at(descriptor, place) else state


def _is_at(descriptor: int, place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(place, follow_symlinks=False))
    except OSError:
        return False


def _owner(place: Path) -> str:
    """Returns a description of the process that holds a lock."""
    with contextlib.suppress(OSError, ValueError):
        words = place.read_bytes()[:300].decode("utf-8", "replace").split()
        if words[:1] == ["moglow"] and len(words) == 3:
            return f"process {words[1]} on {words[2]}"
    return "another process"


def _release(descriptor: int, place: Path) -> None:
    """Removes the lock file and then releases the lock."""
    with contextlib.suppress(OSError):
        if _is_marked(descriptor) and _is_at(descriptor, place):
            place.unlink()
    os.close(descriptor)


def _is_marked(descriptor: int) -> bool:
    """Returns whether the content of an open file is that of a lock file of moglow."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, len(MARK)) in (b"", MARK)
