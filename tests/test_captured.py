"""What is recorded on a GPU computes what is computed there step by step, and anew in every call."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from moglow.captured import CapturedGradients, Recording, captured, copies
from moglow.models import MODELS
from moglow.models.model import MotionModel, Objective
from moglow.rollout import roll_out
from tests.models.test_model_laws import SMALL
from tests.tiny import tiny_context

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
EXACT = 1e-5


def test_nothing_is_recorded_on_a_cpu() -> None:
    assert captured(copies, torch.device("cpu")) is copies


@gpu
@needs_gpu
def test_a_recording_sees_new_inputs_and_new_randomness() -> None:
    generator = Generator("cuda").manual_seed(1)

    def noisy(inputs: Tensor) -> tuple[Tensor]:
        return (inputs + torch.rand(4, generator=generator, device="cuda"),)

    recording = Recording.of(noisy, (torch.zeros(4, device="cuda"),), None, [generator])
    ones = torch.ones(4, device="cuda")
    generator.manual_seed(7)
    first, second = (recording.play((ones,))[0].clone() for _ in range(2))
    generator.manual_seed(7)
    assert torch.equal(first, recording.play((ones,))[0]) and not torch.equal(first, second)
    generator.manual_seed(7)
    torch.testing.assert_close(first, noisy(ones)[0])


@gpu
@needs_gpu
@pytest.mark.parametrize("name", MODELS)
def test_recorded_gradients_are_those_of_the_loss(name: str) -> None:
    model, generator = made(name), Generator("cuda")
    for objective in model.objectives():
        recorded = CapturedGradients(objective.loss, objective.parameters, torch.device("cuda"))
        for seed in (1, 2):
            pose, context = (
                torch.randn(4, 12, width, generator=generator.manual_seed(seed), device="cuda")
                for width in (model.pose_dim, model.context_dim)
            )
            loss, _ = recorded(pose, context, None, generator=generator.manual_seed(seed))
            found = [loss, *gradients_of(objective)]
            expected, _ = objective.loss(pose, context, None, generator=generator.manual_seed(seed))
            expected.backward()
            for a, b in zip(found, [expected.detach(), *gradients_of(objective)], strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=EXACT * max(1.0, b.abs().max().item()))


@gpu
@needs_gpu
@pytest.mark.parametrize("name", MODELS)
def test_a_recorded_roll_out_is_the_one_of_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context = tiny_context().mapped(
        lambda array: torch.as_tensor(array, dtype=torch.float32, device="cuda"), torch
    )
    model = made(name, context.pose_dim, context.size)
    generator = Generator("cuda").manual_seed(1)
    frames, span = 40, context.spec.history + 40 + context.spec.lookahead
    noise = model.draw_noise(2, frames, generator=generator)
    history = torch.randn(2, context.spec.history, context.pose_dim, generator=generator, device="cuda")
    controls = torch.randn(2, span, 3, generator=generator, device="cuda")
    style = torch.zeros(2, len(context.styles), device="cuda")
    recorded, _ = roll_out(model, context, history, controls, style, noise, temperature=0.1)
    monkeypatch.setattr("moglow.rollout.captured", lambda function, device: function)
    eager, _ = roll_out(model, context, history, controls, style, noise, temperature=0.1)
    torch.testing.assert_close(
        recorded[:, :10], eager[:, :10], rtol=1e-3, atol=1e-3
    )  # later rounding has grown


def gradients_of(objective: Objective) -> list[Tensor]:
    """Returns the gradients of an objective's parameters, zero where there is none, and forgets them."""
    found = []
    for parameter in objective.parameters:
        found.append(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone())
        parameter.grad = None
    return found


def made(name: str, pose: int = 6, context: int = 8) -> MotionModel:
    """Returns a small model on the GPU whose every parameter has moved away from its start."""
    generator = Generator().manual_seed(1)
    config = replace(MODELS[name].PRESETS["compact"], **SMALL[name])
    model = MODELS[name](config, pose, context, generator=generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model.cuda()
