"""Reads the vertices and faces of a Wavefront OBJ file. Needs numpy alone."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moglow.errors import FileFormatError
from moglow.files.numbers import read_number, read_whole_number
from moglow.files.reading import LARGEST, read_bytes
from moglow.maths.rotations import Array


def read_obj(file: str | Path) -> tuple[Array, NDArray[np.int64]]:
    """Returns the vertices ``(V, 3)`` and triangles ``(F, 3)``; faces with more corners are split into triangles."""
    text = read_bytes(file, LARGEST).decode("utf-8", "replace")
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        try:
            if words[:1] == ["v"]:
                vertices.append([read_number(word) for word in words[1:4]])
                if len(vertices[-1]) != 3 or not np.isfinite(vertices[-1]).all():
                    raise ValueError
            elif words[:1] == ["f"]:
                corners = [_corner(word, len(vertices)) for word in words[1:]]
                if len(corners) < 3:
                    raise ValueError
                faces += [(corners[0], b, c) for b, c in pairwise(corners[1:])]
        except ValueError:
            raise FileFormatError(
                f"{file}: line {number}: {line.strip()[:60]!r} is no vertex or face; export the mesh again"
            ) from None
    if not faces:
        raise FileFormatError(f"{file}: holds no face; export the ground as a mesh")
    return np.array(vertices), np.array(faces, np.int64)


def _corner(word: str, count: int) -> int:
    """Returns the vertex's index from 0; OBJ counts from 1, and from the end with negative numbers."""
    number = read_whole_number(word.partition("/")[0]) or 0
    place = number - 1 if number > 0 else count + number
    if number == 0 or not 0 <= place < count:
        raise ValueError
    return place
