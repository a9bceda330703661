"""The conditioners: nets that compute a bijection's parameters from the kept channels, the context and the past."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State, map_state
from moglow.flows.recurrence import unrolled_lstm


def fan_in_uniform(module: nn.Module, fan_in: int, *, generator: Generator) -> None:
    """Samples all parameters of a module from U(−1/√fan_in, 1/√fan_in), torch's default, but from a generator."""
    bound = fan_in**-0.5
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)


def linear(inputs: int, outputs: int, *, generator: Generator) -> nn.Linear:
    """Returns a dense layer with random weights from the generator."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    fan_in_uniform(layer, inputs, generator=generator)
    return layer


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """Returns a dense layer of zeros, so that each coupling starts with a constant shift and scale."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def dense(
    widths: tuple[int, ...], *, activation: type[nn.Module] = nn.SiLU, generator: Generator
) -> nn.Sequential:
    """Returns dense layers with an activation after each; the identity for fewer than two widths.

    >>> dense((3, 4, 4), generator=Generator())(torch.zeros(2, 3)).shape
    torch.Size([2, 4])
    """
    layers = [(linear(a, b, generator=generator), activation()) for a, b in pairwise(widths)]
    return nn.Sequential(*[layer for pair in layers for layer in pair])


UNROLLED_FROM = 512
"""Width of an LSTM from which, in bfloat16, `recurrence` is faster than torch's LSTM, since its products are large."""


class Conditioner(nn.Module, ABC):
    """A causal net: its output for a frame depends on that frame and, through its state, on earlier ones.

    Shapes: x (B, T, inputs), context (B, T, C), result (B, T, outputs). Most return zeros before training.
    """

    @abstractmethod
    def __init__(
        self, inputs: int, context: int, outputs: int, *, hidden: int, layers: int, generator: Generator
    ) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Returns the output for each frame, and the state after the last."""


class Recurrent(Conditioner, ABC):
    """A stack of recurrent layers over [x, context], then a dense layer."""

    cell: ClassVar[type[nn.LSTM] | type[nn.GRU]]
    precision: torch.dtype | None = None
    """Type in which the recurrent products are computed; None is the type of the weights."""

    def __init__(
        self, inputs: int, context: int, outputs: int, *, hidden: int, layers: int, generator: Generator
    ) -> None:
        super().__init__(inputs, context, outputs, hidden=hidden, layers=layers, generator=generator)
        # Made on the meta device: torch's initialisation would use the global generator.
        cell = self.cell(inputs + context, hidden, layers, batch_first=True, device="meta")
        self.recurrent: nn.RNNBase = cell.to_empty(device="cpu")
        fan_in_uniform(self.recurrent, hidden, generator=generator)
        self.head = zero_linear(hidden, outputs)

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        state = map_state(lambda memory: memory.contiguous(), state)  # cuDNN takes no slice of a stack
        with torch.autocast(x.device.type, self.precision, enabled=self.precision is not None):
            hidden, state = self.recurrent(torch.cat([x, context], dim=-1), state)
        return self.head(hidden.to(x.dtype)), map_state(lambda memory: memory.to(x.dtype), state)


class LSTM(Recurrent):
    """Long short-term memory, the paper's net; the state is the pair (h, c), each (layers, B, hidden)."""

    cell = nn.LSTM

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        net = cast(nn.LSTM, self.recurrent)
        if self.precision is None or x.device.type != "cpu" or net.hidden_size < UNROLLED_FROM:
            return super().forward(x, context, state)
        return unrolled_lstm(net, self.head, x, context, state, precision=self.precision)


class GRU(Recurrent):
    """Gated recurrent unit, three quarters of the weights of an LSTM; the state is h (layers, B, hidden)."""

    cell = nn.GRU


def scan(keep: Tensor, enter: Tensor) -> Tensor:
    """Returns h (B, T, H) with hₜ = keepₜ · hₜ₋₁ + enterₜ and h₋₁ = 0, in log₂ T rounds over all frames.

    Each round doubles the number of frames up to t that entry t accumulates (Hillis and Steele, 1986).

    >>> scan(torch.full((1, 4, 1), 0.5), torch.ones(1, 4, 1)).flatten()
    tensor([1.0000, 1.5000, 1.7500, 1.8750])
    """
    reach = 1
    while reach < keep.shape[1]:
        earlier_keep, earlier = (
            nn.functional.pad(part[:, :-reach], (0, 0, reach, 0)) for part in (keep, enter)
        )
        enter = enter + keep * earlier
        keep = keep * earlier_keep
        reach *= 2
    return enter


