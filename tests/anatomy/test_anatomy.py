"""Roles and partners of a skeleton are found by name or by shape, and a map overrides them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moglow.anatomy.anatomy import MIDDLE, ROLES, Anatomy, find_anatomy, read_map
from moglow.bvh.read import read_bvh
from moglow.errors import MoglowError
from tests.support.rigs import DOGS, MORE_RIGS, RIGS, Rig

ALL = RIGS | MORE_RIGS | {f"dog, {name}": dog for name, dog in DOGS.items()}
# Roles that shape alone does not determine: the top of the head, doubled hips, an ankle and its instep.
UNTELLABLE = {
    "mixamo": {"head"},
    "cmu": {"spine"},
    "daz": {"left_foot", "right_foot"},
    "biped": {"chest", "neck"},
    "biped, thighs on the spine": set(MIDDLE),
}
SURE, UNSURE = 0.6, 0.75


def anatomy_of(rig: Rig, **overrides: str) -> Anatomy:
    return find_anatomy(rig.names, rig.parents, rig.rest, overrides)


@pytest.mark.parametrize("name", ALL)
def test_every_role_and_partner_of_a_named_rig_is_found(name: str) -> None:
    rig = ALL[name]
    anatomy = anatomy_of(rig)
    assert anatomy.roles == rig.roles
    assert anatomy.partners == rig.partners
    assert min(anatomy.confidence.values()) >= SURE


@pytest.mark.parametrize("name", ALL)
def test_the_same_is_found_without_names(name: str) -> None:
    rig = ALL[name]
    anatomy = anatomy_of(rig.scrambled())
    expected = set(ROLES) - UNTELLABLE.get(name, set())
    assert {role: joint for role, joint in anatomy.roles.items() if role in expected} == {
        role: joint for role, joint in rig.roles.items() if role in expected
    }
    assert anatomy.partners == rig.partners
    assert max(anatomy.confidence[role] for role in anatomy.roles) <= UNSURE


@pytest.mark.parametrize("name", ["snu", "unreal", "dog, rigify"])
def test_sides_follow_the_toes_when_the_figure_faces_backwards(name: str) -> None:
    rig = ALL[name]
    turned = rig.rest * [-1.0, 1.0, -1.0]
    anatomy = find_anatomy(rig.scrambled().names, rig.parents, turned)
    assert anatomy.roles["left_thigh"] == rig.roles["left_thigh"]


@pytest.mark.parametrize("name", ["snu", "bandai", "dog, rigify"])
def test_limbs_of_unequal_length_are_still_a_pair(name: str) -> None:
    rig = ALL[name]
    rest = np.where(rig.rest[:, :1] < 0, rig.rest * [1.05, 1.0, 1.0] + [0.0, 0.01, 0.0], rig.rest)
    assert find_anatomy(rig.scrambled().names, rig.parents, rest).partners == rig.partners


@pytest.mark.parametrize("name", ALL)
def test_legs_follow_the_roles(name: str) -> None:
    rig = ALL[name]
    legs = anatomy_of(rig).legs
    assert [leg.side for leg in legs] == ["left", "right"] * (2 if name.startswith("dog") else 1)
    for leg in legs:
        front = "front_" if leg.front else ""
        found = [leg.hip, leg.knee, leg.ankle, leg.toe]
        assert found == [
            rig.roles.get(f"{leg.side}_{front}{part}") for part in ("thigh", "shin", "foot", "toe")
        ]


def test_partners_that_the_names_spell_differently_are_found() -> None:
    snu = RIGS["snu"]
    names = tuple("LeftShoulder1" if name == "LeftShoulder" else name for name in snu.names)
    anatomy = find_anatomy(names, snu.parents, snu.rest)
    assert anatomy.partners == snu.partners
    assert anatomy.roles == snu.roles


def test_overrides_win_and_the_rest_follows_them() -> None:
    rig = RIGS["unreal"].scrambled()
    twist = rig.names[RIGS["unreal"].names.index("calf_twist_01_l")]
    anatomy = anatomy_of(rig, left_shin=twist, head="", neck=rig.names[2])
    assert rig.names[anatomy.roles["left_shin"]] == twist
    assert rig.names[anatomy.roles["neck"]] == rig.names[2]
    assert "head" not in anatomy.roles
    assert anatomy.confidence["left_shin"] == anatomy.confidence["neck"] == 1.0
    assert anatomy.roles["right_shin"] == anatomy.partners[anatomy.roles["left_shin"]]


def test_an_override_of_partners_pairs_the_two_and_frees_their_old_partners() -> None:
    rig = RIGS["snu"]
    anatomy = anatomy_of(rig, LeftHand="RightForeArm")
    hand, forearm, old = (rig.names.index(name) for name in ("LeftHand", "RightForeArm", "RightHand"))
    assert anatomy.partners[hand] == forearm and anatomy.partners[forearm] == hand
    assert anatomy.partners[old] == old


def test_an_override_with_an_unknown_joint_names_the_nearest() -> None:
    with pytest.raises(MoglowError, match=r"no joint 'LeftFot'; did you mean 'LeftFoot'\?"):
        anatomy_of(RIGS["snu"], left_foot="LeftFot")


def test_a_map_file_is_read_as_overrides(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('[roles]\nleft_foot = "LeftToes"\n[partners]\n"LeftHand" = "RightHand"\n')
    assert read_map(path) == {"left_foot": "LeftToes", "LeftHand": "RightHand"}
    assert anatomy_of(RIGS["snu"], **read_map(path)).roles["left_foot"] == RIGS["snu"].names.index("LeftToes")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[roles]\nleft_foott = "A"', "no role; did you mean 'left_foot'"),
        ("[roles]\nleft_foot = 3", "left_foot must be a joint's name"),
        ('[joints]\na = "b"', "found 'joints'"),
        ("[roles", "not a TOML file"),
    ],
)
def test_a_wrong_map_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(MoglowError, match=message) as error:
        read_map(path)
    assert "map.toml" in str(error.value) and "\n" not in str(error.value)


def test_no_roles_are_invented_for_a_rope() -> None:
    count = 60
    rest = np.outer(np.arange(count), [0.0, -0.1, 0.0])
    anatomy = find_anatomy([f"rope{j}" for j in range(count)], range(-1, count - 1), rest)
    assert not anatomy.roles and not anatomy.legs
    assert anatomy.partners == tuple(range(count))


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[str], list[int], np.ndarray]:
    count = draw(st.integers(1, 25))
    parents = [-1, *(draw(st.integers(0, j - 1)) for j in range(1, count))]
    words = st.sampled_from(
        ["Hips", "LeftArm", "RightArm", "LeftFoot", "L", "toe", "LeftLeg", "RightLeg", "x"]
    )
    rest = [[draw(st.integers(-3, 3)) for _ in range(3)] for _ in range(count)]
    return [draw(words) for _ in range(count)], parents, np.array(rest, float)


@given(trees())
def test_any_tree_has_partners_that_are_mutual_and_roles_within_it(
    tree: tuple[list[str], list[int], np.ndarray],
) -> None:
    names, parents, rest = tree
    anatomy = find_anatomy(names, parents, rest)
    assert all(anatomy.partners[partner] == joint for joint, partner in enumerate(anatomy.partners))
    assert all(0 <= joint < len(names) for joint in anatomy.roles.values())
    assert all(0 <= value <= 1 for value in anatomy.confidence.values())


@pytest.mark.parametrize("subset", ["open_cmu69", "open_cmu_120fps", "open_snu_walk", "nc_bandai2"])
def test_real_skeletons_are_understood_without_their_names(shared_data: Path, subset: str) -> None:
    """Includes Bandai's, whose zero pose is no pose: there left and right are guessed, with a low confidence."""
    file = min((shared_data / "locomotion" / subset).glob("*.bvh"), key=lambda path: path.stat().st_size)
    skeleton = read_bvh(file).skeleton
    nameless = find_anatomy(
        [f"q{j}x" for j in range(len(skeleton))], skeleton.parents, skeleton.rest_positions
    )
    limbs = {role: joint for role, joint in skeleton.anatomy.roles.items() if role not in MIDDLE}
    assert {role: joint for role, joint in nameless.roles.items() if role not in MIDDLE} == limbs
    assert nameless.partners == skeleton.anatomy.partners
    if subset == "nc_bandai2":
        assert nameless.confidence["left_thigh"] < 0.3
