"""Computations recorded once as a CUDA graph and played again: hundreds of small kernels for one launch. Floor 9.

A launch costs a GPU some microseconds whatever it does, and Python some ten; a recorded one costs next to nothing. What
is recorded must not look at its numbers on the way, and always has inputs of the same shapes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State, map_state

WARM_UP = 3
"""Runs before the recording, in which libraries set themselves up."""


def leaves(state: State) -> list[Tensor]:
    """Returns the tensors of a state, in order.

    >>> leaves((torch.ones(1), (None, torch.zeros(1))))
    [tensor([1.]), tensor([0.])]
    """
    found: list[Tensor] = []
    map_state(lambda tensor: found.append(tensor) or tensor, state)  # type: ignore[func-returns-value]
    return found


def shape_of(state: State) -> tuple[torch.Size, ...]:
    """Returns what two states must share to be inputs of one recording."""
    return tuple(leaf.shape for leaf in leaves(state))


def worth_recording(device: torch.device, times: int) -> bool:
    """Returns whether a device records, and something is computed often enough for it to pay."""
    return device.type == "cuda" and times > 10 * WARM_UP


class Captured:
    """A function of tensors, nested like a state, recorded for inputs of some shapes; so are its results.

    The results are overwritten by the next call. What is drawn from `generators` inside is drawn anew in each call,
    from where they then stand.
    """

    def __init__(
        self,
        function: Callable[[State], State],
        inputs: State,
        *,
        generators: Sequence[Generator] = (),
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Records function(inputs); `before` is called before each run that leads up to it, and before it."""
        self._inputs = map_state(lambda tensor: tensor.detach().clone(), inputs)
        self._leaves = leaves(self._inputs)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                before()
                function(self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        before()
        self._graph = torch.cuda.CUDAGraph()
        for generator in generators:
            self._graph.register_generator_state(generator)
        with torch.cuda.graph(self._graph):
            self._results = function(self._inputs)

    def __call__(self, inputs: State) -> State:
        torch._foreach_copy_(self._leaves, leaves(inputs))
        self._graph.replay()
        return self._results


class CapturedGradients:
    """A loss and its gradients, recorded for each shape of its inputs: it returns the loss and the state after.

    It is called as a `Loss` is, and leaves the gradients with the parameters.
    """

    def __init__(
        self, loss: Callable[..., tuple[Tensor, State]], parameters: Sequence[nn.Parameter], device: torch.device
    ) -> None:
        self._loss, self._parameters = loss, parameters
        self._generator = Generator(device)
        self._recorded: dict[object, tuple[Captured, list[Tensor | None]]] = {}

    def __call__(
        self, target: Tensor, vectors: Tensor, state: State, *, generator: Generator
    ) -> tuple[Tensor, State]:
        inputs = (target, vectors, state)
        shape = (state is None, shape_of(inputs))
        if shape not in self._recorded:
            self._recorded[shape] = self._record(inputs)
        captured, gradients = self._recorded[shape]
        self._generator.manual_seed(generator.initial_seed())
        results = captured(inputs)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        assert isinstance(results, tuple) and isinstance(results[0], Tensor)
        return results[0], map_state(Tensor.clone, results[1])

    def _record(self, inputs: State) -> tuple[Captured, list[Tensor | None]]:
        def forget() -> None:
            for parameter in self._parameters:
                parameter.grad = None

        def run(inputs: State) -> State:
            assert isinstance(inputs, tuple)
            loss, after = self._loss(*inputs, generator=self._generator)
            loss.backward()
            return loss.detach(), map_state(Tensor.detach, after)

        captured = Captured(run, inputs, generators=[self._generator], before=forget)
        return captured, [parameter.grad for parameter in self._parameters]
