"""Short last steps: the foot lands short of its place, stands, and takes another step to it."""

import numpy as np

from moglow.corpus.last_steps import LIFT, MISSING, SMALLEST, with_short_last_step, with_smaller_steps
from moglow.corpus.splicing import swings
from moglow.encodings.encoding import Features
from tests.corpus.test_starts import FPS, corpus

SEEDS = range(8)


def stop() -> Features:
    """Returns a walk backwards that stops and stands: a start in reversed time."""
    features = corpus().features(corpus().stretches[0]).reversed()
    return Features(np.array(features.pose), np.array(features.control))


def forwards() -> Features:
    """Returns a step ahead of the left foot and a stand, along a path that moves meanwhile."""
    pose = np.repeat(np.array(stop().pose[-1:]), 60, axis=0)
    control = np.zeros((60, 3), np.float32)
    control[10:20, 0] = 0.4
    ahead = corpus().encoding.slice("toe_z")
    pose[:, ahead] -= np.cumsum(control[:, :1], axis=0) / FPS - 0.2
    pose[10:20, ahead.start] += np.linspace(0, 0.2, 10)
    pose[20:, ahead] = pose[-1, ahead] + [0.2, 0.0]
    return Features(pose, control)


def test_the_foot_lands_short_and_steps_again() -> None:
    recorded, ahead = forwards(), corpus().encoding.slice("toe_z").start
    height = corpus().encoding.slice("toe_height").start
    changed = [
        made
        for seed in SEEDS
        if (made := with_short_last_step(recorded, corpus().encoding, FPS, np.random.default_rng(seed)))
    ]
    assert len(changed) >= 3
    for made in changed:
        short = recorded.pose[:, ahead] - made.pose[:, ahead]
        assert MISSING[0] <= short.max() <= MISSING[1]
        np.testing.assert_allclose(short[[0, 9, -1]], 0, atol=1e-6)
        rise = made.pose[:, height] - recorded.pose[:, height]
        assert 0.5 * LIFT < rise.max() <= LIFT + 1e-6 and rise[:21].max() == 0
        assert swings(corpus().encoding, made, FPS)[22:, 0].sum() >= 4
        others = np.delete(made.pose - recorded.pose, [ahead, height], axis=1)
        assert np.abs(others).max() == 0
        np.testing.assert_array_equal(made.control, recorded.control)


def test_stands_and_stops_without_room_are_left_as_they_are() -> None:
    recorded = forwards()
    generator = np.random.default_rng(0)
    for part in (slice(0, 22), slice(30, 60)):
        cut = Features(recorded.pose[part], recorded.control[part])
        assert with_short_last_step(cut, corpus().encoding, FPS, generator) is None


def test_smaller_steps_end_in_the_recorded_stand() -> None:
    recorded = stop()
    for seed in SEEDS:
        made = with_smaller_steps(recorded, corpus().encoding, np.random.default_rng(seed))
        np.testing.assert_array_equal(made.pose[-1], recorded.pose[-1])
        size = made.control[0, 0] / recorded.control[0, 0]
        assert SMALLEST <= size <= 1
        np.testing.assert_allclose(made.control[:, :2], size * recorded.control[:, :2], rtol=1e-5)
        swinging = swings(corpus().encoding, recorded, FPS)
        assert (swings(corpus().encoding, made, FPS) & ~swinging).sum() <= 2
