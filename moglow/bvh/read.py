"""Reads BVH files as clips; degrees, file units and the file's axes are converted here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from moglow.anatomy.unit_and_axes import UPS, find_basis, find_unit
from moglow.bvh.columns import Columns, find_columns
from moglow.bvh.frames import read_frames
from moglow.bvh.header import read_header
from moglow.bvh.portable import unit_to_metres
from moglow.errors import BvhError
from moglow.files.reading import open_input
from moglow.files.system_errors import advice, reason
from moglow.maths.rotations import UP, Array, euler_to_quat, quat_between, quat_to_matrix
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Layout, Skeleton

# Most rates are whole numbers, whose inverse is in the file with five or six digits. 29.97 and 23.976 differ from a
# whole number by 0.1 % and are kept.
_RATE_TOLERANCE = 4e-4
_POSES = 16  # frames from which the up axis is found
_BLOCK = 1024  # frames converted to quaternions at once; a block fits in the processor's cache


def read_bvh(
    path: str | Path,
    *,
    unit: str | float | None = None,
    up: str | None = None,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> Clip:
    """Reads a BVH file in any common spelling; raises `BvhError` if the file is incomplete or invalid.

    On joints with position channels, these replace OFFSET component by component. If ``unit`` (a name such as "cm", or
    metres per unit) or ``up`` ("Y", "Z", "-Z", …) is not given, it is estimated from the figure. The clip's skeleton
    keeps the layout of the file, so that `write_bvh` can reproduce the file.

    >>> import tempfile
    >>> text = "HIERARCHY ROOT Hips { OFFSET 0 0 0 CHANNELS 2 Yposition Yrotation } MOTION"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "turn.bvh").write_text(f"{text}\\nFrames: 2\\nFrame Time: 0.04\\n90 0\\n91 180")
    ...     clip = read_bvh(f"{folder}/turn.bvh", unit="cm")
    >>> clip.fps, clip.positions[:, 0].tolist(), clip.rotations[1, 0].round(6).tolist()
    (25.0, [[0.0, 0.9, 0.0], [0.0, 0.91, 0.0]], [0.0, 0.0, 1.0, 0.0])
    """
    return open_bvh(path, unit=unit, up=up, overrides=overrides)[:]


@dataclass(frozen=True, eq=False)
class BvhMotion:
    """The motion of a file in the file's own numbers; indexing with a slice returns that part as a `Clip`.

    A `Clip` needs several times as much memory, which matters for long recordings.
    """

    skeleton: Skeleton
    fps: float
    name: str
    frames: Array
    """The file's numbers ``(T, C)``, in degrees and file units."""
    columns: Columns
    rest: Array
    """The joints' offsets ``(J, 3)`` in file units and axes."""
    metres: float
    basis: Array

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, part: slice) -> Clip:
        positions, rotations = _frames_to_poses(self.frames[part], self.columns, self.rest)
        positions *= self.metres
        if not np.array_equal(self.basis, np.eye(3)):  # a rotation acts on a quaternion's vector part
            positions, rotations[..., 1:] = positions @ self.basis.T, rotations[..., 1:] @ self.basis.T
        return Clip(self.skeleton, positions, rotations, self.fps, name=self.name)


def open_bvh(
    path: str | Path,
    *,
    unit: str | float | None = None,
    up: str | None = None,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> BvhMotion:
    """Reads a motion file like `read_bvh`, but returns a `BvhMotion`, which converts parts of the file to clips."""
    path = Path(path)
    try:
        with open_input(path, BvhError) as file:
            header, head = read_header(file, path.name)
            frames = read_frames(file, head, header, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise BvhError(f"{path}: cannot be read ({reason(error)}); {advice(error)}") from error
    columns = find_columns(header.channels)
    rest = header.offsets.copy()
    rest[0, columns.position_axes[columns.position_joints == 0]] = 0.0  # often a world position
    figure = Skeleton(header.names, header.parents, rest, overrides=overrides)
    metres = _find_unit(figure, unit)
    some = np.linspace(0, len(frames) - 1, _POSES).astype(int)
    basis = _find_basis(figure, *_frames_to_poses(frames[some], columns, rest), up)
    skeleton = Skeleton(
        names=header.names,
        parents=header.parents,
        offsets=metres * rest @ basis.T,
        end_sites=tuple((j, tuple((metres * basis @ tip).tolist())) for j, tip in header.end_sites),
        layout=Layout(
            header.channels, metres, tuple(map(tuple, basis.tolist())), tuple(header.offsets[0].tolist())
        ),
        overrides=overrides,
    )
    fps = _frame_rate(header.frame_time)
    return BvhMotion(skeleton, fps, path.stem, frames, columns, rest, metres, basis)


def _frames_to_poses(frames: Array, columns: Columns, rest: Array) -> tuple[Array, Array]:
    """Returns local positions ``(T, J, 3)`` and rotations ``(T, J, 4)`` of frames ``(T, C)`` in file units and axes."""
    positions = np.empty((len(frames), *rest.shape))
    rotations = np.empty((*positions.shape[:2], 4))
    positions[:] = rest
    positions[:, columns.position_joints, columns.position_axes] = frames[:, columns.position_columns]
    for start in range(0, len(frames), _BLOCK):
        block = slice(start, start + _BLOCK)
        for order, (joints, places) in columns.rotations.items():
            rotations[block, joints] = euler_to_quat(np.radians(frames[block, places]), order)
    return positions, rotations


def _find_unit(figure: Skeleton, unit: str | float | None) -> float:
    """Returns metres per file unit: ``unit`` if given, else estimated from the figure, which is in file units."""
    if unit is None:
        return find_unit(figure.names, figure.parents, figure.rest_positions, figure.overrides)[0]
    return unit_to_metres(unit)


def _find_basis(figure: Skeleton, positions: Array, rotations: Array, up: str | None) -> Array:
    """Returns the rotation from the file's axes to those of moglow: from ``up`` if given, else from some poses."""
    if up is None:
        poses, _ = figure.forward_kinematics(positions, rotations)
        return find_basis(figure.names, figure.parents, figure.rest_positions, poses, figure.overrides)[0]
    if up.upper() not in UPS:
        raise BvhError(f"up axis {up!r} is unknown, expected {', '.join(UPS)}")
    return quat_to_matrix(quat_between(UPS[up.upper()], UP)).round()


def _frame_rate(frame_time: float) -> float:
    """Returns frames per second: a whole number if the rounded time in the file is consistent with one.

    >>> _frame_rate(0.033333), _frame_rate(0.00833333), round(_frame_rate(0.04170833), 3)
    (30.0, 120.0, 23.976)
    """
    rate = 1.0 / frame_time
    return float(round(rate)) if abs(round(rate) - rate) <= _RATE_TOLERANCE * rate else rate
