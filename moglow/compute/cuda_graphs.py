"""Computations recorded as CUDA graphs: one launch in place of hundreds.

A launch costs a GPU some microseconds whatever it does, and Python some ten; a recorded one costs next to nothing. What
is recorded must not look at its numbers on the way, and has inputs of the same shapes each time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State, map_state
from moglow.models.model import Loss

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
    def of(
        cls,
        function: Function,
        given: tuple[Any, ...],
        pool: Any,
        *,
        generators: Sequence[Generator] = (),
        before: Callable[[], None] = lambda: None,
    ) -> "Recording":
        """Records the function for what is given and for all of the same shapes, in memory of a pool.

        What it draws from the generators is drawn anew in each call, from where they then stand. `before` undoes what a
        run leaves behind.
        """
        own, now, aside = copies(given), torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(now)
        with torch.cuda.stream(aside):
            function(*own)  # kernels are chosen, compiled and loaded now, which no recording can take
        now.wait_stream(aside)
        before()
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=pool):
            found = function(*own)
        return cls(graph, own, found)

    def play(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the function would give; the next call writes over it."""
        copy(leaves(given), leaves(self.given))
        self.graph.replay()
        return self.found


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
        shapes = shapes_of(given)
        with torch.cuda.device(self._device):
            known = self._known.get(shapes, UNSEEN)
            if known is SEEN:
                known = self._known[shapes] = self._recorded(given)
            if isinstance(known, Recording):
                return copies(known.play(given))
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


class CapturedGradients:
    """A loss and its gradients, recorded for each shape of its inputs; called as a `Loss`, it returns what that does.

    The gradients are with the parameters then, and the loss needs no going back; the next call writes over it. Of a
    generator the seed counts, as if nothing had been drawn from it. `buffers` are what a loss changes of its model.
    """

    def __init__(
        self,
        loss: Loss,
        parameters: Sequence[nn.Parameter],
        device: torch.device,
        *,
        buffers: Sequence[Tensor] = (),
    ) -> None:
        self._loss, self._parameters, self._buffers = loss, parameters, buffers
        self._device, self._generator = device, Generator(device)
        self._pool: Any = None
        self._known: dict[Any, tuple[Recording, list[Tensor | None]]] = {}

    def __call__(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        given = (pose, context, state)
        shapes = shapes_of(given)
        with torch.cuda.device(self._device):
            if shapes not in self._known:
                self._known[shapes] = self._recorded(given)
            recording, gradients = self._known[shapes]
            self._generator.manual_seed(generator.initial_seed())
            loss, after = recording.play(given)
            after = map_state(Tensor.clone, after)
        for buffer in self._buffers:
            torch.autograd.graph.increment_version(buffer)  # a graph changes them unnoticed
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return loss, after

    def _recorded(self, given: tuple[Any, ...]) -> tuple[Recording, list[Tensor | None]]:
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        self._forget()
        kept = [buffer.clone() for buffer in self._buffers]

        def undo() -> None:
            self._forget()
            for buffer, before in zip(self._buffers, kept, strict=True):
                buffer.copy_(before)

        recording = Recording.of(self._run, given, self._pool, generators=[self._generator], before=undo)
        return recording, [parameter.grad for parameter in self._parameters]

    def _run(self, pose: Tensor, context: Tensor, state: State) -> tuple[Any, ...]:
        loss, after = self._loss(pose, context, state, generator=self._generator)
        torch.autograd.backward(loss, inputs=self._parameters)  # of no others, which a replay would add to
        return loss.detach(), map_state(Tensor.detach, after)

    def _forget(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def shapes_of(values: tuple[Any, ...]) -> Any:
    """Returns what two inputs of one recording share: shapes and kinds, nested as they are."""
    return map_state(lambda tensor: (tensor.shape, tensor.dtype), values)  # type: ignore[arg-type, return-value]


def leaves(values: State) -> list[Tensor]:
    """All tensors in nested tuples, in their order.

    >>> one, two = torch.zeros(1), torch.zeros(2)
    >>> [len(each) for each in leaves((one, (None, two)))]
    [1, 2]
    """
    found: list[Tensor] = []
    map_state(lambda tensor: found.append(tensor) or tensor, values)  # type: ignore[func-returns-value]
    return found


def copies(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same, in tensors of their own."""
    own = map_state(torch.empty_like, values)
    assert isinstance(own, tuple)
    copy(leaves(values), leaves(own))
    return own


@torch.no_grad()
def copy(values: list[Tensor], into: list[Tensor]) -> None:
    """Copies in few launches: one for all tensors of a type."""
    for dtype in {value.dtype for value in values}:
        alike = [place for place, value in enumerate(values) if value.dtype == dtype]
        torch._foreach_copy_([into[place] for place in alike], [values[place] for place in alike])
