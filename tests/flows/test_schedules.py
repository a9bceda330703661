"""Every schedule equals the plain one, with its gradients, from any state to the next one."""

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Generator, Tensor

from moglow.errors import RecipeError
from moglow.flows.actnorm import ActNorm
from moglow.flows.bijection import Chain, State, map_state
from moglow.flows.coupling import AffineCoupling
from moglow.flows.glow import GlowStep
from moglow.flows.linear import InvertibleLinear
from moglow.flows.nets import CONDITIONERS, recurrent_products_in
from moglow.flows.scales import bounded_scale
from moglow.flows.schedules.schedules import SCHEDULES, Schedule, plain

B, D, C = 3, 5, 4
SHAPES = {
    "usual": (3, 6, 2),
    "short": (4, 2, 2),
    "one frame": (3, 1, 2),
    "one step": (1, 4, 2),
    "one layer": (2, 4, 1),
}
SINGLE = 1e-5  # float32, as a share of the largest number of a tensor


def build(steps: int, layers: int, net: str = "lstm", *, channels: int = D, hidden: int = 6) -> Chain:
    """Returns a flow of Glow steps in double precision whose every parameter has moved away from its start."""
    generator = Generator().manual_seed(1)

    def step() -> GlowStep:
        conditioner = CONDITIONERS[net](
            channels // 2,
            C,
            2 * (channels - channels // 2),
            hidden=hidden,
            layers=layers,
            generator=generator,
        )
        return GlowStep(
            actnorm=ActNorm(channels),
            linear=InvertibleLinear(channels, generator=generator),
            coupling=AffineCoupling(channels, conditioner, bounded_scale),
        )

    flow = Chain(**{f"step{k}": step() for k in range(steps)}).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    return flow


def windows(frames: int, dtype: torch.dtype, batch: int = B, channels: int = D) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(2)
    pose, context = (
        torch.randn(batch, frames, width, dtype=torch.float64, generator=generator).to(dtype).requires_grad_()
        for width in (channels, C)
    )
    return pose, context


def everything(schedule: Schedule, flow: Chain, x: Tensor, context: Tensor, state: State) -> list[Tensor]:
    """Returns all results of a schedule, and the gradients of a number that depends on all of them."""
    z, ladj, after = schedule(flow, x, context, state)
    leaves = _leaves(after)
    loss = z.square().sum() - ladj.sum() + torch.stack([leaf.sin().sum() for leaf in leaves]).sum()
    parameters = (x, context, *flow.parameters(), *_leaves(state))
    return [z, ladj, *leaves, *torch.autograd.grad(loss, parameters)]


@pytest.mark.parametrize("carried", [False, True], ids=["from the start", "state carried over"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "plain"])
def test_every_schedule_agrees_with_the_plain_one(name: str, shape: str, carried: bool) -> None:
    steps, frames, layers = SHAPES[shape]
    for dtype, tolerance in ((torch.float64, 1e-13), (torch.float32, SINGLE)):
        flow = build(steps, layers).to(dtype)
        x, context = windows(frames, dtype)
        state = (
            map_state(lambda memory: memory.detach().requires_grad_(), flow(x, context)[2])
            if carried
            else None
        )
        expected = everything(plain, flow, x, context, state)
        found = everything(SCHEDULES[name], flow, x, context, state)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=tolerance * max(1.0, b.abs().max().item()))


def test_the_diagonal_omits_an_unneeded_gradient() -> None:
    flow, (x, context) = build(3, 2), windows(4, torch.float64)
    z, ladj, _ = SCHEDULES["diagonal"](flow, x.detach(), context.detach(), None)
    gradients = torch.autograd.grad(z.square().sum() - ladj.sum(), tuple(flow.parameters()))
    expected, gain, _ = plain(flow, x.detach(), context.detach(), None)
    for a, b in zip(
        gradients,
        torch.autograd.grad(expected.square().sum() - gain.sum(), tuple(flow.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_the_diagonal_can_be_differentiated_once() -> None:
    z, *_ = SCHEDULES["diagonal"](build(2, 1), *windows(3, torch.float64), None)
    total = z.square().sum()
    torch.autograd.backward(total, retain_graph=True)
    with pytest.raises(RuntimeError, match="second backward pass"):
        torch.autograd.backward(total)


def test_the_diagonal_refuses_nets_it_does_not_know() -> None:
    with pytest.raises(RecipeError, match="expected Glow steps with LSTM nets"):
        SCHEDULES["diagonal"](build(2, 1, net="gru"), *windows(3, torch.float64), None)


@pytest.fixture
def without_onednn() -> Iterator[None]:
    """Lets any processor run an LSTM in bfloat16, slowly: oneDNN refuses where the hardware cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch reads a setting of GPUs that this one lacks
        with torch.backends.mkldnn.flags(enabled=False):
            yield


@pytest.mark.parametrize("name", SCHEDULES)
def test_bfloat16_in_the_recurrent_products_stays_close(name: str, without_onednn: None) -> None:
    flow = build(3, 2).float()
    x, context = windows(6, torch.float32)
    exact = everything(plain, flow, x, context, None)
    with recurrent_products_in(torch.bfloat16, flow):
        rounded = everything(SCHEDULES[name], flow, x, context, None)
    assert all(tensor.dtype is torch.float32 for tensor in rounded)
    for a, b in zip(rounded, exact, strict=True):
        worst = (a - b).abs().max() / b.abs().max()
        assert worst < 0.03  # bfloat16 keeps 8 bits: 0.004 a product, through three steps and six frames
    assert not torch.equal(rounded[0], exact[0])


def _leaves(state: State) -> list[Tensor]:
    if isinstance(state, tuple):
        return [leaf for part in state for leaf in _leaves(part)]
    return [] if state is None else [state]
