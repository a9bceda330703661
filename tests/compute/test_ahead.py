"""Items that are computed ahead come in order, with their errors; at most so many are computed too early."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from moglow.compute.ahead import ahead


def test_items_come_in_order_from_another_thread() -> None:
    def items(_: object) -> Iterator[tuple[int, int]]:
        for k in range(50):
            yield k, threading.get_ident()

    found = list(ahead(items, 3))
    assert [k for k, _ in found] == list(range(50))
    assert {thread for _, thread in found}.isdisjoint({threading.get_ident()})


def test_an_error_comes_after_the_items_before_it() -> None:
    def items(_: object) -> Iterator[int]:
        yield from (1, 2)
        raise KeyError("third")

    found = []
    with pytest.raises(KeyError, match="third"):
        for item in ahead(items, 8):
            found.append(item)
    assert found == [1, 2]


def test_no_more_is_computed_than_so_many_ahead() -> None:
    begun: list[int] = []
    third = threading.Event()

    def items(_: object) -> Iterator[int]:
        for k in range(100):
            begun.append(k)
            if k == 3:
                third.set()
            yield k

    before = set(threading.enumerate())
    with closing(ahead(items, 2)) as coming:
        assert next(coming) == 0
        assert third.wait(10)  # item 0 is taken, 1 and 2 wait, 3 is in the thread's hands
        (thread,) = set(threading.enumerate()) - before
    thread.join(10)
    assert not thread.is_alive() and len(begun) <= 5


def test_a_long_item_is_given_up_when_it_is_not_wanted() -> None:
    begun, given_up = threading.Event(), threading.Event()

    def items(wanted: Callable[[], bool]) -> Iterator[int]:
        yield 0
        begun.set()
        while wanted():
            pass
        given_up.set()

    with closing(ahead(items, 1)) as coming:
        assert next(coming) == 0 and begun.wait(10)
    assert given_up.wait(10)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other exit codes")
@pytest.mark.parametrize(
    ("ending", "code"), [("pass", 0), ("sys.exit(3)", 3), ("raise KeyboardInterrupt", -2)]
)
def test_a_program_ends_while_its_thread_computes(ending: str, code: int) -> None:
    """Memory of a kernel that still computes is not freed: the exit code is that of the program, not of a crash."""
    program = (
        "import sys; from moglow.compute.ahead import ahead; from moglow.sampling.generate import *\n"
        "from moglow.sampling.fast.native_moglow import *; from moglow.paths.presets import preset\n"
        "checkpoint = Checkpoint.read(PRETRAINED)\n"
        "tracks = [Track(preset('stand:seconds=60', 30.0), 0, take) for take in range(64)]\n"
        f"made = motions(Sampler.of(checkpoint), checkpoint, tracks); motion = next(made)\n{ending}"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
