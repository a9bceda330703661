"""Files that are flushed to disk in threads while the next ones are made, since each waits for the disk."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")


class Finishing(ExitStack, Generic[Item]):
    """Runs functions in up to ``most`` threads, 0 for none, and returns their results in order.

    Leaving the context waits for the threads.

    >>> with Finishing(2) as finishing:
    ...     [finishing.add(lambda name=name: name.upper()) for name in "abc"], finishing.rest()
    ([[], [], ['A']], ['B', 'C'])
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self._running: deque[Future[Item]] = deque()
        if most:
            from concurrent.futures import ThreadPoolExecutor  # a single motion starts sooner without it

            self._threads = self.enter_context(ThreadPoolExecutor(most))

    def add(self, work: Callable[[], Item]) -> list[Item]:
        """Starts a function; if more than ``most`` run, waits for the oldest and returns its result in a list."""
        if not self.most:
            return [work()]
        self._running.append(self._threads.submit(work))
        return [self._running.popleft().result()] if len(self._running) > self.most else []

    def rest(self) -> list[Item]:
        """Waits for all functions and returns their results."""
        results = []
        while self._running:
            results.append(self._running.popleft().result())
        return results
