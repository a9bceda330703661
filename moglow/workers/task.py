"""A task as it is sent to another process: the function, and the value that all tasks share, pickled once."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self


@dataclass(frozen=True)
class Bound:
    """A function of a job, with the pickled value that all jobs share. A process keeps the last few values.

    >>> Bound.of(pow, 2)(10)
    1024
    """

    work: Callable[[Any, Any], Any]
    shared: bytes

    @classmethod
    def of(cls, work: Callable[[Any, Any], Any], shared: Any) -> Self:
        return cls(work, pickle.dumps(shared))

    def __call__(self, job: Any) -> Any:
        return self.work(_unpickled(self.shared), job)


@lru_cache(maxsize=4)
def _unpickled(value: bytes) -> Any:
    """Returns a pickled value; one object for all tasks, so that its cached properties are computed once."""
    return pickle.loads(value)
