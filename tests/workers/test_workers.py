"""Workers: results in the order of the tasks, a bounded number in flight, errors in their place, addresses."""

import os
import sys
import time
from collections.abc import Iterator

import pytest

from moglow.errors import LinkError, MoglowError
from moglow.workers.address import check_scheduler
from moglow.workers.opening import open_workers
from moglow.workers.task import Bound
from moglow.workers.workers import IN_FLIGHT, Workers
from tests.support.commands import fails


def scaled(factor: int, job: int) -> tuple[int, int]:
    """A task whose first job takes the longest; returns the number of its process too."""
    time.sleep(0.2 if job == 0 else 0.0)
    return factor * job, os.getpid()


def picky(limit: int, job: int) -> int:
    if job >= limit:
        raise MoglowError(f"job {job} is too large", setting="limit")
    return job


@pytest.fixture(scope="module", params=[1, 2])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with open_workers(processes=request.param) as opened:
        yield opened


def test_results_come_in_the_order_of_the_tasks(workers: Workers) -> None:
    found = list(workers.results(scaled, 3, range(20)))
    assert [value for value, _ in found] == [3 * job for job in range(20)]
    assert (os.getpid() in {process for _, process in found}) == (workers.count == 1)


def test_few_tasks_are_read_ahead(workers: Workers) -> None:
    jobs = iter(range(1, 100))
    results = workers.results(scaled, 1, jobs)
    assert next(results)[0] == 1
    assert next(jobs) <= IN_FLIGHT * workers.count + 1


def test_an_error_is_raised_in_its_place(workers: Workers) -> None:
    results = workers.results(picky, 3, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(MoglowError, match=r"^job 3 is too large$") as error:
        next(results)
    assert error.value.setting == "limit"


def test_a_shared_value_is_one_object_for_all_tasks_of_a_process() -> None:
    bound = Bound.of(own_value, {"a": 1})
    assert bound(1) is bound(2)


def own_value(shared: object, job: int) -> object:
    return shared


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:8786",
        "http://host:80",
        "tcp://host",
        "tcp://host:0",
        "local",
        "local:0",
        "local:2000",
    ],
)
def test_other_texts_are_no_schedulers(text: str) -> None:
    with pytest.raises(LinkError, match="local:N with 1 to 1024"):
        check_scheduler(text)
    assert "expected an address such as tcp://host:8786" in fails("inspect", "a", "--scheduler", text)


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "moglow.workers.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert fails("inspect", "data/samples", "--scheduler", "local:1").endswith(
        "inspect needs distributed: pip install 'moglow[cluster]'"
    )
