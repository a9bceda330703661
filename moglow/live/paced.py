"""Frames at a steady rate by the wall clock; Python alone."""

import time
from collections.abc import Iterator
from itertools import count


def paced(fps: float, frames: int | None = None, *, late: float = 0.25) -> Iterator[int]:
    """Yields the numbers of frames, each when its time has come, without drifting.

    After a delay of more than ``late`` seconds the clock is set back, so that no burst of frames follows.
    """
    start = time.perf_counter()
    for frame in count() if frames is None else range(frames):
        due = start + frame / fps
        now = time.perf_counter()
        if now < due:
            time.sleep(due - now)
        elif now - due > late:
            start += now - due
        yield frame
