"""The unrolled LSTM says what the library's says, going back as well, from any state to the next one."""

import pytest
import torch
from torch import Generator, Tensor, nn

from moglow.flows.bijection import State
from moglow.flows.nets import fan_in_uniform
from moglow.flows.recurrence import unrolled_lstm

B, X, C, H = 3, 2, 5, 4
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize("carried", [False, True], ids=["from the start", "state carried over"])
@pytest.mark.parametrize(("layers", "frames", "context"), [(1, 6, C), (2, 6, C), (3, 1, C), (2, 4, 0)])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_it_agrees_with_the_library(
    dtype: torch.dtype, layers: int, frames: int, context: int, carried: bool
) -> None:
    net = nn.LSTM(X + context, H, layers, batch_first=True)
    fan_in_uniform(net, H, generator=Generator().manual_seed(1))
    net = net.to(dtype)
    x, known = draw(B, frames, X, seed=2), draw(B, frames, context, seed=3)
    start = (draw(layers, B, H, seed=4), draw(layers, B, H, seed=5))
    leaves = [tensor.to(dtype).requires_grad_() for tensor in (x, known, *start)]
    x, known, *pair = leaves
    state = (pair[0], pair[1]) if carried else None

    def everything(hidden: Tensor, after: State) -> list[Tensor]:
        assert isinstance(after, tuple)
        h, c = after
        assert isinstance(h, Tensor) and isinstance(c, Tensor)
        loss = hidden.square().sum() + h.sin().sum() + c.cos().sum()
        wanted = [*net.parameters(), x, known, *(pair if carried else ())]
        return [hidden, h, c, *torch.autograd.grad(loss, wanted, allow_unused=not context)]

    expected = everything(*net(torch.cat([x, known], dim=-1), state))
    found = everything(*unrolled_lstm(net, x, known, state, precision=dtype))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=TOLERANCE[dtype])


def test_no_gradient_is_made_for_a_context_that_wants_none() -> None:
    net = nn.LSTM(X + C, H, batch_first=True)
    x, known = draw(B, 4, X, seed=2).float().requires_grad_(), draw(B, 4, C, seed=3).float()
    hidden, _ = unrolled_lstm(net, x, known, None, precision=torch.float32)
    torch.autograd.backward(hidden.sum())
    assert x.grad is not None and known.grad is None
