"""A GLB file represents the clip: read back by other programs, its nodes and its skin move like the clip."""

import json
import os
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from moglow.bvh.read import read_bvh
from moglow.errors import ExportError
from moglow.formats.glb import write_glb, write_glb_crowd, write_glb_pack
from moglow.formats.read import read_motion
from moglow.maths.rotations import Array, expmap_to_quat
from moglow.motion.capsule_body import capsule_body
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.conftest import SHARED_DATA
from tests.support.blender import bpy_python
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import skeleton_of

SINGLE = 5e-6  # metres; single precision a few metres from the origin
CLOSE = 1e-3  # metres; tolerance for other programs

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
SKELETONS = {
    "lone joint": Skeleton(("Root",), (-1,), np.eye(3)[1:2]),
    "repeated, broken names": Skeleton(("a", "a", "\udcff"), (-1, 0, 1), np.eye(3)),
    "bones without length": Skeleton(("Root", "A", "B"), (-1, 0, 1), np.zeros((3, 3)), ((2, (0, 0.1, 0)),)),
    **{name: skeleton_of(rig) for name, rig in RIGS.items()},
    **{f"dog {name}": skeleton_of(rig) for name, rig in DOGS.items()},
}
TYPES: dict[str, tuple[int, ...]] = {"SCALAR": (), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}
COMPONENTS = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}


def dance(skeleton: Skeleton, *, frames: int = 20, seed: int = 0) -> Clip:
    """Every joint tumbles through whole turns and strays from its offset, the root walks away."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / 30.0
    turns = expmap_to_quat(time * generator.uniform(-9, 9, (len(skeleton), 3)))
    drift = 0.02 * np.sin(time * generator.uniform(1, 5, (len(skeleton), 3)))
    drift[:, 0] += np.arange(frames)[:, None] * [0.04, 0.0, 0.03]
    return Clip(skeleton, skeleton.offsets + drift, turns, 30.0, "dance")


class Glb:
    """The file read back by the book, and posed as a viewer would."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        size, kind = struct.unpack_from("<I4s", data, 12)
        rest, second_kind = struct.unpack_from("<I4s", data, 20 + size)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        assert (kind, second_kind, size % 4, rest % 4) == (b"JSON", b"BIN\0", 0, 0)
        assert 28 + size + rest == len(data)
        self.json: dict[str, Any] = json.loads(data[20 : 20 + size])
        self.binary = data[28 + size :]
        self.nodes = self.json["nodes"]
        self.joints: list[int] = self.json["skins"][0]["joints"]

    def array(self, accessor: int) -> NDArray[Any]:
        spec = self.json["accessors"][accessor]
        view = self.json["bufferViews"][spec["bufferView"]]
        dtype, shape = np.dtype(COMPONENTS[spec["componentType"]]), (spec["count"], *TYPES[spec["type"]])
        assert view["byteOffset"] % dtype.itemsize == 0
        assert view["byteLength"] == dtype.itemsize * np.prod(shape)
        values = np.frombuffer(self.binary, dtype, int(np.prod(shape)), view["byteOffset"]).reshape(shape)
        for bound, found in (("min", values.min(0)), ("max", values.max(0))):
            assert bound not in spec or np.array_equal(spec[bound], np.atleast_1d(found))
        return values

    @property
    def channels(self) -> list[tuple[int, str, Array]]:
        animation = self.json["animations"][0]
        return [
            (channel["target"]["node"], channel["target"]["path"], self.array(sampler["output"]))
            for channel in animation["channels"]
            for sampler in [animation["samplers"][channel["sampler"]]]
        ]

    def node_matrices(self, frame: int) -> Array:
        """World matrices of the nodes, the animation over the nodes' own places."""
        local = {n: dict(node) for n, node in enumerate(self.nodes)}
        for node, path, values in self.channels:
            local[node][path] = values[frame]
        matrices = np.tile(np.eye(4), (len(self.nodes), 1, 1))
        parents = {child: n for n, node in enumerate(self.nodes) for child in node.get("children", ())}
        for n in range(len(self.nodes)):
            x, y, z, w = local[n].get("rotation", (0, 0, 0, 1))
            turn = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
            matrices[n, :3, :3], matrices[n, :3, 3] = turn, local[n].get("translation", (0, 0, 0))
            if n in parents:
                assert parents[n] < n
                matrices[n] = matrices[parents[n]] @ matrices[n]
        return matrices

    def skinned(self, frame: int) -> Array:
        """The body's points where the skin puts them."""
        attributes = self.json["meshes"][0]["primitives"][0]["attributes"]
        points, joints, weights = (self.array(attributes[a]) for a in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
        binds = self.array(self.json["skins"][0]["inverseBindMatrices"]).transpose(0, 2, 1)
        moves = self.node_matrices(frame)[self.joints] @ binds
        homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=-1)
        blended = np.einsum("pk,pkij->pij", weights / 255, moves[joints])
        skinned: Array = np.einsum("pij,pj->pi", blended, homogeneous)[:, :3]
        return skinned


