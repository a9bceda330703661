"""Laws of skeletons and clips: kinematics, slicing, resampling, mirroring, reversing."""

import numpy as np
import pytest

from moglow.errors import ClipError, SkeletonError
from moglow.maths.rotations import (
    expmap_to_quat,
    heading_to_quat,
    quat_angle,
    quat_conjugate,
    quat_multiply,
    quat_normalize,
    quat_rotate,
    quat_to_matrix,
)
from moglow.motion.clip import Clip
from moglow.motion.mirror import WORLD_MIRROR
from moglow.motion.skeleton import Skeleton

EXACT = 1e-9

JOINTS = {
    "Hips": (None, (0, 0.95, 0)),
    "Spine": ("Hips", (0, 0.2, 0)),
    "Chest": ("Spine", (0, 0.2, 0)),
    "Neck": ("Chest", (0, 0.15, 0)),
    "Head": ("Neck", (0, 0.1, 0)),
    **{
        f"{side}{part}": (parent and parent.replace("*", side), tuple(np.array(offset) * (sign, 1, 1)))
        for side, sign in (("Left", 1.0), ("Right", -1.0))
        for part, parent, offset in (
            ("Arm", "Chest", (0.18, 0.1, 0)),
            ("ForeArm", "*Arm", (0.28, 0, 0)),
            ("Hand", "*ForeArm", (0.25, 0, 0)),
            ("UpLeg", "Hips", (0.09, -0.05, 0)),
            ("Leg", "*UpLeg", (0, -0.42, 0)),
            ("Foot", "*Leg", (0, -0.4, 0)),
            ("ToeBase", "*Foot", (0, -0.06, 0.13)),
        )
    },
}


def make_skeleton() -> Skeleton:
    names = tuple(JOINTS)
    parents = tuple(names.index(parent) if parent else -1 for parent, _ in JOINTS.values())
    tips = (("Head", (0, 0.18, 0)), ("LeftToeBase", (0, 0, 0.07)), ("RightToeBase", (0, 0, 0.07)))
    ends = tuple((names.index(name), tip) for name, tip in tips)
    return Skeleton(names, parents, np.array([offset for _, offset in JOINTS.values()], float), ends)


def make_clip(
    skeleton: Skeleton | None = None, *, frames: int = 90, fps: float = 30.0, seed: int = 0
) -> Clip:
    """Returns smooth random motion ahead, in which every joint turns."""
    skeleton = skeleton or make_skeleton()
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / fps
    rate, phase = generator.uniform(1, 5, (2, len(skeleton), 3))
    clip = Clip.at_rest(skeleton, frames=frames, fps=fps)
    rotations = expmap_to_quat(0.3 * np.sin(rate * time + phase))
    positions = clip.positions.copy()
    positions[:, 0] += np.concatenate([0.3 * np.sin(time), 0.02 * np.cos(3 * time), 1.2 * time], -1)[:, 0]
    return Clip(skeleton, positions, rotations, fps, "dance")


def rebased(clip: Clip, turns: np.ndarray) -> Clip:
    """Returns the same world motion on a skeleton with turned joint frames, whose zero pose is no T-pose."""
    skeleton, parents = clip.skeleton, list(clip.skeleton.parents)
    before = np.concatenate([[[1.0, 0, 0, 0]], turns[parents[1:]]])
    rotations = quat_multiply(quat_multiply(quat_conjugate(before), clip.rotations), turns)
    ends = tuple((j, tuple(quat_rotate(quat_conjugate(turns[j]), tip))) for j, tip in skeleton.end_sites)
    offsets = quat_rotate(quat_conjugate(before), skeleton.offsets)
    positions = quat_rotate(quat_conjugate(before), clip.positions)
    return Clip(Skeleton(skeleton.names, skeleton.parents, offsets, ends), positions, rotations, clip.fps)


