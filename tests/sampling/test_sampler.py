"""The sampler: equal to torch, with noise that does not depend on the chunks, and a figure that follows its path."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import repeat
from typing import Any

import numpy as np
import pytest
import torch

from moglow.checkpoint import Checkpoint
from moglow.corpus.context_spec import ContextSpec
from moglow.models.moglow import MoGlow
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.presets import preset
from moglow.sampling.fast.numpy_moglow import NumpyMoGlow
from moglow.sampling.sampler import Past, Sampler, Track
from moglow.sampling.start_and_stop import ending_start, setting_off
from tests.support.tiny import CARRY, tiny_context

ROUNDING = 2e-5
NATS = 1e-3
"""Of a sum of some hundred logarithms in float32."""


def make_checkpoint(
    lookahead: int = 0, *, carry: Mapping[str, float] = CARRY, **config: object
) -> Checkpoint:
    """A small model with random weights everywhere, so that nothing is the identity.

    It does not know to step: with the carry feet stay behind. Without it poses are those of a body.
    """
    context = tiny_context(ContextSpec(history=3, lookahead=lookahead, flags=True, carry=carry))
    chosen = MoGlow.Config(**{"steps": 3, "hidden": 8, "encoder": (8, 6), **config})  # type: ignore[arg-type]
    model = MoGlow(chosen, context.pose_dim, context.size)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "head" in name or "actnorm" in name:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return Checkpoint("moglow", asdict(chosen), weights, context, ControlRange(1.5, 0.5, 0.5, 1.0))


@pytest.mark.parametrize("latent", ["normal", "student"])
@pytest.mark.parametrize("scale", ["paper", "bounded"])
@pytest.mark.parametrize(("encoder", "layers"), [((), 2), ((8,), 1), ((8, 6), 2)])
def test_numpy_samples_like_torch(latent: str, scale: str, encoder: tuple[int, ...], layers: int) -> None:
    checkpoint = make_checkpoint(latent=latent, scale=scale, encoder=encoder, layers=layers)
    ours, theirs = NumpyMoGlow(checkpoint.config, checkpoint.weights), checkpoint.to_torch()
    generator = np.random.default_rng(0)
    state, memory = ours.initial_state(2), theirs.initial_state()
    for _ in range(12):
        context = generator.normal(size=(2, checkpoint.context.size)).astype(np.float32)
        noise = generator.standard_normal((2, ours.noise_dim), dtype=np.float32)
        sampled, nats, state = ours.step(context, state, noise, temperature=0.8)
        vector, numbers = torch.as_tensor(context), torch.as_tensor(noise)
        log_prob, _ = theirs.log_prob(torch.as_tensor(sampled)[:, None], vector[:, None], memory)
        expected, memory = theirs.step(vector, memory, numbers, temperature=0.8)
        assert np.allclose(sampled, expected.numpy(), atol=ROUNDING, rtol=ROUNDING)
        assert nats.shape == (2,) and np.allclose(nats, log_prob[:, 0].numpy(), atol=NATS)


@pytest.mark.parametrize("conditioner", ["lstm", "gru"])
def test_the_likelihood_is_that_of_the_standardised_pose(conditioner: str) -> None:
    """A sampler's likelihood of a frame is torch's log_prob of its target, less the scale of targets."""
    checkpoint = make_checkpoint(conditioner=conditioner)
    sampler, model = Sampler.of(checkpoint, temperature=0.7), checkpoint.to_torch()
    generator, context = np.random.default_rng(0), checkpoint.context
    controls = generator.normal(size=(1, 3)).astype(np.float32)
    coming, style = sampler.model.array(controls[None]), sampler.model.array(context.style_vector(None)[None])
    past, memory = sampler.start(coming, style, [generator]), None
    past = replace(past, memory=sampler.model.initial_state())
    for _ in range(5):
        seen = np.concatenate([past.controls, coming], axis=1)
        vector = torch.as_tensor(
            context.build(np.asarray(past.poses), seen, context.style_vector(None)[None])
        )
        noise = generator.standard_normal((1, sampler.model.noise_dim), dtype=np.float32)
        before = past
        past, _, nats = sampler.step(past, coming, sampler.model.array(noise), style)
        poses = np.asarray(past.poses[:, -1]), np.asarray(before.poses)
        target = context.to_target(*poses, controls[:1])
        log_prob, memory = model.log_prob(torch.as_tensor(target)[:, None], vector[:, None].float(), memory)
        assert nats[0] == pytest.approx(float(log_prob) - context.log_scale, abs=10 * NATS)


@pytest.mark.parametrize("style", ["calm", None])
def test_a_motion_sets_off_from_a_stand_in_the_posture_of_its_style(
    style: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = Sampler.of(make_checkpoint(lookahead=2))
    sampler.__dict__["_frame"] = sampler._sampled  # so that `Sampler.step` is called for each frame
    context, seen = sampler.context, []
    step = Sampler.step

    def watched(self: Sampler, past: Past, controls: Any, noise: Any, label: Any) -> Any:
        seen.append((past, context.physical_control(controls[0, 0])))
        return step(self, past, controls, noise, label)

    monkeypatch.setattr(Sampler, "step", watched)
    wanted = np.array([[[0.9, 0.1, 0.2]]], np.float32).repeat(3, axis=1)
    label = context.style_vector(style)[None]
    sampler.start(context.standardize_control(wanted), label, [np.random.default_rng(0)])
    speeds = np.array([control[0] for _, control in seen]) / 0.9
    np.testing.assert_allclose(speeds, setting_off(sampler.fps), atol=1e-5)
    np.testing.assert_allclose(seen[0][0].poses[0], np.tile(context.posture(label), (3, 1)), atol=1e-6)


def test_a_motion_does_not_depend_on_its_batch() -> None:
    """To the last bit: other paths, other lengths, other takes, in any order."""
    sampler = Sampler.of(make_checkpoint(lookahead=2, hidden=32), temperature=0.8)
    wanted = [(1.0, 0.3, 30, ""), (0.5, 0.0, 12, "calm"), (0.0, 1.0, 19, "brisk")]
    paths = [
        ControlPath.from_velocities(
            np.tile([speed, 0.1, turn], (frames, 1)), sampler.fps, styles=(style and [style] * frames) or None
        )
        for speed, turn, frames, style in wanted
    ]
    paths.append(preset("line:length=0.3", sampler.fps))  # comes to a stand
    parting = [ending_start(path) for path in paths]
    assert [start is None for start in parting] == [True, True, True, False]
    tracks = [Track(path, seed=5, take=take) for path in paths for take in range(3)]
    together, fewer = list(sampler.sample(tracks)), list(sampler.sample(tracks[::-1][:7]))
    assert len(together) == max(map(len, paths))
    for row, track in enumerate(tracks):
        alone = list(sampler.sample([track]))
        live = sampler.stream(
            track.path.velocities(), seed=5, take=track.take, styles=track.path.styles or repeat(None)
        )
        assert len(alone) == len(track.path)
        same = slice(0, ending_start(track.path))
        assert np.array_equal(np.stack(list(live))[same], np.stack([pose[0] for pose, _ in alone])[same])
        for batch, place in ((together, row), (fewer, len(tracks) - 1 - row)):
            for (pose, nats), (mine, its_nats) in zip(batch, alone, strict=False):
                assert place >= len(pose) or (
                    np.array_equal(pose[place], mine[0]) and nats[place] == its_nats[0]
                )


@pytest.mark.parametrize("lookahead", [0, 2])
def test_the_same_seed_gives_the_same_motion_by_every_call(lookahead: int) -> None:
    sampler = Sampler.of(make_checkpoint(lookahead))
    path = ControlPath.from_velocities(np.tile([1.0, 0.1, 0.3], (30, 1)), sampler.fps)
    whole = np.stack(list(sampler.stream(path.velocities(), seed=3, take=1)))
    live = sampler.stream(iter(path.velocities()), seed=3, take=1)
    piece = np.stack([next(live) for _ in range(30 - lookahead)])
    assert len(whole) == 30
    assert np.array_equal(piece, whole[: len(piece)])
    assert not np.allclose(whole, np.stack(list(sampler.stream(path.velocities(), seed=3, take=2))))
    assert not np.allclose(whole, np.stack(list(sampler.stream(path.velocities(), seed=4, take=1))))


def test_a_control_acts_from_its_frame_on() -> None:
    """With no lookahead the pose of frame t depends on the controls up to t and on no later one."""
    sampler = Sampler.of(make_checkpoint())
    calm, turning = np.tile([1.0, 0, 0], (20, 1)), np.tile([1.0, 0, 0], (20, 1))
    turning[12:] = [0.5, 0.3, 1.0]
    a, b = (np.stack(list(sampler.stream(velocities))) for velocities in (calm, turning))
    assert np.array_equal(a[:12], b[:12])
    assert not np.allclose(a[12:], b[12:])


def test_temperature_zero_gives_the_same_pose_for_every_seed() -> None:
    sampler = Sampler.of(make_checkpoint(), temperature=0.0)
    velocities = np.tile([1.0, 0, 0], (10, 1))
    a, b = (np.stack(list(sampler.stream(velocities, seed=seed))) for seed in (0, 1))
    assert np.array_equal(a, b)


def test_the_hips_go_where_the_path_goes() -> None:
    sampler = Sampler.of(make_checkpoint())
    path = ControlPath.from_velocities(np.tile([1.0, 0, 0.4], (60, 1)), 30.0, start=(2.0, -1.0, 0.5))
    clip = sampler.generate(path, name="arc")
    assert clip.fps == sampler.fps and abs(clip.duration - path.duration) < 1 / sampler.fps
    requested = path.resample(clip.fps).positions
    assert np.linalg.norm(clip.ground_positions() - requested, axis=-1).max() < 1.0


def test_other_conditioners_sample_through_torch() -> None:
    sampler = Sampler.of(make_checkpoint(conditioner="gru"))
    poses = np.stack(list(sampler.stream(np.tile([1.0, 0, 0], (5, 1)), seed=0)))
    again = np.stack(list(sampler.stream(np.tile([1.0, 0, 0], (5, 1)), seed=0)))
    assert np.isfinite(poses).all() and np.array_equal(poses, again)
