"""Laws of `moglow.cleaning.limbs`: exchanging twice changes nothing; a limb at its stop is not frozen."""

from dataclasses import replace

import numpy as np
import pytest

from moglow.cleaning.frozen import find_held
from moglow.cleaning.limbs import limb_pairs
from moglow.cleaning.sunk import find_sunk
from moglow.cleaning.swap import exchanged, find_swaps
from moglow.maths.rotations import quat_angle
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

WALK, _ = walk(skeleton_of(RIGS["cmu"]), seconds=3.0)
# In frame 30 the arms mirror each other: as the first of a stretch it could be of either side.
STRETCH = np.isin(np.arange(len(WALK)), np.arange(27, 50))


@pytest.mark.parametrize("rig", RIGS)
def test_exchanging_limbs_twice_changes_nothing(rig: str) -> None:
    clip, _ = walk(skeleton_of(RIGS[rig]), seconds=2.0)
    frames = np.isin(np.arange(len(clip)), np.arange(20, 40))
    for joints in limb_pairs(clip.skeleton).values():
        once = exchanged(clip, joints, frames)
        assert np.array_equal(once.rotations[~frames], clip.rotations[~frames])
        assert quat_angle(once.rotations, clip.rotations).max() > 0.3
        assert quat_angle(exchanged(once, joints, frames).rotations, clip.rotations).max() < 1e-6


@pytest.mark.parametrize("pair", ["leg", "arm"])
def test_a_swap_is_found_to_the_frame(pair: str) -> None:
    joints = limb_pairs(WALK.skeleton)[pair]
    (swapped,) = find_swaps(exchanged(WALK, joints, STRETCH))
    assert (swapped.start, swapped.stop, swapped.joints) == (27, 50, joints)
    assert find_swaps(WALK) == []


def test_the_longer_part_counts_as_sound() -> None:
    joints = limb_pairs(WALK.skeleton)["leg"]
    (swapped,) = find_swaps(exchanged(WALK, joints, ~STRETCH))
    assert (swapped.start, swapped.stop) == (27, 50)


def held(joints: list[int], stop: int = 50) -> np.ndarray:
    rotations = WALK.rotations.copy()
    rotations[30:stop, joints] = rotations[30, joints]
    return rotations


def test_a_held_limb_is_found_with_its_joints() -> None:
    leg = WALK.skeleton.anatomy.legs[0]
    joints = [leg.hip, leg.knee, leg.ankle]
    (held_still,) = find_held(replace(WALK, rotations=held(joints)))
    assert (held_still.start, held_still.stop, held_still.joints) == (31, 50, tuple(joints))


def test_a_joint_alone_is_frozen_only_if_it_jumps_when_it_thaws() -> None:
    knee = WALK.skeleton.anatomy.legs[0].knee
    assert [len(find_held(replace(WALK, rotations=held([knee], stop)))) for stop in (40, 44)] == [1, 1]
    rotations = WALK.rotations.copy()
    rotations[:, knee] = rotations[
        np.maximum(np.arange(len(WALK)), 40), knee
    ]  # at its stop, then it sets out
    assert find_held(replace(WALK, rotations=rotations)) == []


def test_a_foot_below_the_floor_is_found_and_a_sunken_floor_is_none() -> None:
    assert find_sunk(WALK) == [] == find_sunk(WALK.moved((0.0, -0.5, 0.0)))
    positions = WALK.positions.copy()
    positions[STRETCH, 0, 1] -= 0.08
    sunk = find_sunk(replace(WALK, positions=positions))
    assert {each.joints[0] for each in sunk} == {leg.hip for leg in WALK.skeleton.anatomy.legs}
    assert all(27 <= each.start < each.stop <= 50 for each in sunk)
    assert max(each.depth for each in sunk) == pytest.approx(0.08, abs=0.02)
