"""Poses and targets of a request on the client's figure, as directions for the model's, without sampling motion."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from moglow.errors import MoglowError
from moglow.motion.clip import Clip
from moglow.server.keys import MOST, Asked, Keys
from moglow.server.requests import ClientRig, named, rigid
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

NAMES = ("mixamo", "unreal")


def keyframe(frame: int, turns: dict[str, Any], root: Any = None, fill: str = "generate") -> SimpleNamespace:
    return SimpleNamespace(
        type="pose_keyframe", frame=frame, joint_rotations=turns, root_position=root, fill_mode=fill
    )


def target(joint: str, frames: list[int], points: Any, turns: Any = None) -> SimpleNamespace:
    return SimpleNamespace(
        type="effector_target", joint=joint, frames=frames, positions=points, rotations=turns
    )


def rig_and_walk(name: str) -> tuple[ClientRig, Clip]:
    """A figure with rest rotations, and motion of it."""
    skeleton, random = skeleton_of(RIGS[name]), np.random.default_rng(0)
    joints = [
        SimpleNamespace(name=name, parent=skeleton.names[parent] if parent >= 0 else None,
                        rest_translation=skeleton.offsets[joint],
                        rest_rotation=random.normal(size=4) if not skeleton.children(joint) else [0, 0, 0, 1])
        for joint, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True))
    ]  # fmt: skip
    rig = ClientRig.of(joints)
    return rig, rigid(walk(rig.skeleton, seconds=2.0)[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_pose_of_the_motion_itself_is_the_motion(name: str) -> None:
    rig, clip = rig_and_walk(name)
    local, root = rig.local(clip)
    turns = {joint: local[20, number] for number, joint in enumerate(rig.skeleton.names)}
    keys = Keys.of(named([keyframe(20, turns, root[20], "rest")]), rig)
    asked = Asked.of(keys, rig, clip, skeleton_of(RIGS["rigify"]), False)
    assert np.abs(asked.posed[0].world_positions[0] - clip.world_positions[20]).max() < 1e-9
    assert np.abs(asked.met(clip).world_positions - clip.world_positions).max() < 1e-9
    asked.refuse_missed(clip)


@pytest.mark.parametrize("name", NAMES)
def test_joints_that_are_not_listed_are_free_or_at_rest(name: str) -> None:
    rig, clip = rig_and_walk(name)
    hand = rig.skeleton.role("left_hand")
    turn = {rig.skeleton.names[hand]: [0.0, 0.6, 0.0, 0.8]}
    free, rest = Keys.of(named([keyframe(20, turn), keyframe(30, turn, fill="rest")]), rig).poses
    assert free.joints(rig.skeleton).tolist() == [hand] and len(rest.joints(rig.skeleton)) == len(
        rig.skeleton
    )
    local, root = rig.local(free.on(rig, clip))
    assert local[0, hand] == pytest.approx(turn[rig.skeleton.names[hand]])
    plain = rig.local(clip)[0][20]
    assert np.abs(np.delete(local[0], hand, 0) - np.delete(plain, hand, 0)).max() < 1e-9
    local, root = rig.local(rest.on(rig, clip))
    assert np.abs(np.delete(np.roll(local[0], 1, -1), hand, 0) - np.delete(rig.turns, hand, 0)).max() < 1e-9
    assert root[0, [0, 2]] == pytest.approx(clip.positions[30, 0, [0, 2]])


def test_of_a_leg_all_joints_are_required() -> None:
    rig, _ = rig_and_walk("mixamo")
    leg = rig.skeleton.anatomy.legs[0]
    (pose,) = Keys.of(named([keyframe(3, {rig.skeleton.names[leg.knee]: [0, 0, 0, 1]})]), rig).poses
    assert pose.joints(rig.skeleton).tolist() == sorted((leg.hip, leg.knee, leg.ankle))


def test_targets_are_points_for_the_models_figure_which_is_larger() -> None:
    rig, clip = rig_and_walk("mixamo")
    joint = rig.skeleton.names[rig.skeleton.role("left_hand")]
    larger = skeleton_of(RIGS["rigify"]).scaled(1.5)
    frames = [10, 12, 30]
    keys = Keys.of(named([target(joint, frames, [[0.3, 1.0, 0.2]] * 3, [[0, 0, 0, 2.0]] * 3)]), rig)
    asked = Asked.of(keys, rig, clip, larger, False)
    assert asked.directed == {0, 2} and asked.reaches[0].point == pytest.approx((0.3, 1.5, 0.2), rel=0.05)
    assert (
        not asked.pins
        and [pose.joints(rig.skeleton).tolist() for pose in keys.poses] == [[rig.skeleton.index(joint)]] * 3
    )
    moved = asked.nearer({1: np.ones(3), 2: np.array([0.1, 0, 0])})
    assert moved.directed == {0, 1, 2} and moved.reaches[2].point[0] == pytest.approx(0.4)
    assert moved.reaches[1].point == asked.reaches[1].point
    exact = asked.met(clip)
    met = {number for number in range(3) if number not in asked.misses(exact)}
    for number in met:
        apart = exact.world_positions[frames[number], rig.skeleton.index(joint)] - keys.targets[number].point
        assert np.linalg.norm(apart) < 0.01


@pytest.mark.parametrize(
    ("constraints", "says"),
    [
        ([keyframe(3, {"Hips": [0, 0, 0, 0]})], "constraints[0] (pose_keyframe, frame 3): the rotation of Hips"),
        ([keyframe(3, {"Hips": [0, float("nan"), 0, 1]})], "is no rotation"),
        ([keyframe(3, {"Hips": [0, 0, 0, 1]}, [0, 1e9, 0])], "at most 10000"),
        ([target("LeftHand", [3], [[0, float("inf"), 0]])], "(effector_target, joint LeftHand), frame 3"),
        ([target("LeftHandThumb1", [3], [[0, 1, 0]])], "has no counterpart in the model's figure"),
        ([keyframe(k % 50, {"Head": [0, 0, 0, 1]}) for k in range(MOST + 1)], f"give at most {MOST}"),
        ([target("LeftHand", [k % 50 for k in range(301)], [[0, 1, 0]] * 301)], "give at most 300"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_an_error_with_its_name(constraints: list[Any], says: str) -> None:
    skeleton = skeleton_of(RIGS["mixamo"])
    names = tuple(name.removeprefix("mixamorig:") for name in skeleton.names)
    clip = walk(skeleton, seconds=2.0)[0]
    rig = ClientRig.from_skeleton(type(skeleton)(names, skeleton.parents, skeleton.offsets))
    with pytest.raises(MoglowError) as found:
        keys = Keys.of(named(constraints), rig)
        plain = Clip(rig.skeleton, clip.positions, clip.rotations, clip.fps)
        Asked.of(keys, rig, plain, skeleton_of(RIGS["rigify"]), False)
    assert says in str(found.value)


def test_a_pose_that_another_constraint_changes_is_refused() -> None:
    rig, clip = rig_and_walk("mixamo")
    local, root = rig.local(clip)
    turns = {joint: local[20, number] for number, joint in enumerate(rig.skeleton.names)}
    hand = rig.skeleton.role("left_hand")
    point = clip.world_positions[20, hand] + [0.0, 0.15, 0.1]
    both = [keyframe(20, turns, root[20], "rest"), target(rig.skeleton.names[hand], [20], [point])]
    asked = Asked.of(Keys.of(named(both), rig), rig, clip, skeleton_of(RIGS["rigify"]), False)
    exact = asked.met(clip)
    assert not asked.misses(exact)
    with pytest.raises(MoglowError, match=r"constraints\[0\] .* contradicts the pose"):
        asked.refuse_missed(exact)
