"""Laws of all models. A new model is tested by adding its line in MODELS and one in SMALL."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from moglow.flows.bijection import State, map_state
from moglow.models import MODELS
from moglow.models.model import MotionModel, Objective

B, T, D, C = 3, 5, 5, 4
EXACT = 1e-10
AUTOENCODERS = {"undercomplete", "overcomplete", "denoising", "sparse_l1", "sparse_kl"}
WITHOUT_DENSITY = {"gan", "regression", *AUTOENCODERS}
KNOWS_ONLY_WHAT_IS_MADE = {"gan"}  # its critic learns nothing of poses that its generator never makes
READING = {"hidden": 8, "encoded": 6}
SMALL: dict[str, dict[str, Any]] = {
    "moglow": {"steps": 3, "hidden": 8, "encoder": (6, 6)},
    "planar": {**READING, "steps": 3, "net": 6},
    "radial": {**READING, "steps": 3, "net": 6},
    "realnvp": {**READING, "steps": 4, "net": 6},
    "maf": {**READING, "steps": 2, "net": 10},
    "flowgmm": {**READING, "steps": 2, "net": 6, "styles": 2},
    "glow": {**READING, "window": 2, "steps": 2, "net": 6},
    "vae": {**READING, "code": 3, "net": 8, "draws": 4},
    "gan": {**READING, "noise": 3, "net": 24},
    "regression": {"hidden": 8, "layers": 1},
    "undercomplete": {**READING, "net": 24, "code": 0.8},
    "overcomplete": {**READING, "net": 24},
    "denoising": {**READING, "net": 24, "noise": 0.5},
    "sparse_l1": {**READING, "net": 24},
    "sparse_kl": {**READING, "net": 24},
}


def build(name: str, seed: int = 1, **changes: Any) -> MotionModel:
    """Returns a small model in double precision whose every parameter has moved away from its start."""
    model_type = MODELS[name]
    config = dataclasses.replace(model_type.PRESETS["compact"], **{**SMALL[name], **changes})
    generator = Generator().manual_seed(seed)
    model = model_type(config, D, C, generator=generator).double()
    model.initialize(*windows())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    return model


def windows(seed: int = 2) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(seed)
    pose = torch.randn(B, T, D, dtype=torch.float64, generator=generator)
    return pose, torch.randn(B, T, C, dtype=torch.float64, generator=generator)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> MotionModel:
    return build(request.param)


def test_the_registry_is_covered() -> None:
    assert SMALL.keys() == MODELS.keys()


def test_log_prob_of_a_sequence_is_that_of_its_frames(model: MotionModel) -> None:
    pose, context = windows()
    whole, _ = model.log_prob(pose, context)
    state, parts = model.initial_state(), []
    for t in range(T):
        log_prob, state = model.log_prob(pose[:, t : t + 1], context[:, t : t + 1], state)
        parts.append(log_prob)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=EXACT, equal_nan=True)


def test_log_prob_is_a_number_where_there_is_a_density_and_nowhere_else(model: MotionModel) -> None:
    """A deterministic model has all its mass on one pose; a model that samples may still have no density."""
    log_prob, _ = model.log_prob(*windows())
    none = type(model) in {MODELS[name] for name in WITHOUT_DENSITY}
    assert torch.equal(log_prob.isfinite(), torch.full((B, T), not none))


def test_log_prob_sees_no_later_frame(model: MotionModel) -> None:
    pose, context = windows()
    later_pose, later_context = windows(seed=3)
    cut = torch.arange(T)[:, None] < 2
    other, _ = model.log_prob(torch.where(cut, pose, later_pose), torch.where(cut, context, later_context))
    before, _ = model.log_prob(pose, context)
    torch.testing.assert_close(other[:, :2], before[:, :2], rtol=0, atol=0, equal_nan=True)


def test_score_is_a_number_a_frame_and_that_of_a_sequence_is_that_of_its_frames(model: MotionModel) -> None:
    pose, context = windows()
    whole, _ = model.score(pose, context)
    assert whole.shape == (B, T) and whole.isfinite().all()
    state, parts = model.initial_state(), []
    for t in range(T):
        score, state = model.score(pose[:, t : t + 1], context[:, t : t + 1], state)
        parts.append(score)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=EXACT)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in KNOWS_ONLY_WHAT_IS_MADE])
def test_a_grossly_wrong_pose_scores_higher_after_brief_training(name: str) -> None:
    """Poses are on a line given by the context; a wrong one is five deviations off it."""
    model, generator = build(name), Generator().manual_seed(7)
    context = torch.randn(32, T, C, dtype=torch.float64, generator=generator)
    pose = context[..., :1].expand(-1, -1, D) + 0.1 * torch.randn(32, T, D, generator=generator)
    optimizers = [torch.optim.Adam(each.parameters, lr=1e-2) for each in model.objectives()]
    for _ in range(40):
        for objective, optimizer in zip(model.objectives(), optimizers, strict=True):
            optimizer.zero_grad()
            torch.autograd.backward(objective.loss(pose, context, generator=generator)[0])
            optimizer.step()
    wrong = pose.clone()
    wrong[:, 2, 1] += 5.0
    with torch.no_grad():
        right, strange = (model.score(each, context)[0].sum(dim=1) for each in (pose, wrong))
    assert (strange > right).double().mean() > 0.9


def test_steps_follow_the_contexts_of_a_sequence(model: MotionModel) -> None:
    """What a model has seen of a sequence it has seen frame by frame: the next pose is the same."""
    pose, context = windows()
    noise = model.sample_noise(T, B, generator=Generator().manual_seed(4)).double()
    _, state = model.log_prob(pose[:, :-1], context[:, :-1])
    stepwise = model.initial_state()
    for t in range(T - 1):
        _, stepwise = model.log_prob(pose[:, t : t + 1], context[:, t : t + 1], stepwise)
    ends = [model.step(context[:, -1], each, noise[-1])[0] for each in (state, stepwise)]
    torch.testing.assert_close(*ends, rtol=0, atol=EXACT)


def test_steps_depend_on_context_state_and_noise(model: MotionModel) -> None:
    """At the beginning of a stride: the frames sampled with its first one do not depend on later contexts."""
    _, context = windows()
    noise = model.sample_noise(2, B, generator=Generator().manual_seed(4)).double()
    state, n = model.initial_state(), model.stride
    for t in range(n):
        pose, state = model.step(context[:, t], state, noise[0])
        assert pose.shape == (B, D) and pose.isfinite().all()
    again, _ = model.step(context[:, n], state, noise[1])
    for other, _ in (
        model.step(context[:, n + 1], state, noise[1]),
        model.step(context[:, n], model.initial_state(), noise[1]),
    ):
        assert not torch.allclose(other, again)
    for sampled, _ in (
        model.step(context[:, n], state, noise[0]),
        model.step(context[:, n], state, noise[1], temperature=0.5),
    ):
        assert torch.allclose(sampled, again) == (model.noise_dim == 0)


def test_passing_the_state_leaves_it_untouched(model: MotionModel) -> None:
    pose, context = windows()
    _, state = model.log_prob(pose, context)
    copy = map_state(Tensor.clone, state)
    first, _ = model.log_prob(pose, context, state)
    again, _ = model.log_prob(pose, context, copy)
    torch.testing.assert_close(again, first, rtol=0, atol=0, equal_nan=True)


def test_losses_fall_and_reach_every_parameter_they_name(model: MotionModel) -> None:
    pose, context = windows()
    for objective in model.objectives():
        optimizer = torch.optim.Adam(objective.parameters, lr=1e-2)
        losses = []
        for _ in range(12):
            loss, _ = objective.loss(pose, context, generator=Generator().manual_seed(5))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            assert all(p.grad is not None and p.grad.abs().max() > 0 for p in objective.parameters)
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0] - 0.1
    named = {id(p) for objective in model.objectives() for p in objective.parameters}
    assert named == {id(p) for p in model.parameters()}


def test_losses_carry_the_state_over(model: MotionModel) -> None:
    pose, context = windows()

    def run(objective: Objective, cut: int) -> State:
        state: State = model.initial_state()
        for part in (slice(0, cut), slice(cut, T)):
            _, state = objective.loss(
                pose[:, part], context[:, part], state, generator=Generator().manual_seed(6)
            )
        return state

    for objective in model.objectives():
        torch.testing.assert_close(run(objective, 2), run(objective, 3), rtol=0, atol=EXACT)


@pytest.mark.parametrize("name", MODELS)
def test_saved_is_loaded_without_initialising_again(name: str) -> None:
    pose, context = windows()
    saved, loaded = build(name, seed=1), build(name, seed=2)
    loaded.load_state_dict(saved.state_dict())
    loaded.initialize(2 * pose, context)
    noise = saved.sample_noise(B, generator=Generator().manual_seed(4)).double()
    before, after = (each.step(context[:, 0], each.initial_state(), noise)[0] for each in (saved, loaded))
    assert torch.equal(before, after)
    before, after = (each.log_prob(pose, context)[0] for each in (saved, loaded))
    torch.testing.assert_close(before, after, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", MODELS)
def test_weights_depend_on_the_generator_alone(name: str) -> None:
    config = dataclasses.replace(MODELS[name].PRESETS["compact"], **SMALL[name])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (
        MODELS[name](config, D, C, generator=Generator().manual_seed(s)) for s in (7, 7, 8)
    )
    assert torch.equal(torch.get_rng_state(), before)
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
