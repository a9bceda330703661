"""Motion from a BVH file as a Clip: degrees, file units and foreign axes end here; uses `bvh`."""

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
from moglow.maths.rotations import UP, Array, euler_to_quat, quat_between, quat_to_matrix
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Layout, Skeleton

# Rates are whole numbers; a file prints their inverse with five or six digits. 29.97 and 23.976 lie 0.1 % off and stay.
_RATE_TOLERANCE = 4e-4
_POSES = 16  # frames that show which way is up
_BLOCK = 1024  # frames turned into quaternions at once, so that the work stays in the processor's cache


def read_bvh(
    path: str | Path,
    *,
    unit: str | float | None = None,
    up: str | None = None,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> Clip:
    """Reads a motion file, whatever way it spells its hierarchy, and refuses in one line what is not whole.

    Position channels replace OFFSET, component by component, on every joint that has them. ``unit`` (a name such as
    "cm", or metres per unit) and ``up`` ("Y", "Z", "-Z", …) are found from the figure where they are not given. The
    clip's skeleton remembers the file's layout, so that `write_bvh` can give the same file again.

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
    """The motion of a file, as it was read: a part of it becomes a `Clip` when it is asked for.

    A long recording needs several times the memory as a clip.
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
        if not np.array_equal(self.basis, np.eye(3)):  # a rotation, so that turning its axis turns a rotation
            positions, rotations[..., 1:] = positions @ self.basis.T, rotations[..., 1:] @ self.basis.T
        return Clip(self.skeleton, positions, rotations, self.fps, name=self.name)


def open_bvh(
    path: str | Path,
    *,
    unit: str | float | None = None,
    up: str | None = None,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> BvhMotion:
    """Reads a motion file as `read_bvh` does, for clips of parts of it."""
    path = Path(path)
    try:
        with open_input(path, BvhError) as file:
            header, head = read_header(file, path.name)
            frames = read_frames(file, head, header, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise BvhError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    columns = find_columns(header.channels)
    rest = header.offsets.copy()
    rest[0, columns.position_axes[columns.position_joints == 0]] = 0.0  # often a leftover place in the world
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
    """Local positions ``(T, J, 3)`` and rotations ``(T, J, 4)`` of frames ``(T, C)``, in file units and axes."""
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
    """Metres per unit of a figure in file units, as given or found."""
    if unit is None:
        return find_unit(figure.names, figure.parents, figure.rest_positions, figure.overrides)[0]
    return unit_to_metres(unit)


def _find_basis(figure: Skeleton, positions: Array, rotations: Array, up: str | None) -> Array:
    """The rotation from the file's axes to ours, as given or found from some poses."""
    if up is None:
        poses, _ = figure.forward_kinematics(positions, rotations)
        return find_basis(figure.names, figure.parents, figure.rest_positions, poses, figure.overrides)[0]
    if up.upper() not in UPS:
        raise BvhError(f"up axis {up!r} is unknown, expected {', '.join(UPS)}")
    return quat_to_matrix(quat_between(UPS[up.upper()], UP)).round()


def _frame_rate(frame_time: float) -> float:
    """Frames a second: a whole number where the file's rounded time can mean one.

    >>> _frame_rate(0.033333), _frame_rate(0.00833333), round(_frame_rate(0.04170833), 3)
    (30.0, 120.0, 23.976)
    """
    rate = 1.0 / frame_time
    return float(round(rate)) if abs(round(rate) - rate) <= _RATE_TOLERANCE * rate else rate