def test_kinematics_follow_the_tree_and_keep_bone_lengths() -> None:
    clip = make_clip()
    positions, rotations = clip.world()
    for j, parent in enumerate(clip.skeleton.parents):
        if parent < 0:
            continue
        bone = positions[:, j] - positions[:, parent]
        assert np.allclose(np.linalg.norm(bone, axis=-1), clip.skeleton.bone_lengths[j], atol=EXACT)
        matrix = quat_to_matrix(rotations[:, parent])
        assert np.allclose(bone, (matrix @ clip.positions[:, j, :, None])[..., 0], atol=EXACT)


def test_a_skeleton_survives_json() -> None:
    skeleton = make_skeleton()
    assert Skeleton.from_json(skeleton.to_json()) == skeleton


def test_a_missing_joint_is_named_with_its_neighbour() -> None:
    with pytest.raises(SkeletonError, match=r"LeftFot.*did you mean LeftFoot"):
        make_skeleton().index("LeftFot")


@pytest.mark.parametrize("parents", [(0, 0), (-1, 1), (-1, -1)])
def test_a_tree_out_of_order_is_refused(parents: tuple[int, int]) -> None:
    with pytest.raises(SkeletonError):
        Skeleton(("a", "b"), parents, np.zeros((2, 3)))


def test_broken_clips_are_refused() -> None:
    clip = make_clip()
    with pytest.raises(ClipError, match="expected"):
        Clip(clip.skeleton, clip.positions[:, :3], clip.rotations, 30.0)
    with pytest.raises(ClipError, match="not finite"):
        Clip(clip.skeleton, clip.positions * np.nan, clip.rotations, 30.0)
    with pytest.raises(ClipError, match="positive rate"):
        clip.resample(0)
    with pytest.raises(ClipError, match="no frames"):
        clip[5:5]


@pytest.mark.parametrize("fps", [20.0, 24.0, 29.97, 60.0, 120.0])
def test_resampling_keeps_the_motion(fps: float) -> None:
    """Against the same smooth dance made at the new rate."""
    clip = make_clip(frames=121, fps=30.0)
    resampled, truth = clip.resample(fps), make_clip(frames=round(4 * fps) + 1, fps=fps)
    inner = slice(int(fps / 2), int(3.5 * fps))
    assert abs(resampled.duration - clip.duration) <= 1 / fps
    error = np.linalg.norm(resampled.world_positions[inner] - truth.world_positions[inner], axis=-1)
    assert error.max() < 2e-3


def test_resampling_up_and_down_again_is_exact_at_the_frames() -> None:
    clip = make_clip()
    assert quat_angle(clip.resample(90.0).rotations[::3], clip.rotations).max() < EXACT


def test_resampling_down_removes_frequencies_above_the_new_rate() -> None:
    """A 25 Hz tremor at 120 fps would come back as 5 Hz at 30 fps if frames were merely dropped."""
    clip = Clip.at_rest(make_skeleton(), frames=240, fps=120.0)
    tremor = np.zeros((240, 3))
    tremor[:, 0] = 0.2 * np.sin(2 * np.pi * 25 * clip.times)
    clip.rotations[:, 1] = expmap_to_quat(tremor)
    angles = quat_angle(clip.resample(30.0).rotations[5:-5, 1], [1.0, 0, 0, 0])
    assert angles.max() < 0.004


def test_mirroring_twice_changes_nothing_and_keeps_bones() -> None:
    clip = make_clip()
    mirrored = clip.mirrored()
    twice = mirrored.mirrored()
    assert quat_angle(twice.rotations, clip.rotations).max() < EXACT
    assert np.allclose(twice.positions, clip.positions, atol=EXACT)
    assert np.allclose(mirrored.positions[:, 1:], clip.skeleton.offsets[1:], atol=EXACT)


def test_a_mirrored_clip_is_the_mirror_image() -> None:
    clip = make_clip()
    partners = list(clip.skeleton.anatomy.partners)
    image = clip.world_positions[:, partners] @ WORLD_MIRROR
    assert np.allclose(clip.mirrored().world_positions, image, atol=EXACT)


