"""Acclaim files: a motion written as .asf and .amc by the book is the motion of its BVH twin; damage is one line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.errors import MotionFileError
from moglow.formats.read import read_motion
from moglow.maths.rotations import Array, matrix_to_quat, quat_to_matrix
from moglow.motion.clip import Clip

TWIN = 1e-4  # metres
UNIT = 0.0254 / 0.45

# A leg of subject 02 of CMU's database, of which there is a BVH conversion.
LEGS = """\
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lhipjoint
     direction 0.655637 -0.713449 0.247245
     length 2.52691
     axis 0 0 0  XYZ
  end
  begin
     id 2
     name lfemur
     direction 0.34202 -0.939693 0
     length 7.59371
     axis 0 0 20  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 3
     name ltibia
     direction 0.34202 -0.939693 0
     length 7.28717
     axis 0 0 20   XYZ
    dof rx
    limits (-10.0 170.0)
  end
:hierarchy
  begin
    root lhipjoint
    lhipjoint lfemur
    lfemur ltibia
  end
"""


def rotation(angles: Array) -> Array:
    """Matrices ``(..., 3, 3)`` that turn about X, then Y, then Z."""
    x, y, z = np.moveaxis(np.radians(angles), -1, 0)
    one, none = np.ones_like(x), np.zeros_like(x)

    def matrix(rows: list[list[Array]]) -> Array:
        stacked: Array = np.stack([np.stack(row, -1) for row in rows], -2)
        return stacked

    about_x = matrix([[one, none, none], [none, np.cos(x), -np.sin(x)], [none, np.sin(x), np.cos(x)]])
    about_y = matrix([[np.cos(y), none, np.sin(y)], [none, one, none], [-np.sin(y), none, np.cos(y)]])
    about_z = matrix([[np.cos(z), -np.sin(z), none], [np.sin(z), np.cos(z), none], [none, none, one]])
    product: Array = about_z @ about_y @ about_x
    return product


def angles_of(matrix: Array) -> Array:
    """The angles ``(..., 3)`` in degrees of which `rotation` makes a matrix."""
    x = np.arctan2(matrix[..., 2, 1], matrix[..., 2, 2])
    y = np.arcsin(np.clip(-matrix[..., 2, 0], -1, 1))
    z = np.arctan2(matrix[..., 1, 0], matrix[..., 0, 0])
    angles: Array = np.degrees(np.stack([x, y, z], -1))
    return angles


def words(values: Array) -> str:
    return " ".join(map(repr, values.tolist()))


def write_acclaim(clip: Clip, folder: Path, name: str = "02_01", skeleton: str = "02") -> Path:
    """Writes a clip in the way of CMU: our joint is the near end of a bone, whose far end is the next joint.

    Joints with several children get a bone for each, which does not turn: only the first of them may.
    """
    rig, random = clip.skeleton, np.random.default_rng(0)
    axes = random.uniform(-90, 90, (len(rig), 3)).round(4)
    asf = [
        ":version 1.10",
        ":units",
        "  mass 1.0",
        "  length 0.45",
        "  angle deg",
        ":root",
        "  order TX TY TZ RX RY RZ",
        "  axis XYZ",
        "  position 0 0 0",
        "  orientation 0 0 0",
        ":bonedata",
    ]
    lines, tree, turns = [], [], quat_to_matrix(clip.rotations)
    values = {"root": np.concatenate([clip.positions[:, 0] / UNIT, angles_of(turns[:, 0])], -1)}
    for joint in range(1, len(rig)):
        children = rig.children(joint)
        tip = rig.offsets[children[0]] / UNIT if children else np.array([0.0, 0.1, 0.0])
        length = float(np.linalg.norm(tip))
        direction = tip / length if length else np.array([0.0, 0.0, 1.0])
        asf += [
            "  begin",
            f"     id {joint}",
            f"     name b{joint}",
            f"     direction {words(direction)}",
            f"     length {length!r}",
            f"     axis {words(axes[joint])}   XYZ",
            "    dof rx ry rz",
            "    limits (-160.0 20.0)",
            "           (-70.0 70.0)",
            "           (-60.0 70.0)",
            "  end",
        ]
        own = rotation(axes[joint])
        values[f"b{joint}"] = angles_of(own.T @ turns[:, joint] @ own)
        lines.append(f"    {'root' if rig.parents[joint] == 0 else f'b{rig.parents[joint]}'} b{joint}")
    tree = [":hierarchy", "  begin", *lines, "  end"]
    folder.mkdir(exist_ok=True)
    (folder / f"{skeleton}.asf").write_text("\n".join(asf + tree) + "\n")
    amc = ["#!OML:ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(len(clip)):
        amc.append(str(frame + 1))
        amc += [
            f"{bone} {' '.join(f'{value:.9g}' for value in rows[frame])}" for bone, rows in values.items()
        ]
    (folder / f"{name}.amc").write_text("\n".join(amc) + "\n")
    return folder / f"{name}.amc"


def chain(clip: Clip, joints: list[str]) -> Clip:
    """A root with joints that hang on each other, the first on the root's own place: what bones can say exactly."""
    picked = [clip.skeleton.index(name) for name in joints]
    skeleton = replace(
        clip.skeleton, names=tuple(joints), parents=tuple(range(-1, len(joints) - 1)), end_sites=(), layout=None,
        offsets=np.array([clip.skeleton.offsets[j] for j in picked]),
    )  # fmt: skip
    return Clip(skeleton, clip.positions[:, picked], clip.rotations[:, picked], clip.fps)


