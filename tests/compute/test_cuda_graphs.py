"""A graphed function returns the same as the function, and is the function where it cannot be recorded."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from moglow.compute.cuda_graphs import GraphedFunction, GraphedGradients, RecordedGraph, graphed
from moglow.models import MODELS
from moglow.models.model import MotionModel, Objective
from moglow.paths.presets import preset
from moglow.sampling.ensemble import Ensemble
from moglow.sampling.fast.torch_steps import TorchSteps
from tests.models.test_model_laws import SMALL
from tests.sampling.test_sampler import make_checkpoint

CPU = torch.device("cpu")
EXACT = 1e-5  # as a share of the largest number of a tensor
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def test_without_a_gpu_a_function_stays_as_it_is() -> None:
    def function(x: Tensor) -> tuple[Tensor]:
        return (x + 1,)

    assert graphed(function, CPU) is function


@pytest.mark.gpu
@on_a_gpu
def test_each_shape_is_recorded_at_its_second_call() -> None:
    def function(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        total = x if state is None else x + state[0]
        return 2 * total, (total, None)

    step, device = GraphedFunction(function, torch.device("cuda")), "cuda"
    one, other = torch.ones(3, device=device), torch.full((3,), 2.0, device=device)
    first, state = step(one, None)
    kept = state[0]
    second, state = step(other, state)
    third, state = step(other, state)
    assert [each.tolist() for each in (first, second, third)] == [[2.0] * 3, [6.0] * 3, [10.0] * 3]
    assert (
        kept.tolist() == [1.0] * 3 and one.tolist() == [1.0] * 3
    )  # inputs and outputs of earlier calls stay
    assert step.recordings == 1  # with a state; the start came once
    assert step(torch.ones(2, device=device), None)[0].tolist() == [2.0, 2.0]


@pytest.mark.gpu
@on_a_gpu
def test_a_function_that_looks_at_a_number_is_not_recorded() -> None:
    def function(x: Tensor) -> tuple[Tensor]:
        return (x + 1 if float(x.sum()) > 0 else x - 1,)

    step = GraphedFunction(function, torch.device("cuda"))
    for value in (1.0, -1.0, 1.0, -1.0):
        assert step(torch.tensor([value], device="cuda"))[0].item() == 2 * value
    assert step.recordings == 0
    assert float(torch.ones(5, device="cuda").sum()) == 5  # the device is well


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("name", MODELS)
def test_every_model_samples_alike_as_a_graph(name: str) -> None:
    model = MODELS[name](MODELS[name].PRESETS["toy"], 12, 20).to("cuda").eval()
    steps = TorchSteps(model, "cuda")
    step, state, before = steps.recorded(steps.step), steps.initial_state(8), steps.initial_state(8)
    generator = np.random.default_rng(0)
    for _ in range(5):
        context, noise = (
            steps.array(generator.standard_normal((8, width), dtype=np.float32))
            for width in (20, steps.noise_dim)
        )
        pose, nats, state = step(context, state, noise)
        expected, likely, before = steps.step(context, before, noise)
        assert torch.allclose(pose, expected, atol=1e-5, rtol=1e-5)
        assert torch.allclose(nats, likely, atol=1e-2, rtol=1e-4, equal_nan=True)


@pytest.mark.parametrize("conditioner", ["lstm", "gru"])
@pytest.mark.parametrize("device", ["cpu:0", pytest.param("cuda", marks=[pytest.mark.gpu, on_a_gpu])])
def test_an_evaluation_on_a_device_samples_the_same_motions(device: str, conditioner: str) -> None:
    checkpoint = make_checkpoint(lookahead=2, conditioner=conditioner)
    paths = [preset(name, checkpoint.context.fps) for name in ("line:length=1", "circle:r=0.3")]
    plain = dict(Ensemble(checkpoint, 0.7).motions(paths, [3, 4]))
    there = dict(Ensemble(checkpoint, 0.7, device).motions(paths, [3, 4]))
    for number, motion in plain.items():
        assert np.abs(there[number].pose - motion.pose).max() < 1e-3
        assert np.array_equal(there[number].control, motion.control)


@pytest.mark.gpu
@on_a_gpu
def test_a_recording_sees_new_inputs_and_new_randomness() -> None:
    generator = Generator("cuda").manual_seed(1)

    def noisy(inputs: Tensor) -> tuple[Tensor]:
        return (inputs + torch.rand(4, generator=generator, device="cuda"),)

    recording = RecordedGraph.of(noisy, (torch.zeros(4, device="cuda"),), None, generators=[generator])
    ones = torch.ones(4, device="cuda")
    generator.manual_seed(7)
    first, second = (recording.replay((ones,))[0].clone() for _ in range(2))
    generator.manual_seed(7)
    assert torch.equal(first, recording.replay((ones,))[0]) and not torch.equal(first, second)
    generator.manual_seed(7)
    torch.testing.assert_close(first, noisy(ones)[0])


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("name", MODELS)
def test_recorded_gradients_are_those_of_the_loss(name: str) -> None:
    model, generator = made(name), Generator("cuda")
    for objective in model.objectives():
        buffers = tuple(model.buffers())
        recorded = GraphedGradients(
            objective.loss, objective.parameters, torch.device("cuda"), buffers=buffers
        )
        for seed in (1, 2):
            kept, versions = [each.clone() for each in buffers], [each._version for each in buffers]
            pose, context = (
                torch.randn(4, 12, width, generator=generator.manual_seed(seed), device="cuda")
                for width in (model.pose_dim, model.context_dim)
            )
            loss, _ = recorded(pose, context, None, generator=generator.manual_seed(seed))
            assert all(each._version > before for each, before in zip(buffers, versions, strict=True))
            found = [loss.clone(), *gradients_of(objective), *(each.clone() for each in buffers)]
            assert all(parameter.grad is None for parameter in model.parameters())
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
            loss, _ = objective.loss(pose, context, None, generator=generator.manual_seed(seed))
            torch.autograd.backward(loss, inputs=objective.parameters)
            for a, b in zip(found, [loss.detach(), *gradients_of(objective), *buffers], strict=True):
                if a.is_floating_point():
                    torch.testing.assert_close(a, b, rtol=0, atol=EXACT * max(1.0, b.abs().max().item()))
                else:
                    assert torch.equal(a, b)
            del loss  # and with it the streams on which gradients are accumulated


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
