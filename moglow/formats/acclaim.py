"""Motion from Acclaim files: an .asf with the skeleton and an .amc with the frames, as of CMU. Needs numpy alone.

A bone has a world direction at rest and axes C. A frame rotates it relative to its parent by C·M·C⁻¹, where M is the
product of its rotations, the first one applied first. A joint of `moglow` is the start of a bone and rotates it; the
next bone begins at its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from moglow.errors import MotionFileError
from moglow.files.reading import LARGEST, read_bytes
from moglow.formats.bones import Bones
from moglow.maths.rotations import (
    IDENTITY,
    UP,
    Array,
    axis_angle_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_rotate,
)

FPS = 120.0
"""The frame rate of CMU's recordings; .amc files do not contain it."""
_INCH = 0.0254
_AXES = {"x": np.array([1.0, 0.0, 0.0]), "y": UP, "z": np.array([0.0, 0.0, 1.0])}
_ROOT = "root"


@dataclass
class _Bone:
    """A bone of the file; lengths are in the file's unit, angles in radians."""

    name: str = ""
    direction: Sequence[float] = (0.0, 0.0, 0.0)
    length: float = 0.0
    axis: Array = field(default_factory=lambda: IDENTITY.copy())
    moves: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Figure:
    bones: tuple[_Bone, ...]
    parents: tuple[int, ...]
    unit: float
    degrees: bool


def read_asf(path: Path, chosen: str | None = None) -> Bones:
    """Reads a skeleton as one frame of its rest pose."""
    if chosen is not None:
        raise MotionFileError(f"{path}: is a skeleton and has no clip {chosen!r}; name it without #{chosen}")
    figure = _read_figure(path)
    return _posed(figure, [[0.0] * sum(len(bone.moves) for bone in figure.bones)])


def read_amc(path: Path, chosen: str | None = None) -> Bones:
    """Reads a motion with the skeleton ``chosen``, by default the .asf of the same name or subject, or the only one."""
    figure = _read_figure(_skeleton_of(path, chosen))
    return _posed(figure, list(_frames(path, figure)))


