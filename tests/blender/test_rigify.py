"""Takes on the controls of rigs that Rigify generated from its human metarig."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.maths.rotations import Array, quat_angle, quat_conjugate, quat_multiply
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, toe_points
from moglow.motion.retarget import Retargeting, retarget
from moglow.motion.skeleton import Skeleton
from tests.support.blender import found_in_blender

pytestmark = pytest.mark.blender
ROOT = Path(__file__).resolve().parents[2]
EXACT = 1e-3  # metres
TURNED = 0.2  # degrees


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns the results of `rigify_blender.py`."""
    return found_in_blender("rigify_blender.py", tmp_path_factory.mktemp("blender"))


def source(day: dict[str, Any], name: str) -> Clip:
    skeleton, positions, rotations = day["sources"][name]
    return Clip(Skeleton.from_json(skeleton), np.array(positions), np.array(rotations), 30.0)


def body(bake: dict[str, Any]) -> Skeleton:
    return Skeleton.from_json(bake["skeleton"])


def heads(bake: dict[str, Any]) -> dict[str, Array]:
    """Returns the places ``(T, 3)`` of the rig's bones by the joint's name."""
    return dict(zip(body(bake).names, np.moveaxis(np.array(bake["ORG"]["heads"]), 1, 0), strict=True))


def off(clip: Clip, bake: dict[str, Any], *, keep_path: bool) -> dict[str, float]:
    """Returns the largest distance in metres of each bone from the retargeted take, which begins at the same place."""
    wanted = retarget(clip, body(bake), keep_path=keep_path).world_positions
    shift = np.zeros(3) if keep_path else (clip.positions[0, 0] - wanted[0, 0]) * (1, 0, 1)
    there = np.array(bake["ORG"]["heads"])
    errors = np.linalg.norm(there - wanted - shift, axis=-1).max(axis=0)
    return dict(zip(body(bake).names, errors.tolist(), strict=True))


@pytest.mark.parametrize("name", ["fk", "thin", "ik", "range", "odd", "odd ik"])
def test_bones_are_where_the_take_has_them(day: dict[str, Any], name: str) -> None:
    """Knees of legs in inverse kinematics excepted, which Rigify's stretch bends a little less.

    Keys are thinned to an error of each joint, heels included.
    """
    bake = day["bakes"][name]
    if name == "range":  # outside of it the rig stands still
        whole, bake = day["bakes"]["fk"]["ORG"]["heads"], {**bake}
        bake["ORG"] = {"heads": [*whole[:9], *bake["ORG"]["heads"][9:14], *whole[14:]]}
    odd = name.startswith("odd")
    errors = off(source(day, "odd" if odd else "ours"), bake, keep_path=not odd)
    limit = 1e-3 * day["thin"][1] + 1e-4 if name == "thin" else EXACT
    knees = {joint: errors.pop(joint) for joint in [*errors] if "ik" in name and joint.startswith("shin")}
    assert not bake["error"] and max(errors.values()) < limit, max(errors, key=errors.__getitem__)
    assert all(error < 0.05 for error in knees.values())
    assert bake["scenes"] == 1


def test_a_take_of_the_metarig_is_taken_over_as_it_is(day: dict[str, Any]) -> None:
    """Also on a ground. The head excepted: the metarig has two bones of the neck, and the rig one control."""
    found = day["slope"]
    head = found["away"].pop("head")
    assert not found["error"] and max(found["away"].values()) < EXACT / 10 and head < 0.01
    assert found["heights"][1] - found["heights"][0] == pytest.approx(0.15 * 1.5, abs=0.05)


def test_bones_of_the_mesh_turn_as_the_take(day: dict[str, Any]) -> None:
    """Away from the canonical poses. Thighs and upper arms share their twist with the bones above; legs also reach."""
    bake = day["bakes"]["fk"]
    clip, skeleton = source(day, "ours"), body(bake)
    poses = Retargeting.of(clip, skeleton, like=None, keep_path=True)
    wanted = quat_multiply(clip.world_rotations, quat_conjugate(poses.pose))
    turned = quat_multiply(np.array(bake["DEF"]["turns"]), quat_conjugate(poses.target_pose))
    roles, own = skeleton.anatomy.roles, clip.skeleton.anatomy.roles
    medians = {
        role: float(np.degrees(np.median(quat_angle(turned[:, joint], wanted[:, own[role]]))))
        for role, joint in roles.items()
        if role in own
    }
    assert len(medians) >= 18 and np.median([*medians.values()]) < TURNED
    for role in ("hips", "chest", "neck", "head", "left_forearm", "right_hand", "left_foot", "right_toe"):
        assert medians[role] < TURNED, role
    assert medians["spine"] < 3 and max(medians["left_shin"], medians["right_shin"]) < 5


