"""Preparing recordings for training: T-poses, floors, knees, joint limits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.cleaning.joint_limits import within_limits
from moglow.cleaning.knees import steady_knees
from moglow.cleaning.levelling import floor_slope, level_floor
from moglow.cleaning.t_poses import without_t_poses
from moglow.encodings.rotation import continuous_turns
from moglow.maths.rotations import (
    Array,
    axis_angle_to_quat,
    expmap_to_quat,
    quat_angle,
    quat_multiply,
    quat_rotate,
)
from moglow.maths.two_bone_ik import across_part
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, ground_speed, toe_floor, toe_points
from moglow.motion.retarget import retarget
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

AWAY = 8.0
"""Degrees in the median by which tilt, knees and elbows of a retargeted take may differ from the recording's."""

SETS = ("open_accad", "open_accad_female", "open_cmu69", "open_cmu_120fps", "open_cmu_more", "open_snu_basket",
        "open_snu_tennis", "open_snu_walk", "open_snu_wd2")  # fmt: skip


def test_a_t_pose_at_both_ends_is_cut_with_the_way_to_it() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=4.0, speed=0.0)
    roles = clip.skeleton.anatomy.roles
    down = {"left": [0.0, 0, -1.4], "right": [0.0, 0, 1.4]}  # from the T of the zero pose
    share = np.clip(np.minimum(clip.times - 0.8, 3.2 - clip.times) / 0.4, 0.0, 1.0)[:, None]
    rotations = clip.rotations.copy()
    for side, angle in down.items():
        rotations[:, roles[f"{side}_upper_arm"]] = expmap_to_quat(share * angle)
    taken = without_t_poses(replace(clip, rotations=rotations))
    assert 1.7 < taken.duration < 2.4
    lowered = taken.rotations[:, roles["left_upper_arm"]]
    assert quat_angle(lowered, expmap_to_quat(np.array(down["left"]))).max() < 0.5


@pytest.mark.parametrize("rig", ["cmu", "mixamo"])
def test_a_walk_without_a_t_pose_keeps_every_bit(rig: str) -> None:
    clip, _ = walk(skeleton_of(RIGS[rig]), speed=1.0)
    arms = [clip.skeleton.role(f"{side}_upper_arm") for side in ("left", "right")]
    rotations = clip.rotations.copy()
    rotations[:, arms[0]], rotations[:, arms[1]] = (
        expmap_to_quat(np.array([0.0, 0, angle])) for angle in (-1.4, 1.4)
    )
    clip = replace(clip, rotations=rotations)
    assert without_t_poses(clip) is clip


def tilted(clip: Clip, radians: float) -> Clip:
    """Returns the clip on a floor that rises ahead."""
    tilt = axis_angle_to_quat(np.array([-1.0, 0, 0]), radians)
    rotations, positions = clip.rotations.copy(), clip.positions.copy()
    rotations[:, 0] = quat_multiply(tilt, rotations[:, 0])
    positions[:, 0] = quat_rotate(tilt, positions[:, 0])
    return replace(clip, rotations=rotations, positions=positions)


@pytest.mark.parametrize("slope", [0.005, 0.012])
def test_a_tilted_floor_is_made_level(slope: float) -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]), seconds=6.0)
    level = level_floor(tilted(clip, slope))
    assert np.abs(floor_slope(level)[0]).max() < 0.1 * slope
    assert quat_angle(level.rotations[:, 0], clip.rotations[:, 0]).max() < 0.15 * slope
    assert np.ptp(toe_points(level)[contacts(level)][:, 1]) < 0.015


def test_a_level_floor_keeps_every_bit() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]))
    assert level_floor(clip) is clip


def test_a_floor_is_found_at_any_rate() -> None:
    """At a hundredth of a frame a second, the longest contact is shorter than a frame."""
    clip, _ = walk(skeleton_of(RIGS["cmu"]))
    assert np.isfinite(floor_slope(replace(Clip.at_rest(clip.skeleton, frames=8), fps=0.01))[0]).all()


def bends(clip: Clip, leg: int) -> Array:
    world, limb = clip.world_positions, clip.skeleton.anatomy.legs[leg]
    bend: Array = across_part(
        world[:, limb.knee] - world[:, limb.hip], world[:, limb.ankle] - world[:, limb.hip]
    )
    return bend


def test_a_knee_that_spins_about_a_straight_leg_is_led() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]))
    assert np.array_equal(steady_knees(clip).rotations, clip.rotations)
    limb = clip.skeleton.anatomy.legs[0]
    world = clip.world_positions
    rotations = clip.rotations.copy()
    spun = slice(40, 44)  # the thigh, and with it all below, turned about the leg's line
    line = world[spun, limb.ankle] - world[spun, limb.hip]
    turn = axis_angle_to_quat(
        line / np.linalg.norm(line, axis=-1, keepdims=True), np.array([2.5, -2, 2, -2.5])
    )
    rotations[spun, limb.hip] = quat_multiply(turn, rotations[spun, limb.hip])
    spoilt = replace(clip, rotations=rotations)
    mended = steady_knees(spoilt)
    before, after = bends(spoilt, 0), bends(mended, 0)
    np.testing.assert_allclose(np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), atol=1e-6)
    joints = [limb.hip, limb.ankle]
    np.testing.assert_allclose(
        mended.world_positions[:, joints], spoilt.world_positions[:, joints], atol=1e-6
    )
    assert (after[spun] * bends(clip, 0)[spun]).sum(-1).min() > 0  # on the right side again
    assert np.array_equal(mended.rotations[:20], clip.rotations[:20])


