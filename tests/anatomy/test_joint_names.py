"""The names of joints in common rigs give side and part."""

import pytest

from moglow.anatomy.joint_names import read_name

NAMES = {
    "LeftUpLeg": ("left", "thigh"),
    "RightForeArm": ("right", "forearm"),
    "LowerArm_L": ("left", "forearm"),
    "HEad": (None, "head"),
    "mixamorig:RightToeBase": ("right", "toe"),
    "DEF-upper_arm.L.001": ("left", "upper_arm"),
    "thigh_l": ("left", "thigh"),
    "calf_r": ("right", "shin"),
    "Bip01 L Toe0": ("left", "toe"),
    "LeftCollar": ("left", "clavicle"),
    "Right Upper Leg": ("right", "thigh"),
    "lfemur": ("left", "thigh"),
    "rradius": ("right", "forearm"),
    "CC_Base_L_Thigh": ("left", "thigh"),
    "J_Bip_C_UpperChest": (None, "chest"),
    "lShldrBend": ("left", "upper_arm"),
    "LFArm": ("left", "forearm"),
    "Chest_M": (None, "chest"),
    "左足首": ("left", "foot"),
    "頭": (None, "head"),
}


@pytest.mark.parametrize("name", NAMES)
def test_side_and_part_are_read_from_a_name(name: str) -> None:
    side, part = NAMES[name]
    word = read_name(name)
    assert word.side == side
    assert word.evidence_for(part) >= 0.6


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hand_L", "Hand_R"),
        ("l_hand_01", "r_hand_01"),
        ("DEF-f_index.02.L", "DEF-f_index.02.R"),
        ("lfemur", "rfemur"),
    ],
)
def test_partners_have_one_key(left: str, right: str) -> None:
    assert read_name(left).key == read_name(right).key
    assert (read_name(left).side, read_name(right).side) == ("left", "right")


@pytest.mark.parametrize(
    "name", ["L5", "T12", "Spine", "LowerBack", "Root", "ribs", "Legend", "", "42", "🦴"]
)
def test_no_side_is_read_into_other_names(name: str) -> None:
    assert read_name(name).side is None


@pytest.mark.parametrize("name", ["thigh_twist_01_l", "ik_foot_l", "lThighTwist", "MCH-shin_ik.L"])
def test_helper_joints_have_no_part(name: str) -> None:
    assert read_name(name).helper
    assert read_name(name).evidence_for("thigh") < 0


def test_fore_and_hind_legs_are_distinguished_and_a_forearm_is_neither() -> None:
    assert read_name("RightFrontUpperLeg").front is True
    assert read_name("LeftForeLeg").front is True
    assert read_name("hind_thigh.L").front is False
    assert read_name("LeftForeArm").front is None
