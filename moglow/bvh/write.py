"""Writes clips and streams of frames as BVH files, in the layout of their source file or a portable one."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from moglow.bvh.columns import Columns, find_columns
from moglow.bvh.numbers import numbers_to_text
from moglow.bvh.portable import SAME_PLACE, portable, portable_layout
from moglow.errors import BvhError
from moglow.files.atomic import replacing
from moglow.maths.rotations import (
    Array,
    angle_continuous,
    euler_continuous,
    euler_to_quat,
    is_euler_order,
    quat_angle,
    quat_to_euler,
)
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Layout, Skeleton

_SAME_TURN = 1e-6  # radians; 6e-5 degrees
_DEEPEST_INDENT = 32
_BLOCK = 512  # frames formatted at once; a block fits in the processor's cache


def write_bvh(
    clip: Clip,
    path: str | Path,
    *,
    verbatim: bool | None = None,
    unit: str | float | None = None,
    keep_root: bool = False,
) -> None:
    """Writes a clip as a BVH file; an existing file at ``path`` is replaced once the new one is complete.

    A ``verbatim`` file has the hierarchy, names, channels, unit and axes of the file that the skeleton was read from.
    This is the default if there was such a file and its channels can represent the clip. Otherwise, or if a ``unit`` is
    given, the file is `portable`; ``keep_root`` then keeps a root bone above the hips.
    """
    write_bvh_blocks([clip], path, verbatim=verbatim, unit=unit, keep_root=keep_root)


def write_bvh_blocks(
    blocks: Iterable[Clip],
    path: str | Path,
    *,
    verbatim: bool | None = None,
    unit: str | float | None = None,
    keep_root: bool = False,
) -> None:
    """Writes a clip block by block without storing it; the first block decides whether the file is verbatim."""
    blocks = iter(blocks)
    first = next(blocks, None)
    if first is None:
        raise BvhError(f"{path}: no frames to write; give at least one")
    layout = first.skeleton.layout
    if layout is None:
        obstacle = "the skeleton comes from no file"
    elif unit is not None:
        obstacle = "another unit is requested"
    else:
        obstacle = obstacle_to(first.skeleton, layout, first.positions, first.rotations)
    if verbatim and obstacle:
        raise BvhError(f"{path}: cannot be verbatim, since {obstacle}; write it portable")
    convert = verbatim is False or bool(obstacle)

    def formed(block: Clip) -> Clip:
        return portable(block, unit="cm" if unit is None else unit, keep_root=keep_root) if convert else block

    begun = formed(first)
    with BvhWriter(path, begun.skeleton, begun.fps) as writer:
        for block in chain([begun], map(formed, blocks)):
            if block.skeleton.layout != writer.layout:
                raise BvhError(f"{path}: a joint begins to move in its parent; write the clip as a whole")
            writer.write(block.positions, block.rotations)


class BvhWriter:
    """Writes frames as they arrive, in constant memory; the number of frames is filled in at the end.

    The file has the layout of the skeleton, or, if there is none, centimetres and positions on the root only. Angles
    are continuous in time, also between consecutive blocks of frames.

    >>> import tempfile
    >>> figure = Skeleton(("Hips", "Head"), (-1, 0), [[0, 0, 0], [0, 0.7, 0]], ((1, (0, 0.2, 0)),))
    >>> clip = Clip.at_rest(figure, frames=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with BvhWriter(f"{folder}/rest.bvh", figure, fps=30.0) as writer:
    ...         for frame in range(3):
    ...             writer.write(clip.positions[frame : frame + 1], clip.rotations[frame : frame + 1])
    ...     Path(folder, "rest.bvh").read_text().splitlines()[-4]
    'Frame Time: 0.03333333333333333'
    """

    def __init__(self, path: str | Path, skeleton: Skeleton, fps: float) -> None:
        if not 0 < fps < np.inf:
            raise BvhError(f"{path}: {fps} frames a second, expected a rate above 0")
        self.path, self.skeleton, self.fps = path, skeleton, fps
        self.layout = skeleton.layout or portable_layout(len(skeleton))
        self.frames = 0
        self._head, order = spell(skeleton, self.layout)
        self._joints = np.array(order, np.intp)
        self._columns = find_columns([self.layout.channels[joint] for joint in order])
        self._decimals = decimals_of(self.layout)
        self._last: dict[str, Array] = {}

    def __enter__(self) -> Self:
        self._replacing = replacing(self.path)
        self._file = self._replacing.__enter__()
        self._file.write(f"{self._head}Frames: ".encode("utf-8", "surrogateescape"))
        self._count_at = self._file.tell()
        self._file.write(f"{'':10}\nFrame Time: {1.0 / self.fps!r}\n".encode())
        return self

    def write(self, positions: ArrayLike, rotations: ArrayLike) -> None:
        """Adds frames: local positions ``(T, J, 3)`` in metres and rotations ``(T, J, 4)``."""
        positions, rotations = np.asarray(positions, float), np.asarray(rotations, float)
        for start in range(0, len(positions), _BLOCK):
            block = slice(start, start + _BLOCK)
            obstacle = obstacle_to(self.skeleton, self.layout, positions[block], rotations[block])
            if obstacle:
                raise BvhError(f"{self.path}: {obstacle}; write it portable")
            frames = positions[block][:, self._joints], rotations[block][:, self._joints]
            table, self._last = spell_frames(*frames, self.layout, self._columns, self._last)
            if not np.all(np.abs(table) * 10.0**self._decimals < 2.0**53):
                raise BvhError(f"{self.path}: a value is not finite or too large to print; mend the motion")
            self._file.write(numbers_to_text(table, self._decimals))
            self.frames += len(table)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self.frames:
            error = BvhError(f"{self.path}: no frames to write; give at least one")
        if error is None:
            try:
                self._file.seek(self._count_at)
                self._file.write(str(self.frames).encode())
            except OSError as full:
                error = full
        self._replacing.__exit__(type(error) if error else None, error, trace)
        if kind is None and error:
            raise error


def decimals_of(layout: Layout) -> int:
    """Returns the number of decimals for a resolution of 1e-6 degrees and 1e-8 m."""
    return max(6, int(np.ceil(np.log10(layout.unit) + 8)))


def spell_frames(
    positions: Array, rotations: Array, layout: Layout, columns: Columns, last: Mapping[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """Returns the numbers of a file ``(T, C)`` and the angles of the last frame by order of axes, in radians.

    Angles continue without jumps from ``last``, the angles of the preceding frame, if there are any.
    """
    table = np.empty((len(positions), columns.count))
    basis, after = np.array(layout.basis), {}
    places, turns = positions @ basis / layout.unit, _turn_axes(rotations, basis)
    table[:, columns.position_columns] = places[:, columns.position_joints, columns.position_axes]
    for order, (joints, place) in columns.rotations.items():
        angles = _quat_to_angles(turns[:, joints], order)
        before = last.get(order, angles[:0])
        angles = _continuous(np.concatenate([before, angles]), order)[len(before) :]
        table[:, place] = np.degrees(angles)
        after[order] = angles[-1:]
    return table, after


@lru_cache(maxsize=4)
def spell(skeleton: Skeleton, layout: Layout) -> tuple[str, tuple[int, ...]]:
    """Returns the text from HIERARCHY to the last brace, and the joints in the order of the text (depth first)."""
    to_file = np.array(layout.basis) / layout.unit
    offsets = skeleton.offsets @ to_file
    offsets[0] = layout.root_offset
    lines, order, depth = ["HIERARCHY"], [], [0] * len(skeleton)
    waiting: list[int | str] = [0]
    while waiting:  # iterative, since a hierarchy may be deeper than the stack
        joint = waiting.pop()
        if isinstance(joint, str):
            lines.append(joint)
            continue
        order.append(joint)
        tab, channels = "\t" * min(depth[joint], _DEEPEST_INDENT), layout.channels[joint]
        name = re.sub(r"[{}\r\n]", "_", skeleton.names[joint])
        lines += [f"{tab}{'JOINT' if joint else 'ROOT'} {name}", f"{tab}{{"]
        lines += [f"{tab}\tOFFSET {_numbers(offsets[joint])}"]
        lines += [" ".join([f"{tab}\tCHANNELS {len(channels)}", *channels])]
        for tip in (np.array(tip) @ to_file for end, tip in skeleton.end_sites if end == joint):
            lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {_numbers(tip)}", f"{tab}\t}}"]
        waiting += [f"{tab}}}", *reversed(skeleton.children(joint))]
        for child in skeleton.children(joint):
            depth[child] = depth[joint] + 1
    return "\n".join([*lines, "MOTION\n"]), tuple(order)


def _numbers(vector: Array) -> str:
    return " ".join(np.format_float_positional(x, precision=9, trim="-") for x in vector.round(9) + 0.0)


def _turn_axes(rotations: Array, basis: Array) -> Array:
    """Converts rotations to the file's axes; ``basis`` rotates the file's axes to those of moglow."""
    if np.array_equal(basis, np.eye(3)):
        return rotations
    return np.concatenate([rotations[..., :1], rotations[..., 1:] @ basis], axis=-1)


def _quat_to_angles(quat: Array, order: str) -> Array:
    """Returns Euler angles ``(..., n)`` in an order of up to three axes; fewer axes represent only some rotations.

    With two axes, q = (cos α/2 + sin α/2 · i)(cos β/2 + sin β/2 · j): then w + qᵢ·i and qⱼ + qₖ·i, taken as complex
    numbers, both have the argument α/2, and their lengths are cos β/2 and sin β/2.
    """
    if is_euler_order(order):
        return quat_to_euler(quat, order)
    i, j, *_ = dict.fromkeys(["XYZ".index(axis) for axis in order] + [0, 1, 2])
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    cosine = quat[..., 0] + 1j * quat[..., 1 + i]
    sine = quat[..., 1 + j] + 1j * sign * quat[..., 1 + 3 - i - j]
    half = np.angle(np.where(np.abs(cosine) >= np.abs(sine), cosine, sine))
    back = np.exp(-1j * half)
    second = 2 * np.arctan2((sine * back).real, (cosine * back).real)
    return np.stack([2 * half, second], axis=-1)[..., : len(order)]


def _continuous(angles: Array, order: str) -> Array:
    """Returns the angles ``(T, ..., n)`` without jumps of 360°."""
    return euler_continuous(angles) if is_euler_order(order) else angle_continuous(angles)


def obstacle_to(skeleton: Skeleton, layout: Layout, positions: Array, rotations: Array) -> str:
    """Returns the reason why the channels of a layout cannot represent these frames, or an empty string."""
    if not layout.channels:
        return "its file is no BVH file"
    if len(layout.channels) != len(skeleton):
        return f"its file has {len(layout.channels)} joints, the skeleton {len(skeleton)}"
    columns = find_columns(layout.channels)
    basis, rest = np.array(layout.basis), np.array(skeleton.offsets)
    rest[0] = layout.unit * basis @ layout.root_offset
    off = np.maximum(np.abs(positions.min(axis=0) - rest), np.abs(positions.max(axis=0) - rest)) @ np.abs(
        basis
    )
    off[columns.position_joints, columns.position_axes] = 0.0
    if np.any(off > SAME_PLACE):
        return f"joint {skeleton.names[int(np.argmax(off.max(axis=-1)))]!r} moves and has no channels for it"
    for order, (joints, _) in columns.rotations.items():
        if not is_euler_order(order):
            turns = _turn_axes(rotations[:, joints], basis)
            miss = quat_angle(euler_to_quat(_quat_to_angles(turns, order), order), turns).max(axis=0)
            if np.any(miss > _SAME_TURN):
                return f"joint {skeleton.names[joints[np.argmax(miss)]]!r} turns and has no channels for it"
    return ""
