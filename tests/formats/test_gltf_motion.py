"""glTF files of other programs: scaled armatures, all kinds of keys and numbers, several animations, VRM's names."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from moglow.errors import MoglowError, MotionFileError
from moglow.formats.glb import write_glb
from moglow.formats.gltf_motion import gltf_clips
from moglow.formats.read import read_motion
from moglow.maths.rotations import Array, axis_angle_to_quat, quat_multiply, quat_to_matrix
from tests.formats.test_glb import SKELETONS, dance

SINGLE = 5e-6  # metres; what single precision leaves of a figure a few metres from the origin
COMPONENTS = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
NAMES = ("Hips", "Spine", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot")
PARENTS = (-1, 0, 0, 2, 3, 0, 5, 6)
PLACES = np.array(
    [(0, 95, 0), (0, 40, 0), (9, -5, 0), (0, -42, 1), (0, -40, -3), (-9, -5, 0), (0, -42, 1), (0, -40, -3)],
    float,
)


class Builder:
    """A document that grows, with its one buffer."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "accessors": [],
            "bufferViews": [],
            "nodes": [],
        }
        self.data = bytearray()

    def view(self, raw: bytes, stride: int | None = None) -> int:
        self.data += bytes(-len(self.data) % 4)
        self.json["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)})
        if stride:
            self.json["bufferViews"][-1]["byteStride"] = stride
        self.data += raw
        return len(self.json["bufferViews"]) - 1

    def add(self, values: NDArray[Any], **more: object) -> int:
        rows = np.ascontiguousarray(values.reshape(len(values), -1))
        kind = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}[rows.shape[1]]
        self.json["accessors"].append({
            "bufferView": self.view(rows.tobytes()), "componentType": COMPONENTS[rows.dtype.name],
            "count": len(rows), "type": kind, **more,
        })  # fmt: skip
        return len(self.json["accessors"]) - 1

    def write(self, path: Path) -> Path:
        self.json["buffers"] = [{"byteLength": len(self.data)}]
        if path.suffix == ".gltf":
            self.json["buffers"][0]["uri"] = "data:;base64," + base64.b64encode(self.data).decode()
            path.write_text(json.dumps(self.json))
            return path
        text = json.dumps(self.json).encode()
        text += b" " * (-len(text) % 4)
        data = bytes(self.data) + bytes(-len(self.data) % 4)
        head = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(data))
        chunks = (
            struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
        )
        path.write_bytes(head + chunks)
        return path


class Character:
    """A figure in centimetres below an armature that is scaled and turned, as converters of FBX leave it.

    Node 0 is the armature; the joints are nodes 1 to 8, in an order of their own in the skin.
    """

    def __init__(self, *, armature: Array | None = None) -> None:
        self.builder = Builder()
        self.turn = (
            axis_angle_to_quat(np.array([1.0, 0.0, 0.0]), -np.pi / 2) if armature is None else armature
        )
        random = np.random.default_rng(1)
        self.rests = np.array([axis_angle_to_quat(axis / np.linalg.norm(axis), angle) for axis, angle in
                               zip(random.normal(size=(8, 3)), random.uniform(-2, 2, 8), strict=True)])  # fmt: skip
        frames: list[Array] = []
        nodes = [
            {
                "name": "Armature",
                "children": [1],
                "scale": [0.01] * 3,
                "rotation": np.roll(self.turn, -1).tolist(),
            }
        ]
        inverse = np.linalg.inv(quat_to_matrix(self.turn))
        world = np.zeros((8, 3))
        for j, parent in enumerate(PARENTS):
            world[j] = PLACES[j] + (world[parent] if parent >= 0 else 0.0)
        for j, parent in enumerate(PARENTS):
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = quat_to_matrix(self.rests[j]), inverse @ world[j]
            frames.append(matrix)
            local = matrix if parent < 0 else np.linalg.inv(frames[parent]) @ matrix
            node: dict[str, Any] = {"name": f"mixamorig:{NAMES[j]}", "translation": local[:3, 3].tolist()}
            turned = (
                self.rests[j]
                if parent < 0
                else quat_multiply(self.rests[parent] * [1, -1, -1, -1], self.rests[j])
            )
            node["rotation"] = np.roll(turned, -1).tolist()
            if children := [c + 1 for c, above in enumerate(PARENTS) if above == j]:
                node["children"] = children
            nodes.append(node)
        self.nodes, self.binds = nodes, np.array(frames)
        self.world = world / 100.0
        order = [3, 1, 2, 5, 4, 8, 7, 6]
        binds = np.array([np.linalg.inv(self.binds[node - 1]).T for node in order], "<f4")
        self.builder.json |= {
            "nodes": nodes, "skins": [{"joints": order, "inverseBindMatrices": self.builder.add(binds)}],
            "animations": [],
        }  # fmt: skip

    def animate(self, name: str, *channels: tuple[int, str, NDArray[Any], int, str]) -> "Character":
        """Adds an animation of channels: node, path, times, the accessor of values, interpolation."""
        samplers, targets = [], []
        for node, path, times, values, kind in channels:
            samplers.append(
                {"input": self.builder.add(times.astype("<f4")), "output": values, "interpolation": kind}
            )
            targets.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})
        self.builder.json["animations"].append({"name": name, "samplers": samplers, "channels": targets})
        return self


