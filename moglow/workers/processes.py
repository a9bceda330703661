"""Processes of this machine that run tasks."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from moglow.workers.task import Bound
from moglow.workers.workers import IN_FLIGHT, Job, Result, Shared, Workers, in_order, no_files


class Processes(Workers):
    """A number of processes, started when the first task is submitted."""

    def __init__(self, pool: ProcessPoolExecutor, count: int) -> None:
        self._pool, self._count = pool, count

    @classmethod
    @contextmanager
    def started(cls, count: int) -> Iterator[Self]:
        """Yields the processes and ends them; after an exception they are terminated at once."""
        # Spawned processes, since a fork of a program with threads may deadlock.
        context = multiprocessing.get_context("spawn")
        pool = _Pool(count, mp_context=context)
        try:
            yield cls(pool, count)
        except BaseException:
            for process in (getattr(pool, "_processes", None) or {}).values():
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    @property
    def count(self) -> int:
        return self._count

    def results(
        self,
        work: Callable[[Shared, Job], Result],
        shared: Shared,
        jobs: Iterable[Job],
        files: Callable[[Job], Iterable[Path]] = no_files,
    ) -> Iterator[Result]:
        call = Bound.of(work, shared)
        yield from in_order(self._pool, ((call, job) for job in jobs), IN_FLIGHT * self._count)


class _Pool(ProcessPoolExecutor):
    """A pool whose processes ignore Ctrl-C, which a terminal sends to all processes; this process ends them."""

    def submit(self, *arguments: Any, **options: Any) -> Any:
        with interrupts_ignored():  # a process may be started now
            return super().submit(*arguments, **options)


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Context manager that ignores Ctrl-C, permanently in the processes that are started in it."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set a handler
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
