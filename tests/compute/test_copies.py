"""Work shared among copies of the process: in order, with errors in their place, and nothing left running."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moglow.compute.copies import can_copy, in_turn
from moglow.errors import ControlError, MoglowError

pytestmark = pytest.mark.skipif(not can_copy(), reason="this system does not copy processes")


def running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_items_come_in_turn_and_parts_may_have_any_number() -> None:
    items = [[1, 2, 3], [], [4]]
    assert list(in_turn(lambda part: items[part], 3)) == [1, 4, 2, 3]
    assert list(in_turn(lambda part: (), 2)) == []


def test_parts_are_other_processes_that_have_ended() -> None:
    processes = list(in_turn(lambda part: [os.getpid()] * 2, 2))
    assert len(set(processes)) == 2 and os.getpid() not in processes
    assert not any(running(process) for process in processes)


def test_items_may_be_larger_than_a_pipe() -> None:
    large = list(in_turn(lambda part: [bytes([part]) * 300_000] * 2, 2))
    assert [(len(item), item[0]) for item in large] == [(300_000, part) for part in (0, 1, 0, 1)]


def test_an_error_is_raised_in_its_place() -> None:
    def work(part: int) -> Iterator[int]:
        yield part
        if part:
            raise ControlError("walk.csv: no frames", setting="overwrite")
        yield part
        yield part

    items = in_turn(work, 2)
    assert [next(items) for _ in range(3)] == [0, 1, 0]
    with pytest.raises(ControlError, match=r"walk.csv: no frames") as raised:
        next(items)
    assert raised.value.setting == "overwrite"


def test_copies_end_with_the_generator_and_clean_up(tmp_path: Path) -> None:
    def work(part: int) -> Iterator[int]:
        try:
            yield os.getpid()
            time.sleep(600)
        finally:
            time.sleep(0.05)
            (tmp_path / str(part)).touch()

    items = in_turn(work, 2)
    processes = [next(items) for _ in range(2)]
    items.close()
    assert not any(running(process) for process in processes)
    assert {file.name for file in tmp_path.iterdir()} == {"0", "1"}


def test_a_killed_copy_is_one_clear_line() -> None:
    def work(part: int) -> Iterator[int]:
        yield part
        if part:
            os.kill(os.getpid(), signal.SIGKILL)
        yield part

    items = in_turn(work, 2)
    assert [next(items) for _ in range(3)] == [0, 1, 0]
    with pytest.raises(MoglowError, match="was killed; run the command again"):
        next(items)
