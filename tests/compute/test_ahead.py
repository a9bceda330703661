"""Items that are computed ahead come in order, with their errors; at most so many are computed too early."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from moglow.compute.ahead import ahead


def test_items_come_in_order_from_another_thread() -> None:
    def items() -> Iterator[tuple[int, int]]:
        for k in range(50):
            yield k, threading.get_ident()

    found = list(ahead(items(), 3))
    assert [k for k, _ in found] == list(range(50))
    assert {thread for _, thread in found}.isdisjoint({threading.get_ident()})


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise KeyError("third")

    found = []
    with pytest.raises(KeyError, match="third"):
        for item in ahead(items(), 8):
            found.append(item)
    assert found == [1, 2]


def test_no_more_is_computed_than_so_many_ahead() -> None:
    begun: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for k in range(100):
            begun.append(k)
            if k == 3:
                third.set()
            yield k

    before = set(threading.enumerate())
    with closing(ahead(items(), 2)) as coming:
        assert next(coming) == 0
        assert third.wait(10)  # item 0 is taken, 1 and 2 wait, 3 is in the thread's hands
        (thread,) = set(threading.enumerate()) - before
    thread.join(10)
    assert not thread.is_alive() and len(begun) <= 5
