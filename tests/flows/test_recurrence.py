"""The unrolled LSTM equals torch's, with its gradients, from any state to the next one."""

import pytest
import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State
from moglow.flows.nets import fan_in_uniform, linear
from moglow.flows.recurrence import unrolled_lstm

B, X, C, H, OUT = 3, 2, 5, 4, 3
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize("carried", [False, True], ids=["from the start", "state carried over"])
@pytest.mark.parametrize(("layers", "frames", "context"), [(1, 6, C), (2, 6, C), (3, 1, C), (2, 4, 0)])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_it_agrees_with_the_library(
    dtype: torch.dtype, layers: int, frames: int, context: int, carried: bool
) -> None:
    net = nn.LSTM(X + context, H, layers, batch_first=True)
    fan_in_uniform(net, H, generator=Generator().manual_seed(1))
    net, head = net.to(dtype), linear(H, OUT, generator=Generator().manual_seed(6)).to(dtype)
    x, known = random(B, frames, X, seed=2), random(B, frames, context, seed=3)
    start = (random(layers, B, H, seed=4), random(layers, B, H, seed=5))
    leaves = [tensor.to(dtype).requires_grad_() for tensor in (x, known, *start)]
    x, known, *pair = leaves
    state = (pair[0], pair[1]) if carried else None

    def everything(outputs: Tensor, after: State) -> list[Tensor]:
        assert isinstance(after, tuple)
        h, c = after
        assert isinstance(h, Tensor) and isinstance(c, Tensor)
        loss = outputs.square().sum() + h.sin().sum() + c.cos().sum()
        wanted = [*net.parameters(), *head.parameters(), x, known, *(pair if carried else ())]
        return [outputs, h, c, *torch.autograd.grad(loss, wanted, allow_unused=not context)]

    hidden, after = net(torch.cat([x, known], dim=-1), state)
    expected = everything(head(hidden), after)
    found = everything(*unrolled_lstm(net, head, x, known, state, precision=dtype))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=TOLERANCE[dtype])


def test_no_gradient_is_computed_for_a_context_that_needs_none() -> None:
    net, head = nn.LSTM(X + C, H, batch_first=True), nn.Linear(H, OUT)
    x, known = random(B, 4, X, seed=2).float().requires_grad_(), random(B, 4, C, seed=3).float()
    outputs, _ = unrolled_lstm(net, head, x, known, None, precision=torch.float32)
    torch.autograd.backward(outputs.sum())
    assert x.grad is not None and known.grad is None


def unrolled(layers: int) -> tuple[Tensor, list[Tensor]]:
    """Returns the output of an unrolled LSTM for four frames, and its inputs."""
    net, head = nn.LSTM(X + C, H, layers, batch_first=True), nn.Linear(H, OUT)
    x, known = random(B, 4, X, seed=2).float().requires_grad_(), random(B, 4, C, seed=3).float()
    state = (torch.zeros(layers, B, H), torch.zeros(layers, B, H))
    outputs, _ = unrolled_lstm(net, head, x, known, state, precision=torch.float32)
    return outputs, [x, known, *state, *net.parameters(), *head.parameters()]


def test_only_the_gates_are_kept_for_the_backward_pass() -> None:
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _, given = unrolled(layers=2)
    given_too = {tensor.data_ptr() for tensor in given}
    made = [tensor.shape for place, tensor in kept.items() if place not in given_too]
    assert made == [(4, B, 4 * H)] * 2  # by layer


def test_going_back_a_second_time_is_refused() -> None:
    outputs, (x, *_) = unrolled(layers=2)
    torch.autograd.grad(outputs.sum(), x, retain_graph=True)
    with pytest.raises(
        RuntimeError, match="modified by an inplace operation"
    ):  # the gates are gradients by now
        torch.autograd.grad(outputs.sum(), x)
