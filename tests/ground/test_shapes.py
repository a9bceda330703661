"""Grounds by a few numbers, by their text, and as triangles."""

import numpy as np
import pytest

from moglow.errors import ControlError
from moglow.ground.mesh import MeshGround
from moglow.ground.reading import read_ground
from moglow.ground.shapes import Flat, Rough, Slope, Stairs
from moglow.ground.surface import Ground

GROUNDS = [Flat(0.3), Slope(12.0), Slope(-12.0, heading=90.0), Stairs(), Stairs(rise=-0.2), Rough(0.08)]


def test_stairs_rise_at_their_edges() -> None:
    stairs = Stairs(rise=0.17, run=0.29, steps=3, start=1.0)
    z = np.array([0.99, 1.01, 1.28, 1.30, 1.57, 1.59, 9.0])
    np.testing.assert_allclose(stairs.heights(np.zeros(7), z), 0.17 * np.array([0, 1, 1, 2, 2, 3, 3]))
    turned = Stairs(rise=0.17, run=0.29, steps=3, start=1.0, heading=90.0)
    np.testing.assert_allclose(turned.heights(z, np.zeros(7)), stairs.heights(np.zeros(7), z))


def test_a_slope_has_its_angle() -> None:
    heights = Slope(angle=10.0, start=1.0).heights(np.zeros(2), np.array([2.0, 5.0]))
    assert np.degrees(np.arctan2(heights[1] - heights[0], 3.0)) == pytest.approx(10.0)


def test_rough_ground_keeps_its_bounds_and_is_its_seed_s() -> None:
    x, z = np.meshgrid(np.linspace(-5, 5, 101), np.linspace(2, 12, 101))
    heights = Rough(height=0.08, seed=1).heights(x, z)
    assert 0.06 < np.abs(heights).max() <= 0.08
    assert np.array_equal(heights, Rough(height=0.08, seed=1).heights(x, z))
    assert not np.allclose(heights, Rough(height=0.08, seed=2).heights(x, z))


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda ground: ground.name)
def test_the_triangles_of_a_ground_lie_on_it(ground: Ground) -> None:
    low, high = np.array([-1.0, -1.0]), np.array([1.0, 4.0])
    surface = ground.surface(low, high)
    mesh = MeshGround(surface.vertices, surface.faces)
    generator = np.random.default_rng(0)
    x, z = generator.uniform(-0.9, 0.9, 400), generator.uniform(-0.9, 3.9, 400)
    apart = np.abs(mesh.heights(x, z) - ground.heights(x, z))
    assert np.quantile(apart, 0.95) < 0.005
    corners = surface.vertices[surface.faces]
    up = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1]
    assert (up > -1e-9).all(), "anticlockwise from above"


def test_a_text_names_a_ground() -> None:
    ground = read_ground("stairs:rise=-0.2,steps=4")
    assert isinstance(ground, Stairs) and ground.rise == -0.2 and ground.run == 0.29
    assert ground.name == "stairs:rise=-0.2,steps=4"
    assert read_ground(ground) is ground


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stares:rise=0.2", "did you mean stairs"),
        ("stairs:rize=0.2", "did you mean 'rise'"),
        ("stairs:rise=high", "rise is 'high'"),
        ("stairs:rise=3", "at most 0.5 m"),
        ("stairs:steps=2.5", "a whole number"),
        ("slope:angle=60", "at most 40 degrees"),
        ("rough:height=2", "at most 0.5 m"),
        ("rough:seed=-1", "a whole number, at least 0"),
        ("rough:seed=0.5", "a whole number, at least 0"),
        ("rough:seed=1e30", "a number, at most 1e"),
        ("slope:start=1e308", "a number, at most 1e"),
        ("hills.png", "no such file"),
        ("hills.fbx", "there is no ground"),
    ],
)
def test_a_wrong_text_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ControlError, match=message) as error:
        read_ground(text)
    assert "\n" not in str(error.value) and text.partition(":")[0] in str(error.value)
