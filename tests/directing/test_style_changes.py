"""Directed motion changes its style as other motion does, and meets poses within a change exactly."""

import numpy as np
import pytest

import moglow
from moglow.checkpoint import Checkpoint
from moglow.directing.beginnings import from_a_stand
from moglow.directing.course import Course, Flow, Moment
from moglow.directing.directed import Director
from moglow.maths.rotations import Array
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.label_change import change_length
from moglow.sampling.sampler import Sampler, Track

FRAMES, AT = 180, 80
SEED, TEMPERATURE = 2, 0.6


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


@pytest.fixture(scope="module")
def flow(shipped: Checkpoint) -> Flow:
    return Flow.of(shipped)


@pytest.fixture(scope="module")
def pose() -> moglow.Clip:
    """A motion from which poses are taken."""
    return moglow.generate("line:length=2", seed=8).clip


def walk(*styles: str) -> ControlPath:
    """Returns a straight walk in the first style, and in the last one from frame `AT` on."""
    rows = np.tile([0.9, 0.0, 0.0], (FRAMES, 1))
    return ControlPath.from_velocities(rows, 30.0, styles=[styles[0]] * AT + [styles[-1]] * (FRAMES - AT))


def directed(flow: Flow, path: ControlPath) -> Array:
    """Returns the poses of a path without goals."""
    return Director(flow, path, from_a_stand(flow, path), TEMPERATURE, SEED).direct([]).poses


def before_change(flow: Flow, frames: int) -> tuple[Course, int, Moment, Array]:
    """Returns a course, a frame some frames before its change of label, the state there, and latents ``(n, D)``."""
    begin = from_a_stand(flow, walk("neutral", "carrying"))
    generator = np.random.default_rng(1)
    latents = 0.6 * generator.standard_normal((len(begin.course), 1, flow.model.pose_dim)).astype(np.float32)
    frame = len(begin.course) - FRAMES + AT - frames
    *_, moments = flow.roll(begin.course, 0, begin.moment, latents[:frame])
    return begin.course, frame, moments[-1], latents[frame:, 0]


def test_without_goals_it_is_the_motion_of_the_sampler(shipped: Checkpoint, flow: Flow) -> None:
    path = walk("neutral", "carrying")
    sampler = Sampler.of(shipped, temperature=TEMPERATURE)
    sampled = np.stack([poses[0] for poses, _ in sampler.sample([Track(path, seed=SEED, steady=True)])])
    np.testing.assert_allclose(directed(flow, path), sampled, atol=1e-3)


def test_the_latents_of_poses_in_a_change_are_found(flow: Flow) -> None:
    course, frame, moment, latents = before_change(flow, 3)
    latents = latents[: 6 + change_length(30.0), None]
    poses, nats, rolled = flow.roll(course, frame, moment, latents)
    found, nats_again, scored = flow.score(course, frame, moment, poses)
    np.testing.assert_allclose(found, latents, atol=0.02)
    np.testing.assert_allclose(nats_again, nats, atol=0.5)
    assert [each.change is None for each in rolled] == [each.change is None for each in scored]
    again, *_ = flow.roll(course, frame, moment, found)
    np.testing.assert_allclose(again, poses, atol=2e-2)  # sampled with short integers, inverted without


@pytest.mark.parametrize("before", [2, -10, -change_length(30.0) + 2])
def test_derivatives_pass_through_a_change(flow: Flow, before: int) -> None:
    """Of one linear function of the last pose, against central differences, for one frame before, in and after it."""
    course, frame, moment, latents = before_change(flow, before)
    latents, generator = latents[:5], np.random.default_rng(2)
    poses, *_ = flow.roll(course, frame, moment, latents[:, None])
    rows = np.zeros((5, 1, flow.model.pose_dim), np.float32)
    rows[-1, 0] = generator.standard_normal(flow.model.pose_dim)
    tapes = flow.tapes(course, frame, moment, poses[:, 0], latents)
    slopes = flow.jacobian(course, frame, tapes, rows)[:, 0]
    for t in (0, 3):
        way = generator.standard_normal(flow.model.pose_dim).astype(np.float32)
        way /= np.linalg.norm(way)
        tried = np.repeat(latents[:, None], 2, axis=1)
        tried[t] += np.stack([0.05 * way, -0.05 * way])
        ends, *_ = flow.roll(course, frame, moment.rows([0, 0]), tried)
        change = float((ends[-1] @ rows[-1, 0]) @ [1, -1]) / 0.1
        assert change == pytest.approx(float(slopes[t] @ way), rel=0.05, abs=0.05)


@pytest.mark.parametrize("seconds", [AT / 30, AT / 30 + 0.4])
def test_a_pose_within_a_change_is_exact(pose: moglow.Clip, seconds: float) -> None:
    pins = (moglow.Pin(seconds, pose, 60),)
    made = moglow.generate(walk("neutral", "athletic"), seed=SEED, pins=pins).clip
    at = round(seconds * 30)
    np.testing.assert_allclose(made.rotations[at, 1:], pose.rotations[60, 1:], atol=1e-12)


@pytest.mark.parametrize("seconds", [1.5, AT / 30 + 0.4])
def test_after_a_change_it_moves_in_the_new_style(
    shipped: Checkpoint, pose: moglow.Clip, seconds: float
) -> None:
    def mean(path: ControlPath, *pins: moglow.Pin) -> Array:
        late = slice(AT + 2 * change_length(30.0), -30)
        clip = moglow.generate(path, seed=SEED, pins=pins).clip
        poses = shipped.context.encoding.encode(clip, path)[late].astype(np.float32)
        return np.asarray(shipped.context.standardize_pose(poses).mean(0), float)

    former, new = mean(walk("neutral")), mean(walk("athletic"))
    changed = mean(walk("neutral", "athletic"), moglow.Pin(seconds, pose, 60, "arms"))
    assert (changed - former) @ (new - former) > 0.5 * np.square(new - former).sum()
