"""Preset paths: each begins at the origin at rest and keeps its shape, pace and length; errors are named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moglow.errors import ControlError
from moglow.maths.rotations import wrap_angle
from moglow.paths.control_path import ControlPath
from moglow.paths.pace import CUT, Pace, follow, round_corners
from moglow.paths.presets import PRESETS, parameters, preset

MILLIMETRE = 1e-3
BETWEEN_FRAMES = 0.02  # metres: the nearest point may lie between two frames
AT_REST = 0.01  # m/s and rad/s
every_preset = pytest.mark.parametrize("name", PRESETS)


@every_preset
@pytest.mark.parametrize("fps", [20.0, 30.0, 120.0])
def test_every_preset_starts_at_the_origin_and_is_at_rest_at_both_ends(name: str, fps: float) -> None:
    path = preset(name, fps)
    velocities = path.velocities()
    assert path.fps == fps
    assert np.allclose(path.positions[0], 0, atol=MILLIMETRE) and abs(path.headings[0]) < MILLIMETRE
    assert np.abs(velocities[[0, -1]]).max() < AT_REST


@every_preset
def test_nothing_starts_or_bends_with_a_jerk(name: str) -> None:
    velocities = preset(name, 60.0).velocities()
    acceleration = np.diff(velocities, axis=0) * 60.0
    assert np.abs(acceleration[:, :2]).max() < 1.2 * Pace().acceleration
    assert np.abs(acceleration[:, 2]).max() < 4.0  # rad/s²
    assert np.abs(np.diff(acceleration, axis=0)).max() < 2.0  # no step from one frame to the next


@every_preset
def test_every_parameter_changes_the_path(name: str) -> None:
    usual = preset(name, 30.0)
    for key, value in parameters(name).items():
        other = preset(f"{name}:{key}={value * 1.3 or 7.7:g}", 30.0)
        same = len(other) == len(usual) and np.allclose(other.positions, usual.positions)
        assert not (same and np.allclose(other.headings, usual.headings)), key


@pytest.mark.parametrize("name", [name for name in PRESETS if "seconds" in parameters(name)])
def test_seconds_are_kept(name: str) -> None:
    path = preset(f"{name}:seconds=12.5", 30.0)
    assert path.duration == pytest.approx(12.5, abs=1 / 30)


def test_a_circle_is_round_and_closes() -> None:
    for radius in (2.0, -3.5):
        path = preset(f"circle:r={radius},laps=2", 30.0)
        away = np.linalg.norm(path.positions - [radius, 0], axis=-1)
        assert np.allclose(away, abs(radius), atol=MILLIMETRE)
        assert path.headings[-1] == pytest.approx(np.sign(radius) * 4 * np.pi, abs=0.01)
        assert path.length == pytest.approx(4 * np.pi * abs(radius), rel=1e-3)
        assert path.velocities()[:, 0].max() == pytest.approx(1.2, rel=0.01)


def test_a_figure_that_steps_aside_or_back_faces_ahead() -> None:
    for name, forward, sideways in (
        ("side", 0, 3),
        ("side:speed=-0.4", 0, -3),
        ("back", -4, 0),
        ("line", 6, 0),
    ):
        path = preset(name, 30.0)
        assert np.allclose(path.positions[-1], [sideways, forward], atol=MILLIMETRE)
        assert np.allclose(path.headings, 0, atol=MILLIMETRE)


def test_a_turn_stays_on_the_spot() -> None:
    path = preset("turn:angle=-270", 30.0)
    assert np.all(path.positions == 0) and path.headings[-1] == pytest.approx(-1.5 * np.pi, abs=MILLIMETRE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("circel", "did you mean 'circle'"),
        ("xyzzy", "try line, circle"),
        ("circle:size=2", "try r, laps, speed, seconds"),
        ("circle:lap=2", "did you mean 'laps'"),
        ("circle:r=two", "r is 'two'; give a number, such as r=2"),
        ("circle:r", "r is ''"),
        ("circle:r=nan", "give a number"),
        ("circle:r=0", "r 0; give a positive number"),
        ("circle:laps=-1", "laps -1; give a positive number"),
        ("line:speed=0", "speed 0"),
        ("line:length=1e9", "km long; give at most 20 km"),
        ("circle:laps=1e9", "km long"),
        ("stand:seconds=1e9", "give 1 to 1000000 frames"),
        ("line:seconds=-3", "takes more than 1.5 s"),
    ],
)
def test_slips_are_named(text: str, message: str) -> None:
    with pytest.raises(ControlError, match=message):
        preset(text, 30.0)


def walk(points: list[tuple[float, float]], speed: float = 1.2) -> ControlPath:
    pace = Pace(speed)
    return follow(round_corners(points, speed / pace.turn)[0], fps=30.0, pace=pace)


def test_corners_are_rounded_to_a_radius_that_can_be_walked() -> None:
    path = walk([(0, 0), (0, 5), (5, 5), (5, 0)])
    speed, turn = path.velocities()[:, 0], path.velocities()[:, 2]
    moving = speed > 0.3
    assert np.all(np.abs(turn[moving]) <= 1.05 * Pace().turn)
    assert (speed[moving] / np.maximum(np.abs(turn[moving]), 1e-9)).min() > 0.95 * 1.2 / Pace().turn
    corner = np.linalg.norm(path.positions - [0, 5], axis=-1).min()
    assert 0.2 < corner < 0.4  # an arc of 0.75 m passes at 0.41 of its radius
    assert np.allclose(path.positions[[0, -1]], [[0, 0], [5, 0]], atol=MILLIMETRE)


def test_a_narrow_bend_is_walked_slowly() -> None:
    narrow = walk([(0, 0), (0, 3), (0.5, 3), (0.5, 0)]).velocities()
    assert np.abs(narrow[:, 2]).max() < 1.1 * Pace().turn
    assert narrow[60:-60, 0].min() < 0.6


def test_a_hairpin_is_turned_on_the_spot() -> None:
    path = walk([(0, 0), (0, 3), (0, 0)])
    speed, turn = path.velocities()[:, 0], path.velocities()[:, 2]
    assert path.positions[:, 1].max() == pytest.approx(3, abs=0.02)
    assert speed[np.abs(turn) > 1.0].max() < 0.15
    assert np.abs(turn).max() <= 1.01 * Pace().turn
    assert abs(wrap_angle(path.headings[-1] - np.pi)) < MILLIMETRE


def test_a_drawn_line_with_jitter_is_walked_at_its_pace() -> None:
    generator = np.random.default_rng(2)
    points = np.stack([generator.normal(0, 0.004, 120), np.linspace(0, 12, 120)], axis=-1)
    speed = follow(round_corners(points, 0.75)[0], fps=30.0).velocities()[:, 0]
    assert np.median(speed) > 1.0


COORDINATES = st.integers(-40, 40).map(lambda decimetres: decimetres / 10)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(COORDINATES, COORDINATES), min_size=2, max_size=8, unique=True), st.floats(0.4, 3.5)
)
def test_any_polygon_can_be_walked(points: list[tuple[float, float]], speed: float) -> None:
    path = walk(points, speed)
    velocities = path.velocities()
    assert np.allclose(path.positions[[0, -1]], [points[0], points[-1]], atol=MILLIMETRE)
    assert np.abs(velocities[[0, -1]]).max() < 0.05
    assert velocities[:, 0].max() <= 1.01 * speed
    assert np.linalg.norm(velocities[:, :2], axis=-1).max() <= 1.05 * speed
    assert np.abs(velocities[:, 2]).max() <= 1.5 * Pace().turn
    reach = [np.linalg.norm(path.positions - point, axis=-1).min() for point in points]
    assert max(reach) <= CUT * speed / Pace().turn + BETWEEN_FRAMES
