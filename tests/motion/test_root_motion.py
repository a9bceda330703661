"""Root motion: the way over the ground is on the root, and every other joint stays where it is in the world."""

from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.formats.export import export
from moglow.formats.read import read_motion
from moglow.maths.rotations import quat_angle, quat_to_heading
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.root_motion import on_root
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import skeleton_of, walk

SAME = 1e-6  # metres and radians
FIGURES = {name: skeleton_of(rig) for name, rig in (*RIGS.items(), *DOGS.items())}


def turning(name: str) -> Clip:
    """Returns a walk away from the origin, to the side and turned."""
    return walk(FIGURES[name], seconds=1.5)[0].moved((1.0, 0.0, -2.0), heading=2.5)


@pytest.mark.parametrize("name", FIGURES)
def test_joints_stay_and_the_root_goes_below_the_hips(name: str) -> None:
    clip = turning(name)
    moved = on_root(clip)
    skeleton, (places, turns) = moved.skeleton, moved.world()
    for joint, bone in enumerate(clip.skeleton.names):
        if bone.startswith("ik_") or (joint == 0 and clip.skeleton.anatomy.roles["hips"]):
            continue
        now = skeleton.index(bone)
        assert np.abs(places[:, now] - clip.world()[0][:, joint]).max() < SAME, bone
        assert quat_angle(turns[:, now], clip.world()[1][:, joint]).max() < SAME, bone
    hips = skeleton.anatomy.roles["hips"]
    assert hips > 0 and skeleton.parents[0] == -1
    assert np.abs(places[:, 0, [0, 2]] - clip.ground_positions()).max() < SAME and not places[:, 0, 1].any()
    apart = quat_to_heading(turns[:, 0]) - clip.headings()
    assert np.abs(np.angle(np.exp(1j * apart))).max() < SAME


def test_a_root_that_is_there_is_used() -> None:
    clip = turning("unreal")
    moved = on_root(clip)
    assert moved.skeleton is clip.skeleton and moved.skeleton.names[0] == "root"
    assert np.abs(moved.world()[0][:, 0]).max() > 1.0


def test_the_ik_bones_of_unreal_follow_feet_and_hands() -> None:
    clip = turning("unreal")
    places, turns = on_root(clip).world()
    index = clip.skeleton.index
    for bone, joint in (
        ("ik_foot_l", "foot_l"), ("ik_foot_r", "foot_r"), ("ik_hand_gun", "hand_r"), ("ik_foot_root", "root")
    ):  # fmt: skip
        assert np.abs(places[:, index(bone)] - places[:, index(joint)]).max() < SAME
        assert quat_angle(turns[:, index(bone)], turns[:, index(joint)]).max() < SAME


def test_blocks_make_the_same_as_the_whole() -> None:
    clip = turning("mixamo")
    whole, parts = on_root(clip), joined(map(on_root, (clip[:7], clip[7:20], clip[20:])))
    assert whole.skeleton == parts.skeleton
    assert np.abs(whole.world()[0] - parts.world()[0]).max() < 1e-12


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_files_keep_the_root(suffix: str, tmp_path: Path) -> None:
    moved = on_root(turning("cmu"))
    export(moved, tmp_path / f"a{suffix}", **({"keep_root": True} if suffix == ".bvh" else {}))
    found = read_motion(tmp_path / f"a{suffix}", unit="cm" if suffix == ".bvh" else 1.0, up="Y")
    assert found.skeleton.names == moved.skeleton.names and found.skeleton.names[0] == "root"
    assert np.abs(found.world()[0] - moved.world()[0]).max() < 5e-6


def test_real_recordings_stay_as_they_are(shared_data: Path) -> None:
    for file in sorted((shared_data / "tiny").glob("*/*.bvh")):
        clip = read_bvh(file)
        moved = on_root(clip)
        kept = [(moved.skeleton.index(name), joint) for joint, name in enumerate(clip.skeleton.names)
                if joint or not clip.skeleton.anatomy.roles.get("hips", 0)]  # fmt: skip
        now, then = (list(part) for part in zip(*kept, strict=True))
        assert np.abs(moved.world()[0][:, now] - clip.world()[0][:, then]).max() < SAME