TIMES = np.arange(4) / 30.0


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_a_character_in_centimetres_stands_in_metres(suffix: str, tmp_path: Path) -> None:
    figure = Character()
    still = figure.builder.add(np.tile(np.array(figure.nodes[1]["translation"], "<f4"), (4, 1)))
    clip = read_motion(
        figure.animate("Idle", (1, "translation", TIMES, still, "LINEAR")).builder.write(
            tmp_path / f"a{suffix}"
        )
    )
    assert clip.skeleton.names == tuple(f"mixamorig:{name}" for name in NAMES)
    assert np.abs(clip.world()[0] - figure.world).max() < SINGLE
    assert np.abs(clip.skeleton.offsets[1:] - (PLACES[1:] / 100)).max() < SINGLE, (
        "the bind pose is the zero pose"
    )
    assert np.abs(clip.rotations - [1, 0, 0, 0]).max() < 1e-6


def hips(clip_path: Path) -> Array:
    """How the hips move, in the centimetres of the file."""
    places = read_motion(clip_path, unit=1.0, up="Y").positions[:, 0]
    way: Array = 100 * (places - places[0])
    return way


def moved(
    figure: Character, values: NDArray[Any], times: NDArray[Any], kind: str, folder: Path, **more: object
) -> Array:
    accessor = figure.builder.add(values, **more)
    return hips(
        figure.animate("Move", (1, "translation", times, accessor, kind)).builder.write(folder / "a.glb")
    )


def test_keys_are_joined_as_they_say(tmp_path: Path) -> None:
    at = np.array([0.0, 4 / 30])
    straight = np.array([[0, 0, 0], [12, 0, 0]], "<f4")
    identity = np.array([1.0, 0.0, 0.0, 0.0])
    shares = np.arange(5) / 4
    assert moved(Character(armature=identity), straight, at, "LINEAR", tmp_path)[:, 0] == pytest.approx(
        12 * shares, abs=1e-4
    )
    step = moved(Character(armature=identity), straight, at, "STEP", tmp_path)[:, 0]
    assert step == pytest.approx([0, 0, 0, 0, 12], abs=1e-4)
    # Three values a key: the slope on arriving, the point, the slope on leaving.
    spline = np.array([[0, 0, 0], [0, 0, 0], [90, 0, 0], [-30, 0, 0], [12, 0, 0], [0, 0, 0]], "<f4")
    span, t = 4 / 30, shares
    expected = (t**3 - 2 * t**2 + t) * 90 * span + (3 * t**2 - 2 * t**3) * 12 + (t**3 - t**2) * -30 * span
    assert moved(Character(armature=identity), spline, at, "CUBICSPLINE", tmp_path)[:, 0] == pytest.approx(
        expected, abs=1e-4
    )


