"""Steering: held input is reached, nothing jumps, and a model sees it ahead."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moglow.maths.rotations import Array
from moglow.maths.signals import smooth_gaussian
from moglow.paths.control_path import SMOOTHING, ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.steering import Moving, Steering, walked

SEEN = ControlRange(forward=4.2, backward=0.9, sideways=0.4, turn=2.8)
STEERING = Steering(SEEN, fps=30.0)
LOW, HIGH = np.array([-0.9, -0.4, -2.8]), np.array([4.2, 0.4, 2.8])
EXACT = 1e-12

velocity = st.floats(-9, 9)
hands = st.lists(st.tuples(velocity, velocity, velocity), min_size=1, max_size=60).map(np.array)


def steered(wanted: Array, steering: Steering = STEERING) -> Iterator[Moving]:
    moving = Moving()
    for each in wanted:
        yield (moving := steering.step(moving, each))


@settings(deadline=None)
@given(hands)
def test_velocities_and_accelerations_stay_in_their_ranges(wanted: Array) -> None:
    moved = [Moving(), *steered(wanted)]
    bound = (HIGH - LOW) * STEERING.response / np.e
    for before, after in pairwise(moved):
        assert np.all(after.velocities >= LOW - EXACT) and np.all(after.velocities <= HIGH + EXACT)
        assert np.all(np.abs(after.accelerations) <= bound + EXACT)
        change = np.abs(after.velocities - before.velocities) * STEERING.fps  # between the frames, too
        assert np.all(change <= bound + EXACT)


@settings(deadline=None)
@given(hands)
def test_a_model_sees_the_next_velocity_and_then_those_of_the_stick(wanted: Array) -> None:
    *_, moving = steered(wanted)
    seen = STEERING.ahead(moving, wanted[-1], 13)
    assert np.array_equal(seen[0], STEERING.step(moving, wanted[-1]).velocities)
    assert np.array_equal(seen[1:], np.tile(STEERING.clamped(wanted[-1]), (12, 1)))


def test_a_held_stick_is_reached_without_overshoot() -> None:
    moved = np.stack([each.velocities for each in steered(np.tile([1.0, -0.3, 2.0], (120, 1)))])
    assert np.abs(moved[-1] - [1.0, -0.3, 2.0]).max() < 1e-5
    assert np.all(np.diff(moved * [1, -1, 1], axis=0) >= 0)


def test_a_jump_of_the_stick_is_a_little_steeper_than_one_in_the_training_paths() -> None:
    jump = np.repeat([0.0, 1.0], 60)
    smoothed = np.diff(smooth_gaussian(jump, SMOOTHING * 30)).max()
    sprung = np.diff([each.velocities[0] for each in steered(np.tile([1.0, 0, 0], (60, 1)))]).max()
    assert sprung == pytest.approx(1.15 * smoothed, rel=0.01)


@pytest.mark.parametrize("fps", [20.0, 60.0])
def test_the_rate_changes_nothing(fps: float) -> None:
    def after_a_second(steering: Steering) -> Array:
        *_, last = steered(np.tile([1.0, 0.2, -1.0], (round(steering.fps), 1)), steering)
        return last.velocities

    assert np.abs(after_a_second(Steering(SEEN, fps)) - after_a_second(STEERING)).max() < EXACT


def test_the_speed_of_a_full_stick() -> None:
    assert STEERING.wanted(1, 0, 0).tolist() == [1.2, 0, 0]
    assert STEERING.wanted(-1, 0, 0).tolist() == [-0.8, 0, 0]
    assert STEERING.wanted(0, -1, 1).tolist() == [0, -0.4, 1.6]  # side-steps as fast as this model has seen
    assert STEERING.wanted(1, 0, 1, hurry=2).tolist() == [2.4, 0, 1.6]
    assert STEERING.wanted(1, 0, 0, hurry=9).tolist() == [4.2, 0, 0]
    corner = STEERING.wanted(1, 1, 0)
    assert corner == pytest.approx([1.2 / np.sqrt(2), 0.5 / np.sqrt(2), 0])


def test_steps_one_by_one_are_the_path_at_once() -> None:
    velocities = np.stack([each.velocities for each in steered(np.tile([1.0, 0.3, 2.5], (90, 1)))])
    places = [np.array([1.0, -2.0, 0.5])]
    for each in velocities[1:]:
        places.append(walked(places[-1], each, 30.0))
    path = ControlPath.from_velocities(velocities, 30.0, start=(1.0, -2.0, 0.5))
    assert np.abs(np.stack(places) - np.column_stack([path.positions, path.headings])).max() < 1e-9


def test_the_shoulders_turn_first_and_return() -> None:
    moving = STEERING.step(Moving(), [1.0, 0.4, 1.0])
    assert (
        STEERING.twisting(moving) > 0.01 and STEERING.twisting(STEERING.step(Moving(), [1.0, 0.4, 0.0])) == 0
    )
    for _ in range(90):
        moving = STEERING.step(moving, [1.0, 0.4, 1.0])
    assert abs(STEERING.twisting(moving)) < 1e-4
