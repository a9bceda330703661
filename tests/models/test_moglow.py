"""MoGlow itself: the paper's numbers, samples that its own density explains, no dead configuration field."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from moglow.errors import RecipeError
from moglow.flows.schedules.schedules import SCHEDULES
from moglow.models.moglow import MoGlow

D, C = 5, 4
SMALL = MoGlow.Config(steps=2, hidden=8, dropout=0.2)


def windows(
    pose_dim: int = D, context_dim: int = C, batch: int = 4, frames: int = 6
) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(1)
    return (
        torch.randn(batch, frames, pose_dim, generator=generator),
        torch.randn(batch, frames, context_dim, generator=generator),
    )


@pytest.fixture(scope="module")
def paper() -> MoGlow:
    return MoGlow(MoGlow.Config(), pose_dim=63, context_dim=663, generator=Generator().manual_seed(1))


def test_the_papers_model_has_the_papers_size(paper: MoGlow) -> None:
    assert sum(parameter.numel() for parameter in paper.parameters()) == 73_859_056


def test_the_papers_model_starts_at_the_known_bits_per_dimension(paper: MoGlow) -> None:
    """On standardised data: independent channels of deviation one, the weakest case of "standardised"."""
    pose, context = windows(63, 663, batch=25, frames=8)
    paper.initialize(pose, context)
    with torch.no_grad():
        nats, _ = paper.log_prob(pose, context)
    assert -nats.mean().item() / 63 / math.log(2) == pytest.approx(2.03, abs=0.05)


def test_the_compact_model_fits_on_disk() -> None:
    compact = MoGlow(MoGlow.PRESETS["compact"], pose_dim=63, context_dim=663)  # type: ignore[arg-type]
    assert 2 * sum(parameter.numel() for parameter in compact.parameters()) < 20e6  # bytes in half precision


@pytest.mark.parametrize("latent", ["normal", "student"])
def test_log_prob_is_consistent_with_step(latent: str) -> None:
    """Scoring a sample returns its noise: the density of z plus the log-determinant of x → z."""
    model = MoGlow(dataclasses.replace(SMALL, latent=latent), D, C).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=Generator().manual_seed(2)))
    context = windows()[1].double()
    noise = model.sample_noise(6, 4, generator=Generator().manual_seed(3)).double()
    state, poses = model.initial_state(), []
    for t in range(6):
        pose, state = model.step(context[:, t], state, noise[t])
        poses.append(pose)
    z, ladj, _ = model.flow(torch.stack(poses, dim=1), context)
    sampled = model.latent.from_noise(noise).transpose(0, 1)
    torch.testing.assert_close(z, sampled, rtol=0, atol=1e-9)
    log_prob, _ = model.log_prob(torch.stack(poses, dim=1), context)
    torch.testing.assert_close(log_prob, model.latent.log_prob(sampled) + ladj, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_gives_the_same_loss(name: str) -> None:
    pose, context = windows()
    model = MoGlow(SMALL, D, C).double()
    expected, _ = model.loss(pose.double(), context.double(), generator=Generator().manual_seed(6))
    model.schedule = name
    found, _ = model.loss(pose.double(), context.double(), generator=Generator().manual_seed(6))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_dropout_is_sampled_from_the_generator_and_keeps_the_mean() -> None:
    """The mean over many masks is the context, and the likelihood itself uses no dropout."""
    model = MoGlow(dataclasses.replace(SMALL, dropout=0.5), D, C)
    seen: list[Tensor] = []
    model.flow.register_forward_pre_hook(lambda flow, inputs: seen.append(inputs[1]))
    pose, context = windows(batch=2)
    generator = Generator().manual_seed(7)
    losses = [model.loss(pose, context, generator=generator)[0] for _ in range(400)]
    dropped = torch.stack(seen)
    torch.testing.assert_close(dropped.mean(dim=0), context, rtol=0.3, atol=0.05)
    assert (
        (dropped == 0).all(dim=-2) == (dropped == 0).any(dim=-2)
    ).all()  # for a whole window or not at all
    assert torch.equal(losses[0], model.loss(pose, context, generator=Generator().manual_seed(7))[0])
    seen.clear()
    model.log_prob(pose, context)
    assert torch.equal(seen[0], context)


CHANGES: dict[str, Any] = {
    "steps": 3,
    "hidden": 9,
    "layers": 1,
    "conditioner": "gru",
    "encoder": (6,),
    "scale": "bounded",
    "latent": "student",
    "dropout": 0.7,
}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(MoGlow.Config)])
def test_each_field_of_the_config_matters(field: str) -> None:
    pose, context = windows()

    def loss_after_a_step(config: MoGlow.Config) -> float:
        model = MoGlow(config, D, C, generator=Generator().manual_seed(4))
        model.initialize(pose, context)
        (objective,) = model.objectives()
        optimizer = torch.optim.Adam(objective.parameters, lr=1e-2)
        generator = Generator().manual_seed(5)
        for _ in range(3):
            loss, _ = objective.loss(pose, context, generator=generator)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        return loss.item()

    changed = dataclasses.replace(SMALL, **{field: CHANGES[field]})
    assert abs(loss_after_a_step(changed) - loss_after_a_step(SMALL)) > 1e-4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"conditioner": "lstn"},
            "moglow: conditioner is 'lstn', expected one of lstm, gru, mingru, mlp; choose one",
        ),
        ({"steps": 0}, "moglow: steps is 0, expected at least 1; raise it"),
        ({"dropout": 1.0}, "moglow: dropout is 1.0, expected 0 ≤ dropout < 1; lower it"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as error:
        dataclasses.replace(SMALL, **changes)
    assert str(error.value) == message


def test_a_pose_of_one_channel_is_refused() -> None:
    with pytest.raises(RecipeError, match="expected at least 2"):
        MoGlow(SMALL, pose_dim=1, context_dim=C)
