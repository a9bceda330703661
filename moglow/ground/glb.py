"""Reads the triangles of a binary glTF file, with the transforms of its nodes. Needs numpy alone."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.errors import FileFormatError
from moglow.files.descriptions import parse_json_table
from moglow.files.reading import LARGEST, read_bytes
from moglow.maths.rotations import Array, quat_to_matrix

TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
TRIANGLES = 4


def read_glb_mesh(file: str | Path) -> tuple[Array, NDArray[np.int64]]:
    """Returns the vertices ``(V, 3)`` in metres and triangles ``(F, 3)``; skins and animations are ignored."""
    try:
        document, binary = _parts(read_bytes(file, LARGEST), file)
        with np.errstate(over="raise", invalid="raise", divide="raise"):  # of damaged matrices
            placed = list(_placed(document, file))
        meshes = [_mesh(document, binary, mesh, matrix, file) for mesh, matrix in placed]
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, struct.error) as error:
        raise FileFormatError(
            f"{file}: is no complete binary glTF file ({error}); export it again"
        ) from error
    parts = [part for mesh in meshes for part in mesh]
    if not parts:
        raise FileFormatError(f"{file}: holds no triangle; export the ground as a mesh")
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + offset for (_, faces), offset in zip(parts, offsets, strict=False)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def _parts(data: bytes, file: str | Path) -> tuple[Mapping[str, Any], bytes]:
    if data[:4] != b"glTF":
        raise FileFormatError(f"{file}: is no binary glTF file; export the ground as .glb")
    place, document, binary = 12, None, b""
    while place + 8 <= len(data):
        length, kind = struct.unpack("<I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if kind == b"JSON":
            document = parse_json_table(body, str(file))
        elif kind == b"BIN\0":
            binary = body
        place += 8 + length
    if document is None:
        raise ValueError("no JSON chunk")
    needed = document.get("extensionsRequired", [])
    if packed := [name for name in needed if "draco" in name or "meshopt" in name]:
        raise FileFormatError(f"{file}: its meshes are packed ({packed[0]}); export it without compression")
    return document, binary


def _placed(document: Mapping[str, Any], file: str | Path) -> Iterator[tuple[int, Array]]:
    """Yields the number of each node's mesh and the node's matrix ``(4, 4)``."""
    nodes = document.get("nodes", [])
    scenes = document.get("scenes", [])
    roots = scenes[document.get("scene", 0)]["nodes"] if scenes else range(len(nodes))
    waiting = [(int(node), np.eye(4)) for node in roots]
    for _ in range(100_000):
        if not waiting:
            return
        number, above = waiting.pop()
        node = nodes[number]
        matrix = above @ _matrix(node)
        if "mesh" in node:
            yield int(node["mesh"]), matrix
        waiting += [(int(child), matrix) for child in node.get("children", [])]
    raise FileFormatError(f"{file}: its nodes form a cycle; export it again")


def _matrix(node: Mapping[str, Any]) -> Array:
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    matrix = np.eye(4)
    matrix[:3, :3] = quat_to_matrix(np.array([w, x, y, z])) * np.array(node.get("scale", (1.0, 1.0, 1.0)))
    matrix[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return matrix


def _mesh(
    document: Mapping[str, Any], binary: bytes, number: int, matrix: Array, file: str | Path
) -> list[tuple[Array, NDArray[np.int64]]]:
    out: list[tuple[Array, NDArray[np.int64]]] = []
    for part in document["meshes"][number]["primitives"]:
        if part.get("mode", TRIANGLES) != TRIANGLES:
            continue
        with np.errstate(invalid="ignore"):  # a signalling NaN, refused below
            points = _accessor(document, binary, part["attributes"]["POSITION"], file).astype(float)
        if not np.isfinite(points).all():
            raise ValueError("a vertex has a coordinate that is not a number")
        vertices = points @ matrix[:3, :3].T + matrix[:3, 3]
        if "indices" in part:
            corners = _accessor(document, binary, part["indices"], file).astype(np.int64).reshape(-1)
        else:
            corners = np.arange(len(vertices))
        faces = corners[: len(corners) // 3 * 3].reshape(-1, 3)
        if len(faces) and faces.max() >= len(vertices):
            raise ValueError(f"a face names vertex {faces.max()} of {len(vertices)}")
        out.append((vertices, faces))
    return out


def _accessor(document: Mapping[str, Any], binary: bytes, number: int, file: str | Path) -> NDArray[Any]:
    accessor = document["accessors"][number]
    if "sparse" in accessor or "bufferView" not in accessor:
        raise FileFormatError(f"{file}: holds sparse data; export it as plain glTF")
    view = document["bufferViews"][accessor["bufferView"]]
    if document["buffers"][view.get("buffer", 0)].get("uri"):
        raise FileFormatError(f"{file}: its data is in another file; export it as one .glb")
    kind, width = np.dtype(TYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    row, count = kind.itemsize * width, accessor["count"]
    stride = view.get("byteStride") or row
    end = start + stride * (count - 1) + row
    if count < 1 or end > len(binary):
        raise ValueError("its data is cut off")
    rows = np.lib.stride_tricks.as_strided(
        np.frombuffer(binary, np.uint8, offset=start), (count, row), (stride, 1), writeable=False
    )
    return np.ascontiguousarray(rows).view(kind).reshape(count, width)
