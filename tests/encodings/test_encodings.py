"""Encodings: exact there and back, and the symmetries that models and windows rely on."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.encodings.encoding import CHARTS, Encoding, FeatureSpec, reverse_control
from moglow.encodings.reduction import Reduction
from moglow.errors import ClipError, MoglowError, SkeletonError
from moglow.maths.rotations import (
    euler_to_quat,
    expmap_to_quat,
    heading_to_quat,
    quat_angle,
    quat_multiply,
    quat_to_heading,
)
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

EXACT = 1e-9  # metres and radians, in double precision
TOES = 1e-4  # metres; the error of a toe in a feet-first encoding,
JOINTS = 1e-3  # of any joint,
TURNS = 1e-4  # and a rotation encoding of a rotation, in radians
FRAMES = 60


Joint = tuple[str, int, tuple[float, float, float]]


def biped() -> Skeleton:
    """Symmetric, in a T-pose, with toes, and a neck that no test turns."""
    middle = [
        ("Hips", -1, (0, 0.95, 0)),
        ("Spine", 0, (0, 0.2, 0)),
        ("Chest", 1, (0, 0.2, 0.02)),
        ("Neck", 2, (0, 0.2, 0)),
    ]
    leg = [
        ("UpLeg", 0, (0.1, -0.05, 0)),
        ("Leg", 4, (0.01, -0.42, 0.01)),
        ("Foot", 5, (0, -0.4, -0.01)),
        ("ToeBase", 6, (0, -0.06, 0.13)),
    ]
    arm = [("Arm", 2, (0.18, 0.1, 0)), ("ForeArm", 8, (0.28, 0, 0)), ("Hand", 9, (0.25, 0, 0))]
    return both_sides(middle, [*leg, *arm])


def quadruped() -> Skeleton:
    """Hind legs on the hips, fore legs on shoulder blades that move against the spine."""
    middle = [
        ("Hips", -1, (0, 0.6, 0)),
        ("Spine", 0, (0, 0.05, 0.3)),
        ("Chest", 1, (0, 0.0, 0.3)),
        ("Neck", 2, (0, 0.2, 0.2)),
    ]
    hind = [
        ("UpLeg", 0, (0.1, -0.05, 0)),
        ("Leg", 4, (0, -0.25, 0.05)),
        ("Foot", 5, (0, -0.2, -0.1)),
        ("ToeBase", 6, (0, -0.1, 0.05)),
    ]
    fore = [
        ("Shoulder", 2, (0.06, 0.05, 0)),
        ("Arm", 8, (0.04, -0.15, 0)),
        ("ForeArm", 9, (0, -0.2, -0.05)),
        ("Hand", 10, (0, -0.2, 0.02)),
    ]
    fore += [("FrontToe", 11, (0, -0.05, 0.06))]
    return both_sides(middle, [*hind, *fore])


def both_sides(middle: Sequence[Joint], half: Sequence[Joint]) -> Skeleton:
    joints = list(middle)
    for side, sign, shift in (("Left", 1, 0), ("Right", -1, len(half))):
        for name, parent, (x, y, z) in half:
            joints.append((side + name, parent + shift * (parent >= len(middle)), (sign * x, y, z)))
    return Skeleton(
        tuple(n for n, _, _ in joints), tuple(p for _, p, _ in joints), np.array([o for _, _, o in joints])
    )


def wander(skeleton: Skeleton, seed: int = 0, frames: int = FRAMES) -> Clip:
    """Returns smooth random motion along a bend, with knees that bend forward."""
    noise = np.random.default_rng(seed).normal(size=(frames + 24, len(skeleton), 3))
    kernel = np.hanning(25)
    turns = np.apply_along_axis(lambda x: np.convolve(x, kernel / kernel.sum(), "valid"), 0, noise) * 1.2
    turns[:, skeleton.index("Neck")] = 0.0
    for leg in skeleton.anatomy.legs:
        bend = 0.6 + np.abs(turns[:, leg.knee, 0])
        turns[:, leg.knee] = 0.05 * turns[:, leg.knee]
        turns[:, leg.knee, 0] = -bend if leg.front else bend
        turns[:, leg.hip, 0] += 0.5 * (bend if leg.front else -bend)
    clip = Clip.at_rest(skeleton, frames=frames, fps=30.0)
    time = np.arange(frames) / 30.0
    clip.positions[:, 0, 0] = 0.4 * np.sin(time)
    clip.positions[:, 0, 2] = time
    clip.positions[:, 0, 1] += 0.02 * np.sin(7 * time)
    rotations = expmap_to_quat(turns)
    rotations[:, 0] = quat_multiply(heading_to_quat(0.4 * np.cos(time)), rotations[:, 0])
    return replace(clip, rotations=rotations)


@pytest.fixture(params=[biped, quadruped], ids=["biped", "quadruped"])
def clip(request: pytest.FixtureRequest) -> Clip:
    return wander(request.param())


@pytest.fixture(params=CHARTS)
def encoding(request: pytest.FixtureRequest, clip: Clip) -> Encoding:
    return FeatureSpec(request.param).fit([clip])


def test_decoding_gives_back_the_joints(clip: Clip, encoding: Encoding) -> None:
    path = encoding.spec.path(clip)
    again = encoding.decode(encoding.encode(clip, path), path)
    assert np.abs(toe_points(again) - toe_points(clip)).max() < TOES
    assert np.abs(again.world_positions - clip.world_positions).max() < JOINTS
    assert np.abs(again.skeleton.offsets[1:] - again.positions[:, 1:]).max() < EXACT  # bones are rigid


def test_rotations_are_exact(clip: Clip) -> None:
    encoding = FeatureSpec("rotations").fit([clip])
    path = encoding.spec.path(clip)
    again = encoding.decode(encoding.encode(clip, path), path)
    assert quat_angle(again.rotations, clip.rotations).max() < TURNS
    assert np.abs(again.positions - clip.positions).max() < TURNS


def test_feet_first_keeps_everything_but_twists_of_the_leg(clip: Clip) -> None:
    encoding = FeatureSpec().fit([clip])
    path = encoding.spec.path(clip)
    again = encoding.decode(encoding.encode(clip, path), path)
    bones = [j for leg in clip.skeleton.anatomy.legs for j in (leg.hip, leg.knee)]
    rest = [j for j in range(len(clip.skeleton)) if j not in bones]
    assert quat_angle(again.world_rotations[:, rest], clip.world_rotations[:, rest]).max() < JOINTS


def test_a_frame_decodes_as_in_its_sequence(clip: Clip, encoding: Encoding) -> None:
    path = encoding.spec.path(clip)
    pose = encoding.encode(clip, path)
    whole = encoding.decode(pose, path)
    positions, rotations = encoding.decode_frames(pose[7], path.positions[7], path.headings[7])
    assert np.abs(positions - whole.positions[7]).max() < EXACT
    assert np.abs(rotations - whole.rotations[7]).max() < EXACT
    stacked = encoding.decode_frames(
        pose.reshape(6, 10, -1), path.positions.reshape(6, 10, 2), path.headings.reshape(6, 10)
    )
    assert np.abs(stacked[1].reshape(whole.rotations.shape) - whole.rotations).max() < EXACT


def test_features_do_not_depend_on_position_and_heading(clip: Clip, encoding: Encoding) -> None:
    moved = clip.moved((3.0, 0.0, -2.0), heading=2.0)
    assert np.abs(encoding.features(moved).pose - encoding.features(clip).pose).max() < 1e-6
    assert np.abs(encoding.features(moved).control - encoding.features(clip).control).max() < 1e-6


def test_the_mirror_map_is_the_mirrored_clip(clip: Clip, encoding: Encoding) -> None:
    features, mirrored = encoding.features(clip), encoding.features(clip.mirrored())
    again = features.mirrored(encoding)
    assert np.abs(again.pose - mirrored.pose).max() < 1e-6
    assert np.abs(again.control - mirrored.control).max() < 1e-6
    assert np.abs(again.pose - features.pose).max() > 0.1
    assert np.array_equal(encoding.mirror @ encoding.mirror, np.eye(len(encoding)))


def test_reversed_features_are_those_of_the_reversed_clip(clip: Clip, encoding: Encoding) -> None:
    features, backwards = encoding.features(clip), encoding.features(clip.reversed())
    assert np.abs(features.reversed().pose - backwards.pose).max() < 1e-6
    assert np.abs(features.reversed().control - backwards.control).max() < 1e-6
    assert np.array_equal(reverse_control(features.control[None])[0], features.reversed().control)


def test_carried_feet_stay_where_they_are_in_the_world(clip: Clip) -> None:
    encoding = FeatureSpec().fit([clip])
    path = encoding.spec.path(clip)
    pose = encoding.encode(clip, path)[:-1]
    carried = encoding.carry(pose, path.velocities()[1:] / path.fps)
    before = encoding.decode(pose, path[:-1])
    after = encoding.decode(carried, path[1:])
    ankles = [leg.ankle for leg in clip.skeleton.anatomy.legs]
    assert np.abs(toe_points(after) - toe_points(before)).max() < EXACT
    assert quat_angle(before.world_rotations[:, ankles], after.world_rotations[:, ankles]).max() < 1e-7
    assert np.abs(carried - pose)[:, encoding.slice("toe_z")].max() > 0.01


def test_carry_preserves_volume_in_numpy_and_torch(clip: Clip, encoding: Encoding) -> None:
    torch = pytest.importorskip("torch")
    features = encoding.features(clip)
    pose, step = torch.tensor(features.pose[5]), torch.tensor(features.control[6] / 30)
    carried = encoding.carry(pose, step, xp=torch)
    assert np.abs(carried.numpy() - encoding.carry(features.pose[5], features.control[6] / 30)).max() < 1e-12
    jacobian = torch.autograd.functional.jacobian(lambda x: encoding.carry(x, step, xp=torch), pose)
    assert abs(torch.linalg.slogdet(jacobian)[1].item()) < 1e-12


def test_a_foot_left_behind_is_drawn_within_the_reach_of_its_leg(clip: Clip) -> None:
    torch, encoding = pytest.importorskip("torch"), FeatureSpec("feet_first").fit([clip])
    pose = encoding.features(clip).pose[5]
    step = np.array([0.0, 3.0, 0.0])
    carried = encoding.carry(pose, step)
    x, z = (encoding.slice(group) for group in ("toe_x", "toe_z"))
    hips = pose[encoding.slice("hips_x")], pose[encoding.slice("hips_z")]
    down = pose[encoding.slice("hips_height")] - pose[encoding.slice("toe_height")]
    apart = np.sqrt((carried[x] - hips[0]) ** 2 + (carried[z] - hips[1]) ** 2 + down**2)
    np.testing.assert_allclose(apart, encoding.chart.reaches, atol=1e-6)
    assert (carried[x] < hips[0]).all(), "it stays on its side"
    theirs = encoding.carry(torch.tensor(pose), torch.tensor(step), xp=torch)
    np.testing.assert_allclose(theirs.numpy(), carried, atol=1e-12)


def test_recorded_feet_are_within_reach(clip: Clip, encoding: Encoding) -> None:
    features = encoding.features(clip)
    carried = encoding.carry(features.pose[:-1], features.control[1:] / clip.fps)
    x, step = encoding.slice("toe_x"), features.control[1:] / clip.fps
    half, forward, sideways = step[:, 2:] / 2, step[:, :1], step[:, 1:2]
    turned = (
        np.cos(step[:, 2:]) * features.pose[:-1, x]
        - np.sin(step[:, 2:]) * features.pose[:-1, encoding.slice("toe_z")]
    )
    rigid = turned - (np.cos(half) * sideways - np.sin(half) * forward)
    np.testing.assert_allclose(carried[:, x], rigid, atol=1e-12)


@pytest.mark.parametrize("contacts", [False, True])
def test_json_keeps_everything(clip: Clip, encoding: Encoding, contacts: bool) -> None:
    encoding = replace(encoding, spec=replace(encoding.spec, contacts=contacts))
    again = Encoding.from_json(json.loads(json.dumps(encoding.to_json())))
    path = encoding.spec.path(clip)
    pose = encoding.encode(clip, path)
    assert again.names == encoding.names and again.slices == encoding.slices
    assert np.array_equal(again.encode(clip, path), pose)
    assert np.array_equal(again.decode(pose, path).rotations, encoding.decode(pose, path).rotations)


def test_names_and_slices_cover_all_channels_once(clip: Clip, encoding: Encoding) -> None:
    assert len(set(encoding.names)) == len(encoding) == encoding.features(clip).pose.shape[1]
    assert [i for part in encoding.slices.values() for i in range(part.start, part.stop)] == list(
        range(len(encoding))
    )


def test_constant_values_have_no_channel_and_are_restored() -> None:
    clip = wander(biped(), frames=600)
    still, hinge = clip.skeleton.index("Neck"), clip.skeleton.index("LeftForeArm")
    angle = np.sin(np.arange(600) / 5)[:, None]
    rotations = clip.rotations.copy()
    for name, axis in (("LeftForeArm", (0.6, 0.0, 0.8)), ("RightForeArm", (0.6, 0.0, -0.8))):
        rotations[:, clip.skeleton.index(name)] = expmap_to_quat(angle * np.array(axis))
        angle = angle[::-1] ** 3
    rotations[:, still] = euler_to_quat([0.3, 0.2, 0.1], "ZYX")
    clip = replace(clip, rotations=rotations)
    encoding = FeatureSpec("rotations").fit([clip])
    assert not [name for name in encoding.names if name.startswith("Neck")]
    assert len([name for name in encoding.names if name.startswith("LeftForeArm")]) == 1
    path = encoding.spec.path(clip)
    again = encoding.decode(encoding.encode(clip, path), path)
    assert quat_angle(again.rotations[:, [still, hinge]], clip.rotations[:, [still, hinge]]).max() < TURNS


def test_reduced_channels_have_full_rank() -> None:
    generator = np.random.default_rng(1)
    free = generator.normal(size=(200, 4))
    values = free @ generator.normal(size=(4, 9)) + 1.0
    reduction = Reduction.fit(values, np.arange(9), tolerance=1e-9)
    assert len(reduction.kept) == 4
    assert np.abs(reduction.restore(reduction.reduce(values)) - values).max() < 1e-9


def test_two_hinges_are_two_channels() -> None:
    clip = wander(biped(), frames=600)
    first, second = 0.8 * np.sin(np.arange(600) / 9), 0.5 * np.cos(np.arange(600) / 7)
    rotations = clip.rotations.copy()
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        rotations[:, clip.skeleton.index(f"{side}ForeArm")] = euler_to_quat(
            np.stack([sign * first, second], axis=-1), "ZX"
        )
    clip = replace(clip, rotations=rotations)
    encoding = FeatureSpec().fit([clip])
    assert [
        len([n for n in encoding.names if n.startswith(f"{side}ForeArm")]) for side in ("Left", "Right")
    ] == [2, 2]
    path = encoding.spec.path(clip)
    again = encoding.decode(encoding.encode(clip, path), path)
    assert quat_angle(again.rotations, clip.rotations)[:, clip.skeleton.index("LeftForeArm")].max() < JOINTS
    restored = Encoding.from_json(json.loads(json.dumps(encoding.to_json())))
    assert np.array_equal(restored.decode(encoding.encode(clip, path), path).rotations, again.rotations)


def test_the_knee_stays_calm_while_the_leg_goes_straight() -> None:
    """Its thigh also twists by measuring noise there, as mocap does."""
    offsets = biped().offsets * [[j not in (5, 6, 12, 13), 1, 1] for j in range(18)]
    skeleton = replace(biped(), offsets=offsets)
    clip = Clip.at_rest(skeleton, frames=FRAMES, fps=30.0)
    bend = np.maximum(np.sin(np.arange(FRAMES) / 4), -0.01)  # stretched half of the time, and a hair beyond
    noise = np.random.default_rng(0).normal(size=(FRAMES, 3)) * 0.02
    for leg in skeleton.anatomy.legs:
        clip.rotations[:, leg.hip] = expmap_to_quat(
            np.stack([-bend / 2, 0 * bend, 0 * bend], axis=-1) + noise
        )
        clip.rotations[:, leg.knee] = expmap_to_quat(np.stack([bend, 0 * bend, 0 * bend], axis=-1))
    encoding = FeatureSpec().fit([clip])
    knees = encoding.chart.encode(clip, encoding.spec.path(clip))[:, encoding.chart.groups["knee"]]
    assert np.abs(knees).max() < 0.2


def test_poses_off_the_data_still_give_sound_rotations(clip: Clip, encoding: Encoding) -> None:
    wild = 10 * np.random.default_rng(0).normal(size=(200, len(encoding)))
    positions, rotations = encoding.decode_frames(
        np.concatenate([wild, 0 * wild]), np.zeros((400, 2)), np.zeros(400)
    )
    assert np.isfinite(positions).all()
    assert np.abs(np.linalg.norm(rotations, axis=-1) - 1).max() < 1e-6


def test_a_foot_out_of_reach_keeps_its_direction_and_its_turn() -> None:
    clip = wander(biped())
    encoding = FeatureSpec().fit([clip])
    path = encoding.spec.path(clip)
    pose = encoding.encode(clip, path)
    pose[:, encoding.slice("toe_height")] -= 1.0
    far = encoding.decode(pose, path)
    foot = clip.skeleton.index("LeftFoot")
    assert quat_angle(far.world_rotations[:, foot], clip.world_rotations[:, foot]).max() < 1e-6
    knee = far.rotations[:, clip.skeleton.index("LeftLeg")]
    assert np.ptp(knee, axis=0).max() < 1e-6  # the leg is straight


def test_every_field_of_the_spec_matters(clip: Clip) -> None:
    usual = FeatureSpec()
    for spec in (FeatureSpec("rotations"), FeatureSpec(contacts=True), FeatureSpec(smoothing=0.5)):
        one, other = usual.fit([clip]).features(clip), spec.fit([clip]).features(clip)
        assert one.pose.shape != other.pose.shape or np.abs(one.pose - other.pose).max() > 1e-3


def test_contact_channels_are_flags_and_change_sides() -> None:
    skeleton = biped()
    clip = Clip.at_rest(skeleton, frames=FRAMES, fps=30.0)
    lift = np.clip(np.arange(FRAMES) - 30, 0, 10)[:, None] * [0.1, 0.0, 0.0]
    clip.rotations[:, skeleton.index("LeftUpLeg")] = expmap_to_quat(-lift)
    clip.rotations[:, skeleton.index("LeftLeg")] = expmap_to_quat(lift)
    encoding = FeatureSpec(contacts=True).fit([clip])
    pose = encoding.features(clip).pose
    assert set(np.unique(pose[:, encoding.slice("contact")])) == {0.0, 1.0}
    flags = encoding.contacts(pose)
    assert flags[:, 1].all() and flags[:30, 0].all() and not flags[-15:, 0].any()
    assert np.array_equal(encoding.contacts(pose @ encoding.mirror.T), flags[:, ::-1])


def test_features_of_another_shape_are_refused() -> None:
    clip = wander(biped())
    encoding = FeatureSpec().fit([clip])
    other = wander(biped().scaled(1.1))
    with pytest.raises(ClipError, match="retarget"):
        encoding.features(other)
    with pytest.raises(ClipError, match="60 frames on a path of 10"):
        encoding.encode(clip, ControlPath.standing(10, 30.0))
    with pytest.raises(ValueError, match="unknown"):
        FeatureSpec("feet first")
    with pytest.raises(MoglowError):
        FeatureSpec().fit([])
    stick = Skeleton(("Base", "Tip"), (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    with pytest.raises(SkeletonError, match="rotations"):
        FeatureSpec().fit([Clip.at_rest(stick, frames=4)])
    assert len(FeatureSpec("rotations").fit([wander_stick(stick)])) > 0


def wander_stick(stick: Skeleton) -> Clip:
    clip = Clip.at_rest(stick, frames=30)
    clip.rotations[:, 1] = euler_to_quat(np.linspace(0, 1, 30)[:, None], "X")
    clip.rotations[:, 0] = heading_to_quat(np.linspace(0, 2, 30))
    assert quat_to_heading(clip.rotations[:, 0]).max() > 1
    return clip


@pytest.mark.parametrize(
    "file",
    [
        "open/69_01_1.bvh",
        "open/16_35.bvh",
        "open/wd2_WalkForwardNormal00.bvh",
        "nc/dataset-2_run_normal_009.bvh",
    ],
)
def test_real_clips_are_exact_and_slide_as_before(shared_data: Path, file: str) -> None:
    from moglow.bvh.read import read_bvh

    clip = read_bvh(shared_data / "tiny" / file).resample(30.0)
    encoding = FeatureSpec().fit([clip])
    path = encoding.spec.path(clip)
    again = encoding.decode(encoding.encode(clip, path), path)
    assert np.abs(toe_points(again) - toe_points(clip)).max() < TOES
    # A knee that bends backwards by up to 8 mm, for a frame or two of a run, is restored bent forwards.
    errors = np.linalg.norm(again.world_positions - clip.world_positions, axis=-1).max(1)
    assert np.quantile(errors, 0.98) < JOINTS and errors.max() < 0.02

    def slide(clip: Clip) -> float:
        return float(np.linalg.norm(np.diff(toe_points(clip)[..., [0, 2]], axis=0), axis=-1).mean())

    assert abs(slide(again) / slide(clip) - 1) < 0.01