def test_rotations_take_the_shorter_arc(tmp_path: Path) -> None:
    figure = Character(armature=np.array([1.0, 0, 0, 0]))
    first = figure.rests[0]
    last = -quat_multiply(
        axis_angle_to_quat(np.array([0.0, 1.0, 0.0]), 1.0), first
    )  # the other sign of the same turn
    keys = figure.builder.add(np.roll([first, last], -1, axis=-1).astype("<f4"))
    figure.animate("Turn", (1, "rotation", np.array([0.0, 4 / 30]), keys, "LINEAR"))
    clip = read_motion(figure.builder.write(tmp_path / "a.glb"), unit=1.0, up="Y")
    half = axis_angle_to_quat(np.array([0.0, 1.0, 0.0]), 0.5)
    assert np.abs(clip.rotations[2, 0] - half).max() < 1e-6


@pytest.mark.parametrize("kind", ["<i2", "i1"])
def test_whole_numbers_stand_for_minus_one_to_one(kind: str, tmp_path: Path) -> None:
    figure = Character(armature=np.array([1.0, 0, 0, 0]))
    quats = np.roll([figure.rests[0]] * 2, -1, axis=-1)
    keys = figure.builder.add(np.round(quats * np.iinfo(kind).max).astype(kind), normalized=True)
    figure.animate("Still", (1, "rotation", TIMES[:2], keys, "LINEAR"))
    clip = read_motion(figure.builder.write(tmp_path / "a.glb"), unit=1.0, up="Y")
    assert np.abs(clip.rotations[:, 0] - [1, 0, 0, 0]).max() < 2.0 / np.iinfo(kind).max


def test_sparse_and_interleaved_values(tmp_path: Path) -> None:
    figure = Character(armature=np.array([1.0, 0, 0, 0]))
    builder = figure.builder
    indices, values = (
        builder.view(np.array([1, 3], "<u2").tobytes()),
        builder.view(np.array([[5, 0, 0], [7, 0, 0]], "<f4").tobytes()),
    )
    builder.json["accessors"].append(
        {
            "componentType": 5126,
            "count": 4,
            "type": "VEC3",
            "sparse": {
                "count": 2,
                "indices": {"bufferView": indices, "componentType": 5123},
                "values": {"bufferView": values},
            },
        }
    )
    figure.animate("Sparse", (1, "translation", TIMES, len(builder.json["accessors"]) - 1, "LINEAR"))
    assert hips(builder.write(tmp_path / "a.glb"))[:, 0] == pytest.approx([0, 5, 0, 7], abs=1e-4)
    figure = Character(armature=np.array([1.0, 0, 0, 0]))
    rows = np.zeros((4, 5), "<f4")
    rows[:, 1] = [1, 2, 4, 8]
    view = figure.builder.view(rows.tobytes(), stride=20)
    figure.builder.json["accessors"].append(
        {"bufferView": view, "byteOffset": 4, "componentType": 5126, "count": 4, "type": "VEC3"}
    )
    figure.animate("Woven", (1, "translation", TIMES, len(figure.builder.json["accessors"]) - 1, "LINEAR"))
    assert hips(figure.builder.write(tmp_path / "b.glb"))[:, 0] == pytest.approx([0, 1, 3, 7], abs=1e-4)


def test_animations_are_chosen_by_name(tmp_path: Path) -> None:
    figure = Character()
    for name, size in (("Idle", 1.0), ("Walk", 2.0)):
        values = figure.builder.add((size * np.arange(4))[:, None].repeat(3, 1).astype("<f4"))
        figure.animate(name, (1, "translation", TIMES, values, "LINEAR"))
    file = figure.builder.write(tmp_path / "pack.glb")
    assert gltf_clips(file) == ("Idle", "Walk")
    walk, idle = read_motion(f"{file}#Walk"), read_motion(f"{file}#Idle")
    assert walk.name == "Walk"
    assert np.ptp(walk.positions[:, 0]) == pytest.approx(2 * np.ptp(idle.positions[:, 0]), rel=1e-5)
    with pytest.raises(
        MotionFileError, match=r"has 2 animations \(Idle, Walk\); choose one: .*pack\.glb#Idle"
    ):
        read_motion(file)


