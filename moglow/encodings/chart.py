"""What every chart of a pose must offer: a named list of numbers and the way there and back; numpy alone.

A chart sees a pose from the *path's frame*: on the floor at the control path's position, facing along its heading. So
the same step walked anywhere, in any direction, has the same numbers, and the root follows the control by construction.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from moglow.maths.rotations import Array, quat_conjugate, quat_multiply, quat_rotate
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

PLANTED = ("toe_x", "toe_z", "foot_yaw")
"""Groups of a foot that stands: the path's step alone says what they become. A chart may have none of them."""


@dataclass(frozen=True)
class Channel:
    """One number of a pose: what it is called, its group, and which number it becomes in a mirror, with which sign.

    ``joint`` is the one whose rotation vector it is part of, −1 if it is of none.
    """

    name: str
    group: str
    partner: str
    sign: float
    joint: int = -1


@dataclass(frozen=True, eq=False)
class Chart(ABC):
    """A pose as ``(F,)`` numbers. The groups that stand on the floor (`PLANTED`) come first."""

    kind: ClassVar[str]
    tolerance: ClassVar[float] = 2e-5
    """Metres and radians by which a channel may be off that is left out, see `Reduction`."""
    skeleton: Skeleton

    @classmethod
    @abstractmethod
    def fit(cls, clip: Clip, path: ControlPath) -> Self:
        """Finds what the chart needs to know (means, bones) from typical frames, whose order does not matter."""

    @property
    @abstractmethod
    def channels(self) -> tuple[Channel, ...]:
        """The ``F`` numbers in order; a group's channels lie side by side."""

    @abstractmethod
    def encode(self, clip: Clip, path: ControlPath) -> Array:
        """The numbers ``(T, F)`` of a clip along a path of the same length."""

    @abstractmethod
    def decode(self, values: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        """Local positions ``(..., J, 3)`` and rotations ``(..., J, 4)`` of poses ``(..., F)``.

        ``positions`` ``(..., 2)`` and ``headings`` ``(...)`` are the path's.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What was fitted, as plain lists, without the skeleton."""

    @classmethod
    @abstractmethod
    def from_json(cls, skeleton: Skeleton, data: object, place: str = "chart") -> Self:
        """The chart that `to_json` wrote; raises `FileFormatError` with ``place`` and the key that is wrong."""

    @cached_property
    def groups(self) -> dict[str, slice]:
        """The slice of each group."""
        names = [channel.group for channel in self.channels]
        return {name: slice(names.index(name), names.index(name) + names.count(name)) for name in names}

    @cached_property
    def mirror(self) -> tuple[np.ndarray[Any, np.dtype[np.intp]], Array]:
        """Partners ``(F,)`` and signs ``(F,)``: the mirrored pose is ``signs * values[..., partners]``."""
        place = {channel.name: i for i, channel in enumerate(self.channels)}
        partners = np.array([place[channel.partner] for channel in self.channels], np.intp)
        return partners, np.array([channel.sign for channel in self.channels])


def to_path_frame(clip: Clip, path: ControlPath) -> tuple[Array, Array]:
    """World positions ``(T, J, 3)`` and rotations ``(T, J, 4)`` of a clip, seen from the path's frame."""
    world_positions, world_rotations = clip.world()
    origins, headings = path.frames()
    back = quat_conjugate(headings)[:, None]
    return quat_rotate(back, world_positions - origins[:, None]), quat_multiply(back, world_rotations)
