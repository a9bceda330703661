"""Writes a clip as a binary glTF file: armature, skinned capsule body and animation. Needs numpy alone.

glTF has metres, Y up and +Z forward like `moglow`, but quaternions with w last. The bind pose is the zero pose, so that
inverse bind matrices are translations. The rest pose of the nodes is the first frame, which still viewers show.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow import __version__
from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow.formats.names import unique
from moglow.maths.rotations import Array, quat_continuous, quat_normalize
from moglow.maths.signals import Flags
from moglow.motion.capsule_body import capsule_body
from moglow.motion.clip import Clip

Json = dict[str, Any]

COMPONENTS = {np.dtype("u1"): 5121, np.dtype("<u2"): 5123, np.dtype("<u4"): 5125, np.dtype("<f4"): 5126}
WIDTHS = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
VERTICES, INDICES = 34962, 34963  # targets of buffer views; those of animation and skin have none
MATERIAL = {"pbrMetallicRoughness": {"baseColorFactor": [0.62, 0.66, 0.70, 1.0], "metallicFactor": 0.0}}
MOVES = 1e-6  # metres; a joint that is nearer to its offset needs no position keys


@dataclass
class Chunk:
    """The binary chunk of the file, extended by arrays, with their buffer views and accessors."""

    data: bytearray = field(default_factory=bytearray)
    views: list[Json] = field(default_factory=list)
    accessors: list[Json] = field(default_factory=list)

    def add(self, values: NDArray[Any], target: int | None = None, **more: object) -> int:
        """Appends rows of scalars, vectors or matrices, and returns the number of their accessor."""
        rows = np.ascontiguousarray(values.reshape(len(values), -1))
        view: Json = {"buffer": 0, "byteOffset": len(self.data), "byteLength": rows.nbytes}
        self.views.append(view | ({"target": target} if target else {}))
        accessor: Json = {"bufferView": len(self.views) - 1, "componentType": COMPONENTS[rows.dtype]}
        accessor |= {"count": len(rows), "type": WIDTHS[rows.shape[1]], **more}
        self.accessors.append(accessor)
        self.data += rows.tobytes() + b"\0" * (-rows.nbytes % 4)
        return len(self.accessors) - 1

    def add_bounded(self, values: Array, target: int | None = None) -> int:
        """Appends float rows with their minimum and maximum, which glTF requires for points and times."""
        rows = values.astype("<f4").reshape(len(values), -1)
        return self.add(rows, target, min=rows.min(0).tolist(), max=rows.max(0).tolist())


def write_glb(clip: Clip, path: str | Path) -> None:
    """Writes `clip` to `path`, for Blender, three.js, the viewers of Windows and macOS, and game engines."""
    _write([clip], [clip.name or "motion"], path)


def write_glb_pack(clips: Sequence[Clip], path: str | Path) -> tuple[str, ...]:
    """Writes clips of one skeleton as the animations of one file, and returns the animations' names.

    The rest pose is the first frame of the first clip. A repeated name gets a number.
    """
    names: list[str] = []
    for clip in clips:
        if not _same_bones(clip, clips[0]):
            raise ExportError(
                f"{path}: {clip.name} and {clips[0].name} have different skeletons; put both on one",
                setting="skeleton",
            )
        names.append(unique(clip.name or "motion", names, " "))
    _write(clips, names, path)
    return tuple(names)


def write_glb_crowd(figures: Iterable[tuple[str, float, Clip]], path: str | Path) -> int:
    """Writes figures of one skeleton that move in one animation, and returns their number.

    ``figures`` are the name of each figure, the second in which its clip begins, and the clip. They are read one after
    another, and only their keys are kept.
    """
    chunk = Chunk()
    samplers: list[Json] = []
    channels: list[Json] = []
    nodes: list[Json] = []
    skins: list[Json] = []
    times: dict[tuple[float, int, float], int] = {}
    roots: list[int] = []
    one, body, matrices = None, Json(), 0
    for name, start, clip in figures:
        if one is None:
            one, body, matrices = clip, _body(clip, chunk), _matrices(clip, chunk)
        if not _same_bones(clip, one):
            raise ExportError(f"{path}: {name} has another skeleton than the first figure; put all on one")
        key = start, len(clip), clip.fps
        if key not in times:
            times[key] = chunk.add_bounded(start + clip.times)
        first = len(nodes) + 1  # after the node that holds the figure
        moves = np.abs(clip.positions - clip.skeleton.offsets).max((0, 2)) > MOVES
        _animate(clip, chunk, moves, times[key], first, samplers, channels)
        roots.append(len(nodes))
        nodes.append({"name": name, "children": [first, first + len(clip.skeleton)]})
        nodes += [*_joints(clip, first), {"name": f"{name} body", "mesh": 0, "skin": len(skins)}]
        skins.append(_skin(clip, matrices, first))
    if one is None:
        raise ExportError(f"{path}: no figures to write; give at least one")
    document = {
        "scene": 0,
        "scenes": [{"nodes": roots}],
        "nodes": nodes,
        "materials": [MATERIAL],
        "meshes": [{"name": "Body", "primitives": [body]}],
        "skins": skins,
        "animations": [{"name": "crowd", "channels": channels, "samplers": samplers}],
    }
    write_document(document, chunk, path)
    return len(roots)


def _same_bones(one: Clip, other: Clip) -> bool:
    """Returns whether the joints of two clips have the same names, parents and offsets, except the root's offset."""
    a, b = one.skeleton, other.skeleton
    return (a.names, a.parents) == (b.names, b.parents) and np.allclose(
        a.offsets[1:], b.offsets[1:], atol=1e-4
    )


