"""VRM animations: read back, the bones are where they were; on an avatar, three-vrm puts them there too."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.errors import ExportError
from moglow.formats.glb import Chunk, write_document
from moglow.formats.gltf_file import GltfFile
from moglow.formats.read import read_motion
from moglow.formats.vrm_bones import ROLE_OF
from moglow.formats.vrma import write_vrma
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

SINGLE = 5e-6  # metres
JUDGED = 1e-4  # metres; the avatar's bones by three-vrm
WITH_ARMS = [name for name, rig in RIGS.items() if "left_hand" in skeleton_of(rig).anatomy.roles]


def humanoid(clip: Clip) -> dict[str, int]:
    """The joints that play VRM bones."""
    roles = clip.skeleton.anatomy.roles
    return {bone: roles[role] for bone, role in ROLE_OF.items() if role in roles}


@pytest.mark.parametrize("name", WITH_ARMS)
def test_bones_are_where_they_were(name: str, tmp_path: Path) -> None:
    clip = walk(skeleton_of(RIGS[name]), seconds=1.0)[0]
    write_vrma(clip, tmp_path / "a.vrma")
    found = read_motion(tmp_path / "a.vrma")
    joints = humanoid(clip)
    for bone in joints.keys() & set(found.skeleton.names):
        expected = clip.world()[0][:, joints[bone]]
        assert np.abs(found.world()[0][:, found.skeleton.index(bone)] - expected).max() < SINGLE, bone
    assert joints.keys() == set(found.skeleton.names)


def test_the_file_rests_in_a_t_pose(tmp_path: Path, samples: Path) -> None:
    write_vrma(read_bvh(samples / "run.bvh"), tmp_path / "a.vrma")
    rest = read_motion(tmp_path / "a.vrma").skeleton
    place = {name: rest.rest_positions[rest.index(name)] for name in rest.names}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = place[f"{side}Hand"] - place[f"{side}UpperArm"]
        leg = place[f"{side}Foot"] - place[f"{side}UpperLeg"]
        assert arm[0] * sign > 0.99 * np.linalg.norm(arm) and leg[1] < -0.98 * np.linalg.norm(leg)


def test_a_figure_without_arms_is_refused(tmp_path: Path) -> None:
    legs = Skeleton(
        ("Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot"),
        (-1, 0, 1, 2, 0, 4, 5),
        np.array([[0, 0, 0], [1, 0, 0], [0, -4, 0], [0, -4, 0], [-1, 0, 0], [0, -4, 0], [0, -4, 0]]) / 10,
    )
    with pytest.raises(ExportError, match="VRM avatars need the bone spine, the skeleton has no spine"):
        write_vrma(Clip.at_rest(legs), tmp_path / "a.vrma")
    assert not list(tmp_path.iterdir())


def write_avatar(animation: Path, path: Path) -> None:
    """An avatar with the bones of an animation, in the same T-pose."""
    document: dict[str, Any] = GltfFile.read(animation).document
    bones = document["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    meta = {"name": "Figure", "authors": ["moglow"], "licenseUrl": "https://vrm.dev/licenses/1.0/"}
    extension = {"specVersion": "1.0", "meta": meta, "humanoid": {"humanBones": bones}}
    avatar = {key: document[key] for key in ("scene", "scenes", "nodes")}
    avatar |= {"extensionsUsed": ["VRMC_vrm"], "extensions": {"VRMC_vrm": extension}}
    chunk = Chunk()
    chunk.data += bytes(4)
    write_document(avatar, chunk, path)


@pytest.mark.slow
def test_an_avatar_moves_as_the_clip_by_three_vrm(tmp_path: Path, samples: Path) -> None:
    modules = Path(os.environ.get("MOGLOW_NODE_MODULES", "node_modules")).resolve()
    if not shutil.which("node") or not (modules / "@pixiv" / "three-vrm-animation").is_dir():
        pytest.skip(
            "needs node and MOGLOW_NODE_MODULES with three, gltf-validator and @pixiv/three-vrm-animation"
        )
    script = Path(__file__).parents[1] / "oracles" / "vrma.mjs"
    for file in sorted(set(samples.glob("*.bvh")) - {samples / "trot.bvh"}):  # a dog has no arms
        clip = replace(read_bvh(file)[:60], name=file.stem)
        write_vrma(clip, tmp_path / "a.vrma")
        write_avatar(tmp_path / "a.vrma", tmp_path / "avatar.vrm")
        command: list[str | Path] = ["node", script, modules, tmp_path / "avatar.vrm", tmp_path / "a.vrma"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        judged = json.loads(done.stdout)
        assert judged["issues"]["numErrors"] == 0, judged["issues"]
        assert len(judged["frames"]) == len(clip)
        for bone, joint in humanoid(clip).items():
            found = np.array([frame[bone] for frame in judged["frames"]])
            assert np.abs(found - clip.world()[0][:, joint]).max() < JUDGED, (file.stem, bone)