def test_mirroring_is_right_for_any_zero_pose() -> None:
    """Joint frames turned by quarter turns, left and right differently, as in skeletons with bones along ±X."""
    generator = np.random.default_rng(5)
    clip = make_clip(frames=200)
    quarter = expmap_to_quat(np.pi / 2 * np.eye(3))
    turns = np.stack([quarter[k] for k in generator.integers(0, 3, len(clip.skeleton))])
    turns[0] = [1.0, 0, 0, 0]
    other = rebased(clip, turns)
    assert np.allclose(other.world_positions, clip.world_positions, atol=EXACT)
    assert np.allclose(other.mirrored().world_positions, clip.mirrored().world_positions, atol=EXACT)
    assert quat_angle(other.mirrored().mirrored().rotations, other.rotations).max() < EXACT


def test_headings_follow_a_turn_and_mirror() -> None:
    clip = make_clip()
    turned = clip.moved((1.0, 0, 2.0), heading=0.8)
    assert np.allclose(turned.headings() - clip.headings(), 0.8, atol=EXACT)
    assert np.allclose(clip.mirrored().headings(), -clip.headings(), atol=1e-6)
    start = turned.at_origin()
    assert np.allclose(start.ground_positions()[0], 0, atol=EXACT) and abs(start.headings()[0]) < EXACT


def test_a_moved_clip_is_one_rigid_body() -> None:
    clip = make_clip()
    moved = clip.moved((1.0, 0.5, -2.0), heading=2.0).world_positions
    expected = quat_rotate(heading_to_quat(2.0), clip.world_positions) + np.array([1.0, 0.5, -2.0])
    assert np.allclose(moved, expected, atol=EXACT)


def test_in_place_keeps_the_hips_above_the_origin() -> None:
    clip = make_clip().in_place()
    assert np.allclose(clip.ground_positions(), 0, atol=EXACT)


def test_the_floor_is_where_the_feet_stand() -> None:
    clip = make_clip().moved((0, 0.37, 0)).on_floor()
    assert abs(clip.floor_height()) < EXACT


def test_reversing_twice_changes_nothing() -> None:
    clip = make_clip()
    assert np.array_equal(clip.reversed().reversed().rotations, clip.rotations)
    assert np.array_equal(clip.reversed().rotations[0], clip.rotations[-1])


def test_random_rotations_survive_kinematics_and_back() -> None:
    """Local rotations are recovered from world ones."""
    skeleton = make_skeleton()
    rotations = quat_normalize(np.random.default_rng(6).normal(size=(20, len(skeleton), 4)))
    clip = Clip(skeleton, Clip.at_rest(skeleton, frames=20).positions, rotations, 30.0)
    world = clip.world_rotations
    local = quat_multiply(quat_conjugate(world[:, list(skeleton.parents[1:])]), world[:, 1:])
    assert quat_angle(local, rotations[:, 1:]).max() < EXACT


def test_kinematics_of_many_poses_are_those_of_one_joint_after_another() -> None:
    random = np.random.default_rng(3)
    parents = (-1, *(int(random.integers(max(0, j - 6), j)) for j in range(1, 60)))
    figure = Skeleton(tuple(f"j{j}" for j in range(60)), parents, random.normal(size=(60, 3)))
    positions = random.normal(size=(300, 60, 3))
    rotations = quat_normalize(random.normal(size=(300, 60, 4)))
    places, turns = positions.copy(), rotations.copy()
    for j, parent in enumerate(parents[1:], start=1):
        places[:, j] = quat_rotate(turns[:, parent], places[:, j]) + places[:, parent]
        turns[:, j] = quat_multiply(turns[:, parent], turns[:, j])
    for part in (slice(None), 7, slice(0, 0)):
        found = figure.forward_kinematics(positions[part], rotations[part])
        assert np.array_equal(found[0], places[part]) and np.array_equal(found[1], turns[part])