@pytest.mark.parametrize("version", ["VRM", "VRMC_vrm"])
def test_names_of_vrm_say_roles(version: str, tmp_path: Path) -> None:
    figure = Character()
    for number, node in enumerate(figure.nodes[1:]):
        node["name"] = f"J{number}"
    bones = {"hips": 1, "spine": 2, "leftUpperLeg": 3, "leftLowerLeg": 4, "leftFoot": 5, "rightUpperLeg": 6}
    humanoid: Any = {"humanBones": {bone: {"node": node} for bone, node in bones.items()}}
    if version == "VRM":
        humanoid = {"humanBones": [{"bone": bone, "node": node} for bone, node in bones.items()]}
    figure.builder.json["extensions"] = {version: {"humanoid": humanoid}}
    clip = read_motion(figure.builder.write(tmp_path / "avatar.vrm"), pose_only=True)
    roles = {role: clip.skeleton.names[joint] for role, joint in clip.skeleton.anatomy.roles.items()}
    assert (roles["left_thigh"], roles["left_shin"], roles["right_thigh"]) == ("J2", "J3", "J5")


@pytest.mark.parametrize("name", SKELETONS)
def test_what_we_write_is_read_again(name: str, tmp_path: Path) -> None:
    clip = dance(SKELETONS[name])
    write_glb(clip, tmp_path / "a.glb")
    found = read_motion(tmp_path / "a.glb", unit=1.0, up="Y")
    assert found.name == "a" and found.fps == clip.fps
    assert found.skeleton.names == tuple(
        name.encode("utf-8", "replace").decode() for name in clip.skeleton.names
    )
    assert np.abs(found.world()[0] - clip.world()[0]).max() < SINGLE


def test_damage_is_one_line(tmp_path: Path) -> None:
    write_glb(dance(SKELETONS["cmu"]), tmp_path / "whole.glb")
    whole, random, refused = (tmp_path / "whole.glb").read_bytes(), np.random.default_rng(0), 0
    file = tmp_path / "a.glb"
    text_ends = 20 + struct.unpack_from("<I", whole, 12)[0]
    damaged = [whole[: int(share * len(whole))] for share in np.linspace(0.01, 0.99, 25)]
    for _ in range(200):
        data = bytearray(whole)
        for place in random.integers(12, text_ends, 3):
            data[place] = random.integers(32, 127)
        damaged.append(bytes(data))
    for each in damaged:
        file.write_bytes(each)
        try:
            read_motion(file)
        except MoglowError as error:
            assert "\n" not in str(error) and "a.glb" in str(error)
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": [{"children": [1]}, {"children": [0]}]}, "nodes are their own ancestors"),
        ({"nodes": [{"children": [2]}, {"children": [2]}, {}]}, "node 2 has two parents"),
        ({"nodes": [{"children": [7]}]}, "IndexError"),
        ({"skins": [{"joints": [99]}]}, "IndexError"),
        (
            {"accessors": [{"bufferView": 0, "componentType": 5126, "count": 10**12, "type": "MAT4"}] * 3},
            "accessor 2 cannot be read .needs",
        ),
        ({"asset": {"version": "1.0"}}, "glTF 1.0, expected 2.x"),
        ({"buffers": [{"byteLength": 4, "uri": "gone.bin"}]}, "needs gone.bin beside it"),
        ({"buffers": [{"byteLength": 4, "uri": "https://example.org/a.bin"}]}, "is on the network"),
        ({"buffers": [{"byteLength": 4, "uri": "data:;base64,??"}]}, "is no base64"),
    ],
)
def test_a_wrong_document_is_one_line(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    figure = Character()
    values = figure.builder.add(np.zeros((4, 3), "<f4"))
    figure.animate("Idle", (1, "translation", TIMES, values, "LINEAR"))
    file = figure.builder.write(tmp_path / "a.gltf")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(MoglowError, match=message):
        read_motion(file)
