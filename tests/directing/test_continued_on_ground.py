"""A clip is continued on stairs: it begins exactly as the clip ends, and its feet stand on the treads."""

from dataclasses import replace

import numpy as np
import pytest

import moglow
from moglow.errors import ClipError
from moglow.footsteps.standing import on_floor, stand_on
from moglow.ground.reading import read_ground
from moglow.measures.metrics import bone_stretch
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.sampling.generate import Take

FOOTHOLD, DEPTH = 0.02, 0.01
"""Largest distance in metres of planted feet from the ground, and depth below it."""
MIDDLE = (50, 84)
"""Frames in the middle of the stairs: with both feet down, and in a step."""


@pytest.fixture(scope="module")
def walked() -> Clip:
    """A walk on a flat floor that ends before the stairs."""
    return moglow.generate("line:length=4", seed=8).clip[:75]


@pytest.fixture(scope="module")
def stairs(walked: Clip) -> str:
    return f"stairs:rise=0.17,run=0.29,steps=5,start={walked.ground_positions()[-1, 1] + 0.8:.3f}"


@pytest.fixture(scope="module")
def climbed(walked: Clip, stairs: str) -> Take:
    return moglow.generate("line:length=3", seed=4, continued=walked, ground=stairs)


def check(take: Take, before: Clip) -> None:
    """Checks that a take begins with the last frame of a clip, and stands on its ground."""
    clip, ground = take.clip, take.figures["on_ground"]
    np.testing.assert_allclose(clip.rotations[0], before.rotations[-1], atol=1e-9)
    np.testing.assert_allclose(clip.world_positions[0], before.world_positions[-1], atol=1e-9)
    assert ground["foothold_error_m"]["p95"] < FOOTHOLD and ground["penetration_p99_m"] < DEPTH
    assert bone_stretch(clip) < 1e-9
    whole = np.concatenate([before.world_positions[:-1], clip.world_positions])
    steps = np.linalg.norm(np.diff(whole, axis=0), axis=-1).max(1)
    seam = len(before) - 1
    assert steps[seam - 2 : seam + 3].max() < 1.3 * steps.max(), "no joint leaps at the seam"


def test_a_walk_goes_on_up_the_stairs(climbed: Take, walked: Clip) -> None:
    check(climbed, walked)
    rise = toe_points(climbed.clip)[-1, :, 1] - toe_points(walked)[:, :, 1].min()
    assert rise == pytest.approx(0.85, abs=0.05)


@pytest.mark.parametrize("frame", MIDDLE)
def test_a_climb_goes_on_from_the_middle(frame: int, climbed: Take, stairs: str) -> None:
    before = climbed.clip[:frame]
    check(moglow.generate("line:length=1.5", seed=5, continued=before, ground=stairs), before)


def test_pins_are_met_after_it(climbed: Take, walked: Clip, stairs: str) -> None:
    before = climbed.clip[:46]
    x, y, z = before.world_positions[-1, 0] + [0.3, 0.5, 0.7]
    pins = (moglow.Pin(1.2, walked, 40), moglow.Reach(2.2, "left_hand", (x, y, z)))
    take = moglow.generate("line:length=1.5", seed=6, continued=before, ground=stairs, pins=pins)
    check(take, before)
    np.testing.assert_allclose(take.clip.rotations[36, 1:], walked.rotations[40, 1:], atol=1e-12)
    joint = take.clip.skeleton.anatomy.roles["left_hand"]
    assert np.linalg.norm(take.clip.world_positions[66, joint] - (x, y, z)) < 1e-3


def test_a_larger_figure_goes_on_as_itself(walked: Clip, stairs: str) -> None:
    skeleton = replace(walked.skeleton, offsets=1.1 * walked.skeleton.offsets)
    large = replace(walked, skeleton=skeleton, positions=1.1 * walked.positions)
    take = moglow.generate("line:length=2.5", seed=4, continued=large, ground=stairs)
    assert take.clip.skeleton == skeleton
    check(take, large)


def test_a_clip_that_ends_in_the_air_is_refused(walked: Clip, stairs: str) -> None:
    with pytest.raises(ClipError, match=r"ends with its feet 0\.5\d m above the ground stairs"):
        moglow.generate("line:length=2", continued=walked.moved((0.0, 0.5, 0.0)), ground=stairs)
    with pytest.raises(ClipError, match="below the ground"):
        moglow.generate("line:length=2", continued=walked.moved((0.0, 0.0, 2.0)), ground=stairs)


@pytest.mark.parametrize("text", ["stairs:rise=0.12,run=0.6,steps=2,start=0.5", "slope:angle=8,start=0.6"])
def test_a_floor_is_about_the_inverse_of_a_ground(text: str, walked: Clip) -> None:
    flat, ground = bent_toes(lock_feet(walked)), read_ground(text)
    level = on_floor(stand_on(flat, ground).clip, ground)
    planted = contacts(flat)
    heights = (toe_points(level) - toe_points(flat))[..., 1]
    assert np.abs(heights[planted]).max() < 0.02
    assert np.abs((level.world_positions - flat.world_positions)[:, 0, 1]).max() < 0.1
    shifted = flat.moved((0.0, 2.0, 0.0))
    np.testing.assert_allclose(
        on_floor(shifted, read_ground("flat:height=2")).world_positions, flat.world_positions, atol=0.02
    )
