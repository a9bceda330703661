"""Paths over a ground: a tread a step, and slower where it climbs."""

import numpy as np
import pytest

from moglow.ground.shapes import Flat, Slope, Stairs
from moglow.ground.treads import SPEC, over_ground, tread_edges
from moglow.paths.csv_files import read_path


def test_edges_are_where_the_stairs_are() -> None:
    z = np.arange(0.0, 5.0, SPEC.spacing)
    heights = Stairs(rise=0.17, run=0.29, steps=5, start=1.0).heights(0 * z, z)
    np.testing.assert_allclose(tread_edges(heights), 1.0 + 0.29 * np.arange(5), atol=0.011)
    assert not len(tread_edges(Slope(angle=30.0, start=1.0).heights(0 * z, z)))


def test_a_flat_floor_changes_nothing() -> None:
    path = read_path("figure8", fps=30.0)
    way = over_ground(path, Flat(0.4), step=0.5, speed=0.8)
    np.testing.assert_allclose(way.path.positions, path.positions, atol=1e-9)
    assert (way.stretch == 1).all() and not way.on_treads.any()


@pytest.mark.parametrize("rise", [0.17, -0.17])
def test_a_step_of_the_gait_is_a_tread(rise: float) -> None:
    stairs = Stairs(rise=rise, run=0.29, steps=8)
    way = over_ground(read_path("line:length=6", fps=30.0), stairs, step=0.5, speed=0.8)
    on = (way.path.positions[:, 1] > 1.9) & (way.path.positions[:, 1] < 3.3)
    np.testing.assert_allclose(way.stretch[on], 0.5 / 0.29, rtol=0.02)
    speed = np.linalg.norm(way.path.velocities()[:, :2], axis=-1)
    np.testing.assert_allclose(speed[on], 0.8 * 0.29 / 0.5, rtol=0.1)
    gait = np.linalg.norm(way.gait().velocities()[:, :2], axis=-1)
    np.testing.assert_allclose(gait[on], 0.8, rtol=0.1)
    np.testing.assert_allclose(way.path.positions[-1], [0.0, 6.0], atol=1e-3)


def test_deep_treads_take_two_steps() -> None:
    stairs = Stairs(rise=0.1, run=0.75, steps=3)
    way = over_ground(read_path("line:length=6", fps=30.0), stairs, step=0.4, speed=0.8)
    on = (way.path.positions[:, 1] > 2.0) & (way.path.positions[:, 1] < 2.6)
    np.testing.assert_allclose(way.stretch[on], 0.4 * 2 / 0.75, rtol=0.03)


def test_a_slope_is_walked_more_slowly() -> None:
    path = read_path("line:length=8", fps=30.0)
    way = over_ground(path, Slope(angle=15.0), step=0.5, speed=0.8)
    speed = np.linalg.norm(way.path.velocities()[:, :2], axis=-1)
    on = (way.path.positions[:, 1] > 3.0) & (way.path.positions[:, 1] < 5.0)
    np.testing.assert_allclose(speed[on], 1.2 / (1 + np.tan(np.radians(15.0))), rtol=0.05)
