"""Files that are flushed to disk in threads while the next ones are made, since each waits for the disk."""

from collections import deque
from collections.abc import Callable
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Finishing(Generic[Item]):
    """Runs functions in threads, up to ``most`` at a time, and returns their results in order.

    Leaving the context waits for the threads.

    >>> with Finishing(2) as finishing:
    ...     [finishing.add(lambda name=name: name.upper()) for name in "abc"], finishing.rest()
    ([[], [], ['A']], ['B', 'C'])
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._running: deque[_Work[Item]] = deque()

    def add(self, work: Callable[[], Item]) -> list[Item]:
        """Starts a function; if more than ``most`` run, waits for the oldest and returns its result in a list."""
        self._running.append(_Work(work))
        return [self._running.popleft().result()] if len(self._running) > self.most else []

    def rest(self) -> list[Item]:
        """Waits for all functions and returns their results."""
        results = []
        while self._running:
            results.append(self._running.popleft().result())
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for work in self._running:
            work.join()


class _Work(Thread, Generic[Item]):
    def __init__(self, work: Callable[[], Item]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._results: list[Item] = []
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:
            self._error = error

    def result(self) -> Item:
        self.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
