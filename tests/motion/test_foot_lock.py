"""The foot lock: planted toes do not move, bones stay rigid, raised feet are unchanged, streams are exact."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.maths.rotations import Array, quat_angle
from moglow.measures.metrics import bone_stretch, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, leg_lengths, toe_floor, toe_points
from moglow.motion.foot_lock import LockSpec, carrying_joint, lock_feet, lock_stream, move_feet
from moglow.motion.skeleton import Layout
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

EXACT = 1e-9
"""Metres or radians: rounding, after a chain of some twenty joints."""
LOCKED = ["cmu", "mixamo", "rigify", "no toes, no collar bones", "biped, thighs on the spine"]


def steps(clip: Clip) -> Array:
    """Returns the horizontal distance (T - 1, L) of each toe from frame to frame."""
    way: Array = np.linalg.norm(np.diff(toe_points(clip)[..., [0, 2]], axis=0), axis=-1)
    return way


@pytest.mark.parametrize("rig", LOCKED)
def test_planted_toes_stand_still_and_nothing_else_gives(rig: str) -> None:
    clip, _ = walk(skeleton_of(RIGS[rig]), slip=0.2)
    planted = contacts(clip)
    locked = lock_feet(clip, planted)
    stays = planted[1:] & planted[:-1]
    assert steps(clip)[stays].max() > 0.005
    assert steps(locked)[stays].max() < EXACT
    np.testing.assert_allclose(toe_points(locked)[..., 1], toe_points(clip)[..., 1], atol=EXACT)
    feet = [leg.ankle for leg in clip.skeleton.anatomy.legs]
    assert quat_angle(locked.world_rotations[:, feet], clip.world_rotations[:, feet]).max() < 1e-7
    moved = np.abs(locked.positions - clip.positions)
    moved[:, carrying_joint(clip.skeleton)] = 0
    assert moved.max() == 0, "bones keep their lengths"


def test_a_foot_in_flight_is_left_alone() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), slip=0.2, speed=1.5)
    planted, spec = contacts(clip), LockSpec()
    near = np.array(planted)
    for shift in range(-round(spec.blend * clip.fps), round(spec.blend * clip.fps) + 1):
        near |= np.roll(planted, shift, axis=0)
    locked = lock_feet(clip, planted, spec=spec)
    assert (~near).mean() > 0.1
    sunk = clip.world_positions[:, 0, 1] - locked.world_positions[:, 0, 1]
    assert sunk[(~near).any(1)].max() > 1e-3, "the hips sink meanwhile, or this would show little"
    np.testing.assert_allclose(toe_points(locked)[~near], toe_points(clip)[~near], atol=EXACT)


def test_feet_that_stand_still_are_not_touched() -> None:
    clip, planted = walk(skeleton_of(RIGS["mixamo"]))
    locked = lock_feet(clip, planted)
    np.testing.assert_allclose(locked.positions, clip.positions, atol=EXACT)
    assert quat_angle(locked.rotations, clip.rotations).max() < 1e-6
    free = lock_feet(clip, np.zeros_like(planted))
    np.testing.assert_array_equal(free.rotations, clip.rotations)
    np.testing.assert_array_equal(free.positions, clip.positions)


def test_knees_do_not_pop() -> None:
    """Locking adds little to the knees' greatest acceleration, though the legs pass near full stretch."""
    clip, _ = walk(skeleton_of(RIGS["cmu"]), slip=0.15, speed=1.3)
    straightness = [
        np.linalg.norm(clip.world_positions[:, leg.ankle] - clip.world_positions[:, leg.hip], axis=-1).max()
        / length
        for leg, length in zip(clip.skeleton.anatomy.legs, leg_lengths(clip.skeleton), strict=True)
    ]
    assert min(straightness) > 0.99
    knees = [leg.knee for leg in clip.skeleton.anatomy.legs]
    before, after = (
        np.linalg.norm(np.diff(c.world_positions[:, knees], 2, axis=0), axis=-1).max()
        for c in (clip, lock_feet(clip))
    )
    assert after < 1.5 * before


def test_a_straight_leg_bends_ahead_and_not_sideways() -> None:
    """Standing with legs straight to 0.1 mm, that little to the side, the knees still bend over the toes."""
    skeleton = skeleton_of(RIGS["snu"])
    offsets = skeleton.offsets.copy()
    for leg in skeleton.anatomy.legs:
        offsets[leg.knee], offsets[leg.ankle] = (1e-4, -0.42, 0), (-1e-4, -0.40, 0)
    clip = Clip.at_rest(replace(skeleton, offsets=offsets), frames=9)
    bent = move_feet(clip, np.tile([0.0, 0.1, 0.0], (9, 2, 1)))
    knees = [leg.knee for leg in skeleton.anatomy.legs]
    way = (bent.world_positions - clip.world_positions)[:, knees]
    assert way[..., 2].min() > 0.1
    assert np.abs(way[..., 0]).max() < 0.01


