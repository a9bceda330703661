"""Poses and points are exact on stairs and slopes; away from them feet stand on the ground as without pins."""

from dataclasses import replace

import numpy as np
import pytest

import moglow
from moglow.errors import ControlError
from moglow.ground.reading import read_ground
from moglow.measures.on_ground import above
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.sampling.generate import Take

STAIRS, SLOPE = "stairs:rise=0.17,run=0.29,steps=4,start=0.4", "slope:angle=10"
POSE, ARMS = 50, 70
HAND, AT = (0.35, 1.0, 0.45), 1.2
FOOTHOLD, DEPTH = 0.02, 0.01
"""Largest distance in metres of planted feet from the ground, and depth below it."""


@pytest.fixture(scope="module")
def other() -> Clip:
    """A motion on a flat floor, from which poses are taken."""
    return moglow.generate("line:length=2.5", seed=8).clip


@pytest.fixture(scope="module")
def climbed(other: Clip) -> Take:
    pins = (
        moglow.Reach(AT, "left_hand", HAND),
        moglow.Pin(2.5, other, POSE),
        moglow.Pin(4.0, other, ARMS, "arms"),
    )
    return moglow.generate("line:length=2.5", seed=4, ground=STAIRS, pins=pins)


def clearance(clip: Clip, frame: int, ground: str) -> float:
    """Returns the height of the lower toe over a ground."""
    return float(above(toe_points(clip)[frame], read_ground(ground))[:, 1].min())


def test_a_pose_is_exact_and_stands_on_a_tread(climbed: Take, other: Clip) -> None:
    clip, at = climbed.clip, round(2.5 * climbed.clip.fps)
    np.testing.assert_allclose(clip.rotations[at, 1:], other.rotations[POSE, 1:], atol=1e-12)
    assert toe_points(clip)[at, :, 1].min() > 0.1, "it is on the stairs"
    assert clearance(clip, at, STAIRS) == pytest.approx(toe_points(other)[POSE, :, 1].min(), abs=1e-3)


def test_a_hand_is_at_its_point(climbed: Take) -> None:
    clip = climbed.clip
    hand = clip.world_positions[round(AT * clip.fps), clip.skeleton.anatomy.roles["left_hand"]]
    assert np.linalg.norm(hand - HAND) < 1e-3


def test_feet_stand_on_the_treads(climbed: Take) -> None:
    figures = climbed.figures["on_ground"]
    assert figures["foothold_error_m"]["p95"] < FOOTHOLD
    assert figures["penetration_p99_m"] < DEPTH
    assert climbed.footprints and climbed.figures["foot_slide_m_s"]["written"]["mean"] < 0.03


def test_a_pose_in_the_world_stays_where_its_clip_has_it(climbed: Take) -> None:
    """The pose of a motion on the same ground keeps its height, and that of one on a floor is put on the ground."""
    source, at = climbed.clip, round(2.5 * climbed.clip.fps)
    pin = moglow.Pin(2.5, source, at, world=True)
    clip = moglow.generate("line:length=2.5", seed=6, ground=STAIRS, pins=(pin,)).clip
    np.testing.assert_allclose(clip.world_positions[at], source.world_positions[at], atol=1e-6)


def test_other_skeletons_stand_on_a_slope(other: Clip) -> None:
    """The pose is given on the skeleton of the result, which is larger than the model's."""
    skeleton = replace(other.skeleton, offsets=1.1 * other.skeleton.offsets)
    large = replace(other, skeleton=skeleton, positions=1.1 * other.positions)
    clip = moglow.generate(
        "line:length=1.5", seed=3, ground=SLOPE, pins=(moglow.Pin(1.5, large, POSE),), skeleton=large
    ).clip
    at = round(1.5 * clip.fps)
    np.testing.assert_allclose(clip.rotations[at, 1:], large.rotations[POSE, 1:], atol=1e-9)
    assert abs(clearance(clip, at, SLOPE) - toe_points(large)[POSE, :, 1].min()) < 0.01


def test_loose_feet_do_not_go_with_a_ground(other: Clip) -> None:
    with pytest.raises(ControlError, match="need locked feet"):
        moglow.generate("line:length=1", ground=SLOPE, continued=other, foot_lock=False)
