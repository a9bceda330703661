"""Laws of all bijections, in double precision. A new bijection is tested by adding one line to BIJECTIONS."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from moglow.flows.actnorm import ActNorm
from moglow.flows.autoregressive import MaskedAffine
from moglow.flows.bijection import Bijection, Chain, Inverse, State
from moglow.flows.coupling import AffineCoupling
from moglow.flows.linear import InvertibleLinear
from moglow.flows.made import MADE
from moglow.flows.masked_coupling import MASKS, MaskedCoupling
from moglow.flows.nets import CONDITIONERS, Conditioner
from moglow.flows.orthogonal import Orthogonal
from moglow.flows.permutation import Permutation
from moglow.flows.planar import Planar
from moglow.flows.radial import Radial
from moglow.flows.scales import SCALES, symmetric_scale
from moglow.flows.split import Split
from moglow.flows.squeeze import Squeeze
from moglow.flows.triangular import Triangular

B, T, D, C = 2, 4, 5, 3
EXACT = 1e-10  # double precision, numbers of order one
SINGLE = 2e-5  # float32, numbers of order one, through at most three steps


def _net(name: str, inputs: int, outputs: int, generator: Generator) -> Conditioner:
    return CONDITIONERS[name](inputs, C, outputs, hidden=6, layers=2, generator=generator)


def _coupling(net: str, scale: str, generator: Generator) -> AffineCoupling:
    return AffineCoupling(D, _net(net, D // 2, 2 * (D - D // 2), generator), SCALES[scale])


def _masked(mask: Tensor, generator: Generator) -> MaskedCoupling:
    kept = int(mask.sum())
    return MaskedCoupling(mask, _net("gru", kept, 2 * (D - kept), generator), symmetric_scale)


def _autoregressive(generator: Generator) -> MaskedAffine:
    return MaskedAffine(MADE(D, C, 2, hidden=10, layers=2, generator=generator), symmetric_scale)


def _chain(generator: Generator) -> Chain:
    def step() -> Chain:
        return Chain(
            actnorm=ActNorm(D),
            linear=InvertibleLinear(D, generator=generator),
            coupling=_coupling("lstm", "bounded", generator),
        )

    return Chain(first=step(), second=step(), third=step())


BIJECTIONS: dict[str, Callable[[Generator], Bijection]] = {
    "actnorm": lambda generator: ActNorm(D),
    "linear": lambda generator: InvertibleLinear(D, generator=generator),
    **{f"coupling-{net}": lambda g, net=net: _coupling(net, "paper", g) for net in CONDITIONERS},  # type: ignore[misc]
    **{f"coupling-{scale}": lambda g, scale=scale: _coupling("lstm", scale, g) for scale in SCALES},  # type: ignore[misc]
    "gaussian": lambda g: AffineCoupling(D, _net("gru", 0, 2 * D, g), symmetric_scale, kept=0),
    **{
        f"planar-{net}": lambda g, net=net: Planar(D, _net(net, 0, Planar.outputs(D), g), generator=g)  # type: ignore[misc]
        for net in CONDITIONERS
    },
    **{
        f"radial-{net}": lambda g, net=net: Radial(D, _net(net, 0, Radial.outputs(D), g), generator=g)  # type: ignore[misc]
        for net in CONDITIONERS
    },
    **{f"masked-{name}": lambda g, mask=mask: _masked(mask(D), g) for name, mask in MASKS.items()},  # type: ignore[misc]
    **{f"masked-not-{name}": lambda g, mask=mask: _masked(~mask(D), g) for name, mask in MASKS.items()},  # type: ignore[misc]
    "triangular": lambda generator: Triangular(D, generator=generator),
    "permutation": lambda generator: Permutation.random(D, generator=generator),
    "orthogonal": lambda generator: Orthogonal(D, generator=generator),
    "maf": _autoregressive,
    "iaf": lambda generator: Inverse(_autoregressive(generator)),
    "squeeze": lambda g: Squeeze(AffineCoupling(1, _net("gru", 0, 2, g), symmetric_scale, kept=0), moments=D),
    "split": lambda g: Split(AffineCoupling(3, _net("gru", 1, 4, g), symmetric_scale), going=3),
    "chain": _chain,
    "inverse": lambda generator: Inverse(_chain(generator)),
}


def build(name: str, seed: int = 3) -> Bijection:
    """Returns a bijection in double precision whose every parameter has moved away from its start."""
    generator = Generator().manual_seed(seed)
    bijection = BIJECTIONS[name](generator).double()
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    return bijection


@pytest.fixture(params=BIJECTIONS)
def bijection(request: pytest.FixtureRequest) -> Bijection:
    return build(request.param)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(B, T, D, dtype=torch.float64, generator=Generator().manual_seed(1))


@pytest.fixture
def context() -> Tensor:
    return torch.randn(B, T, C, dtype=torch.float64, generator=Generator().manual_seed(2))


def test_inverse_undoes_forward(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    z, _, after = bijection(x, context)
    back, after_inverse = bijection.inverse(z, context)
    torch.testing.assert_close(back, x, rtol=0, atol=EXACT)
    torch.testing.assert_close(_leaves(after_inverse), _leaves(after), rtol=0, atol=EXACT)
    torch.testing.assert_close(bijection(bijection.inverse(x, context)[0], context)[0], x, rtol=0, atol=1e-8)


def test_ladj_is_the_log_determinant_of_the_jacobian(
    bijection: Bijection, x: Tensor, context: Tensor
) -> None:
    for b in range(B):
        jacobian = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
            lambda one, b=b: bijection(one[None], context[b : b + 1])[0][0], x[b]
        )  # (T, D, T, D)
        own_frame = torch.stack([jacobian[t, :, t] for t in range(T)])  # (T, D, D)
        ladj = bijection(x[b : b + 1], context[b : b + 1])[1][0]
        torch.testing.assert_close(ladj, torch.linalg.slogdet(own_frame).logabsdet, rtol=0, atol=EXACT)
        whole = torch.linalg.slogdet(jacobian.reshape(T * D, T * D)).logabsdet
        torch.testing.assert_close(ladj.sum(), whole, rtol=0, atol=EXACT)


def test_a_sequence_is_its_frames_one_by_one(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    whole_z, whole_ladj, whole_state = bijection(x, context)
    whole_x, _ = bijection.inverse(x, context)
    state: State = None
    inverse_state: State = None
    for t in range(T):
        now = slice(t, t + 1)
        z, ladj, state = bijection(x[:, now], context[:, now], state)
        torch.testing.assert_close(z, whole_z[:, now], rtol=0, atol=EXACT)
        torch.testing.assert_close(ladj, whole_ladj[:, now], rtol=0, atol=EXACT)
        back, inverse_state = bijection.inverse(x[:, now], context[:, now], inverse_state)
        torch.testing.assert_close(back, whole_x[:, now], rtol=1e-9, atol=EXACT)
    torch.testing.assert_close(_leaves(state), _leaves(whole_state), rtol=0, atol=EXACT)


def test_no_frame_sees_a_later_one(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    other_x, other_context = x.clone(), context.clone()
    other_x[:, 2:] += 1.0
    other_context[:, 2:] -= 1.0
    z, ladj, _ = bijection(x, context)
    other_z, other_ladj, _ = bijection(other_x, other_context)
    assert torch.equal(z[:, :2], other_z[:, :2])
    assert torch.equal(ladj[:, :2], other_ladj[:, :2])
    assert not torch.allclose(z[:, 2:], other_z[:, 2:])


def test_no_window_of_a_batch_sees_another(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    z, ladj, _ = bijection(x, context)
    alone_z, alone_ladj, _ = bijection(x[1:], context[1:])
    torch.testing.assert_close(alone_z, z[1:], rtol=0, atol=EXACT)
    torch.testing.assert_close(alone_ladj, ladj[1:], rtol=0, atol=EXACT)


def test_gradients_reach_every_parameter(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    z, ladj, _ = bijection(x.requires_grad_(), context)
    (z.sin().sum() - ladj.sum()).backward()  # a sum of squares would not see a rotation
    for name, parameter in bijection.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-6, name


@pytest.mark.parametrize("name", BIJECTIONS)
def test_saved_is_loaded(name: str, x: Tensor, context: Tensor) -> None:
    saved, loaded = build(name, seed=3), build(name, seed=4)
    assert not torch.allclose(saved(x, context)[0], loaded(x, context)[0])
    loaded.load_state_dict(saved.state_dict())
    assert torch.equal(saved(x, context)[0], loaded(x, context)[0])


@pytest.mark.parametrize("name", BIJECTIONS)
def test_single_precision_stays_close(name: str, x: Tensor, context: Tensor) -> None:
    z, ladj, _ = build(name)(x, context)
    single_z, single_ladj, _ = build(name).float()(x.float(), context.float())
    torch.testing.assert_close(single_z.double(), z, rtol=SINGLE, atol=SINGLE)
    torch.testing.assert_close(single_ladj.double(), ladj, rtol=SINGLE, atol=SINGLE)
    back, _ = build(name).float().inverse(single_z, context.float())
    torch.testing.assert_close(
        back.double(), x, rtol=0, atol=5e-4
    )  # an inverse multiplies errors by up to 1 / s


@pytest.mark.parametrize("far", [1e3, 1e6])
def test_far_outliers_stay_finite_and_invertible(
    bijection: Bijection, x: Tensor, context: Tensor, far: float
) -> None:
    z, ladj, _ = bijection(far * x, far * context)
    assert z.isfinite().all() and ladj.isfinite().all()
    torch.testing.assert_close(bijection.inverse(z, far * context)[0], far * x, rtol=1e-7, atol=1e-7 * far)


def test_gradients_go_through_inverses(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    """Those of f⁻¹ are the inverse of the Jacobian of f, and there and back is the identity, whatever f is."""
    weight = torch.randn(x.shape, dtype=x.dtype, generator=Generator().manual_seed(8))
    x.requires_grad_()
    context.requires_grad_()
    z = bijection(x, context)[0]
    apart = z.detach().requires_grad_()
    (pulled,) = torch.autograd.grad((bijection.inverse(apart, context)[0] * weight).sum(), apart)
    (again,) = torch.autograd.grad((z * pulled).sum(), x, retain_graph=True)
    torch.testing.assert_close(again, weight, rtol=0, atol=1e-8)
    loss, others = (bijection.inverse(z, context)[0] * weight).sum(), (context, *bijection.parameters())
    to_x, *to_others = torch.autograd.grad(loss, (x, *others), materialize_grads=True)
    torch.testing.assert_close(to_x, weight, rtol=0, atol=1e-8)
    for gradient in to_others:
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-8)


def test_actnorm_standardises_once_and_remembers_it() -> None:
    x = 3.0 + 2.0 * torch.randn(50, 4, D, dtype=torch.float64, generator=Generator().manual_seed(5))
    x[..., 0] = 7.0  # a channel that does not move
    norm, none = ActNorm(D).double(), x[..., :0]
    z = norm.initialize(x, none)
    torch.testing.assert_close(z.mean(dim=(0, 1)), torch.zeros(D, dtype=torch.float64), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        z[..., 1:].std(dim=(0, 1), correction=0), torch.ones(D - 1).double(), rtol=0, atol=1e-5
    )
    assert z.isfinite().all()
    resumed = ActNorm(D).double()
    resumed.load_state_dict(norm.state_dict())
    assert torch.equal(resumed.initialize(10 * x, none), norm(10 * x, none)[0])


def test_an_invertible_linear_starts_as_a_rotation() -> None:
    weight = InvertibleLinear(63, generator=Generator().manual_seed(6)).weight()
    torch.testing.assert_close(weight @ weight.T, torch.eye(63), rtol=0, atol=1e-5)


def test_couplings_start_as_the_papers_scale_and_as_the_identity(x: Tensor, context: Tensor) -> None:
    generator = Generator().manual_seed(7)
    paper = _coupling("lstm", "paper", generator).double()(x, context)[0]
    torch.testing.assert_close(paper[..., D // 2 :], x[..., D // 2 :] * 0.880798, rtol=0, atol=1e-5)
    assert torch.equal(_coupling("lstm", "bounded", generator).double()(x, context)[0], x)


def test_scales_stay_within_their_bounds() -> None:
    raw = torch.tensor([-1e4, 0.0, 1e4], dtype=torch.float64)
    start = 1 / (1 + math.exp(-2))
    expected = {
        "paper": [1e-6, start + 1e-6, 1 + 1e-6],
        "bounded": [1 - start, 1.0, 2 - start],
        "symmetric": [math.exp(-2), 1.0, math.exp(2)],
    }
    for name, scale in SCALES.items():
        torch.testing.assert_close(scale(raw).tolist(), expected[name], rtol=0, atol=1e-12)


def _leaves(state: State) -> list[Tensor]:
    if isinstance(state, tuple):
        return [leaf for part in state for leaf in _leaves(part)]
    return [] if state is None else [state]
