"""The kernels of the diagonal schedule equal its stages in torch: on a GPU, or interpreted on a CPU."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from moglow.flows.bijection import Chain, map_state
from moglow.flows.coupling import AffineCoupling
from moglow.flows.glow import GlowStep
from moglow.flows.nets import recurrent_products_in
from moglow.flows.schedules import diagonal as schedule
from moglow.flows.schedules.diagonal import diagonal
from moglow.flows.schedules.schedules import plain
from tests.flows.test_schedules import build, everything, windows

TRITON = find_spec("triton") is not None
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU and not INTERPRETED else "cpu")
SHAPES = {  # steps, frames, layers, batch, channels, hidden: blocks not full, full, and more than one
    "small": (3, 4, 2, 3, 5, 6),
    "one frame, one step": (1, 1, 1, 2, 4, 16),
    "several blocks": (2, 2, 2, 18, 37, 40),
    "one layer": (3, 2, 1, 17, 8, 32),
}
SINGLE = 2e-5  # float32 and its sums, as a share of the largest number of a tensor
HALF = 0.08  # bfloat16 keeps 8 bits: 0.004 a product, through steps and frames; 0.051 was seen

can_run = pytest.mark.skipif(
    not (TRITON and (GPU or INTERPRETED)), reason="needs a CUDA GPU, or its interpreter"
)


@pytest.fixture(autouse=True)
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    if INTERPRETED and TRITON:
        from moglow.flows.schedules.fused_stages import FusedStages

        monkeypatch.setattr(schedule, "stages_on", lambda device: FusedStages)


def case(shape: str) -> tuple[Chain, Tensor, Tensor]:
    steps, frames, layers, batch, channels, hidden = SHAPES[shape]
    flow = build(steps, layers, channels=channels, hidden=hidden).float().to(DEVICE)
    x, context = (each.detach().to(DEVICE) for each in windows(frames, torch.float32, batch, channels))
    return flow, x.requires_grad_(), context.requires_grad_()


def worst(found: list[Tensor], expected: list[Tensor]) -> float:
    return max(
        (a - b).abs().max().item() / max(1.0, b.abs().max().item())
        for a, b in zip(found, expected, strict=True)
    )


@can_run
@pytest.mark.parametrize("carried", [False, True], ids=["from the start", "state carried over"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_kernels_agree_with_the_plain_schedule(shape: str, carried: bool) -> None:
    flow, x, context = case(shape)
    state = (
        map_state(lambda memory: memory.detach().requires_grad_(), flow(x, context)[2]) if carried else None
    )
    with torch.backends.cudnn.flags(allow_tf32=False):
        expected = everything(plain, flow, x, context, state)
    assert worst(everything(diagonal, flow, x, context, state), expected) < SINGLE


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="needs a CUDA GPU: the interpreter multiplies no bfloat16")
@pytest.mark.parametrize("shape", SHAPES)
def test_the_kernels_stay_close_in_bfloat16(shape: str) -> None:
    flow, x, context = case(shape)
    with torch.backends.cudnn.flags(allow_tf32=False):
        expected = everything(plain, flow, x, context, None)
    with recurrent_products_in(torch.bfloat16, flow):
        found = everything(diagonal, flow, x, context, None)
    assert worst(found, expected) < HALF
    assert not torch.equal(found[0], expected[0])


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="needs a CUDA GPU: only its LSTM depends on the memory layout")
@pytest.mark.parametrize("shape", SHAPES)
def test_sampling_continues_from_the_state_of_the_kernels(shape: str) -> None:
    flow, x, context = case(shape)
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        _, _, state = diagonal(flow, x, context)
        z, _, _ = plain(flow, x, context, state)
        found, _ = flow.inverse(z, context, state)
    assert worst([found], [x]) < 10 * SINGLE


@pytest.mark.skipif(not TRITON or GPU or INTERPRETED, reason="needs Triton, and runs where there is no GPU")
def test_the_kernels_by_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout


def test_a_flow_for_the_kernels_is_made_of_glow_steps_with_lstms() -> None:
    flow = build(2, 1)
    assert schedule.can_run(flow)
    step = flow.links[0]
    assert isinstance(step, GlowStep) and isinstance(step.coupling, AffineCoupling)
    step.coupling.scale = torch.exp
    assert not schedule.can_run(flow)
