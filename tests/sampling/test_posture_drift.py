"""The posture of a take: as different as recorded ones, above the feet, and the same for each way of sampling."""

from dataclasses import replace

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.corpus.postures import AXES
from moglow.paths.control_path import ControlPath
from moglow.paths.presets import preset
from moglow.sampling.ensemble import Ensemble
from moglow.sampling.label_change import change_length
from moglow.sampling.posture_drift import FARTHEST, PostureDrift
from moglow.sampling.sampler import Sampler, Track
from tests.sampling.test_sampler import make_checkpoint

SIZE = 0.1


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """A model in whose first style one joint differs, and in whose second style another one."""
    made = make_checkpoint(lookahead=2, carry={})
    context = made.context
    axes = np.zeros((len(context.styles), AXES, context.pose_dim), np.float32)
    tilt = context.encoding.slice("joints").start
    for style in range(len(axes)):
        axes[style, 0, tilt + style] = SIZE / context.pose_deviation[tilt + style]
    return replace(made, context=replace(context, posture_axes=axes))


def plain(checkpoint: Checkpoint) -> Checkpoint:
    context = checkpoint.context
    return replace(checkpoint, context=replace(context, posture_axes=np.zeros_like(context.posture_axes)))


def moved(drift: PostureDrift | None, label: np.ndarray, frames: int) -> np.ndarray:
    assert drift is not None
    rows = len(drift.held)
    return np.stack([drift.next(np.repeat(label[None], rows, 0)) for _ in range(frames)], axis=1)


def test_postures_differ_as_recorded_ones_do_and_change_slowly(checkpoint: Checkpoint) -> None:
    context = checkpoint.context
    drift = PostureDrift.of(context, [(seed, 0) for seed in range(400)], 1.0)
    found = moved(drift, context.style_vector(context.styles[0]), 600)
    tilt = context.encoding.slice("joints").start
    assert found[..., tilt].std() == pytest.approx(0.76 * SIZE, rel=0.06)
    assert np.abs(found[..., tilt]).max() < FARTHEST * SIZE
    assert found[..., tilt].mean(1).std() > 0.5 * SIZE  # most of it is kept
    assert np.abs(np.diff(found, axis=1)).max() < 0.02 * SIZE * 3
    assert not np.delete(found, tilt, axis=-1).any()


def test_a_posture_depends_on_seed_and_take_alone(checkpoint: Checkpoint) -> None:
    context = checkpoint.context
    label = context.style_vector(context.styles[0])
    three = moved(PostureDrift.of(context, [(1, 0), (1, 1), (2, 0)], 0.7), label, 100)
    again = moved(PostureDrift.of(context, [(1, 1)], 0.7), label, 100)
    np.testing.assert_allclose(again[0], three[1], atol=1e-12)
    assert np.abs(three[0] - three[1]).max() > 1e-3 and np.abs(three[0] - three[2]).max() > 1e-3
    steady = moved(PostureDrift.of(context, [(1, 0), (1, 1)], 0.7, [True, False]), label, 100)
    assert not steady[0].any()
    np.testing.assert_allclose(steady[1], three[1], atol=1e-12)


def test_temperature_zero_and_models_without_axes_have_the_mean_posture(checkpoint: Checkpoint) -> None:
    assert PostureDrift.of(checkpoint.context, [(0, 0)], 0.0) is None
    assert PostureDrift.of(plain(checkpoint).context, [(0, 0)], 1.0) is None


def test_the_axes_of_one_style_give_way_to_those_of_another(checkpoint: Checkpoint) -> None:
    context, frames = checkpoint.context, change_length(checkpoint.context.fps)
    first, second = (context.style_vector(style)[None] for style in context.styles[:2])
    drift = PostureDrift.of(context, [(5, 0)], 1.0)
    assert drift is not None
    found = np.stack([drift.next(first)[0] for _ in range(10)] + [drift.next(second)[0] for _ in range(60)])
    tilt = context.encoding.slice("joints").start
    assert not found[:10, tilt + 1].any() and not found[10 + frames :, tilt].any()
    assert np.abs(np.diff(found, axis=0)).max() < 3 * SIZE / frames


def test_takes_streams_and_ensembles_have_the_same_postures(checkpoint: Checkpoint) -> None:
    fps, style = checkpoint.context.fps, checkpoint.context.styles[0]
    velocities = preset("circle:r=1", fps=fps).velocities()[:80]
    path = ControlPath.from_velocities(velocities, fps, styles=[style] * 80)
    sampler, none = (Sampler.of(each, temperature=0.7) for each in (checkpoint, plain(checkpoint)))
    whole = np.stack([pose[0] for pose, _ in sampler.sample([Track(path, 3), Track(path, 4)])])
    without = np.stack([pose[0] for pose, _ in none.sample([Track(path, 3), Track(path, 4)])])
    streamed = np.stack([*sampler.stream(velocities, seed=3, styles=[style] * 80)])
    tilt = checkpoint.context.encoding.slice("joints").start
    feet = checkpoint.context.encoding.slice("toe_x")
    np.testing.assert_array_equal(whole[:, feet], without[:, feet])
    assert np.abs(whole - without)[:, tilt].max() > 1e-3
    np.testing.assert_allclose(streamed[:60], whole[:60], atol=2e-5)
    motion = dict(Ensemble(checkpoint, 0.7).motions([path], [3]))[0]
    np.testing.assert_allclose(motion.pose[:60], whole[:60], atol=2e-4)
    steady = next(iter(sampler.sample([Track(path, 3, steady=True)])))[0]
    np.testing.assert_allclose(steady[0], without[0], atol=1e-6)