def _skeleton_of(path: Path, chosen: str | None) -> Path:
    if chosen is not None:
        return path.parent / chosen
    beside = sorted(file for file in path.parent.glob("*") if file.suffix.lower() == ".asf")
    for stem in (path.stem.lower(), path.stem.lower().partition("_")[0]):
        for file in beside:
            if file.stem.lower() == stem:
                return file
    if len(beside) == 1:
        return beside[0]
    found = ", ".join(file.name for file in beside[:8]) or "none"
    raise MotionFileError(
        f"{path}: needs the skeleton of its subject, an .asf in the same folder, found {found}; "
        f"copy it there or name it: {path}#NAME.asf"
    )


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the number and the words of each line that is not empty, without comments."""
    text = read_bytes(path, LARGEST, MotionFileError).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if words := line.partition("#")[0].replace("(", " ").replace(")", " ").split():
            yield number, words


def _read_figure(path: Path) -> _Figure:
    section, length, degrees = "", 1.0, True
    bones = {_ROOT: _Bone(_ROOT, moves=("tx", "ty", "tz", "rx", "ry", "rz"))}
    above: dict[str, str] = {}
    block: list[tuple[int, list[str]]] = []
    root: dict[str, list[str]] = {}
    number = 0
    try:
        for number, words in _lines(path):
            key = words[0].lower()
            if key.startswith(":"):
                section = key[1:]
            elif section == "units" and key == "length":
                length = float(words[1])
            elif section == "units" and key == "angle":
                degrees = words[1].lower().startswith("deg")
            elif section == "root":
                root[key] = words[1:]
            elif section == "bonedata" and key == "begin":
                block = []
            elif section == "bonedata" and key == "end":
                bone = _bone(block, degrees)
                bones[bone.name] = bone
            elif section == "bonedata":
                block.append((number, words))
            elif section == "hierarchy" and key not in ("begin", "end"):
                for child in words[1:]:
                    above[child] = words[0]
        number = 0
        if not 1e-9 <= length <= 1e9:
            raise ValueError(f"a unit of length {length:g}")
        bones[_ROOT] = _root(root, degrees)
        order = _ordered(bones, above)
    except (IndexError, KeyError, ValueError) as error:
        place = f"{path}: line {number}" if number else f"{path}"
        raise MotionFileError(
            f"{place}: not an ASF skeleton that can be read ({_printable(error)}); get it again"
        ) from error
    if len(order) < 2:
        raise MotionFileError(
            f"{path}: the root has no bone, expected :bonedata and :hierarchy; get it again"
        )
    places = {name: place for place, name in enumerate(order)}
    parents = tuple(places[above[name]] if name != _ROOT else -1 for name in order)
    return _Figure(tuple(bones[name] for name in order), parents, _INCH / length, degrees)


def _bone(block: list[tuple[int, list[str]]], degrees: bool) -> _Bone:
    entries = {words[0].lower(): words[1:] for _, words in block}
    bone = _Bone(entries["name"][0])
    if not bone.name.isprintable():
        raise ValueError(f"a bone is called {bone.name!r}")
    direction = np.array(_vector(entries["direction"]))
    size = float(np.linalg.norm(direction))
    bone.direction = (direction / size if size else direction).tolist()
    bone.length = float(entries["length"][0])
    bone.axis = _turn(entries["axis"][:3], entries["axis"][3], degrees)
    bone.moves = tuple(word.lower() for word in entries.get("dof", ()))
    if not set(bone.moves) <= {"rx", "ry", "rz", "l"}:
        raise ValueError(f"bone {bone.name} moves by {' '.join(bone.moves)}, expected rx, ry, rz or l")
    return bone


def _root(entries: dict[str, list[str]], degrees: bool) -> _Bone:
    order = tuple(word.lower() for word in entries.get("order", ["tx", "ty", "tz", "rx", "ry", "rz"]))
    if not set(order) <= {"tx", "ty", "tz", "rx", "ry", "rz"}:
        raise ValueError(f"the root moves by {' '.join(order)}")
    axis = _turn(entries.get("orientation", ["0"] * 3), entries.get("axis", ["XYZ"])[0], degrees)
    place = _vector(entries.get("position", ["0"] * 3))
    return _Bone(_ROOT, direction=place, axis=axis, moves=order)


def _vector(words: Sequence[str]) -> list[float]:
    if len(words) < 3:
        raise ValueError(f"a vector of {len(words)} numbers, expected 3")
    return [float(word) for word in words[:3]]


def _printable(error: Exception) -> str:
    """Returns the message of an error, which may quote any bytes of the file, on one line."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(error))


def _turn(words: Sequence[str], order: str, degrees: bool) -> Array:
    """Returns the rotation by angles about axes in an order such as XYZ, the first one applied first."""
    turn = IDENTITY
    for word, axis in zip(words, order.lower(), strict=True):
        angle = np.radians(float(word)) if degrees else float(word)
        turn = quat_multiply(axis_angle_to_quat(_AXES[axis], angle), turn)
    return turn


def _ordered(bones: dict[str, _Bone], above: dict[str, str]) -> list[str]:
    """Returns the bones below the root, parents first."""
    for name in (*above, *above.values()):
        if name not in bones:
            raise ValueError(f"the hierarchy names {name}, which :bonedata lacks")
    order = [_ROOT]
    for name in order:
        order += [child for child in above if above[child] == name and child not in order]
    return order


