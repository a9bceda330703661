"""Glow's windows: exact as a joint density for any cuts; sampled at once, with consistent likelihoods."""

import dataclasses
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from moglow.checkpoint import Checkpoint, likelihood_terms
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.errors import TrainingError
from moglow.flows.bijection import map_state
from moglow.models.glow import Glow
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.sampling.sampler import Sampler, Track
from moglow.scoring.likelihood import frame_nats
from moglow.training.plan import TrainingPlan
from moglow.training.run import TrainingRun
from moglow.training.spec import TrainingSpec
from moglow.training.trainer import Trainer
from tests.support.tiny import tiny_context, tiny_corpus, tiny_recipe

B, D, C, N = 3, 3, 4, 4
EXACT = 1e-10
SMALL = Glow.Config(hidden=8, encoded=6, window=N, steps=2, net=6)


def build(config: Glow.Config = SMALL, pose_dim: int = D, context_dim: int = C) -> Glow:
    """Returns a small model in double precision whose every parameter has moved away from its start."""
    generator = Generator().manual_seed(1)
    model = Glow(config, pose_dim, context_dim, generator=generator).double()
    model.initialize(*motion(8 * N, pose_dim, context_dim))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    return model


def motion(frames: int, pose_dim: int = D, context_dim: int = C) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(2)
    return (
        torch.randn(B, frames, pose_dim, dtype=torch.float64, generator=generator),
        torch.randn(B, frames, context_dim, dtype=torch.float64, generator=generator),
    )


def test_a_window_has_the_likelihood_of_the_change_of_variables() -> None:
    model, (pose, context) = build(), motion(N)
    encoded, _ = model.encode(context[:, :1])
    paid, _ = model.log_prob(pose, context)
    assert (paid[:, :-1] == 0).all()
    for row in range(B):

        def z_of(x: Tensor, row: int = row) -> Tensor:
            z: Tensor = model.flow(x.view(1, 1, -1), encoded[row][None])[0]
            return z.flatten()

        x = pose[row].flatten()
        jacobian = torch.autograd.functional.jacobian(z_of, x)  # type: ignore[no-untyped-call]
        expected = model.latent.log_prob(z_of(x)) + torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(paid[row, -1], expected, rtol=0, atol=EXACT)


def test_a_window_hears_the_context_of_its_first_frame_and_of_frames_before_it() -> None:
    model, (pose, context) = build(), motion(2 * N)
    context.requires_grad_()
    paid, _ = model.log_prob(pose, context)
    (heard,) = torch.autograd.grad(paid[:, -1].sum(), context)
    assert (heard[:, : N + 1] != 0).all() and (heard[:, N + 1 :] == 0).all()


def test_targets_are_a_triangular_map_of_poses_with_a_constant_determinant() -> None:
    """The joint density of a window's targets is therefore one of its poses, and windows sampled at once are scored
    exactly.
    """
    context = tiny_context().mapped(lambda array: torch.as_tensor(array, dtype=torch.float64), torch)
    generator = Generator().manual_seed(3)
    poses, controls = (
        torch.randn(N + 2, width, dtype=torch.float64, generator=generator) for width in (context.pose_dim, 3)
    )

    def targets(window: Tensor) -> Tensor:
        past = torch.cat([poses[:2], window[:-1]]).unfold(0, 2, 1).transpose(-1, -2)
        return context.to_target(window, past, controls[2:])  # type: ignore[no-any-return]

    jacobian = torch.autograd.functional.jacobian(targets, poses[2:])  # type: ignore[no-untyped-call]
    for t in range(N):
        assert (jacobian[t, :, t + 1 :] == 0).all()
    determinant = torch.linalg.slogdet(jacobian.flatten(2).flatten(end_dim=1)).logabsdet
    assert determinant.item() == pytest.approx(-N * tiny_context().log_scale, abs=1e-4)


def test_samples_have_the_likelihood_of_the_density() -> None:
    """Scored from the start, frames have the likelihoods of their sampling, distributed evenly over a window."""
    model, (_, context) = build(), motion(2 * N)
    noise = model.sample_noise(2 * N, B, generator=Generator().manual_seed(4)).double()
    state, poses, shares = model.initial_state(), [], []
    for t in range(2 * N):
        pose, share, state = model.sample(context[:, t], state, noise[t], temperature=0.8)
        poses.append(pose)
        shares.append(share)
    paid, _ = model.log_prob(torch.stack(poses, dim=1), context)
    shared = torch.stack(shares, dim=1).view(B, 2, N)
    assert torch.equal(shared, shared[..., :1].expand_as(shared))
    torch.testing.assert_close(shared.sum(dim=-1), paid[:, N - 1 :: N], rtol=0, atol=1e-9)
    encoded, _ = model.encode(context)
    z, _, _ = model.flow(torch.stack(poses, dim=1).view(B, 2, -1), encoded[:, ::N])
    torch.testing.assert_close(
        z, 0.8 * model.latent.from_noise(noise[::N]).transpose(0, 1), rtol=0, atol=1e-9
    )


