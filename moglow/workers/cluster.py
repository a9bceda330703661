"""Workers of a Dask cluster: those of a scheduler at an address, or processes of this machine with one of their own.

All machines see the same files under the same paths. A task that was on a worker that died runs again on another one. A
result is fetched as soon as it is there, and its task never runs again. Workers run one task at a time in each process.
"""

import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from moglow.errors import LinkError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Dask about its own dependencies
    import dask
    from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin

from moglow.workers.address import local_processes
from moglow.workers.processes import interrupts_ignored
from moglow.workers.remote import Build, Remote, describe_build
from moglow.workers.task import Bound
from moglow.workers.workers import (
    IN_FLIGHT,
    Job,
    Result,
    Shared,
    Workers,
    in_order,
    no_files,
)

CONNECTING = 10.0
"""Seconds in which a scheduler must answer."""
POLL = 2.0
"""Seconds after which a waiting command looks whether there are workers."""
PATIENCE = 60.0
"""Seconds without any worker after which a command gives up."""
PROFILE = "distributed.worker.profile.enabled"
"""The setting of Dask for samples of what a worker does, which take 80 kB a second for an hour."""
ENVIRONMENT = "distributed.nanny.pre-spawn-environ"
"""The setting of Dask for the environment of workers."""
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": 2**27, "MALLOC_MMAP_THRESHOLD_": 2**25}
"""Bytes of free memory that a worker keeps, and of arrays that it may keep them for. Dask's 64 kB for the first would
make most arrays new memory of the system, which doubles the processor time of tasks."""
OWN_PORT = "127.0.0.1:0"
"""A free port that only this machine reaches, where Dask would open 8787 to all."""
CLOSING = 5.0
"""Seconds in which the processes of this machine must end before they are killed."""


class Cluster(Workers):
    """The workers of a Dask scheduler."""

    def __init__(self, client: Any, scheduler: str) -> None:
        self._client, self._scheduler = client, scheduler

    @classmethod
    @contextmanager
    def connected(cls, scheduler: str) -> Iterator[Self]:
        """Yields the workers of an address or of ``local:N``, once all of them have this version of moglow."""
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors are raised
        count = local_processes(scheduler)
        with ExitStack() as opened:
            address = opened.enter_context(_own_cluster(count)) if count else scheduler
            cluster = cls(opened.enter_context(_connected(address, scheduler)), scheduler)
            if count:
                cluster._client.register_plugin(_Uninterrupted())  # for processes that replace dead ones
            cluster._check_workers()
            yield cluster

    @property
    def count(self) -> int:
        return max(1, self._workers())

    def results(
        self,
        work: Callable[[Shared, Job], Result],
        shared: Shared,
        jobs: Iterable[Job],
        files: Callable[[Job], Iterable[Path]] = no_files,
    ) -> Iterator[Result]:
        task = Remote(Bound.of(work, shared), Build.of_this_process(), os.getcwd())
        calls = ((task, job, tuple(_sizes(files(job)))) for job in jobs)
        most = IN_FLIGHT * self.count
        executor = self._client.get_executor(pure=False)
        yield from in_order(executor, calls, most, self._result)

    def _result(self, future: Future[Any]) -> Any:
        """Returns the result of a task; raises its exception, or an error if there are no workers left."""
        waited = 0.0
        while True:
            try:
                return future.result(POLL)
            except TimeoutError:
                if future.done():
                    raise
                waited = 0.0 if self._workers() else waited + POLL
                if waited >= PATIENCE:
                    raise LinkError(
                        f"{self._scheduler}: all workers are gone, perhaps for lack of memory; start some and run the "
                        "command again"
                    ) from None
            except CancelledError:
                raise LinkError(
                    f"{self._scheduler}: the scheduler has ended; start it and run the command again"
                ) from None
            except KilledWorker as error:
                raise LinkError(
                    f"{self._scheduler}: {error.allowed_failures + 1} workers died on the same task, perhaps for lack "
                    "of memory; start fewer workers on each machine"
                ) from None
            except Exception as error:
                if _lacks_moglow(error):
                    raise self._without_moglow() from None
                raise

    def _check_workers(self) -> None:
        """Raises `LinkError` without workers, or if one of them has another version of moglow."""
        with suppress(TimeoutError):
            self._client.wait_for_workers(1, timeout=CONNECTING)
        found = self._client.run(describe_build, on_error="return")
        if not found:
            raise LinkError(
                f"{self._scheduler}: the scheduler has no workers; start some: dask worker {self._scheduler}"
            )
        for worker, build in sorted(found.items()):
            if isinstance(build, Exception):
                if _lacks_moglow(build):
                    raise self._without_moglow(worker)
                raise LinkError(f"{self._scheduler}: worker {worker} does not answer ({_reason(build)})")
            build.check(Build.of_this_process(), worker)

    def _without_moglow(self, worker: str = "a worker") -> LinkError:
        return LinkError(
            f"{self._scheduler}: {worker} cannot import moglow; install the same version there as on this machine"
        )

    def _workers(self) -> int:
        with suppress(Exception):  # of a lost connection, which Dask opens again or gives up
            return len(self._client.nthreads())
        return 0


class _Uninterrupted(WorkerPlugin):
    """Makes worker processes of this machine ignore Ctrl-C, which a terminal sends to all processes of a command."""

    def setup(self, worker: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _own_cluster(count: int) -> Iterator[str]:
    """Yields the address of a scheduler in this process with worker processes, and ends them."""
    known = dask.config.get(ENVIRONMENT)
    with interrupts_ignored(), dask.config.set({PROFILE: False, ENVIRONMENT: {**known, **ALLOCATOR}}):
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=None,
            dashboard_address=OWN_PORT,
            worker_dashboard_address=OWN_PORT,
            silence_logs=logging.CRITICAL,
        )
    try:
        yield cluster.scheduler_address
    finally:
        with interrupts_ignored(), suppress(TimeoutError):
            cluster.close(timeout=CLOSING)


@contextmanager
def _connected(address: str, scheduler: str) -> Iterator[Any]:
    """Yields a client of a scheduler; its tasks are cancelled at the end."""
    try:
        client = Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise LinkError(
            f"{scheduler}: no scheduler answers there ({_reason(error)}); start one: dask scheduler",
            setting="scheduler",
        ) from None
    try:
        yield client
    finally:
        with interrupts_ignored():
            client.close(timeout=CLOSING)


def _lacks_moglow(error: Exception) -> bool:
    """Returns whether an error is that of a worker without moglow; Dask may send only its text."""
    return "No module named 'moglow" in str(error)


def _reason(error: BaseException) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__


def _sizes(files: Iterable[Path]) -> Iterator[tuple[str, int]]:
    """Yields the paths and sizes of files; without those that are missing here, whose tasks raise the error."""
    for path in files:
        with suppress(OSError):
            yield str(path), path.stat().st_size
