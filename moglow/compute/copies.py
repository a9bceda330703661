"""Work shared among copies of this process, for work that keeps Python's lock. Needs Linux."""

import ctypes
import os
import pickle
import select
import signal
import struct
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, TypeVar

from moglow.errors import MoglowError

Item = TypeVar("Item")

LENGTH = struct.Struct("<Q")
DIE_WITH_PARENT = 1
"""The option of Linux's ``prctl`` that selects the signal a process receives when the one that started it ends."""


def processors() -> int:
    """Returns the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def can_copy() -> bool:
    """Returns whether this system can copy a process that has loaded numpy; others than Linux are not certain to."""
    return sys.platform == "linux"


def in_turn(work: Callable[[int], Iterable[Item]], parts: int) -> Generator[Item, None, None]:
    """Yields the first item of ``work(0)``, of ``work(1)`` …, then the second of each, until all parts have ended.

    Each part is computed by a copy of this process; an item must be picklable. An error of a part is raised in the
    place of its item. The copies end with the generator, each after the clean-up of what it was doing.

    >>> list(in_turn(lambda part: "ace bd".split()[part], 2))
    ['a', 'b', 'c', 'd', 'e']
    """
    copies = [_Copy(work, part) for part in range(parts)]
    try:
        left = deque(copies)
        while left:
            copy = left.popleft()
            while not copy.arrived:
                _receive(copies)
            item, error, last = copy.arrived.popleft()
            if error is not None:
                raise error
            if not last:
                left.append(copy)
                yield item
    finally:
        for copy in copies:
            copy.stop()
        for copy in copies:
            copy.join()


class _Copy:
    """A copy of this process that computes a part, and what has arrived of it: an item, an error, whether it ends."""

    def __init__(self, work: Callable[[int], Iterable[Any]], part: int) -> None:
        self.arrived: deque[tuple[Any, BaseException | None, bool]] = deque()
        self.reader, writer = os.pipe()
        self._received = bytearray()
        with warnings.catch_warnings():  # a thread that only shows the progress may be running
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if not self._process:
            try:
                os.close(self.reader)
                with os.fdopen(writer, "wb") as file:
                    _send_items(work, part, file)
            finally:  # without the exit functions of the process that this is a copy of
                os._exit(0)
        os.close(writer)
        self.open = True

    def receive(self) -> None:
        """Reads what is there; at the end of the pipe without an end of the work, the process was killed."""
        data = os.read(self.reader, 1 << 16)
        self._received += data
        while len(self._received) >= LENGTH.size:
            stop = LENGTH.size + LENGTH.unpack_from(self._received)[0]
            if len(self._received) < stop:
                break
            self.arrived.append(pickle.loads(self._received[LENGTH.size : stop]))
            del self._received[:stop]
        if not data:
            self.open = False
            self.arrived.append((None, self._killed(), True))

    def _killed(self) -> MoglowError:
        return MoglowError(
            f"process {self._process}, which made a part of the motions, was killed; run the command again, what is "
            "finished is not made again"
        )

    def stop(self) -> None:
        """Interrupts the process if it has not ended."""
        with suppress(ProcessLookupError):
            if self.open:
                os.kill(self._process, signal.SIGINT)

    def join(self) -> None:
        """Waits for the end of the process."""
        os.close(self.reader)
        with suppress(ChildProcessError):
            os.waitpid(self._process, 0)


def _receive(copies: Iterable[_Copy]) -> None:
    """Waits until one of the copies has sent something, and reads it."""
    by_reader = {copy.reader: copy for copy in copies if copy.open}
    for reader in select.select(list(by_reader), [], [])[0]:
        by_reader[reader].receive()


def _send_items(work: Callable[[int], Iterable[Any]], part: int, file: BinaryIO) -> None:
    """Sends the items of a part, and then its end or its error."""

    def send(item: Any, error: BaseException | None = None, *, last: bool = False) -> None:
        content = pickle.dumps((item, error, last))
        file.write(LENGTH.pack(len(content)) + content)
        file.flush()

    try:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGINT, _interrupt_once)
        items = work(part)
        try:
            for item in items:
                send(item)
        finally:
            if isinstance(items, Generator):  # its clean-up must precede the end of the process
                items.close()
        send(None, last=True)
    except BaseException as error:
        with suppress(BaseException):
            send(None, error, last=True)


def _interrupt_once(*_: object) -> None:
    """Interrupts the work, but not the clean-up that follows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
