"""Laps: paths that are walked round without a stand, and clips seen from them."""

import numpy as np
import pytest

from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.paths.laps import is_closed, laps_around, seen_from, steady_velocity, walked_on, without_ends
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


def test_a_lap_has_no_standing_ends_but_the_same_way() -> None:
    for control in ("circle:r=2", "figure8", "line:length=6", "side"):
        path = read_path(control, fps=30.0)
        lap = without_ends(path)
        speed = np.linalg.norm(lap.velocities()[:, :2], axis=-1)
        assert lap.length == pytest.approx(path.length, rel=0.01) and len(lap) < len(path)
        assert speed.min() > 0.9 * np.median(speed) and speed.max() < 1.05 * np.median(speed), control
        np.testing.assert_allclose(lap.positions[[0, -1]], path.positions[[0, -1]], atol=1e-6)
    stand = read_path("stand:seconds=2", fps=30.0)
    assert without_ends(stand) is stand
    steady = ControlPath.from_velocities(np.tile([1.0, 0, 0.5], (60, 1)), 30.0)
    assert len(without_ends(steady)) == 60


@pytest.mark.parametrize(
    ("control", "velocity"),
    [
        ("line:speed=1.2", [1.2, 0, 0]),
        ("back:speed=0.8", [-0.8, 0, 0]),
        ("side:speed=-0.5", [0, -0.5, 0]),
        ("circle:r=2,speed=1.2", [1.2, 0, 0.6]),
        ("turn:angle=180,rate=90", [0, 0, np.pi / 2]),
        ("stand", [0, 0, 0]),
    ],
)
def test_a_steady_path_has_one_velocity(control: str, velocity: list[float]) -> None:
    found = steady_velocity(read_path(control, fps=30.0))
    assert found is not None
    np.testing.assert_allclose(found, velocity, atol=0.03)


def test_a_path_that_bends_or_waits_has_no_one_velocity() -> None:
    assert steady_velocity(read_path("figure8", fps=30.0)) is None
    waits = read_path("line", fps=30.0).then(read_path("line", fps=30.0))
    assert steady_velocity(waits) is None


def test_rounds_go_on_from_where_the_last_one_ends() -> None:
    lap = without_ends(read_path("circle:r=2", fps=30.0))[:100].moved((1.0, 2.0), heading=0.4)
    chain = laps_around(lap, 2, 1)
    own = chain[2 * 99 : 3 * 99 + 1]
    np.testing.assert_allclose(own.positions, lap.positions, atol=1e-9)
    np.testing.assert_allclose(chain.velocities()[99 + 1 : 2 * 99 + 1], lap.velocities()[1:], atol=1e-9)
    on = walked_on(lap, 300)
    np.testing.assert_allclose(on.velocities()[1:100], lap.velocities()[1:], atol=1e-9)
    np.testing.assert_allclose(on.velocities()[101:199], lap.velocities()[2:], atol=1e-9)
    assert is_closed(read_path("turn:angle=360", fps=30.0)) and not is_closed(read_path("stand", fps=30.0))


def test_a_clip_seen_from_its_path_stays_and_its_feet_move_as_the_ground_does() -> None:
    clip, planted = walk(skeleton_of(RIGS["mixamo"]), seconds=2.0, speed=1.0)
    path = ControlPath.from_velocities(np.tile([1.0, 0, 0.0], (len(clip), 1)), clip.fps)
    path = path.moved((3.0, 1.0), heading=1.0)
    moved = clip.moved(heading=1.0).moved((3.0, 0.0, 1.0))
    seen = seen_from(moved, path)
    np.testing.assert_allclose(seen.headings(), clip.headings(), atol=1e-6)
    still = seen_from(clip, ControlPath.standing(len(clip), clip.fps))
    np.testing.assert_allclose(seen.world_positions[..., 1], still.world_positions[..., 1], atol=1e-9)
    leg = clip.skeleton.anatomy.legs[0].ankle
    stays = planted[1:, 0] & planted[:-1, 0]
    steps = np.diff(seen.world_positions[:, leg], axis=0)[stays] * clip.fps
    np.testing.assert_allclose(steps[:, 2], -1.0, atol=1e-6)