@pytest.mark.realdata
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_frames_move_as_those_of_the_bvh_twins(side: str, tmp_path: Path, shared_data: Path) -> None:
    files = sorted((shared_data / "locomotion" / "open_cmu_120fps").glob("*.bvh"))[::8][:10]
    assert len(files) >= 9
    for file in files:
        joints = ["Hips", f"{side[0]}HipJoint", f"{side}UpLeg", f"{side}Leg", f"{side}Foot", f"{side}ToeBase"]
        twin = chain(read_bvh(file)[:60], joints)
        found = read_motion(write_acclaim(twin, tmp_path / file.stem), unit=UNIT, up="Y")
        assert found.fps == 120.0 and len(found) == len(twin)
        assert np.abs(found.world()[0] - twin.world()[0]).max() < TWIN


@pytest.mark.realdata
def test_lengths_and_axes_are_those_of_the_bvh_twin(tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "02.asf").write_text(LEGS)
    rig = read_motion(tmp_path / "02.asf", unit=UNIT, up="Y").skeleton
    twin = read_bvh(shared_data / "tiny" / "open" / "02_01.bvh").skeleton
    for bone, name in (("lhipjoint", "LHipJoint"), ("lfemur", "LeftUpLeg"), ("ltibia", "LeftLeg")):
        offset = twin.offsets[twin.index(name)]
        assert rig.offsets[rig.index(bone)] == pytest.approx(offset, abs=TWIN)
    foot = twin.offsets[twin.index("LeftFoot")]
    assert rig.end_sites[0][1] == pytest.approx(foot, abs=TWIN)


def small(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "02.asf").write_text(LEGS)
    file = folder / "02_01.amc"
    file.write_text(":FULLY-SPECIFIED\n:DEGREES\n1\nroot 1 17 -20 0 90 0\nlfemur 10 0 0\nltibia 30\n"
                    "2\nroot 2 17 -20 0 90 0\nlfemur 11 0 0\nltibia 31\n")  # fmt: skip
    return file


def test_a_frame_by_hand(tmp_path: Path) -> None:
    clip = read_motion(small(tmp_path), unit=1.0, up="Y")
    assert clip.positions[:, 0] == pytest.approx(np.array([[1, 17, -20], [2, 17, -20]]))
    axis = rotation(np.array([0.0, 0.0, 20.0]))
    femur = axis @ rotation(np.array([10.0, 0.0, 0.0])) @ axis.T
    assert clip.rotations[0, 2] == pytest.approx(matrix_to_quat(femur))
    hip = 2.52691 * np.array([0.655637, -0.713449, 0.247245])
    knee = hip + femur @ (7.59371 * np.array([0.34202, -0.939693, 0]))
    turned = rotation(np.array([0.0, 90.0, 0.0]))
    assert clip.world()[0][0, 3] == pytest.approx(np.array([1, 17, -20]) + turned @ knee, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ltibia 31\n", ""), "frame 2 lacks ltibia"),
        (("lfemur 10 0 0", "lfemur 10 0"), "line 5: lfemur has 2 numbers, its skeleton has 3"),
        (("lfemur 10 0 0", "lfemur 10 0 x"), "line 5: could not convert"),
        (("root 1", "root 1e300"), r"a joint is .*e\+298 m away, expected at most 1e\+07 m"),
        (("ltibia 30", "lfoot 30"), "line 6: the skeleton has no moving bone 'lfoot'"),
        ((":DEGREES", ":RADIANS"), "angles in radians"),
        (("1\nroot 1", "root 1"), "line 3: expected the number of a frame"),
    ],
)
def test_damage_is_one_line(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    file = small(tmp_path)
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(MotionFileError, match=message):
        read_motion(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name lfemur", "name"), "line 30: not an ASF skeleton"),
        (
            ("direction 0.34202 -0.939693 0", "direction 0.34202 -0.939693"),
            "a vector of 2 numbers, expected 3",
        ),
        (("dof rx ry rz", "dof rx \x1b"), r"moves by rx \?, expected"),
        (("length 0.45", "length nan"), "a unit of length nan"),
        (("length 0.45", "length 0"), "a unit of length 0"),
        (("length 7.59371", "length long"), "line 30: not an ASF skeleton"),
        (("    lfemur ltibia\n", "    lfemur lshin\n"), "names lshin, which :bonedata lacks"),
        ((":hierarchy", ":nothing"), "the root has no bone"),
        (("dof rx ry rz", "dof rx tx"), "bone lfemur moves by rx tx"),
    ],
)
def test_a_damaged_skeleton_is_one_line(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    file = small(tmp_path)
    (tmp_path / "02.asf").write_text(LEGS.replace(*change))
    with pytest.raises(MotionFileError, match=message):
        read_motion(file)


def test_the_skeleton_is_found_beside_the_motion(tmp_path: Path) -> None:
    file = small(tmp_path)
    (tmp_path / "03.asf").write_text("nonsense")
    assert len(read_motion(file)) == 2
    (tmp_path / "02.asf").rename(tmp_path / "05.asf")
    assert len(read_motion(f"{file}#05.asf")) == 2
    with pytest.raises(MotionFileError, match=r"found 03\.asf, 05\.asf"):
        read_motion(file)
