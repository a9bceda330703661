"""The compiled schedule equals the plain one, with its gradients, on any number of threads, or is the plain one."""

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from moglow.flows.bijection import map_state
from moglow.flows.nets import has_bfloat16, recurrent_products_in
from moglow.flows.schedules import compiled
from moglow.flows.schedules.schedules import SCHEDULES, fastest, plain
from moglow.models.moglow import MoGlow
from tests.flows.test_schedules import SINGLE, build, everything, windows

CPU = torch.device("cpu")
TIMES = 3.0  # the largest error in float32 may be so many times torch's
ROUNDED = 0.03  # bfloat16 keeps 8 bits: 0.004 a product, through three steps
NARROW_TIMES = 2.0  # a tensor's mean square error in bfloat16 may be the square of so many times torch's
needs_kernel = pytest.mark.skipif(
    compiled.kernel(torch.float32) is None, reason="needs a C compiler and AVX2"
)
needs_narrow = pytest.mark.skipif(
    compiled.kernel(torch.bfloat16) is None, reason="needs a C compiler and AVX512_BF16"
)
SIZES = {  # rows, frames, channels, hidden
    "small": (3, 5, 5, 6),
    "one channel kept, odd width": (2, 3, 3, 7),
    "one frame of many rows": (19, 1, 4, 16),
    "blocks that are not full": (13, 21, 21, 40),
    "wide": (32, 40, 30, 128),
    "63 channels": (32, 40, 63, 128),
}
AMPLIFYING = ("wide", "63 channels")  # where torch's own errors in bfloat16 exceed ROUNDED


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """Forgets the kernels of this process and of this machine, before and after a test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled.kernel.cache_clear()
    yield monkeypatch
    compiled.kernel.cache_clear()


def found(
    size: str, schedule: str, precision: torch.dtype | None = None, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """Returns the results and gradients of a flow of three steps, from a memory of earlier frames."""
    rows, frames, channels, hidden = SIZES[size]
    flow = build(3, 1, channels=channels, hidden=hidden).to(dtype)
    x, context = windows(frames, dtype, rows, channels)
    state = map_state(lambda memory: memory.detach().requires_grad_(), plain(flow, x, context, None)[2])
    with recurrent_products_in(precision, flow):
        assert schedule == "plain" or compiled.can_run(flow)
        return everything(SCHEDULES[schedule], flow, x, context, state)


def worst(ones: list[Tensor], others: list[Tensor]) -> float:
    """Returns the largest difference, as a share of the largest number of a tensor or of 1."""
    return max(
        ((a - b).abs().max() / b.abs().max().clamp(min=1.0)).item() for a, b in zip(ones, others, strict=True)
    )


def must_be_as_exact_as_torch(size: str) -> None:
    """Requires that the kernel is as close to double precision as the plain schedule: wide nets amplify rounding."""
    exact = found(size, "plain", dtype=torch.float64)
    assert worst(found(size, "compiled"), exact) <= max(SINGLE, TIMES * worst(found(size, "plain"), exact))


@needs_kernel
@pytest.mark.parametrize("size", SIZES)
def test_the_kernel_agrees_with_the_plain_schedule(size: str) -> None:
    must_be_as_exact_as_torch(size)


@needs_narrow
@pytest.mark.parametrize("size", [size for size in SIZES if size not in AMPLIFYING])
def test_the_kernel_in_bfloat16_stays_close(size: str) -> None:
    exact, rounded = found(size, "plain"), found(size, "compiled", torch.bfloat16)
    assert all(tensor.dtype is torch.float32 for tensor in rounded)
    assert worst(rounded, exact) < ROUNDED
    assert not torch.equal(rounded[0], exact[0])


@needs_narrow
@pytest.mark.skipif(not has_bfloat16(torch.device("cpu")), reason="torch has no bfloat16 to compare with")
@pytest.mark.parametrize("size", AMPLIFYING)
def test_the_kernel_in_bfloat16_is_as_exact_as_torch(size: str) -> None:
    exact = found(size, "plain", dtype=torch.float64)
    ours, torchs = (found(size, schedule, torch.bfloat16) for schedule in ("compiled", "plain"))
    for tensor, usual, right in zip(ours, torchs, exact, strict=True):
        assert (tensor - right).norm() <= NARROW_TIMES * (usual - right).norm()


@needs_kernel
@pytest.mark.parametrize("precision", [None, pytest.param(torch.bfloat16, marks=needs_narrow)])
def test_bits_do_not_depend_on_the_number_of_threads(precision: torch.dtype | None, threads: None) -> None:
    rows, frames, channels, hidden = SIZES["blocks that are not full"]
    flow = build(3, 1, channels=channels, hidden=hidden).float()
    # The bits of torch's results do depend on the number of threads, so this state is computed once.
    state = plain(flow, *windows(frames, torch.float32, rows, channels), None)[2]
    state = map_state(lambda memory: memory.detach().requires_grad_(), state)
    results = []
    with recurrent_products_in(precision, flow):
        for count in (1, 2, 3):
            x, context = windows(frames, torch.float32, rows, channels)
            torch.set_num_threads(count)
            results.append(everything(compiled.compiled, flow, x, context, state))
    for others in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], others, strict=True))


@needs_narrow
def test_a_loss_in_bfloat16_and_its_gradient_are_those_of_float32() -> None:
    generator = Generator().manual_seed(3)
    config = MoGlow.PRESETS["compact"]
    assert isinstance(config, MoGlow.Config)
    model = MoGlow(config, 20, 30, generator=generator)
    with torch.no_grad():  # the nets' outputs are zero at first
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    pose, context = torch.randn(8, 20, 20, generator=generator), torch.randn(8, 20, 30, generator=generator)

    def loss_and_gradient(precision: torch.dtype | None, schedule: str) -> tuple[Tensor, Tensor]:
        model.schedule = schedule
        with recurrent_products_in(precision, model):
            loss, _ = model.loss(pose, context, generator=Generator().manual_seed(1))
        gradients = torch.autograd.grad(loss, tuple(model.parameters()))
        return loss.detach(), torch.cat([gradient.double().flatten() for gradient in gradients])

    exact, direction = loss_and_gradient(None, "plain")
    rounded, rounded_direction = loss_and_gradient(torch.bfloat16, "compiled")
    assert abs(rounded - exact) <= 1e-3 * abs(exact)
    assert torch.cosine_similarity(direction, rounded_direction, dim=0) >= 0.9999


@needs_kernel
def test_a_context_that_needs_no_gradient_gets_none() -> None:
    flow, (x, context) = build(3, 1).float(), windows(4, torch.float32)

    def gradients(schedule: str) -> list[Tensor]:
        z, ladj, _ = SCHEDULES[schedule](flow, x.detach(), context.detach(), None)
        return list(torch.autograd.grad(z.square().sum() - ladj.sum(), tuple(flow.parameters())))

    assert worst(gradients("compiled"), gradients("plain")) < SINGLE


@needs_kernel
def test_it_can_be_differentiated_once() -> None:
    z, *_ = compiled.compiled(build(2, 1).float(), *windows(3, torch.float32), None)
    total = z.square().sum()
    torch.autograd.backward(total, retain_graph=True)
    with pytest.raises(RuntimeError, match="second backward pass"):
        torch.autograd.backward(total)


@needs_kernel
def test_training_uses_it_for_nets_of_one_layer() -> None:
    flow = build(2, 1).float()
    assert fastest(flow, CPU) is compiled.compiled
    with torch.no_grad():
        assert fastest(flow, CPU) is plain
    for other in (build(2, 1), build(2, 2).float(), build(2, 1, net="gru").float()):
        assert fastest(other, CPU) is plain


def test_without_a_compiler_the_plain_schedule_is_used(anew: pytest.MonkeyPatch) -> None:
    anew.setenv("CC", "/nowhere/cc")
    flow, (x, context) = build(2, 1).float(), windows(3, torch.float32)
    assert fastest(flow, CPU) is plain
    ones, others = (everything(schedule, flow, x, context, None) for schedule in (compiled.compiled, plain))
    assert all(torch.equal(a, b) for a, b in zip(ones, others, strict=True))


@needs_kernel
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs an x86-64 processor")
def test_the_kernel_for_avx2_agrees_and_has_no_bfloat16(anew: pytest.MonkeyPatch) -> None:
    anew.setattr(compiled, "FLAGS", ("-mavx2", "-mfma", *compiled.FLAGS[1:]))
    assert compiled.kernel(torch.bfloat16) is None
    for size in SIZES:
        must_be_as_exact_as_torch(size)