def test_feet_go_where_they_are_sent_and_hips_sink_if_they_must() -> None:
    clip = Clip.at_rest(skeleton_of(RIGS["rigify"]), frames=30)
    near = np.tile([[0.05, 0.05, 0.1], [0.0, 0.0, -0.1]], (30, 1, 1))
    np.testing.assert_allclose(toe_points(move_feet(clip, near)), toe_points(clip) + near, atol=EXACT)
    down = np.zeros((30, 2, 3))
    down[10:20, 0, 1] = -0.02
    moved = move_feet(clip, down)
    np.testing.assert_allclose(toe_points(moved), toe_points(clip) + down, atol=EXACT)
    assert (moved.positions[10:20, 0, 1] < clip.positions[10:20, 0, 1]).all()


def test_a_foot_too_far_away_is_followed_as_far_as_the_leg_goes() -> None:
    clip = Clip.at_rest(skeleton_of(RIGS["cmu"]), frames=10)
    moved = move_feet(clip, np.tile([0.0, 0.0, 2.0], (10, 2, 1)))
    knees = [leg.knee for leg in clip.skeleton.anatomy.legs]
    assert np.isfinite(moved.rotations).all()
    assert (moved.world_positions[:, knees, 2] > clip.world_positions[:, knees, 2] + 0.2).all()


def test_the_body_sinks_at_the_joint_that_a_file_can_move() -> None:
    skeleton = skeleton_of(RIGS["bandai"])
    turning, moving = ("Zrotation",), ("Xposition", "Yposition", "Zposition", "Zrotation")
    only_root = Layout((moving, *(turning,) * (len(skeleton) - 1)))
    every = Layout((moving,) * len(skeleton))
    assert carrying_joint(replace(skeleton, layout=only_root)) == 0
    assert carrying_joint(replace(skeleton, layout=every)) == skeleton.index("Hips")
    assert carrying_joint(skeleton) == skeleton.index("Hips")
    clip, _ = walk(replace(skeleton, layout=only_root), slip=0.3)
    assert steps(lock_feet(clip))[contacts(clip)[1:] & contacts(clip)[:-1]].max() < EXACT


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_shortest_clips_are_accepted(frames: int) -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), slip=0.2)
    short = clip[3 : 3 + frames]
    assert len(lock_feet(short)) == frames
    (streamed,) = lock_stream([short], floor=toe_floor(toe_points(clip)))
    assert np.isfinite(streamed.rotations).all()
    assert steps(streamed).max(initial=0.0) <= steps(short).max(initial=0.0) + EXACT


@pytest.mark.parametrize("block", [1, 7, 50])
def test_a_stream_gives_the_same_as_the_whole(block: int) -> None:
    clip, _ = walk(skeleton_of(RIGS["snu"]), seconds=5.0, fps=20.0, slip=0.2)
    floor, spec = toe_floor(toe_points(clip)), LockSpec(settle=0.25)
    whole = lock_feet(clip, contacts(clip, floor=floor), spec=spec)
    pieces = list(
        lock_stream((clip[i : i + block] for i in range(0, len(clip), block)), floor=floor, spec=spec)
    )
    assert len(pieces) > 1
    np.testing.assert_array_equal(np.concatenate([p.positions for p in pieces]), whole.positions)
    np.testing.assert_array_equal(np.concatenate([p.rotations for p in pieces]), whole.rotations)


def test_each_setting_matters() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), slip=0.5, speed=1.5)
    planted = contacts(walk(skeleton_of(RIGS["cmu"]), speed=1.5)[0])
    changes = {"blend": 0.3, "settle": 0.2, "farthest": 0.02, "straight": 0.9, "deepest": 0.001}
    assert set(changes) == {field.name for field in fields(LockSpec)}
    default = lock_feet(clip, planted)
    for name, value in changes.items():
        other = lock_feet(clip, planted, spec=replace(LockSpec(), **{name: value}))
        assert quat_angle(other.rotations, default.rotations).max() > 1e-3, name


@pytest.mark.parametrize(
    "name",
    ["open_cmu69/69_14_1", "open_snu_walk/woddy2_walk_slow_stright", "nc_bandai2/dataset-2_walk_normal_001"],
)
def test_real_clips_change_little_and_slide_no_more(name: str, shared_data: Path) -> None:
    """Half of the frames not at all, though joints move by 4 mm on average at most and 15 mm in 95 % of cases."""
    clip = read_bvh(shared_data / "locomotion" / f"{name}.bvh")
    locked = lock_feet(clip)
    assert toe_slide(toe_points(locked), clip.fps).median < 1e-6
    assert toe_slide(toe_points(locked), clip.fps).mean < 0.5 * toe_slide(toe_points(clip), clip.fps).mean
    way = np.linalg.norm(locked.world_positions - clip.world_positions, axis=-1)
    assert way.mean() < 0.004
    assert np.quantile(way, 0.95) < 0.015
    assert bone_stretch(locked) == pytest.approx(bone_stretch(clip), abs=EXACT)
