"""Motions of a batch that are made by workers: the jobs in groups, and the lines and failures of each group."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from moglow.paths.crowds import split_source
from moglow.takes.jobs import Job
from moglow.takes.orders import Wish
from moglow.workers.opening import open_workers

MOST = 32
"""Largest number of motions of a group, about as many as are sampled together."""
FOR_EACH = 4
"""Number of groups for each worker, so that all finish at about the same time."""

Group = tuple[Job, ...]


@dataclass
class Failures:
    """The reasons of failed jobs: those whose path cannot be read, and those whose motion is not plausible."""

    unread: dict[Job, str] = field(default_factory=dict)
    lost: dict[Job, str] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[Job, str]:
        return self.unread | self.lost

    def add(self, other: "Failures") -> None:
        """Adds the failures of a group, whose jobs may have only some of the takes."""
        self.unread |= other.unread
        self.lost |= other.lost

    def by_path(self) -> list[str]:
        """Returns one reason for each path, however many groups have takes of it."""
        return list({(job.control, job.target): reason for job, reason in self.reasons.items()}.values())


@dataclass(frozen=True)
class GroupResult:
    """The lines about a group, its failures, and its number of motions."""

    lines: tuple[str, ...]
    failures: Failures
    motions: int


def make_groups(
    jobs: Sequence[Job],
    wish: Wish,
    make: Callable[[Wish, Group], GroupResult],
    inputs: Sequence[Path],
    passed: Callable[[int, int, int], None],
    failures: Failures,
) -> Iterator[str]:
    """Has the jobs made by the workers of the wish; yields the lines and adds the failures.

    Args:
        jobs: the motions.
        wish: the options.
        make: makes a group; a task for workers.
        inputs: the files that all groups read.
        passed: is called with the numbers of finished motions and of all motions.
        failures: receives the failures.
    """
    total, done = sum(len(job.takes) for job in jobs), 0
    with open_workers(wish.scheduler) as workers:
        size = min(MOST, -(-total // (FOR_EACH * workers.count)))
        groups = grouped(jobs, size, whole=wish.rank)
        for result in workers.results(
            make, replace(wish, scheduler=None), groups, lambda group: [*inputs, *_files(group)]
        ):
            done += result.motions
            passed(done, total, 0)
            failures.add(result.failures)
            yield from result.lines


def grouped(jobs: Sequence[Job], size: int, *, whole: bool) -> list[Group]:
    """Returns groups of neighbouring jobs with about ``size`` motions; a job with more is divided unless ``whole``.

    >>> jobs = [Job("line", Path("line.bvh"), (0, 1, 2), 3), Job("circle", Path("circle.bvh"), (0,), 1)]
    >>> [[job.takes for job in group] for group in grouped(jobs, 2, whole=False)]
    [[(0, 1)], [(2,), (0,)]]
    """
    groups: list[list[Job]] = [[]]
    free = size
    for job in jobs:
        takes = job.takes
        while takes:
            if free <= 0:
                groups.append([])
                free = size
            some = takes if whole else takes[:free]
            groups[-1].append(replace(job, takes=some))
            takes, free = takes[len(some) :], free - len(some)
    return [tuple(group) for group in groups if group]


def _files(group: Group) -> Iterator[Path]:
    """Yields the path files of a group; a preset is none."""
    for job in group:
        place = Path(split_source(job.control)[0])
        if place.is_file():
            yield place
