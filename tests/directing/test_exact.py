"""Exact frames: poses and points are met together, also when they are closer than the fade of a correction."""

import numpy as np

from moglow.directing.exact import exactly
from moglow.directing.settle import Settled
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk


def test_poses_and_points_near_each_other_are_all_met() -> None:
    clip = walk(skeleton_of(RIGS["mixamo"]), seconds=2.0)[0]
    skeleton = clip.skeleton
    hand, foot = skeleton.role("left_hand"), skeleton.role("right_foot")
    pose = clip[29:30].moved((0.02, 0.0, 0.03))
    whole = Settled(30, np.arange(len(skeleton)), pose.rotations[0], pose.positions[0])
    world = clip.world_positions
    points = [
        (frame, joint, world[frame, joint] + [0.02, 0.05, 0.03])
        for frame in (25, 28, 33, 34, 35)
        for joint in (hand, foot)
    ]
    done = exactly(clip, [whole], points)
    np.testing.assert_allclose(done.world_positions[30], pose.world_positions[0], atol=1e-12)
    for frame, joint, point in points:
        assert np.linalg.norm(done.world_positions[frame, joint] - point) < 1e-3
    np.testing.assert_array_equal(done.rotations[50:], clip.rotations[50:])


def test_the_foot_of_a_point_does_not_jump() -> None:
    clip = walk(skeleton_of(RIGS["mixamo"]), seconds=2.0)[0]
    foot = clip.skeleton.role("left_foot")
    done = exactly(clip, [], [(30, foot, clip.world_positions[30, foot] + [0.05, 0.1, 0.0])])
    away = np.linalg.norm(done.world_positions[:, foot] - clip.world_positions[:, foot], axis=-1)
    assert np.abs(np.diff(away)).max() < 0.04 and away[30] > 0.1
