"""The interface of a chart: a named list of numbers for a pose, and both conversions. Needs numpy alone.

A chart describes a pose in the *path's frame*, which is on the floor at the control path's position and faces along its
heading. The same step therefore has the same numbers anywhere and in any direction, and the root follows the control by
construction.
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
"""Groups that for a planted foot are predicted by the path's step alone. A chart may have none of them."""


@dataclass(frozen=True)
class Channel:
    """One number of a pose: its name and group, and the number and sign that it becomes in a mirror.

    ``joint`` is the joint whose rotation vector it is part of, or −1.
    """

    name: str
    group: str
    partner: str
    sign: float
    joint: int = -1


@dataclass(frozen=True, eq=False)
class Chart(ABC):
    """A pose as ``(F,)`` numbers. The groups of planted feet (`PLANTED`) come first."""

    kind: ClassVar[str]
    tolerance: ClassVar[float] = 2e-5
    """Largest error in metres and radians of a channel that `Reduction` leaves out."""
    skeleton: Skeleton

    @classmethod
    @abstractmethod
    def fit(cls, clip: Clip, path: ControlPath) -> Self:
        """Returns a chart whose constants (means, bones) are fitted to frames, in any order."""

    @property
    @abstractmethod
    def channels(self) -> tuple[Channel, ...]:
        """The ``F`` numbers in order; the channels of a group are adjacent."""

    @abstractmethod
    def encode(self, clip: Clip, path: ControlPath) -> Array:
        """Returns the numbers ``(T, F)`` of a clip along a path of the same length."""

    @abstractmethod
    def decode(self, values: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        """Returns local positions ``(..., J, 3)`` and rotations ``(..., J, 4)`` of poses ``(..., F)``.

        ``positions`` ``(..., 2)`` and ``headings`` ``(...)`` are those of the path.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Returns the fitted constants as plain lists, without the skeleton."""

    @classmethod
    @abstractmethod
    def from_json(cls, skeleton: Skeleton, data: object, place: str = "chart") -> Self:
        """Returns the chart that `to_json` wrote; raises `FileFormatError` with ``place`` and the key that is wrong."""

    @cached_property
    def reaches(self) -> Array:
        """Metres ``(L,)`` from the hips to the toe of each stretched leg; none where feet have no numbers."""
        return np.zeros(0)

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
    """Returns positions ``(T, J, 3)`` and rotations ``(T, J, 4)`` of a clip's joints in the path's frame."""
    world_positions, world_rotations = clip.world()
    origins, headings = path.frames()
    back = quat_conjugate(headings)[:, None]
    return quat_rotate(back, world_positions - origins[:, None]), quat_multiply(back, world_rotations)
