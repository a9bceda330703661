"""Laws of `moglow.motion.canonical_pose`: whatever the zero pose and the joints' frames, the canonical pose is
the same pose.
"""

from dataclasses import replace

import numpy as np
import pytest

from moglow.maths.rotations import (
    Array,
    axis_angle_to_quat,
    heading_to_quat,
    quat_angle,
    quat_multiply,
    quat_normalize,
    quat_rotate,
)
from moglow.motion.canonical_pose import canonical_rotations, stands
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import rebased, skeleton_of, walk

SMALL = 1e-6
DOWN, LEFT, FORWARD = np.array([0.0, -1, 0]), np.array([1.0, 0, 0]), np.array([0.0, 0, 1])


def pointing(skeleton: Skeleton, rotations: Array, role: str, to: str) -> Array:
    """Returns the direction of the bone from one role to another, given the rotations of joints."""
    start, end = skeleton.role(role), skeleton.role(to)
    bone = skeleton.rest_positions[end] - skeleton.rest_positions[start]
    turned = quat_rotate(rotations[start], bone)
    direction: Array = turned / np.linalg.norm(turned)
    return direction


def random_turns(skeleton: Skeleton) -> Array:
    """Returns random joint frames, the same in each run."""
    return quat_normalize(np.random.default_rng(5).normal(size=(len(skeleton), 4)))


@pytest.mark.parametrize("rig", RIGS)
def test_bones_point_as_they_should(rig: str) -> None:
    skeleton = skeleton_of(RIGS[rig])
    rotations = canonical_rotations(skeleton)
    for side, out in (("left", LEFT), ("right", -LEFT)):
        for start, end, where in (
            ("thigh", "shin", DOWN),
            ("shin", "foot", DOWN),
            ("upper_arm", "forearm", out),
            ("forearm", "hand", out),
        ):
            found = pointing(skeleton, rotations, f"{side}_{start}", f"{side}_{end}")
            np.testing.assert_allclose(found, where, atol=SMALL)
        if f"{side}_toe" in skeleton.anatomy.roles:
            assert pointing(skeleton, rotations, f"{side}_foot", f"{side}_toe")[0] == pytest.approx(
                0, abs=SMALL
            )
    for role in ("hips", "spine", "chest", "head"):
        assert quat_angle(rotations[skeleton.role(role)], [1.0, 0, 0, 0]) < SMALL, (
            "an upright trunk is as it is"
        )


def test_a_figure_that_faces_elsewhere_is_turned() -> None:
    skeleton = skeleton_of(RIGS["mixamo"])
    turn = heading_to_quat(2.0)
    turned = Skeleton(skeleton.names, skeleton.parents, quat_rotate(turn, skeleton.offsets))
    expected = quat_multiply(canonical_rotations(skeleton), heading_to_quat(-2.0))
    assert quat_angle(canonical_rotations(turned), expected).max() < SMALL


@pytest.mark.parametrize("rig", ["cmu", "mixamo", "snu"])
def test_joint_frames_do_not_matter_when_there_is_a_motion(rig: str) -> None:
    """With randomly turned joint frames the zero pose is no pose; the motion still determines the directions."""
    clip, _ = walk(skeleton_of(RIGS[rig]))
    turns = random_turns(clip.skeleton)
    other = rebased(clip, turns)
    np.testing.assert_allclose(other.world_positions, clip.world_positions, atol=1e-9)
    assert stands(clip.skeleton)
    assert not stands(other.skeleton)
    plain = canonical_rotations(clip.skeleton, clip)
    found = canonical_rotations(other.skeleton, other)
    for role, joint in clip.skeleton.anatomy.roles.items():
        # Nothing tells how a hand is turned about itself; the bones of trunk and collar lean, as zero poses know.
        limit = 180 if role.endswith("hand") else 0.5 if "_" in role and "clavicle" not in role else 13
        assert quat_angle(found[joint], quat_multiply(plain[joint], turns[joint])) < np.radians(limit), role


def test_without_a_motion_bones_still_point_as_they_should() -> None:
    clip, _ = walk(skeleton_of(RIGS["bandai"]))
    heap = rebased(clip, random_turns(clip.skeleton)).skeleton
    overridden = Skeleton(heap.names, heap.parents, heap.offsets, overrides={})
    assert not stands(overridden)
    rotations = canonical_rotations(overridden)
    np.testing.assert_allclose(pointing(overridden, rotations, "left_thigh", "left_shin"), DOWN, atol=SMALL)
    np.testing.assert_allclose(
        pointing(overridden, rotations, "right_forearm", "right_hand"), -LEFT, atol=SMALL
    )
    np.testing.assert_allclose(pointing(overridden, rotations, "spine", "chest"), -DOWN, atol=SMALL)