def test_rows_may_stand_at_different_places_of_their_windows() -> None:
    """Memory that is zeroed in some rows, as at the start of another clip, leaves the others at their place."""
    model, (pose, context) = build(), motion(3 * N)
    _, state = model.log_prob(pose[:, : N + 1], context[:, : N + 1])
    fresh = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    mixed, _ = model.log_prob(
        pose[:, N + 1 :], context[:, N + 1 :], map_state(lambda memory: memory * (1 - fresh)[:, None], state)
    )
    gone_on, _ = model.log_prob(pose, context)
    anew, _ = model.log_prob(pose[:, N + 1 :], context[:, N + 1 :])
    expected = torch.where(fresh[:, None] > 0, anew, gone_on[:, N + 1 :])
    torch.testing.assert_close(mixed, expected, rtol=0, atol=EXACT)
    assert (mixed != 0).sum(dim=1).tolist() == [2, 1, 2]


def test_a_window_begins_where_sampling_follows_scoring_and_the_reverse() -> None:
    model, (pose, context) = build(), motion(N)
    noise = model.sample_noise(B, generator=Generator().manual_seed(5)).double()
    _, scored = model.log_prob(pose[:, :2], context[:, :2])
    first, sampled = model.step(context[:, 2], scored, noise)
    second, _ = model.step(context[:, 3], sampled, noise)
    again, _ = model.step(context[:, 2], (scored[0], None, None), noise)  # type: ignore[index]
    assert torch.equal(first, again) and not torch.allclose(first, second)
    paid, _ = model.log_prob(pose, context, sampled)
    assert (paid[:, :-1] == 0).all() and (paid[:, -1] != 0).all()


CHANGES: dict[str, Any] = {
    "reader": "gru",
    "hidden": 9,
    "layers": 2,
    "encoded": 7,
    "window": 2,
    "steps": 1,
    "net": 7,
    "depth": 2,
    "scale": "bounded",
    "latent": "normal",
}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Glow.Config)])
def test_each_field_of_the_config_matters(field: str) -> None:
    pose, context = motion(2 * N)
    changed = dataclasses.replace(SMALL, **{field: CHANGES[field]})
    one, other = (build(config).log_prob(pose, context)[0].sum() for config in (SMALL, changed))
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("window", [0, 1, 6])
def test_a_window_is_a_power_of_two(window: int) -> None:
    with pytest.raises(ValueError, match=f"window is {window}, expected a power of two"):
        dataclasses.replace(SMALL, window=window)


def test_a_frame_has_its_share_and_frames_of_no_whole_window_none() -> None:
    context = tiny_context()
    model = build(pose_dim=context.pose_dim, context_dim=context.size).float()
    windows = held_out(length=2 * N + 3)
    nats = frame_nats(model, windows, context) - context.log_scale
    window = windows.batch(0)
    paid, _ = model.log_prob(window.target(windows.footage.context), window.context(windows.footage.context))
    assert nats.shape == (len(window) * 2 * N,)
    assert nats.mean() == pytest.approx(-paid.sum().item() / nats.size, rel=1e-5)
    assert (nats.reshape(-1, N).std(axis=1) < 1e-9).all()


def held_out(length: int) -> Windows:
    spec = WindowSpec(length=length, dequantise=0.0).clean()
    return Windows(Footage(tiny_corpus(), tiny_context()), spec, split="val", batch=100, seed=1)


def test_training_windows_shorter_than_those_of_the_model_are_refused() -> None:
    context, short = tiny_context(), held_out(length=N - 1)
    model = build(pose_dim=context.pose_dim, context_dim=context.size).float()
    message = r"\[training.windows\] some windows have 3 frames, the model scores 4 at once; raise length"
    with pytest.raises(TrainingError, match=message):
        frame_nats(model, short, context)
    with pytest.raises(TrainingError, match=message):
        Trainer(model, short, TrainingSpec(steps=1))


def test_a_lookahead_shorter_than_a_window_is_reported(tmp_path: Path) -> None:
    for window, words in (
        (2, ()),
        (4, ("samples 4 frames at once with a lookahead of 2", "context.lookahead=3")),
    ):
        recipe = tiny_recipe()
        tables = {**recipe.tables, "model": {"name": "glow", **asdict(SMALL), "window": window}}
        run = TrainingRun(
            tmp_path / str(window),
            TrainingPlan.of(dataclasses.replace(recipe, tables=tables)),
            tiny_corpus(),
            seed=1,
        )
        assert run.checkpoint().about["stride"] == window
        assert len(run.warnings) == bool(words)
        assert all(word in run.warnings[0] for word in words)


def test_a_sampler_samples_windows_and_returns_their_shares() -> None:
    context = tiny_context()
    model = build(pose_dim=context.pose_dim, context_dim=context.size).float()
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    reach = ControlRange(1.5, 0.5, 0.5, 1.0)
    checkpoint = Checkpoint("glow", asdict(SMALL), weights, context, reach, about={"stride": N})
    sampler = Sampler.of(checkpoint)
    path = ControlPath.from_velocities(np.tile([1.0, 0.1, 0.3], (11, 1)), sampler.fps)
    sampled = list(sampler.sample([Track(path, seed=3)]))
    live = list(sampler.stream(iter(path.velocities()), seed=3))
    assert np.array_equal(np.stack(live), np.stack([pose[0] for pose, _ in sampled]))
    nats = np.array([float(nats[0]) for _, nats in sampled])
    assert np.isfinite(nats).all()
    parts = np.flatnonzero(np.diff(nats))  # where one window's shares give way to another's
    assert len(parts) >= 2 and (np.diff(parts) == N).all()
    assert likelihood_terms(checkpoint).endswith(", in equal shares of 4 frames scored at once")
