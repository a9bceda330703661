"""Work that runs ahead in a thread, for work that leaves Python's lock: compiled kernels and numpy on large arrays."""

import atexit
from collections.abc import Callable, Generator, Iterable
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")

POLL = 0.1
"""Seconds after which a waiting thread looks whether it is still needed."""

_running: dict[Thread, Event] = {}


def ahead(make: Callable[[Callable[[], bool]], Iterable[Item]], most: int) -> Generator[Item, None, None]:
    """Yields the items of ``make(wanted)`` in order, while a thread computes up to ``most`` of the following ones.

    An error of an item is raised in its place. The thread ends with the generator or with the program, after the item
    that it computes; long items can be given up when ``wanted()`` is false.

    >>> list(ahead(lambda wanted: iter("abc"), 1))
    ['a', 'b', 'c']
    """
    finished: Queue[tuple[Item | None, BaseException | None]] = Queue(most)
    ended = Event()

    def put(item: Item | None, error: BaseException | None = None) -> None:
        while not ended.is_set():
            try:
                return finished.put((item, error), timeout=POLL)
            except Full:
                continue

    def work() -> None:
        try:
            for item in make(lambda: not ended.is_set()):
                put(item)
                if ended.is_set():
                    return
        except BaseException as error:
            put(None, error)
        else:
            put(None, StopIteration())
        finally:
            _running.pop(thread, None)

    thread = Thread(target=work, daemon=True)
    _running[thread] = ended
    thread.start()
    try:
        while True:
            item, error = finished.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        ended.set()


@atexit.register
def _end_all() -> None:
    """Waits for the threads, since a kernel must not run while the program's memory is being freed."""
    for thread, ended in list(_running.items()):
        ended.set()
        thread.join()
