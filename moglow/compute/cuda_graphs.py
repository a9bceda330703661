"""Functions that are recorded as CUDA graphs and replayed with one launch instead of hundreds.

A launch costs some microseconds on the GPU and some ten in Python, whatever the kernel computes; in a graph it costs
almost nothing. A recorded function must not read the values of its tensors, and its inputs have the same shapes in each
call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State, map_state
from moglow.models.model import Loss

Function: TypeAlias = Callable[..., tuple[Any, ...]]
"""A function of tensors, None and nested tuples of them that returns such a tuple and changes none of its inputs."""

UNSEEN, SEEN, NEVER = "unseen", "seen", "never"


@dataclass(frozen=True, eq=False)
class RecordedGraph:
    """A graph, the tensors that it reads and the tensors that it writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    @classmethod
    def of(
        cls,
        function: Function,
        inputs: tuple[Any, ...],
        pool: Any,
        *,
        generators: Sequence[Generator] = (),
        before: Callable[[], None] = lambda: None,
    ) -> "RecordedGraph":
        """Records a function for inputs of the given shapes, in memory of a pool.

        Each replay samples from `generators` again, from their state at that time. `before` undoes the side effects of
        the warm-up run.
        """
        own, now, aside = copies(inputs), torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(now)
        with torch.cuda.stream(aside):
            function(*own)  # chooses, compiles and loads kernels, which is not possible while recording
        now.wait_stream(aside)
        before()
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=pool):
            outputs = function(*own)
        return cls(graph, own, outputs)

    def replay(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns the function's outputs for these inputs; the next call overwrites them."""
        copy(leaves(inputs), leaves(self.inputs))
        self.graph.replay()
        return self.outputs


class GraphedFunction:
    """A function on a CUDA device that is recorded at the second call with the same shapes, and replayed from then on.

    The first call with a shape is not recorded, since some shapes occur only once. A function that reads the value of a
    tensor, and so waits for the device, cannot be recorded; it is always called directly.
    """

    def __init__(self, function: Function, device: torch.device) -> None:
        self._function, self._device = function, device
        self._graphs: dict[Any, RecordedGraph | str] = {}
        self._pool: Any = None  # shared: graphs never run at the same time, and their outputs are copied

    @property
    def recordings(self) -> int:
        """Number of shapes for which the function is recorded."""
        return sum(isinstance(each, RecordedGraph) for each in self._graphs.values())

    @torch.no_grad()
    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        shapes = shapes_of(inputs)
        with torch.cuda.device(self._device):
            graph = self._graphs.get(shapes, UNSEEN)
            if graph is SEEN:
                graph = self._graphs[shapes] = self._recorded(inputs)
            if isinstance(graph, RecordedGraph):
                return copies(graph.replay(inputs))
            if graph is UNSEEN:
                self._graphs[shapes] = SEEN
            return self._function(*inputs)

    def _recorded(self, inputs: tuple[Any, ...]) -> RecordedGraph | str:
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        try:
            return RecordedGraph.of(self._function, inputs, self._pool)
        except RuntimeError:  # an error of the function itself is raised by the direct call that follows
            return NEVER


def graphed(function: Function, device: torch.device) -> Function:
    """Returns a `GraphedFunction` on a GPU, else the function itself."""
    return GraphedFunction(function, device) if device.type == "cuda" else function


class GraphedGradients:
    """A loss and its gradients, recorded for each shape of its inputs; it is called like a `Loss` and returns the same.

    A call sets the parameters' gradients, so the loss needs no backward pass; the next call overwrites them. Of the
    generator only its initial seed is used. `buffers` are the tensors of the model that the loss changes.
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
        self._graphs: dict[Any, tuple[RecordedGraph, list[Tensor | None]]] = {}

    def __call__(
        self, pose: Tensor, context: Tensor, state: State = None, *, generator: Generator
    ) -> tuple[Tensor, State]:
        inputs = (pose, context, state)
        shapes = shapes_of(inputs)
        with torch.cuda.device(self._device):
            if shapes not in self._graphs:
                self._graphs[shapes] = self._recorded(inputs)
            graph, gradients = self._graphs[shapes]
            self._generator.manual_seed(generator.initial_seed())
            loss, after = graph.replay(inputs)
            after = map_state(Tensor.clone, after)
        for buffer in self._buffers:
            torch.autograd.graph.increment_version(
                buffer
            )  # a replay changes them without autograd's knowledge
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return loss, after

    def _recorded(self, inputs: tuple[Any, ...]) -> tuple[RecordedGraph, list[Tensor | None]]:
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        self._clear_gradients()
        kept = [buffer.clone() for buffer in self._buffers]

        def undo() -> None:
            self._clear_gradients()
            for buffer, before in zip(self._buffers, kept, strict=True):
                buffer.copy_(before)

        graph = RecordedGraph.of(self._run, inputs, self._pool, generators=[self._generator], before=undo)
        return graph, [parameter.grad for parameter in self._parameters]

    def _run(self, pose: Tensor, context: Tensor, state: State) -> tuple[Any, ...]:
        loss, after = self._loss(pose, context, state, generator=self._generator)
        torch.autograd.backward(
            loss, inputs=self._parameters
        )  # a replay would add to the gradients of others
        return loss.detach(), map_state(Tensor.detach, after)

    def _clear_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def shapes_of(values: tuple[Any, ...]) -> Any:
    """Returns the shapes and types of nested tensors, which are equal for all inputs of a graph."""
    return map_state(lambda tensor: (tensor.shape, tensor.dtype), values)  # type: ignore[arg-type, return-value]


def leaves(values: State) -> list[Tensor]:
    """Returns all tensors in nested tuples, in order.

    >>> one, two = torch.zeros(1), torch.zeros(2)
    >>> [len(each) for each in leaves((one, (None, two)))]
    [1, 2]
    """
    found: list[Tensor] = []
    map_state(lambda tensor: found.append(tensor) or tensor, values)  # type: ignore[func-returns-value]
    return found


def copies(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns nested tuples with copies of all tensors."""
    copied = map_state(torch.empty_like, values)
    assert isinstance(copied, tuple)
    copy(leaves(values), leaves(copied))
    return copied


@torch.no_grad()
def copy(values: list[Tensor], into: list[Tensor]) -> None:
    """Copies tensors into others, with one launch for all tensors of a type."""
    for dtype in {value.dtype for value in values}:
        same = [index for index, value in enumerate(values) if value.dtype == dtype]
        torch._foreach_copy_([into[index] for index in same], [values[index] for index in same])
