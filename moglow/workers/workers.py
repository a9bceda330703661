"""The interface of workers, and the worker that is this process itself."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Job = TypeVar("Job")
Shared = TypeVar("Shared")
Result = TypeVar("Result")

IN_FLIGHT = 4
"""Tasks for each worker that are submitted at once, so that a slow one keeps no worker waiting."""


def no_files(job: object) -> tuple[Path, ...]:
    """Returns the files of a task that reads none."""
    return ()


class Workers(ABC):
    """Runs tasks and yields their results in the order of the tasks, whatever the order in which they finish.

    >>> list(ThisProcess().results(lambda base, job: base + job, 10, [1, 2, 3]))
    [11, 12, 13]
    """

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of tasks that run at once."""

    @abstractmethod
    def results(
        self,
        work: Callable[[Shared, Job], Result],
        shared: Shared,
        jobs: Iterable[Job],
        files: Callable[[Job], Iterable[Path]] = no_files,
    ) -> Iterator[Result]:
        """Yields ``work(shared, job)`` for each job, in order.

        Jobs are read as workers become free, so a bounded number of jobs and results is in memory. An exception of a
        task is raised in its place, and the tasks after it are cancelled.

        Args:
            work: a function of a module, with values that can be pickled.
            shared: a value that all tasks use.
            jobs: the tasks.
            files: returns the files that a task reads, which every worker must have.
        """


class ThisProcess(Workers):
    """Runs each task in this process when its result is needed."""

    @property
    def count(self) -> int:
        return 1

    def results(
        self,
        work: Callable[[Shared, Job], Result],
        shared: Shared,
        jobs: Iterable[Job],
        files: Callable[[Job], Iterable[Path]] = no_files,
    ) -> Iterator[Result]:
        for job in jobs:
            yield work(shared, job)


def in_order(
    executor: "Executor",
    calls: Iterable[tuple[Any, ...]],
    most: int,
    wait: "Callable[[Future[Any]], Any]" = lambda future: future.result(),
) -> Iterator[Any]:
    """Yields the results of calls ``(function, *arguments)`` in order; at most ``most`` calls are submitted ahead."""
    waiting: deque[Future[Any]] = deque()
    try:
        for call in calls:
            waiting.append(executor.submit(*call))
            if len(waiting) >= most:
                yield wait(waiting.popleft())
        while waiting:
            yield wait(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()