@pytest.fixture(params=SKELETONS)
def clip(request: pytest.FixtureRequest) -> Clip:
    return dance(SKELETONS[request.param])


def written(clip: Clip, folder: Path) -> Glb:
    write_glb(clip, folder / "clip.glb")
    return Glb(folder / "clip.glb")


def test_the_nodes_move_as_the_joints(clip: Clip, tmp_path: Path) -> None:
    glb, positions = written(clip, tmp_path), clip.world_positions
    for frame in (0, 7, len(clip) - 1):
        found = glb.node_matrices(frame)[glb.joints, :3, 3]
        assert np.abs(found - positions[frame]).max() < SINGLE


def test_the_skin_moves_as_the_body(clip: Clip, tmp_path: Path) -> None:
    glb, posed = written(clip, tmp_path), capsule_body(clip.skeleton).posed(*clip.world())
    for frame in (0, len(clip) - 1):
        assert np.abs(glb.skinned(frame) - posed[frame]).max() < SINGLE


def test_the_keys_are_on_time_and_never_jump_sign(clip: Clip, tmp_path: Path) -> None:
    glb = written(clip, tmp_path)
    assert np.allclose(glb.array(glb.json["animations"][0]["samplers"][0]["input"]), clip.times, atol=1e-6)
    rotations = [values for _, path, values in glb.channels if path == "rotation"]
    assert len(rotations) == len(clip.skeleton)
    for values in rotations:
        assert np.abs(np.linalg.norm(values, axis=-1) - 1).max() < 1e-6
        assert np.sum(values[1:] * values[:-1], axis=-1).min() > 0


def test_joints_that_keep_their_offset_have_no_position_keys(tmp_path: Path) -> None:
    still = replace(dance(SKELETONS["cmu"]), positions=Clip.at_rest(SKELETONS["cmu"], frames=20).positions)
    assert [node for node, path, _ in written(still, tmp_path).channels if path == "translation"] == [0]