def test_a_head_that_is_turned_over_is_led_across() -> None:
    clip, _ = walk(skeleton_of(RIGS["cmu"]))
    head = clip.skeleton.role("head")
    rotations = clip.rotations.copy()
    rotations[50:70, head] = quat_multiply(rotations[50:70, head], expmap_to_quat(np.array([0.0, 3.0, 0.0])))
    mended = within_limits(replace(clip, rotations=rotations))
    assert quat_angle(mended.rotations[:, head], clip.rotations[:, head]).max() < 0.1
    assert np.array_equal(mended.rotations[:40], clip.rotations[:40])
    assert within_limits(clip) is clip


def test_turns_are_continuous_and_the_same_rotations() -> None:
    angle = np.concatenate([np.linspace(0, 4.5, 60), np.linspace(4.5, -1, 60)])
    quats = expmap_to_quat(angle[:, None] * [0.6, 0.8, 0.0])[:, None]
    vectors = continuous_turns(quats)
    assert np.abs(np.diff(vectors, axis=0)).max() < 0.2
    assert quat_angle(expmap_to_quat(vectors), quats).max() < 1e-6
    flipped = np.concatenate(
        [quats[:20], quats[-20:]]
    )  # begins anywhere, most frames have the shorter vector
    assert np.linalg.norm(continuous_turns(flipped), axis=-1).max() < np.pi + 1e-9


def measures(clip: Clip) -> dict[str, Array]:
    """Degrees ``(T,)``: tilt from the middle of the hips to the head, and the bends of elbows and knees."""
    world, roles = clip.world_positions, clip.skeleton.anatomy.roles

    def angle(one: Array, other: Array) -> Array:
        cosine = (one * other).sum(-1) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))
        degrees: Array = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        return degrees

    middle = world[:, [roles["left_thigh"], roles["right_thigh"]]].mean(1)
    found = {"tilt": angle(world[:, roles["head"]] - middle, np.array([0.0, 1, 0]))}
    for side in ("left", "right"):
        for name, parts in (("elbow", ("upper_arm", "forearm", "hand")), ("knee", ("thigh", "shin", "foot"))):
            first, second, third = (world[:, roles[f"{side}_{part}"]] for part in parts)
            found[f"{side} {name}"] = angle(second - first, third - second)
    return found


@pytest.mark.parametrize("name", SETS)
def test_every_set_keeps_its_angles_on_our_figure(name: str, shared_data: Path, samples: Path) -> None:
    figure = read_bvh(samples / "figure.bvh").skeleton
    files = sorted((shared_data / "locomotion" / name).glob("*.bvh"))
    away: dict[str, list[float]] = {}
    for path in files[:: max(1, len(files) // 8)]:
        clip = read_bvh(path)[:600]
        source, result = measures(clip), measures(retarget(clip, figure))
        for key, degrees in source.items():
            away.setdefault(key, []).append(float(np.median(np.abs(degrees - result[key]))))
    assert {key: np.median(degrees) for key, degrees in away.items() if np.median(degrees) > AWAY} == {}


@pytest.mark.parametrize("name", ["open_snu_basket", "open_accad", "open_snu_wd2"])
def test_swinging_toes_that_skim_are_not_planted(name: str, shared_data: Path) -> None:
    """Where toes skim the floor, height is not enough; planted toes are slow as well."""
    files = sorted((shared_data / "locomotion" / name).glob("*.bvh"))
    speeds, skimming = [], 0
    for path in files[:: max(1, len(files) // 6)]:
        clip = read_bvh(path)
        toes, planted = toe_points(clip), contacts(clip)
        speed, height = ground_speed(toes, clip.fps), toes[..., 1] - toe_floor(toes)
        speeds.append(speed[planted])
        skimming += int(((height < 0.03) & (speed > 1.0) & planted).sum())
    fast = np.concatenate(speeds)
    assert np.quantile(fast, 0.95) < 0.6
    assert skimming < 0.01 * len(fast)


def test_a_clip_shorter_than_the_frames_around_damage_is_mended_too(samples: Path) -> None:
    clip = read_bvh(samples / "walk.bvh").resample(120.0)[:9]
    rotations = clip.rotations.copy()
    rotations[4, clip.skeleton.role("head")] = axis_angle_to_quat([1.0, 0.0, 0.0], 3.0)
    for leg in clip.skeleton.anatomy.legs:
        turn = axis_angle_to_quat([0.0, 1.0, 0.0], 2.0)
        rotations[1::2, leg.hip] = quat_multiply(rotations[1::2, leg.hip], turn)
    spoilt = replace(clip, rotations=rotations)
    assert len(within_limits(spoilt)) == len(steady_knees(spoilt)) == len(clip)
