"""A function of tensors recorded as a CUDA graph: one launch in place of hundreds. Floor 10."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from moglow.flows.bijection import map_state

Function: TypeAlias = Callable[..., tuple[Any, ...]]
"""From tensors, None and tuples of them to a tuple of the same; it changes none of what it is given."""

UNSEEN, SEEN, NEVER = "unseen", "seen", "never"


@dataclass(frozen=True, eq=False)
class Recording:
    """A graph, the tensors that it reads and those that it writes."""

    graph: torch.cuda.CUDAGraph
    given: tuple[Any, ...]
    found: tuple[Any, ...]

    @classmethod
    def of(cls, function: Function, given: tuple[Any, ...], pool: Any) -> "Recording":
        """Records the function for what is given and for all of the same shapes, in memory of a pool."""
        own, now, aside = _copies(given), torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(now)
        with torch.cuda.stream(aside):
            function(*own)  # kernels are chosen, compiled and loaded now, which no recording can take
        now.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            found = function(*own)
        return cls(graph, own, found)

    def play(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the function would give, in tensors of their own."""
        _copy(_leaves(given), _leaves(self.given))
        self.graph.replay()
        return _copies(self.found)


class Captured:
    """A function on a CUDA device, recorded for each shape that it is called with again, and played from then on.

    Its first call for a shape is as it is, since some shapes come but once. A function that looks at a number while it
    runs, and so waits for the device, cannot be recorded and stays as it is.
    """

    def __init__(self, function: Function, device: torch.device) -> None:
        self._function, self._device = function, device
        self._known: dict[Any, Recording | str] = {}
        self._pool: Any = None  # one for all: no two graphs run at once, and what they write is copied out

    @property
    def recordings(self) -> int:
        """How many shapes it was recorded for."""
        return sum(isinstance(each, Recording) for each in self._known.values())

    @torch.no_grad()
    def __call__(self, *given: Any) -> tuple[Any, ...]:
        shapes = map_state(lambda tensor: (tensor.shape, tensor.dtype), given)  # type: ignore[arg-type, return-value]
        with torch.cuda.device(self._device):
            known = self._known.get(shapes, UNSEEN)
            if known is SEEN:
                known = self._known[shapes] = self._recorded(given)
            if isinstance(known, Recording):
                return known.play(given)
            if known is UNSEEN:
                self._known[shapes] = SEEN
            return self._function(*given)

    def _recorded(self, given: tuple[Any, ...]) -> Recording | str:
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        try:
            return Recording.of(self._function, given, self._pool)
        except RuntimeError:  # an error of the function's own comes again when it is called as it is
            return NEVER


def captured(function: Function, device: torch.device) -> Function:
    """The function, captured where the device is a GPU."""
    return Captured(function, device) if device.type == "cuda" else function


def _leaves(values: tuple[Any, ...]) -> list[Tensor]:
    """All tensors in nested tuples, in their order.

    >>> one, two = torch.zeros(1), torch.zeros(2)
    >>> [len(each) for each in _leaves((one, (None, two)))]
    [1, 2]
    """
    found: list[Tensor] = []
    map_state(lambda tensor: found.append(tensor) or tensor, values)  # type: ignore[func-returns-value]
    return found


def _copies(values: tuple[Any, ...]) -> tuple[Any, ...]:
    copies = map_state(torch.empty_like, values)
    assert isinstance(copies, tuple)
    _copy(_leaves(values), _leaves(copies))
    return copies


def _copy(values: list[Tensor], into: list[Tensor]) -> None:
    """Copies in few launches: one for all tensors of a type."""
    for dtype in {value.dtype for value in values}:
        alike = [place for place, value in enumerate(values) if value.dtype == dtype]
        torch._foreach_copy_([into[place] for place in alike], [values[place] for place in alike])
