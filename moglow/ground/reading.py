"""Parses the text of a ground: ``stairs:rise=0.17,run=0.29``, ``slope:angle=10``, or a file and its parameters.

A file is a picture (``height.png:size=10,high=1.5``) or a mesh (``mesh.obj``, ``mesh.glb``). Needs numpy alone.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from moglow.errors import ControlError
from moglow.files.atomic import file_digest
from moglow.files.numbers import read_number
from moglow.ground.glb import read_glb_mesh
from moglow.ground.height_map import HeightMap
from moglow.ground.mesh import MeshGround
from moglow.ground.obj import read_obj
from moglow.ground.png import read_grey
from moglow.ground.shapes import Flat, Rough, Slope, Stairs
from moglow.ground.surface import Ground

SHAPES: Mapping[str, type[Flat | Slope | Stairs | Rough]] = {
    "flat": Flat,
    "slope": Slope,
    "stairs": Stairs,
    "rough": Rough,
}
LARGEST = 1e6
"""Largest parameter of a ground, and the metres from the origin to its farthest vertex."""


def read_ground(text: str | Ground) -> Ground:
    """Returns the ground that a text describes.

    >>> read_ground("stairs:rise=0.2,run=0.3,steps=4")
    Stairs(rise=0.2, run=0.3, steps=4.0, start=1.5, heading=0.0, name='stairs:rise=0.2,run=0.3,steps=4')
    """
    if isinstance(text, Ground):
        return text
    name, values = _parts(text)
    if name in SHAPES:
        shape = SHAPES[name]
        parameters = [key for key in inspect.signature(shape).parameters if key != "name"]
        _check(text, name, values, parameters)
        made = shape(**values, name=text)
        _check_shape(text, made)
        return made
    suffix = Path(name).suffix.lower()
    if suffix not in FILES:
        near = get_close_matches(name, SHAPES, n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"give {', '.join(SHAPES)} or a file {', '.join(FILES)}"
        )
        raise ControlError(f"ground {text}: there is no ground {name!r}; {hint}")
    if not Path(name).is_file():
        raise ControlError(f"ground {text}: no such file {name}; check the name")
    read, known = FILES[suffix]
    _check(text, name, values, known)
    content = bytes.fromhex(file_digest(Path(name)))
    return read(text, name, {**known, **values}, content)


def _parts(text: str) -> tuple[str, dict[str, float]]:
    """Returns the name and the parameters; the name of a file may contain a colon, as on Windows."""
    name, colon, rest = text.rpartition(":")
    if not colon or (rest and "=" not in rest):
        return text.strip(), {}
    values = {}
    for item in filter(None, map(str.strip, rest.split(","))):
        key, _, value = map(str.strip, item.partition("="))
        values[key] = read_number(value)
        if not abs(values[key]) <= LARGEST:
            raise ControlError(f"ground {text}: {key} is {value!r}; give a number, at most {LARGEST:g}")
    return name.strip(), values


def _check(text: str, name: str, values: Mapping[str, float], known: Collection[str]) -> None:
    for key in values:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ControlError(f"ground {text}: {Path(name).name} has no number {key!r}; {hint}")


def _check_shape(text: str, ground: Ground) -> None:
    if isinstance(ground, Slope) and not (abs(ground.angle) <= 40 and ground.length > 0):
        raise ControlError(f"ground {text}: give an angle of at most 40 degrees and a positive length")
    if isinstance(ground, Stairs) and not (abs(ground.rise) <= 0.5 and 0.1 <= ground.run <= 5):
        raise ControlError(f"ground {text}: give a rise of at most 0.5 m and a run of 0.1 m to 5 m")
    if isinstance(ground, Stairs) and not (ground.steps >= 1 and ground.steps == int(ground.steps)):
        raise ControlError(f"ground {text}: steps is {ground.steps:g}; give a whole number, at least 1")
    if isinstance(ground, Rough) and not (ground.seed >= 0 and ground.seed == int(ground.seed)):
        raise ControlError(f"ground {text}: seed is {ground.seed:g}; give a whole number, at least 0")
    if isinstance(ground, Rough) and not (0 <= ground.height <= 0.5 and ground.size >= 0.2):
        raise ControlError(f"ground {text}: give a height of at most 0.5 m and a size of at least 0.2 m")


def _read_map(text: str, file: str, values: Mapping[str, float], content: bytes) -> Ground:
    if not values["size"] > 0:
        raise ControlError(f"ground {text}: size is {values['size']:g}; give the metres across the picture")
    grey = read_grey(file)
    heights = values["low"] + (values["high"] - values["low"]) * grey
    return HeightMap(heights, values["size"], values["x"], values["z"], text, content)


def _read_mesh(text: str, file: str, values: Mapping[str, float], content: bytes) -> Ground:
    if not values["scale"] > 0:
        raise ControlError(f"ground {text}: scale is {values['scale']:g}; give a positive number")
    read = read_glb_mesh if Path(file).suffix.lower() == ".glb" else read_obj
    vertices, faces = read(file)
    farthest = float(np.abs(vertices).max()) * values["scale"]
    if not farthest <= LARGEST:
        raise ControlError(
            f"ground {text}: a vertex is {farthest:g} m away, expected at most {LARGEST:g}; export it in metres"
        )
    shift = np.array([values["x"], values["y"], values["z"]])
    return replace(
        MeshGround(vertices * values["scale"] + shift, faces, values["below"], text), content=content
    )


MESH = {"scale": 1.0, "x": 0.0, "y": 0.0, "z": 0.0, "below": np.inf}
FILES: Mapping[str, tuple[Callable[[str, str, Mapping[str, float], bytes], Ground], Mapping[str, float]]] = {
    ".png": (_read_map, {"size": 10.0, "low": 0.0, "high": 1.0, "x": 0.0, "z": 0.0}),
    ".obj": (_read_mesh, MESH),
    ".glb": (_read_mesh, MESH),
}
"""The reader of each kind of file, and its parameters."""
