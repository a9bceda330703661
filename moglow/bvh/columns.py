"""The meaning of the columns in the frames of a BVH file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Columns:
    """The columns of frames ``(T, C)`` that hold positions and rotations.

    The columns ``position_columns`` hold the positions ``[:, position_joints, position_axes]``. ``rotations`` maps each
    order of axes to the joints ``(N,)`` that rotate in this order and their columns ``(N, len(order))``. Joints without
    rotation channels have the empty order.
    """

    count: int
    position_joints: Indices
    position_axes: Indices
    position_columns: Indices
    rotations: Mapping[str, tuple[Indices, Indices]]


def find_columns(channels: Sequence[Sequence[str]]) -> Columns:
    """Returns the columns of joints with these channels.

    >>> columns = find_columns([("Xposition", "Zposition", "Zrotation", "Xrotation"), ("Yrotation",)])
    >>> columns.count, columns.position_axes.tolist()
    (5, [0, 2])
    >>> {order: place.tolist() for order, (_, place) in columns.rotations.items()}
    {'ZX': [[2, 3]], 'Y': [[4]]}
    """
    return _columns_of(tuple(map(tuple, channels)))


@lru_cache(maxsize=16)
def _columns_of(channels: tuple[tuple[str, ...], ...]) -> Columns:
    positions: list[tuple[int, int, int]] = []
    rotations: dict[str, tuple[list[int], list[list[int]]]] = {}
    column = 0
    for joint, names in enumerate(channels):
        places = list(enumerate(names, start=column))
        column += len(names)
        positions += [
            (joint, "XYZ".index(name[0]), place) for place, name in places if name[1:] == "position"
        ]
        turns = [(place, name[0]) for place, name in places if name[1:] == "rotation"]
        joints, columns = rotations.setdefault("".join(axis for _, axis in turns), ([], []))
        joints.append(joint)
        columns.append([place for place, _ in turns])
    position_joints, position_axes, position_columns = np.array(positions, np.intp).reshape(-1, 3).T
    turning = {
        order: (np.array(joints), np.array(columns, np.intp))
        for order, (joints, columns) in rotations.items()
    }
    return Columns(column, position_joints, position_axes, position_columns, turning)
