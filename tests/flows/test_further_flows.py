"""Properties beyond the laws: constraints hold everywhere, roots are exact, masks and degrees are respected."""

import pytest
import torch
from torch import Generator, Tensor

from moglow.flows.made import MADE
from moglow.flows.masked_coupling import MASKS
from moglow.flows.nets import MLP
from moglow.flows.orthogonal import Orthogonal
from moglow.flows.planar import FLATTEST, Planar
from moglow.flows.radial import Radial
from moglow.flows.roots import increasing_root

D, C = 4, 2


def random_flow(flow: type[Planar] | type[Radial], size: float) -> Planar | Radial:
    """Returns a flow with random parameters of a certain size."""
    generator = Generator().manual_seed(1)
    made = flow(D, MLP(0, C, flow.outputs(D), hidden=8, layers=1, generator=generator), generator=generator)
    with torch.no_grad():
        for parameter in made.double().parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    return made


@pytest.mark.parametrize("flow", [Planar, Radial])
@pytest.mark.parametrize("size", [1e-9, 1e-3, 1.0, 10.0])
def test_any_numbers_make_an_invertible_flow(flow: type[Planar] | type[Radial], size: float) -> None:
    generator = Generator().manual_seed(2)
    x, context = (4 * torch.randn(50, 1, width, dtype=torch.float64, generator=generator) for width in (D, C))
    made = random_flow(flow, size)
    z, ladj, _ = made(x, context)
    assert ladj.isfinite().all()
    torch.testing.assert_close(made.inverse(z, context)[0], x, rtol=0, atol=1e-10 * max(1.0, size**2))


def test_the_constraints_are_those_of_the_paper() -> None:
    context = torch.randn(200, 1, C, dtype=torch.float64, generator=Generator().manual_seed(3))
    planar, radial = random_flow(Planar, 10.0), random_flow(Radial, 10.0)
    assert isinstance(planar, Planar) and isinstance(radial, Radial)
    for flow in (planar, radial):
        torch.nn.init.zeros_(
            flow.numbers.start
        )  # all parameters are then outputs of a net with large weights
    w, u, _, slope, _ = planar.directions(context, None)
    torch.testing.assert_close((w * u).sum(dim=-1), slope, rtol=1e-9, atol=1e-9)
    assert slope.min() >= -1 + FLATTEST - 1e-12 and slope.min() < -0.8 and slope.max() > 1
    _, alpha, beta, _ = radial.shape(context, None)
    assert (beta >= -alpha * (1 - FLATTEST)).all() and (beta < -0.8 * alpha).any() and (beta > alpha).any()


def test_a_root_is_found_to_rounding_from_any_bracket() -> None:
    slope = torch.tensor([-0.999, -0.5, 0.0, 3.0, 1e6], dtype=torch.float64)[:, None]
    target = torch.linspace(-40, 40, 201, dtype=torch.float64).expand(len(slope), -1)

    def curve(a: Tensor) -> tuple[Tensor, Tensor]:
        bend = torch.tanh(a)
        return a + slope * bend, 1 + slope * (1 - bend.square())

    for wide in (1.0, 1e3):
        a = increasing_root(curve, target, target - wide * slope.abs(), target + wide * slope.abs())
        torch.testing.assert_close(curve(a)[0], target, rtol=0, atol=1e-10)


def test_an_orthogonal_map_keeps_lengths_in_double_precision() -> None:
    rotation = Orthogonal(63, generator=Generator().manual_seed(4)).double()
    torch.nn.init.normal_(rotation.skew, generator=Generator().manual_seed(5))
    weight = rotation.weight()
    torch.testing.assert_close(weight @ weight.T, torch.eye(63).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 5, 12])
@pytest.mark.parametrize("layers", [1, 3])
def test_made_depends_on_all_channels_before_and_on_none_after(dim: int, layers: int) -> None:
    made = MADE(dim, C, 2, hidden=3 * dim, layers=layers, generator=Generator().manual_seed(6)).double()
    torch.nn.init.normal_(made.head.layer.weight, generator=Generator().manual_seed(7))
    generator = Generator().manual_seed(8)  # many points: at a single one some units are asleep
    x, context = (torch.randn(50, width, dtype=torch.float64, generator=generator) for width in (dim, C))
    to_x, to_context = torch.autograd.functional.jacobian(
        lambda *given: made(*given).sum(dim=(0, -1)), (x, context)
    )  # type: ignore[no-untyped-call]
    torch.testing.assert_close((to_x != 0).any(dim=1).int(), torch.ones(dim, dim).tril(-1).int())
    assert (to_context != 0).any(dim=1).all()


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("dim", [2, 5])
def test_a_mask_keeps_some_channels_and_moves_others(name: str, dim: int) -> None:
    mask = MASKS[name](dim)
    assert mask.shape == (dim,) and mask.any() and not mask.all()
