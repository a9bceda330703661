"""FBX files: every part of a node's transform, both encodings, curves, animations by name, damage in one line."""

import itertools
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.errors import MoglowError, MotionFileError
from moglow.formats.fbx_motion import fbx_clips, read_fbx
from moglow.formats.read import read_motion
from moglow.maths.rotations import Array
from tests.support.blender import bpy_python
from tests.support.fbx_files import Row, binary, prop, scene, text

CLOSE = 1e-5  # metres; values of curves are single precision
JUDGED = 1e-4  # metres; what Blender may differ by
LINEAR, CUBIC, CONSTANT = 4, 8, 2
FRAMES = 13
FPS = 24.0
ORDERS = ("XYZ", "XZY", "YZX", "YXZ", "ZXY", "ZYX")
NAMES = ("Hips", "Spine", "Neck", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot")
PARENTS = (-1, 0, 1, 0, 3, 4, 0, 6, 7)
PLACES = (
    (0, 95, 0), (0, 20, 0), (0, 35, 0), (9, -5, 0), (0, -42, 1), (0, -40, -3), (-9, -5, 0), (0, -42, 1), (0, -40, -3)
)  # fmt: skip


def turn(axis: str, degrees: float) -> Array:
    a = np.radians(degrees)
    i, j = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[i, i] = matrix[j, j] = np.cos(a)
    matrix[j, i], matrix[i, j] = np.sin(a), -np.sin(a)
    return matrix


def turns(degrees: Sequence[float], order: str = "XYZ") -> Array:
    """Returns the product of three turns; the first axis of the order acts first."""
    matrix = np.eye(4)
    for axis in order:
        matrix = turn(axis, degrees["XYZ".index(axis)]) @ matrix
    return matrix


def shift(vector: Sequence[float]) -> Array:
    matrix = np.eye(4)
    matrix[:3, 3] = vector
    return matrix


def size(vector: Sequence[float]) -> Array:
    return np.diag([*vector, 1.0])


class Figure:
    """Nodes with every part of a transform, their curves, and where the book puts the joints."""

    def __init__(self, *, pivots: bool, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.times = 0.5 + np.arange(FRAMES) / FPS
        self.nodes: list[tuple[str, int, str, list[Row]]] = [("Armature", -1, "Null", [])]
        self.curves: list[Any] = []
        self.world = np.empty((FRAMES, len(NAMES), 3))
        frames: list[Array] = []
        for j, (name, parent) in enumerate(zip(NAMES, PARENTS, strict=True)):
            before, after = random.uniform(-40, 40, (2, 3))
            spins = random.uniform(-80, 80, (FRAMES, 3)).astype("f4").astype(float)
            moves = np.array(PLACES[j]) + (
                random.uniform(-3, 3, (FRAMES, 3)) if j == 0 else np.zeros((FRAMES, 3))
            )
            moves = moves.astype("f4").astype(float)
            rp, ro, sp, so = random.uniform(-4, 4, (4, 3)) if pivots else np.zeros((4, 3))
            order = j % 6
            self.nodes.append((name, parent + 1, "LimbNode", [
                prop("RotationActive", "bool", 1), prop("RotationOrder", "enum", order), prop("InheritType", "enum", 1),
                *(prop(key, key if key.startswith("Lcl") else "Vector3D", *map(float, value)) for key, value in (
                    ("PreRotation", before), ("PostRotation", after), ("RotationPivot", rp), ("RotationOffset", ro),
                    ("ScalingPivot", sp), ("ScalingOffset", so), ("Lcl Translation", moves[0]),
                    ("Lcl Rotation", spins[0]), ("Lcl Scaling", (1, 1, 1)),
                )),
            ]))  # fmt: skip
            for a, axis in enumerate("XYZ"):
                self.curves.append((j + 1, "R", axis, self.times, spins[:, a], LINEAR))
                if j == 0:
                    self.curves.append((j + 1, "T", axis, self.times, moves[:, a], LINEAR))
            local = np.array([
                shift(moves[t]) @ shift(ro) @ shift(rp) @ turns(before) @ turns(spins[t], ORDERS[order])
                @ turns(after).T @ shift(-rp) @ shift(so) @ shift(sp) @ shift(-sp)
                for t in range(FRAMES)
            ])  # fmt: skip
            frames.append(local if parent < 0 else frames[parent] @ local)
            self.world[:, j] = frames[j][:, :3, 3] / 100.0

    def records(self, **more: object) -> list[Row]:
        axes = {
            "UpAxis": 1,
            "UpAxisSign": 1,
            "FrontAxis": 2,
            "FrontAxisSign": 1,
            "CoordAxis": 0,
            "CoordAxisSign": 1,
        }
        settings = [prop("TimeMode", "enum", 11), prop("UnitScaleFactor", "double", 1.0)]
        settings += [prop(name, "int", value) for name, value in axes.items()]
        return scene(self.nodes, self.curves, settings, **more)  # type: ignore[arg-type]


ENCODINGS = {
    "binary": lambda records: binary(records),
    "not packed": lambda records: binary(records, packed=False),
    "64 bits": lambda records: binary(records, 7500),
    "text": lambda records: text(records),
}


@pytest.mark.parametrize("pivots", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_joints_are_where_the_book_puts_them(encoding: str, pivots: bool, tmp_path: Path) -> None:
    figure, file = Figure(pivots=pivots), tmp_path / "a.fbx"
    file.write_bytes(ENCODINGS[encoding](figure.records()))
    clip = read_motion(file)
    assert clip.skeleton.names == NAMES and clip.skeleton.parents == PARENTS
    assert clip.fps == FPS and len(clip) == FRAMES
    assert_same_up_to_axes(clip.world()[0], figure.world, CLOSE)


def assert_same_up_to_axes(found: Array, expected: Array, close: float) -> None:
    """The reader may have turned the figure to face +Z by quarter turns: one of them makes all joints agree."""
    quarters = [np.linalg.matrix_power(turn("Y", 90)[:3, :3], k) for k in range(4)]
    assert min(np.abs(found @ quarter.T - expected).max() for quarter in quarters) < close


def test_the_world_turns_with_the_axes_and_the_unit_of_the_file(tmp_path: Path) -> None:
    figure = Figure(pivots=False)
    (tmp_path / "y.fbx").write_bytes(binary(figure.records()))
    upright = read_motion(tmp_path / "y.fbx").world()[0]
    z_up = [prop("UpAxis", "int", 2), prop("UpAxisSign", "int", 1), prop("FrontAxis", "int", 1),
            prop("FrontAxisSign", "int", -1), prop("CoordAxis", "int", 0), prop("CoordAxisSign", "int", 1),
            prop("TimeMode", "enum", 11), prop("UnitScaleFactor", "double", 2.54)]  # fmt: skip
    nodes = [(name, parent, kind, list(rows)) for name, parent, kind, rows in figure.nodes]
    nodes[0][3].append(prop("Lcl Rotation", "Lcl Rotation", 90.0, 0.0, 0.0))
    (tmp_path / "z.fbx").write_bytes(binary(scene(nodes, figure.curves, z_up)))
    assert np.abs(read_motion(tmp_path / "z.fbx").world()[0] - 2.54 * upright).max() < 1e-4


@pytest.mark.parametrize("scale", [100.0, 0.01])
def test_a_figure_of_the_wrong_scale_has_the_size_of_a_person(scale: float, tmp_path: Path) -> None:
    """Centimetres that were imported as metres are 100 times too large in the file, whose unit is right."""
    figure = Figure(pivots=False)
    (tmp_path / "right.fbx").write_bytes(binary(figure.records()))
    nodes = [(name, parent, kind, list(rows)) for name, parent, kind, rows in figure.nodes]
    nodes[0][3].append(prop("Lcl Scaling", "Lcl Scaling", scale, scale, scale))
    settings = [prop("UpAxis", "int", 1), prop("UpAxisSign", "int", 1), prop("FrontAxis", "int", 2),
                prop("FrontAxisSign", "int", 1), prop("CoordAxis", "int", 0), prop("CoordAxisSign", "int", 1),
                prop("TimeMode", "enum", 11), prop("UnitScaleFactor", "double", 1.0)]  # fmt: skip
    (tmp_path / "wrong.fbx").write_bytes(binary(scene(nodes, figure.curves, settings)))
    right, wrong = (read_motion(tmp_path / f"{name}.fbx").world()[0] for name in ("right", "wrong"))
    assert np.abs(wrong - right).max() < CLOSE


@pytest.mark.parametrize(
    ("kind", "expected"), [(LINEAR, [0.0, 0.5, 1.0]), (CONSTANT, [0.0, 0.0, 1.0]), (CUBIC, [0.0, 0.5, 1.0])]
)
def test_keys_that_are_thin_are_joined_as_they_say(kind: int, expected: list[float], tmp_path: Path) -> None:
    figure = Figure(pivots=False)
    times, values = [0.0, 1 / 12], [0.0, 100.0]
    curves = [(1, "T", axis, times, values if axis == "X" else [0.0, 0.0], kind) for axis in "XYZ"]
    (tmp_path / "a.fbx").write_bytes(binary(scene(figure.nodes, curves, [prop("TimeMode", "enum", 11)])))
    bones = read_fbx(tmp_path / "a.fbx", None)
    assert bones.positions[:, 0, 0] / 100.0 == pytest.approx(expected, abs=1e-6)


def test_animations_are_chosen_by_name(tmp_path: Path) -> None:
    file = tmp_path / "pack.fbx"
    file.write_bytes(binary(Figure(pivots=False).records(stacks=("Walk", "Run"))))
    assert fbx_clips(file) == ("Walk", "Run")
    assert read_motion(f"{file}#Run").name == "Run"
    with pytest.raises(
        MotionFileError, match=r"has 2 animations \(Walk, Run\); choose one: .*pack\.fbx#Walk"
    ):
        read_motion(file)
    with pytest.raises(MotionFileError, match="no animation 'Jump'; it has Walk, Run"):
        read_motion(f"{file}#Jump")


@pytest.mark.parametrize("encoding", ["binary", "text"])
def test_damage_is_one_line(encoding: str, tmp_path: Path) -> None:
    whole = ENCODINGS[encoding](Figure(pivots=False).records())
    file, random, refused = tmp_path / "a.fbx", np.random.default_rng(0), 0
    cuts = [whole[: int(share * len(whole))] for share in np.linspace(0.01, 0.98, 25)]
    flips = []
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(27, len(whole), 4):
            damaged[place] = random.integers(256)
        flips.append(bytes(damaged))
    for data in itertools.chain(cuts, flips):
        file.write_bytes(data)
        try:
            read_motion(file)
        except MoglowError as error:
            assert "\n" not in str(error) and "a.fbx" in str(error)
            refused += 1
    assert refused > len(cuts) / 2


@pytest.mark.blender
def test_blender_agrees(tmp_path: Path) -> None:
    interpreter = bpy_python()
    figures = {str(tmp_path / f"{seed}.fbx"): Figure(pivots=seed > 4, seed=seed) for seed in range(10)}
    for file, figure in figures.items():
        Path(file).write_bytes(binary(figure.records(), 7400 if "3" in file else 7500))
    script, out = Path(__file__).parents[1] / "oracles" / "motion_blender.py", tmp_path / "found.json"
    command: list[str | Path] = [
        interpreter,
        script,
        "read",
        out,
        *(word for file in figures for word in (file, "24")),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    for file, judged in json.loads(out.read_text()).items():
        clip = read_motion(file)
        joints = [clip.skeleton.index(name) for name in judged["names"]]
        assert sorted(joints) == list(range(len(NAMES)))
        assert_same_up_to_axes(clip.world()[0][:, joints], np.array(judged["joints"])[: len(clip)], JUDGED)
