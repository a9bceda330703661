"""Walks on a ground: feet stand on it, nothing reaches into it, knees keep their limits."""

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.footsteps.footprints import Footprint
from moglow.footsteps.holds import footholds
from moglow.footsteps.soles import Soles, feet_of
from moglow.footsteps.standing import foot_ends, stand_on
from moglow.ground.reading import read_ground
from moglow.ground.shapes import Flat, Slope, Stairs
from moglow.maths.rotations import UP, quat_rotate
from moglow.measures.metrics import bone_stretch, toe_slide
from moglow.measures.on_ground import OnGround, on_ground
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import LOCK, PRETRAINED
from moglow.sampling.on_ground import walk_over
from moglow.sampling.sampler import Sampler, Track

ENDS = [(0.18, 0.07)] * 2


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return Checkpoint.read(PRETRAINED)


def walked(model: Checkpoint, ground: str) -> tuple[Clip, OnGround, float]:
    """The walk on a ground, its figures, and the slide of the same walk on a flat floor."""
    surface, sampler = read_ground(ground), Sampler.of(model, temperature=0.7)
    way = walk_over(sampler, model, Track(read_path("line:length=5", fps=30.0), 2), surface)
    flat = bent_toes(lock_feet(way.clip, spec=LOCK))
    stood = stand_on(flat, surface)
    soles = stood.soles.points(*feet_of(stood.clip))
    figures = on_ground(stood.clip, surface, stood.planted, stood.soles.standing, soles)
    return stood.clip, figures, toe_slide(toe_points(flat), 30.0).mean


GROUNDS = (
    "stairs:rise=0.17,steps=6 stairs:rise=-0.17,steps=6 slope:angle=15 slope:angle=-15 rough:height=0.08"
)


@pytest.mark.parametrize("ground", GROUNDS.split())
def test_feet_stand_on_the_ground(ground: str, model: Checkpoint) -> None:
    clip, figures, slide = walked(model, ground)
    assert figures.foothold_p95 < 0.02 and figures.penetration < 0.01
    assert figures.slide.mean <= 1.25 * slide + 0.002
    assert figures.straightest >= 0 and figures.most_bent < 130
    assert bone_stretch(clip) < 1e-9


def test_a_flat_floor_changes_little(model: Checkpoint) -> None:
    sampler = Sampler.of(model, temperature=0.7)
    flat = bent_toes(lock_feet(sampler.generate(read_path("line:length=3", fps=30.0)), spec=LOCK))
    stood = stand_on(flat, Flat(0.0))
    assert np.linalg.norm(stood.clip.world_positions - flat.world_positions, axis=-1).mean() < 0.01
    lower = stand_on(flat, Flat(-0.5)).clip
    np.testing.assert_allclose(lower.world_positions, stood.clip.world_positions - [0, 0.5, 0], atol=1e-6)


def test_soles_are_on_the_floor_where_feet_are_flat(model: Checkpoint) -> None:
    sampler = Sampler.of(model, temperature=0.7)
    clip = bent_toes(lock_feet(sampler.generate(read_path("line:length=3", fps=30.0)), spec=LOCK))
    planted = contacts(clip)
    soles = Soles.of(clip, planted)
    points = soles.points(*feet_of(clip))
    for leg in range(2):
        heights = points[planted[:, leg], leg, :, 1]
        assert np.quantile(heights.min(1), 0.01) > -0.01 and np.median(heights[:, 1]) < 0.015
        back, ahead = foot_ends(soles, leg)
        assert 0.2 < back + ahead < 0.32


def prints(count: int, step: float, start: float = 0.3) -> list[Footprint]:
    return [
        Footprint(k % 2, 0.5 * k, 0.5 * k + 0.6, 0.1 - 0.2 * (k % 2), start + step * k, 0.0)
        for k in range(count)
    ]


@pytest.mark.parametrize("start", [0.3, 0.37, 0.44, 0.51])
def test_footholds_are_a_tread_each(start: float) -> None:
    stairs = Stairs(rise=0.17, run=0.29, steps=8, start=1.0)
    found, tilts = footholds(prints(12, 0.29, start), stairs, ENDS)
    heights = np.array([each.height for each in found])
    np.testing.assert_allclose(heights / 0.17, np.round(heights / 0.17), atol=1e-6)
    assert set(np.diff(np.round(heights / 0.17).astype(int)).tolist()) <= {0, 1}
    for each in found:
        z = each.z + np.linspace(-0.18, 0.07, 30)
        beneath = stairs.heights(np.full(30, each.x), z)
        assert (beneath <= each.height + 1e-6).all(), "no toe within a riser"
        assert (beneath < each.height - 0.05).mean() < 0.25, "no heel far over an edge"
    np.testing.assert_allclose(quat_rotate(tilts, UP), np.tile(UP, (12, 1)), atol=1e-6)


def test_footholds_on_a_slope_are_tilted_like_it() -> None:
    found, tilts = footholds(prints(6, 0.6, 2.0), Slope(angle=12.0, start=0.0), ENDS)
    for each in found:
        assert each.height == pytest.approx(np.tan(np.radians(12)) * each.z, abs=0.005)
    normals = quat_rotate(tilts, UP)
    np.testing.assert_allclose(np.degrees(np.arctan2(-normals[:, 2], normals[:, 1])), 12.0, atol=0.2)


def test_a_foot_that_could_stand_stays() -> None:
    requested = prints(6, 0.6)
    found, _ = footholds(requested, Flat(0.2), ENDS)
    expected = [(each.x, each.z, 0.2) for each in requested]
    np.testing.assert_allclose([(each.x, each.z, each.height) for each in found], expected, atol=1e-9)
