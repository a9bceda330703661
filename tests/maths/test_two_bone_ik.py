"""Two-bone inverse kinematics: exact bone lengths, reachable targets are reached, stable at a straight leg."""

import numpy as np
import pytest

from moglow.maths.rotations import quat_angle, quat_normalize, quat_rotate
from moglow.maths.two_bone_ik import (
    across_leg,
    aim,
    direction_to_swivel,
    knee_direction,
    soft_reach,
    solve_leg,
    swivel_to_direction,
)

EXACT = 1e-12
"""Metres or radians: rounding of doubles."""


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def legs(generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Hips, ankles within and beyond reach, thighs, shins, knee directions; axes (7, 50)."""
    hip, ankle, direction = generator.normal(size=(3, 7, 50, 3))
    thigh, shin = generator.uniform(0.3, 1.0, size=(2, 7, 50))
    return hip, ankle, thigh, shin, direction


@pytest.mark.parametrize("softness", [0.0, 0.05])
def test_bones_keep_their_lengths(legs: tuple[np.ndarray, ...], softness: float) -> None:
    hip, _, thigh, shin, _ = legs
    knee, ankle = solve_leg(*legs, softness=softness)
    np.testing.assert_allclose(np.linalg.norm(knee - hip, axis=-1), thigh, atol=EXACT)
    np.testing.assert_allclose(np.linalg.norm(ankle - knee, axis=-1), shin, atol=EXACT)


def test_reachable_targets_are_reached(legs: tuple[np.ndarray, ...]) -> None:
    hip, wanted, thigh, shin, _ = legs
    distance = np.linalg.norm(wanted - hip, axis=-1)
    near = (distance < thigh + shin) & (distance > np.abs(thigh - shin))
    _, ankle = solve_leg(*legs)
    assert 20 < near.sum() < near.size - 20
    np.testing.assert_allclose(ankle[near], wanted[near], atol=EXACT)
    np.testing.assert_allclose(np.cross(ankle - hip, wanted - hip), 0, atol=1e-10)


def test_the_knee_points_where_it_should(legs: tuple[np.ndarray, ...]) -> None:
    hip, _, _, _, direction = legs
    knee, ankle = solve_leg(*legs)
    along = (ankle - hip) / np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
    across = across_leg(along, direction)
    bent = np.linalg.norm(np.cross(knee - hip, along), axis=-1) > 0.1
    np.testing.assert_allclose(knee_direction(hip, knee, ankle, -along)[bent], across[bent], atol=1e-8)


def test_degenerate_legs_give_finite_exact_knees() -> None:
    zero, down = np.zeros(3), np.array([0.0, -1.0, 0.0])
    for ankle in (zero, down, 1e-12 * down, (1 - 1e-15) * down, 5 * down):
        for direction in (zero, down, np.array([0.0, 0.0, 1.0])):
            knee, reached = solve_leg(zero, ankle, 0.5, 0.5, direction)
            assert np.isfinite([knee, reached]).all()
            assert np.linalg.norm(knee) == pytest.approx(0.5, abs=EXACT)
            assert np.linalg.norm(knee - reached) == pytest.approx(0.5, abs=EXACT)


def test_soft_reach_is_smooth_and_never_longer() -> None:
    distance = np.linspace(0.8, 1.5, 20001)
    reached = soft_reach(distance, 1.0, softness=0.05)
    slope = np.gradient(reached, distance)
    assert reached.max() <= 1.0
    assert slope.min() >= 0
    assert np.abs(np.diff(slope)).max() < 1e-3
    np.testing.assert_array_equal(reached[distance < 0.95], distance[distance < 0.95])


def test_soft_reach_tames_the_knee() -> None:
    """Passing through full stretch at constant speed, the soft knee moves far more slowly."""
    ankle = np.array([0.0, -1.0, 0.0]) * np.linspace(0.9, 1.1, 400)[:, None]
    forward = np.array([0.0, 0.0, 1.0])
    step = {}
    for softness in (0.0, 0.05):
        knee, _ = solve_leg(np.zeros(3), ankle, 0.5, 0.5, forward, softness=softness)
        step[softness] = np.linalg.norm(np.diff(knee, axis=0), axis=-1).max()
    assert step[0.05] < step[0.0] / 5


def test_knee_direction_glides_to_the_straight_answer() -> None:
    """As the knee approaches the line of the leg, the direction stays continuous and ends at the given one."""
    hip, ankle = np.zeros(3), np.array([0.0, -0.8, 0.0])
    height = np.linspace(0.1, 0.0, 2001)
    knee = np.stack([height, np.full_like(height, -0.4), np.zeros_like(height)], axis=-1)
    direction = knee_direction(hip, knee, ankle, np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(direction[0], [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(direction[-1], [0, 0, 1], atol=1e-9)
    assert np.linalg.norm(np.diff(direction, axis=0), axis=-1).max() < 5e-3


def test_swivel_and_direction_undo(legs: tuple[np.ndarray, ...], generator: np.random.Generator) -> None:
    hip, ankle, *_, forward = legs
    swivel = generator.uniform(-np.pi, np.pi, size=hip.shape[:-1])
    direction = swivel_to_direction(hip, ankle, swivel, forward)
    np.testing.assert_allclose(direction_to_swivel(hip, ankle, direction, forward), swivel, atol=1e-9)


def test_aim_points_the_bone_with_the_least_turn(generator: np.random.Generator) -> None:
    rotation = quat_normalize(generator.normal(size=(40, 4)))
    bone, towards = generator.normal(size=(2, 40, 3))
    aimed = aim(rotation, bone, towards)
    pointing = quat_rotate(aimed, bone)
    np.testing.assert_allclose(np.cross(pointing, towards), 0, atol=1e-10)
    assert (np.sum(pointing * towards, axis=-1) > 0).all()
    before = quat_rotate(rotation, bone)
    cosine = np.sum(before * towards, -1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(towards, axis=-1)
    np.testing.assert_allclose(quat_angle(rotation, aimed), np.arccos(cosine), atol=1e-6)