def test_the_slope_of_a_flat_foot_is_found_from_the_motion() -> None:
    """If planted feet have their toes up by 0.2 rad relative to the zero pose, the foot is built like that."""
    clip, _ = walk(skeleton_of(RIGS["mixamo"]))
    foot = clip.skeleton.role("left_foot")
    tilted = np.array(clip.rotations)
    tilt = np.array([np.cos(0.1), np.sin(0.1), 0, 0])
    tilted[:, foot] = quat_multiply(tilted[:, foot], tilt)
    slanted = Clip(clip.skeleton, clip.positions, tilted, clip.fps)
    assert quat_angle(canonical_rotations(clip.skeleton, slanted)[foot], tilt) < 0.01
    assert quat_angle(canonical_rotations(clip.skeleton, clip)[foot], [1.0, 0, 0, 0]) < 0.01


@pytest.mark.parametrize("rig", DOGS)
def test_dogs_keep_their_paws(rig: str) -> None:
    """Legs are compared straight down; a foot that points down instead of ahead is left unchanged."""
    skeleton = skeleton_of(DOGS[rig])
    rotations = canonical_rotations(skeleton)
    for role in ("left_thigh", "right_shin", "left_front_thigh"):
        end = role.replace("shin", "foot").replace("thigh", "shin")
        np.testing.assert_allclose(pointing(skeleton, rotations, role, end), DOWN, atol=SMALL)
    assert quat_angle(rotations[skeleton.role("left_foot")], [1.0, 0, 0, 0]) < SMALL


def test_a_zero_pose_with_a_horizontal_trunk_is_no_standing_pose() -> None:
    """As in ACCAD's files: legs point down, the spine ahead. The twist of thighs is found from the knees."""
    clip, _ = walk(skeleton_of(RIGS["cmu"]))
    turns = np.tile([1.0, 0, 0, 0], (len(clip.skeleton), 1))
    roles = clip.skeleton.anatomy.roles
    above = [j for role, j in roles.items() if role in ("spine", "chest", "neck", "head") or "arm" in role]
    turns[above] = axis_angle_to_quat(LEFT, -np.pi / 2)
    other = rebased(clip, turns)
    assert stands(clip.skeleton) and not stands(other.skeleton)
    found, plain = canonical_rotations(other.skeleton, other), canonical_rotations(clip.skeleton, clip)
    for role in ("left_thigh", "right_shin", "left_forearm"):
        expected = quat_multiply(plain[roles[role]], turns[roles[role]])
        assert quat_angle(found[roles[role]], expected) < np.radians(1), role


def test_the_bend_of_knees_outweighs_a_twisted_zero_pose() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]))
    turns = np.tile([1.0, 0, 0, 0], (len(clip.skeleton), 1))
    roles = clip.skeleton.anatomy.roles
    for role in ("left_thigh", "left_shin"):
        turns[roles[role]] = axis_angle_to_quat(-DOWN, 0.9)
    other = rebased(clip, turns)
    assert stands(other.skeleton)
    found, plain = canonical_rotations(other.skeleton, other), canonical_rotations(clip.skeleton, clip)
    expected = quat_multiply(plain[roles["left_thigh"]], turns[roles["left_thigh"]])
    assert quat_angle(found[roles["left_thigh"]], expected) < np.radians(3)


@pytest.mark.parametrize("standing", [True, False])
@pytest.mark.filterwarnings("error")
def test_toes_without_length_follow_the_foot(standing: bool) -> None:
    """A bone of length 0 has no direction; a file may place the toe's joint at the ankle."""
    clip, _ = walk(skeleton_of(RIGS["snu"]))
    if not standing:
        clip = rebased(clip, random_turns(clip.skeleton))
    toe = clip.skeleton.role("left_toe")
    offsets, positions = clip.skeleton.offsets.copy(), clip.positions.copy()
    offsets[toe] = positions[:, toe] = 0.0
    short = replace(clip.skeleton, offsets=offsets)
    clip = replace(clip, skeleton=short, positions=positions)
    rotations = canonical_rotations(short, clip)
    assert stands(short) == standing and np.isfinite(rotations).all()
    turn = rotations[0] if standing else rotations[short.role("left_foot")]
    assert quat_angle(rotations[toe], turn) < SMALL