def _frames(path: Path, figure: _Figure) -> Iterator[list[float]]:
    """Yields the numbers of each frame, in the order of the bones and their channels."""
    moving = [bone for bone in figure.bones if bone.moves]
    widths = {bone.name: len(bone.moves) for bone in moving}
    frame: dict[str, list[float]] = {}
    number, label, begun = 0, "", False

    def whole() -> list[float]:
        missing = [bone.name for bone in moving if bone.name not in frame]
        if missing:
            raise MotionFileError(
                f"{path}: frame {label} lacks {missing[0]}; the file is cut off or belongs to another skeleton"
            )
        return [value for bone in moving for value in frame[bone.name]]

    for number, words in _lines(path):
        if words[0].startswith(":"):
            if words[0].lower() == (":radians" if figure.degrees else ":degrees"):
                raise MotionFileError(
                    f"{path}: angles in {words[0][1:].lower()}, its skeleton uses the other unit"
                )
        elif len(words) == 1 and words[0].isdigit():
            if begun:
                yield whole()
            begun, label, frame = True, words[0], {}
        elif not begun:
            raise MotionFileError(
                f"{path}: line {number}: expected the number of a frame, found {words[0]!r}"
            )
        else:
            name = words[0]
            if name not in widths:
                raise MotionFileError(
                    f"{path}: line {number}: the skeleton has no moving bone {name!r}; name its .asf"
                )
            try:
                frame[name] = [float(word) for word in words[1:]]
            except ValueError as error:
                raise MotionFileError(
                    f"{path}: line {number}: {_printable(error)}; get the file again"
                ) from error
            if len(frame[name]) != widths[name]:
                raise MotionFileError(
                    f"{path}: line {number}: {name} has {len(frame[name])} numbers, its skeleton has {widths[name]}"
                )
    if not begun:
        raise MotionFileError(f"{path}: no frame; an AMC file lists them by number; get it again")
    yield whole()


def _posed(figure: _Figure, frames: list[list[float]]) -> Bones:
    """Returns world poses, given the numbers of all bones for each frame."""
    values = np.array(frames, float)
    count, column = len(values), 0
    positions = np.zeros((count, len(figure.bones), 3))
    rotations = np.empty((count, len(figure.bones), 4))
    rest = np.zeros((len(figure.bones), 3))
    tips = np.zeros_like(positions)
    for j, (bone, parent) in enumerate(zip(figure.bones, figure.parents, strict=True)):
        turn, shift, longer = np.tile(IDENTITY, (count, 1)), np.zeros((count, 3)), np.zeros((count, 1))
        for move in bone.moves:
            number = values[:, column]
            column += 1
            if move == "l":
                longer[:, 0] = number
            elif move[0] == "t":
                shift[:, "xyz".index(move[1])] = number
            else:
                angle = np.radians(number) if figure.degrees else number
                turn = quat_multiply(axis_angle_to_quat(_AXES[move[1]], angle), turn)
        local = quat_multiply(quat_multiply(bone.axis, turn), quat_conjugate(bone.axis))
        if parent < 0:
            rotations[:, j], positions[:, j], rest[j] = local, shift + bone.direction, bone.direction
            tips[:, j] = positions[:, j]
            continue
        above = figure.bones[parent]
        rotations[:, j] = quat_multiply(rotations[:, parent], local)
        positions[:, j] = tips[:, parent]
        rest[j] = rest[parent] + (np.array(above.direction) * above.length if parent else 0.0)
        tips[:, j] = positions[:, j] + quat_rotate(
            rotations[:, j], np.array(bone.direction) * (bone.length + longer)
        )
    leaves = set(range(1, len(figure.bones))) - set(figure.parents)
    return Bones(
        names=tuple(bone.name for bone in figure.bones),
        parents=figure.parents,
        rest_positions=rest,
        rest_rotations=np.tile(IDENTITY, (len(rest), 1)),
        positions=positions,
        rotations=rotations,
        fps=FPS,
        unit=figure.unit,
        end_sites=tuple(
            (leaf, tuple((np.array(figure.bones[leaf].direction) * figure.bones[leaf].length).tolist()))
            for leaf in sorted(leaves)
        ),
    )