def test_names_keep_unicode(tmp_path: Path) -> None:
    skeleton = Skeleton(("ヒップ", "mixamo rig:Spine", "half\udcff"), (-1, 0, 1), np.eye(3))
    names = [node["name"] for node in written(dance(skeleton), tmp_path).nodes]
    assert names == ["ヒップ", "mixamo rig:Spine", "half?", "Body"]


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_glb(dance(SKELETONS["cmu"]), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_pack_holds_clips_as_named_animations(tmp_path: Path) -> None:
    first = dance(SKELETONS["cmu"])
    second = replace(dance(SKELETONS["cmu"], frames=33, seed=1), name="twirl")
    still = replace(first, positions=Clip.at_rest(SKELETONS["cmu"], frames=20).positions)
    assert write_glb_pack([first, second, still], tmp_path / "pack.glb") == ("dance", "twirl", "dance 2")
    for name, clip in (("dance", first), ("twirl", second), ("dance 2", still)):
        found = read_motion(f"{tmp_path}/pack.glb#{name}", unit=1.0, up="Y")
        assert len(found) == len(clip)
        assert np.abs(found.world()[0] - clip.world()[0]).max() < SINGLE
    with pytest.raises(ExportError, match="different skeletons; put both on one"):
        write_glb_pack([first, dance(SKELETONS["mixamo"])], tmp_path / "pack.glb")


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """Where `npm install gltf-validator three` was run; three.js and the validator are the independent readers."""
    folder = Path(os.environ.get("MOGLOW_NODE_MODULES", "node_modules")).resolve()
    if not shutil.which("node") or not all((folder / name).is_dir() for name in ("three", "gltf-validator")):
        pytest.skip("needs node and MOGLOW_NODE_MODULES=…/node_modules with three and gltf-validator")
    return folder


def agrees_with_three(clips: list[Clip], folder: Path, node_modules: Path) -> list[tuple[float, float]]:
    """Asserts that the validator finds nothing and returns how far three.js is off: joints, points of the body."""
    paths = [folder / f"{k}.glb" for k in range(len(clips))]
    for clip, path in zip(clips, paths, strict=True):
        write_glb(clip, path)
    script = Path(__file__).parents[1] / "oracles" / "glb.mjs"
    done = subprocess.run(["node", script, node_modules, *paths], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    errors = []
    for clip, line in zip(clips, done.stdout.splitlines(), strict=True):
        output = json.loads(line)
        assert output["issues"]["messages"] == []
        joints, points = (
            np.array([frame[what] for frame in output["frames"]]) for what in ("joints", "points")
        )
        body = capsule_body(clip.skeleton).posed(*clip.world())[:, ::100]
        errors.append((np.abs(joints - clip.world_positions).max(), np.abs(points - body).max()))
    return errors


@pytest.mark.slow
def test_the_validator_and_three_agree(tmp_path: Path, node_modules: Path) -> None:
    errors = agrees_with_three([dance(s) for s in SKELETONS.values()], tmp_path, node_modules)
    assert np.max(errors) < CLOSE


@pytest.mark.slow
def test_the_validator_and_three_agree_on_mocap(
    tmp_path: Path, node_modules: Path, shared_data: Path
) -> None:
    clips = [read_bvh(path)[:60] for path in sorted((shared_data / "tiny").glob("*/*.bvh"))]
    assert len(clips) == 10
    assert np.max(agrees_with_three(clips, tmp_path, node_modules)) < CLOSE


@pytest.mark.blender
def test_blender_agrees(tmp_path: Path) -> None:
    interpreter = bpy_python()
    paths = sorted(SAMPLES.glob("*.bvh")) + sorted((SHARED_DATA / "tiny").glob("*/*.bvh"))
    clips = {str(tmp_path / f"{path.stem}.glb"): read_bvh(path)[:24] for path in paths}
    for glb, clip in clips.items():
        write_glb(clip, glb)
    script, out = Path(__file__).parents[1] / "oracles" / "glb_blender.py", tmp_path / "found.json"
    rates = json.dumps({glb: round(clip.fps) for glb, clip in clips.items()})
    subprocess.run([interpreter, script, out, rates], check=True, capture_output=True, timeout=300)
    output = json.loads(out.read_text())
    assert output.keys() == clips.keys()
    for glb, clip in clips.items():
        joints = [clip.skeleton.index(name) for name in output[glb]["names"]]
        body = capsule_body(clip.skeleton).posed(*clip.world())[:, ::100]
        assert sorted(joints) == list(range(len(clip.skeleton)))
        np.testing.assert_allclose(
            output[glb]["joints"], clip.world_positions[:, joints], atol=CLOSE, err_msg=glb
        )
        np.testing.assert_allclose(output[glb]["points"], body, atol=CLOSE, err_msg=glb)


def test_a_crowd_moves_in_one_animation(tmp_path: Path) -> None:
    clips = [dance(SKELETONS["cmu"], frames=20 + k, seed=k) for k in range(3)]
    figures = [(f"figure {k}", 0.5 * k, clip) for k, clip in enumerate(clips)]
    assert write_glb_crowd(iter(figures), tmp_path / "crowd.glb") == 3
    glb = Glb(tmp_path / "crowd.glb")
    assert [glb.nodes[root]["name"] for root in glb.json["scenes"][0]["nodes"]] == [
        name for name, _, _ in figures
    ]
    assert len(glb.json["animations"]) == len(glb.json["meshes"]) == 1
    samplers = glb.json["animations"][0]["samplers"]
    begins = {float(glb.array(sampler["input"])[0]) for sampler in samplers}
    assert begins == {0.0, 0.5, 1.0}
    matrices = glb.node_matrices(7)
    for k, clip in enumerate(clips):
        joints = glb.json["skins"][k]["joints"]
        assert np.abs(matrices[joints, :3, 3] - clip.world_positions[7]).max() < SINGLE
        body = next(node for node in glb.nodes if node.get("skin") == k)
        assert body["mesh"] == 0


def test_a_crowd_has_one_skeleton_and_some_figures(tmp_path: Path) -> None:
    figures = [(name, 0.0, dance(SKELETONS[name])) for name in ("cmu", "lone joint")]
    with pytest.raises(ExportError, match="lone joint has another skeleton"):
        write_glb_crowd(figures, tmp_path / "crowd.glb")
    with pytest.raises(ExportError, match="no figures"):
        write_glb_crowd([], tmp_path / "crowd.glb")
    assert not list(tmp_path.iterdir())
