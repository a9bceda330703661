"""Meshes as ground: heights, files, and what is wrong with them."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from moglow.errors import ControlError, FileFormatError
from moglow.ground.mesh import MeshGround
from moglow.ground.reading import read_ground
from moglow.ground.shapes import Stairs
from moglow.ground.surface import Surface

LOW, HIGH = np.array([-1.0, -1.0]), np.array([1.0, 5.0])


def write_obj(surface: Surface, file: Path) -> None:
    lines = ["# stairs", *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in surface.vertices)]
    lines += [f"f {a + 1}/1/1 {b + 1}//2 {c + 1}" for a, b, c in surface.faces]
    file.write_text("\n".join(lines))


def write_glb(surface: Surface, file: Path, node: dict[str, object]) -> None:
    points = surface.vertices.astype("<f4").tobytes()
    corners = surface.faces.astype("<u2").tobytes()
    corners += b"\0" * (-len(corners) % 4)
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"children": [1], "translation": [0, 0, 0]}, {"mesh": 0, **node}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": len(points + corners)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(points)},
            {"buffer": 0, "byteOffset": len(points), "byteLength": len(corners)},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(surface.vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": surface.faces.size, "type": "SCALAR"},
        ],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(points + corners), b"BIN\0") + points + corners
    file.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)


def places(count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.uniform(-0.9, 0.9, count), generator.uniform(-0.9, 4.9, count)


def test_a_mesh_of_stairs_is_stairs(tmp_path: Path) -> None:
    stairs, (x, z) = Stairs(rise=0.17, run=0.29, steps=8), places()
    surface = stairs.surface(LOW, HIGH)
    write_obj(surface, tmp_path / "stairs.obj")
    write_glb(surface, tmp_path / "stairs.glb", {})
    for file in ("stairs.obj", "stairs.glb"):
        np.testing.assert_allclose(
            read_ground(str(tmp_path / file)).heights(x, z), stairs.heights(x, z), atol=1e-4
        )


def test_a_node_places_scales_and_turns_its_mesh(tmp_path: Path) -> None:
    surface = Surface(
        np.array([[-1.0, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0.0, -1]]), np.array([[0, 1, 2], [0, 2, 3]])
    )
    quarter = [0.0, 0.7071067811865476, 0.0, 0.7071067811865476]
    write_glb(
        surface, tmp_path / "plate.glb", {"translation": [5, 2, 0], "scale": [1, 1, 3], "rotation": quarter}
    )
    ground = read_ground(str(tmp_path / "plate.glb"))
    assert ground.covers(np.array([2.1, 7.9, 5.0]), np.array([0.0, 0.0, 1.5])).tolist() == [True, True, False]
    np.testing.assert_allclose(ground.heights(np.array([5.0]), np.zeros(1)), 2.0, atol=1e-6)


def test_the_highest_triangle_counts_up_to_a_limit() -> None:
    floor = np.array([[-1.0, 0, -1], [-1, 0, 1], [1, 0, 1]])
    roof = floor + np.array([0.0, 3.0, 0.0])
    vertices, faces = np.concatenate([floor, roof]), np.array([[0, 1, 2], [3, 4, 5]])
    place = np.array([-0.5]), np.array([0.5])
    assert MeshGround(vertices, faces).heights(*place)[0] == 3.0
    assert MeshGround(vertices, faces, below=2.2).heights(*place)[0] == 0.0


def test_beyond_its_border_a_mesh_has_the_height_of_its_nearest_corner() -> None:
    mesh = MeshGround(np.array([[-1.0, 0.5, -1], [-1, 0.5, 1], [1, 0.5, 1]]), np.array([[0, 1, 2]]))
    assert mesh.heights(np.array([3.0]), np.array([3.0]))[0] == 0.5
    assert not mesh.covers(np.array([3.0]), np.array([3.0]))[0]


def test_many_triangles_are_looked_up_alike() -> None:
    x = np.linspace(-5, 5, 121)
    across, along = np.meshgrid(x, x)
    height = 0.3 * np.sin(across) * np.cos(along)
    vertices = np.stack([across, height, along], axis=-1).reshape(-1, 3)
    number = np.arange(121 * 121).reshape(121, 121)
    a, b, c, d = (
        part.ravel() for part in (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1])
    )
    mesh = MeshGround(vertices, np.concatenate([np.stack([a, d, c], 1), np.stack([a, c, b], 1)]))
    x, z = np.random.default_rng(1).uniform(-4.9, 4.9, (2, 3000))
    np.testing.assert_allclose(mesh.heights(x, z), 0.3 * np.sin(x) * np.cos(z), atol=2e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v 0 0 0\nv 1 0 0\n", "holds no face"),
        ("v 0 0 zero\n", "line 1"),
        ("v 0 0 0\nf 1 2 3\n", "line 2"),
        ("v 0 0 0\nv 0 1 0\nv 0 1 1\nf 1 2 3\n", "could stand on"),
    ],
)
def test_a_broken_obj_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "ground.obj").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_ground(str(tmp_path / "ground.obj"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("far", "scale"), [("1e308", "1"), ("1", "1e6"), ("1e5", "100")])
def test_a_mesh_that_reaches_too_far_is_refused(far: str, scale: str, tmp_path: Path) -> None:
    (tmp_path / "ground.obj").write_text(f"v 0 0 0\nv {far} 0 0\nv 0 0 -2\nf 1 2 3\n")
    with pytest.raises(ControlError, match=r"ground\.obj.*a vertex is .* m away, expected at most 1e"):
        read_ground(f"{tmp_path / 'ground.obj'}:scale={scale}")


def test_a_broken_glb_is_one_line(tmp_path: Path) -> None:
    surface = Stairs().surface(LOW, HIGH)
    write_glb(surface, tmp_path / "whole.glb", {})
    data = (tmp_path / "whole.glb").read_bytes()
    for spoilt, message in (
        (data[:200], "no JSON"),
        (data[:-40], "complete binary"),
        (b"glTX" + data[4:], "no binary"),
    ):
        (tmp_path / "broken.glb").write_bytes(spoilt)
        with pytest.raises(FileFormatError, match=message):
            read_ground(str(tmp_path / "broken.glb"))


@pytest.mark.filterwarnings("error")
def test_a_node_that_is_placed_too_far_is_refused(tmp_path: Path) -> None:
    write_glb(Stairs().surface(LOW, HIGH), tmp_path / "far.glb", {"rotation": [1e200, 1e200, 0, 1]})
    with pytest.raises(FileFormatError, match=r"far\.glb: is no complete binary glTF file"):
        read_ground(str(tmp_path / "far.glb"))


def test_numbers_place_a_mesh(tmp_path: Path) -> None:
    write_obj(Stairs().surface(LOW, HIGH), tmp_path / "stairs.obj")
    moved = read_ground(f"{tmp_path / 'stairs.obj'}:scale=2,x=1,y=-0.5")
    np.testing.assert_allclose(moved.heights(np.array([1.0]), np.array([3.1])), 2 * 0.17 - 0.5, atol=1e-6)
    with pytest.raises(ControlError, match="scale is 0"):
        read_ground(f"{tmp_path / 'stairs.obj'}:scale=0")
