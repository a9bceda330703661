"""Opens the workers of a command: a cluster, processes of this machine, or this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from moglow.workers.address import check_scheduler
from moglow.workers.workers import ThisProcess, Workers


@contextmanager
def open_workers(scheduler: str | None = None, processes: int = 1) -> Iterator[Workers]:
    """Yields the workers of a scheduler, or else a number of processes of this machine, and ends them.

    Args:
        scheduler: the address of a Dask scheduler, such as ``tcp://host:8786``, or ``local:4`` for one on this machine
            with four processes.
        processes: the number of processes without a scheduler; 1 is this process.

    >>> with open_workers() as workers:
    ...     list(workers.results(pow, 2, [1, 2, 3]))
    [2, 4, 8]
    """
    if scheduler is not None:
        check_scheduler(scheduler)
        from moglow.workers.cluster import Cluster  # loads Dask

        with Cluster.connected(scheduler) as cluster:
            yield cluster
    elif processes > 1:
        from moglow.workers.processes import Processes

        with Processes.started(processes) as pool:
            yield pool
    else:
        yield ThisProcess()