class MinGRU(Conditioner):
    """A GRU whose gates depend on the input only, so that all frames are computed by one scan (arXiv 2410.01201).

    Per layer hₜ = (1 − zₜ) · hₜ₋₁ + zₜ · nₜ with z = σ(dense) and n = dense; the state is h (layers, B, hidden).
    """

    def __init__(
        self, inputs: int, context: int, outputs: int, *, hidden: int, layers: int, generator: Generator
    ) -> None:
        super().__init__(inputs, context, outputs, hidden=hidden, layers=layers, generator=generator)
        widths = (inputs + context, *(hidden,) * (layers - 1))
        self.gates = nn.ModuleList(linear(width, 2 * hidden, generator=generator) for width in widths)
        self.head = zero_linear(hidden, outputs)

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        hidden = torch.cat([x, context], dim=-1)
        before = (
            state
            if isinstance(state, Tensor)
            else hidden.new_zeros(len(self.gates), len(x), self.head.in_features)
        )
        after = []
        for gates, memory in zip(self.gates, before, strict=True):
            z, new = gates(hidden).chunk(2, dim=-1)
            keep = torch.sigmoid(-z)  # 1 − σ(z), without the cancellation
            enter = torch.sigmoid(z) * new
            first = enter[:, :1] + keep[:, :1] * memory[:, None]
            hidden = scan(keep, torch.cat([first, enter[:, 1:]], dim=1))
            after.append(hidden[:, -1])
        return self.head(hidden), torch.stack(after)


class MLP(Conditioner):
    """Dense layers without memory; the state is None."""

    activation: ClassVar[type[nn.Module]] = nn.SiLU

    def __init__(
        self, inputs: int, context: int, outputs: int, *, hidden: int, layers: int, generator: Generator
    ) -> None:
        super().__init__(inputs, context, outputs, hidden=hidden, layers=layers, generator=generator)
        widths = (inputs + context,) + (hidden,) * layers
        self.body = dense(widths, activation=self.activation, generator=generator)
        self.head = zero_linear(hidden, outputs)

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.head(self.body(torch.cat([x, context], dim=-1))), state


class ReluMLP(MLP):
    """The same with ReLU and a head of random weights: for couplings in flows of small nets.

    A coupling must bend a density sharply, which few smooth units learn slowly, and the layers below a head of zeros
    get no gradient at first. On four densities in the plane (`docs/flow_gallery.md`) such flows reach a higher
    likelihood in the same number of steps.
    """

    activation = nn.ReLU

    def __init__(
        self, inputs: int, context: int, outputs: int, *, hidden: int, layers: int, generator: Generator
    ) -> None:
        super().__init__(inputs, context, outputs, hidden=hidden, layers=layers, generator=generator)
        self.head = linear(hidden, outputs, generator=generator)


@contextmanager
def recurrent_products_in(precision: torch.dtype | None, model: nn.Module) -> Iterator[None]:
    """Context manager in which a model computes its recurrent products, and their gradients, in a given precision.

    Only these products: flow variables, matrices and log-determinants in half precision give wrong likelihoods.
    """
    nets = [module for module in model.modules() if isinstance(module, Recurrent)]
    for net in nets:
        net.precision = precision
    try:
        yield
    finally:
        for net in nets:
            net.precision = None


BFLOAT16_PAYS_FROM = 64
"""Width of an LSTM from which bfloat16 is faster where the hardware has it: on a CPU 1.5 × from 64 to 512, no clear
gain below."""


def faster_precision(model: nn.Module, device: torch.device) -> torch.dtype | None:
    """Returns the fastest type for the recurrent products of a model; None is the type of the weights.

    It follows from fixed rules, not from a measurement on this machine, so that a resumed run uses the same type. A GRU
    gains nothing.
    """
    widths = [module.recurrent.hidden_size for module in model.modules() if isinstance(module, LSTM)]
    return (
        torch.bfloat16 if has_fast_bfloat16(device) and widths and min(widths) >= BFLOAT16_PAYS_FROM else None
    )


def has_bfloat16(device: torch.device) -> bool:
    """Returns whether a device can multiply matrices in bfloat16.

    On an x86-64 CPU without AVX-512 (and without AVX-NE-CONVERT) oneDNN raises an error for such a product.

    >>> has_bfloat16(torch.device("meta"))
    False
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)  # private: it may be missing
    return device.type == "cpu" and supported is not None and bool(supported())


def has_fast_bfloat16(device: torch.device) -> bool:
    """Returns whether a device multiplies matrices faster in bfloat16 than in float32.

    >>> has_fast_bfloat16(torch.device("meta"))
    False
    """
    if device.type == "cpu":  # torch before 2.11 lists no capabilities
        can: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return has_bfloat16(device) and bool(can.get("avx512_bf16") or can.get("amx_bf16"))
    return has_bfloat16(device)


CONDITIONERS: Mapping[str, type[Conditioner]] = {"lstm": LSTM, "gru": GRU, "mingru": MinGRU, "mlp": MLP}
