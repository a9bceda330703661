"""Synthetic controls: their range, their order, and the wander that repeats every minute."""

import numpy as np

from moglow.paths.control_range import ControlRange
from moglow.paths.synthetic import (
    EVALUATION_PRESETS,
    evaluation_paths,
    validation_velocities,
    wander_path,
)

REACH = ControlRange(forward=1.2, backward=0.4, sideways=0.3, turn=1.0)


def test_validation_controls_are_constant_but_the_last_which_stops_and_goes() -> None:
    *constant, going = validation_velocities(REACH, 20.0, frames=160).values()
    assert all((np.ptp(control, axis=0) == 0).all() for control in constant)
    assert going[0, 0] == 0 and going[:, 0].max() == constant[1][0, 0]
    assert all(control.shape == (160, 3) and control.dtype == np.float32 for control in (*constant, going))


def test_validation_controls_are_within_the_range() -> None:
    for velocities in validation_velocities(REACH, 20.0, frames=160).values():
        forward, sideways, turn = velocities.T
        assert forward.max() <= REACH.forward and forward.min() >= -REACH.backward
        assert np.abs(sideways).max() <= REACH.sideways and np.abs(turn).max() <= REACH.turn


def test_evaluation_paths_are_the_presets_slowed_into_the_range() -> None:
    paths = evaluation_paths(REACH, 30.0, seconds=6.0)
    assert list(paths) == list(EVALUATION_PRESETS)
    assert all(len(path) == 181 and not REACH.warnings(path) for path in paths.values())
    assert paths["stand"].length == 0
    assert paths["walk"].length <= REACH.forward * 6.0


def test_the_wander_repeats_every_minute() -> None:
    reach = ControlRange(forward=2.0, backward=1.0, sideways=1.0, turn=2.0)
    velocities = wander_path(reach, 10.0, seconds=120.0).velocities()
    np.testing.assert_allclose(velocities[601:1200], velocities[1:600], atol=1e-6)
    assert velocities[:, 0].min() < 0.05 and velocities[:, 0].max() > 1.0  # it stops and goes