def _write(clips: Sequence[Clip], names: Sequence[str], path: str | Path) -> None:
    clip = clips[0]
    chunk = Chunk()
    moves = np.any(
        [np.abs(each.positions - clip.skeleton.offsets).max((0, 2)) > MOVES for each in clips], axis=0
    )
    document = {
        "scene": 0,
        "scenes": [{"nodes": [0, len(clip.skeleton)]}],
        "nodes": [*_joints(clip), {"name": "Body", "mesh": 0, "skin": 0}],
        "materials": [MATERIAL],
        "meshes": [{"name": "Body", "primitives": [_body(clip, chunk)]}],
        "skins": [_skin(clip, _matrices(clip, chunk))],
        "animations": [_animation(each, name, chunk, moves) for each, name in zip(clips, names, strict=True)],
    }
    write_document(document, chunk, path)


def write_document(document: Json, chunk: Chunk, path: str | Path) -> None:
    """Writes a document and its arrays."""
    document = {
        "asset": {"version": "2.0", "generator": f"moglow {__version__}"},
        **document,
        "accessors": chunk.accessors,
        "bufferViews": chunk.views,
        "buffers": [{"byteLength": len(chunk.data)}],
    }
    # A name from a file that is not UTF-8 may contain a lone surrogate, which becomes "?".
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    text += b" " * (-len(text) % 4)
    with replacing(path) as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(chunk.data)))
        file.write(struct.pack("<I4s", len(text), b"JSON") + text)
        file.write(struct.pack("<I4s", len(chunk.data), b"BIN\0") + chunk.data)


def _joints(clip: Clip, first: int = 0) -> list[Json]:
    """Returns one node per joint, numbered from ``first``, in the pose of the first frame."""
    nodes: list[Json] = []
    rotations = w_last(clip.rotations[0])
    for joint, name in enumerate(clip.skeleton.names):
        node: Json = {"name": name, "translation": clip.positions[0, joint].tolist()}
        node["rotation"] = rotations[joint].tolist()
        if children := clip.skeleton.children(joint):
            node["children"] = [first + child for child in children]
        nodes.append(node)
    return nodes


def _body(clip: Clip, chunk: Chunk) -> Json:
    """Returns the mesh of the capsule body in the bind pose; each point is bound to one joint."""
    body = capsule_body(clip.skeleton)
    points = body.points + clip.skeleton.rest_positions[body.joints]
    joints = np.zeros((len(points), 4), "<u2")
    joints[:, 0] = body.joints
    weights = np.zeros((len(points), 4), "u1")
    weights[:, 0] = 255
    attributes = {
        "POSITION": chunk.add_bounded(points, VERTICES),
        "NORMAL": chunk.add(body.normals.astype("<f4"), VERTICES),
        "JOINTS_0": chunk.add(joints, VERTICES),
        "WEIGHTS_0": chunk.add(weights, VERTICES, normalized=True),
    }
    indices = chunk.add(body.triangles.astype("<u4").ravel(), INDICES)
    return {"attributes": attributes, "indices": indices, "material": 0}


def _matrices(clip: Clip, chunk: Chunk) -> int:
    """Returns the number of the matrices from the bind pose to the joints' frames."""
    matrices = np.tile(np.eye(4, dtype="<f4"), (len(clip.skeleton), 1, 1))
    matrices[:, 3, :3] = -clip.skeleton.rest_positions  # glTF is column-major: this row is its last column
    return chunk.add(matrices)


def _skin(clip: Clip, matrices: int, first: int = 0) -> Json:
    """Returns the skin of joints that are numbered from ``first``."""
    joints = list(range(first, first + len(clip.skeleton)))
    return {"joints": joints, "skeleton": first, "inverseBindMatrices": matrices}


def _animation(clip: Clip, name: str, chunk: Chunk, moves: Flags) -> Json:
    """Returns an animation with rotation keys for all joints, and position keys for those flagged in ``moves``."""
    samplers: list[Json] = []
    channels: list[Json] = []
    _animate(clip, chunk, moves, chunk.add_bounded(clip.times), 0, samplers, channels)
    return {"name": name, "channels": channels, "samplers": samplers}


def _animate(
    clip: Clip,
    chunk: Chunk,
    moves: Flags,
    times: int,
    first: int,
    samplers: list[Json],
    channels: list[Json],
) -> None:
    """Appends the keys of a clip at the times of an accessor, for joints that are numbered from ``first``."""

    def animate(joint: int, path: str, values: Array) -> None:
        samplers.append({"input": times, "output": chunk.add(values.astype("<f4"))})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": first + joint, "path": path}})

    rotations = w_last(quat_continuous(clip.rotations))
    for joint in range(len(clip.skeleton)):
        animate(joint, "rotation", rotations[:, joint])
        if joint == 0 or moves[joint]:
            animate(joint, "translation", clip.positions[:, joint])


def w_last(quats: Array) -> Array:
    """Returns unit quaternions ``(..., 4)`` in glTF's order."""
    return np.roll(quat_normalize(quats), -1, axis=-1)