def test_feet_stay_planted_and_on_the_floor(day: dict[str, Any]) -> None:
    bake = day["bakes"]["fk"]
    clip, rig = source(day, "ours"), heads(bake)
    planted = contacts(clip)
    toes = np.stack([rig["toe.L"], rig["toe.R"]], axis=1)
    both = planted[1:] & planted[:-1]
    slide, before = (
        30 * np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1)[both].mean()
        for points in (toes, toe_points(clip))
    )
    assert slide < before + 0.002  # metres a second
    soles = np.minimum(rig["heel.L"][:, 1], rig["heel.R"][:, 1])
    assert -0.02 < soles.min() < 0.02
    scale = Retargeting.of(clip, body(bake), like=None, keep_path=True).scales
    assert scale[1] > 1.05  # the rig has longer legs
    for role, joint in (
        ("left_foot", "foot.L"),
        ("right_foot", "foot.R"),
        ("left_toe", "toe.L"),
        ("right_toe", "toe.R"),
    ):
        away = rig[joint] - scale * clip.world_positions[:, clip.skeleton.anatomy.roles[role]]
        assert np.median(np.linalg.norm(away - np.median(away, axis=0), axis=-1)) < 0.02, role


def test_only_controls_have_keys(day: dict[str, Any]) -> None:
    for name, bake in day["bakes"].items():
        assert not [bone for bone in bake["keyed"] if bone.startswith(("DEF-", "ORG-", "MCH-", "VIS"))]
        legs = (
            {"foot_ik.L", "toe_ik.R", "foot_heel_ik.L"}
            if "ik" in name
            else {"thigh_fk.L", "shin_fk.R", "toe_fk.L"}
        )
        trunk = {"torso", "hips", "chest", "spine_fk.001", "neck", "head"}
        assert trunk | legs | {"shoulder.R", "upper_arm_fk.L", "forearm_fk.R", "hand_fk.L"} <= set(
            bake["keyed"]
        )
        feet = {"ik": ["foot_ik.L", "foot_ik.R"]}.get(name, [])
        if name == "odd ik":
            feet = ["foot_ik.L", "foot_ik.R", "thigh_ik_target.L", "thigh_ik_target.R"]
        assert bake["located"] == sorted([*feet, "torso"])


def test_switches_of_limbs_have_keys(day: dict[str, Any]) -> None:
    for name, bake in day["bakes"].items():
        assert sorted(bake["switches"]) == [
            f"{limb}_parent.{side}" for limb in ("thigh", "upper_arm") for side in "LR"
        ]
        for limb, values in bake["switches"].items():
            assert set(values) == {0.0 if "ik" in name and limb.startswith("thigh") else 1.0}


def test_bakes_are_actions_and_strips_with_plain_names(day: dict[str, Any]) -> None:
    names = ["walk take 1 on rig", *(f"walk take 1 on rig {number}" for number in (2, 3, 4))]
    assert [day["bakes"][name]["action"] for name in ("fk", "thin", "ik", "range")] == names
    assert day["bakes"]["range"]["strips"] == [[name, name, True] for name in names]
    assert day["bakes"]["range"]["range"] == [10, 14]
    assert day["kept"][1]  # the action that the rig had stays in the file


def test_thin_keys_of_controls_are_fewer(day: dict[str, Any]) -> None:
    full, thin = day["bakes"]["fk"], day["bakes"]["thin"]
    assert thin["keys"] < 0.75 * full["keys"]
    angles = quat_angle(np.array(full["ORG"]["turns"]), np.array(thin["ORG"]["turns"]))
    assert angles.max() < 4 * day["thin"][0]  # errors of a chain of controls add up


def test_other_rigs_are_refused_in_one_line(day: dict[str, Any]) -> None:
    refused = day["refused"]
    assert "not a rig that Rigify generated" in refused["metarig"] and "no rig of Rigify" in refused["no rig"]
    assert "without the control hand_fk.L" in refused["control"] and "has no take" in refused["no take"]
    assert "not the rig itself" in refused["figure"] and "under Rigify" in refused["generate"]
    assert "900 to 999" in refused["range"]
    assert all(len(text.strip().splitlines()) == 1 for text in refused.values())
