"""Laws of the rotation conversions, with scipy as the oracle."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from moglow.maths import rotations as r

EXACT = 1e-12
ORDERS = ["".join(order) for order in permutations("XYZ")]


@pytest.fixture
def quats() -> np.ndarray:
    return r.quat_normalize(np.random.default_rng(0).normal(size=(500, 4)))


def scipy_angles(quat: np.ndarray, order: Any) -> np.ndarray:
    return np.asarray(scipy_of(quat).as_euler(order))


def scipy_of(quat: np.ndarray) -> Rotation:
    return Rotation.from_quat(quat, scalar_first=True)


def test_products_and_turns_match_scipy(quats: np.ndarray) -> None:
    a, b = quats[:250], quats[250:]
    vectors = np.random.default_rng(1).normal(size=(250, 3))
    product = (scipy_of(a) * scipy_of(b)).as_matrix()
    assert np.allclose(r.quat_to_matrix(r.quat_multiply(a, b)), product, atol=EXACT)
    assert np.allclose(r.quat_rotate(a, vectors), scipy_of(a).apply(vectors), atol=EXACT)


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_match_scipy_in_every_order(order: str, quats: np.ndarray) -> None:
    angles = r.quat_to_euler(quats, order)
    assert np.allclose(r.wrap_angle(angles - scipy_angles(quats, order)), 0, atol=1e-7)
    assert r.quat_angle(r.euler_to_quat(angles, order), quats).max() < EXACT


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("distance", [0.0, 1e-13, 1e-9, 1e-7, 1e-4])
@pytest.mark.parametrize("pole", [-1, 1])
def test_euler_angles_are_exact_near_gimbal_lock(order: str, distance: float, pole: int) -> None:
    angles = np.random.default_rng(2).uniform(-3, 3, (100, 3))
    angles[:, 1] = pole * (np.pi / 2 - distance)
    quat = r.euler_to_quat(angles, order)
    assert r.quat_angle(r.euler_to_quat(r.quat_to_euler(quat, order), order), quat).max() < EXACT


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_run_on_without_jumps(order: str) -> None:
    """A tumbling body passes ±180° and the middle angle passes ±90°: unwrapped angles follow it all the way."""
    time = np.linspace(0, 8, 2000)
    truth = np.stack([2.5 * time, 1.9 * np.sin(time), -3 * time], axis=-1)
    angles = r.euler_continuous(r.quat_to_euler(r.euler_to_quat(truth, order), order))
    assert np.abs(np.diff(angles, axis=0)).max() < 0.1
    assert r.quat_angle(r.euler_to_quat(angles, order), r.euler_to_quat(truth, order)).max() < 1e-9


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, 1.0, np.pi - 1e-9, np.pi])
def test_rotation_vectors_round_trip_at_every_angle(angle: float) -> None:
    axes = np.random.default_rng(3).normal(size=(50, 3))
    vectors = angle * axes / np.linalg.norm(axes, axis=-1, keepdims=True)
    assert r.quat_angle(r.expmap_to_quat(vectors), scipy_from_vectors(vectors)).max() < EXACT
    back = r.expmap_to_quat(r.quat_to_expmap(r.expmap_to_quat(vectors)))
    assert r.quat_angle(back, r.expmap_to_quat(vectors)).max() < EXACT


def scipy_from_vectors(vectors: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(vectors).as_quat(scalar_first=True)


def test_matrices_round_trip_at_half_turns_too(quats: np.ndarray) -> None:
    half_turns = r.expmap_to_quat(np.pi * np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0]]))
    both = np.concatenate([quats, half_turns, [r.IDENTITY]])
    assert r.quat_angle(r.matrix_to_quat(r.quat_to_matrix(both)), both).max() < 1e-7
    assert np.allclose(
        r.quat_to_matrix(r.matrix_to_quat(r.quat_to_matrix(both))), r.quat_to_matrix(both), atol=EXACT
    )


def test_the_shortest_turn_takes_one_direction_to_another() -> None:
    a = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]])
    b = np.array([[-1.0, 0, 0], [0, 0, 3], [0, 0, 1], [-1, -1, -1], [1, 0, 0]])
    turn = r.quat_between(a, b)
    directions = b / np.linalg.norm(b, axis=-1, keepdims=True)
    lengths = np.linalg.norm(a, axis=-1, keepdims=True)
    assert np.allclose(r.quat_rotate(turn, a), lengths * directions, atol=EXACT)


def test_slerp_moves_at_a_constant_rate(quats: np.ndarray) -> None:
    a, b = quats[:100], quats[100:200]
    third = r.quat_slerp(a, b, np.full(100, 1 / 3))
    assert np.allclose(r.quat_angle(a, third), r.quat_angle(a, b) / 3, atol=1e-9)
    assert np.allclose(r.quat_angle(third, b), r.quat_angle(a, b) * 2 / 3, atol=1e-9)


def test_the_mean_of_a_symmetric_cloud_is_its_centre() -> None:
    centre = r.expmap_to_quat([0.3, -0.2, 0.9])
    spread = 0.2 * np.random.default_rng(4).normal(size=(50, 3))
    cloud = r.quat_multiply(centre, r.expmap_to_quat(np.concatenate([spread, -spread])))
    cloud[::3] *= -1  # the sign of a quaternion must not matter
    assert r.quat_angle(r.quat_mean(cloud), centre) < 1e-9


def test_headings_grow_to_the_left() -> None:
    left = r.heading_to_quat(np.pi / 2)
    assert np.allclose(r.quat_rotate(left, [0, 0, 1]), [1, 0, 0], atol=EXACT)
    assert np.isclose(r.vector_to_heading(r.heading_to_vector(0.7)), 0.7)
    tilted = r.quat_multiply(r.heading_to_quat(0.7), r.expmap_to_quat([0.2, 0, 0]))
    assert np.isclose(r.quat_to_heading(tilted), 0.7)


def test_neighbouring_quaternions_share_a_half_space() -> None:
    time = np.linspace(0, 20, 400)
    flipped = (
        r.expmap_to_quat(np.stack([time, 0 * time, 0 * time], -1))
        * np.where(np.arange(400) % 3, 1, -1)[:, None]
    )
    smooth = r.quat_continuous(flipped)
    assert np.sum(smooth[1:] * smooth[:-1], axis=-1).min() > 0.9
    assert r.quat_angle(smooth, flipped).max() < EXACT
