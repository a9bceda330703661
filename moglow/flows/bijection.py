"""The interface of a bijection (two methods and a state that is a value), chains and inverses."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

State: TypeAlias = "Tensor | tuple[State, ...] | None"
"""Memory that a bijection carries from frame to frame; None is the initial state, all zeros."""


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Returns the state with a function applied to each of its tensors (detach, move, cast, select).

    >>> import torch
    >>> map_state(lambda h: h + 1, (torch.zeros(2), None))
    (tensor([1., 1.]), None)
    """
    if isinstance(state, tuple):
        return tuple(map_state(function, part) for part in state)
    return None if state is None else function(state)


class Bijection(nn.Module, ABC):
    """An invertible map of the frames of a sequence, given a context per frame and the state before the first.

    Shapes: x and z (B, T, D), context (B, T, C), ladj (B, T). One call with T frames equals T calls with one frame
    that pass the state along, so training on sequences and sampling frame by frame are the same function.
    """

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        """Returns z = f(x), the logarithm of |det ∂z/∂x| of each frame, and the state after the last frame."""

    @abstractmethod
    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns x = f⁻¹(z) and the state after the last frame."""

    def initialize(self, x: Tensor, context: Tensor) -> Tensor:
        """Sets the parameters that depend on data, in place, and returns f(x), the data of the next bijection."""
        z: Tensor = self(x, context)[0]
        return z


class Chain(Bijection):
    """Bijections one after the other, f = fₙ ∘ … ∘ f₁; the state is the tuple of their states.

    >>> import torch
    >>> from moglow.flows.actnorm import ActNorm
    >>> from moglow.flows.linear import InvertibleLinear
    >>> flow = Chain(norm=ActNorm(3), mix=InvertibleLinear(3))
    >>> x = torch.ones(1, 2, 3)
    >>> z, ladj, state = flow(x, torch.zeros(1, 2, 0))
    >>> torch.allclose(flow.inverse(z, torch.zeros(1, 2, 0))[0], x)
    True
    """

    def __init__(self, **links: Bijection) -> None:
        super().__init__()
        for name, link in links.items():
            self.add_module(name, link)

    @property
    def links(self) -> tuple[Bijection, ...]:
        """The bijections in the order of the forward pass."""
        return tuple(link for link in self.children() if isinstance(link, Bijection))

    def states(self, state: State) -> tuple[State, ...]:
        """Returns the state of each link."""
        return state if isinstance(state, tuple) else (None,) * len(self.links)

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        ladj, after = x.new_zeros(x.shape[:-1]), []
        for link, before in zip(self.links, self.states(state), strict=True):
            x, gain, memory = link(x, context, before)
            ladj = ladj + gain
            after.append(memory)
        return x, ladj, tuple(after)

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        after = []
        for link, before in zip(reversed(self.links), reversed(self.states(state)), strict=True):
            z, memory = link.inverse(z, context, before)
            after.append(memory)
        return z, tuple(reversed(after))

    def initialize(self, x: Tensor, context: Tensor) -> Tensor:
        for link in self.links:
            x = link.initialize(x, context)
        return x


class Inverse(Bijection):
    """The inverse of a bijection, as a bijection: `forward` is its `inverse` and the other way round."""

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        z, after = self.bijection.inverse(x, context, state)
        ladj = self.bijection(z, context, state)[1]
        return z, -ladj, after

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        x, _, after = self.bijection(z, context, state)
        return x, after
