"""What every chart of a pose must offer: a named list of numbers and the way there and back. Floor 4; numpy alone.

A chart sees a pose from the *path's frame*: on the floor at the control path's position, facing along its heading. So
the same step walked anywhere, in any direction, has the same numbers, and the root follows the control by construction.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from moglow.clip import Clip
from moglow.control import ControlPath
from moglow.mirroring import Mirror, find_mirror
from moglow.rotations import Array, heading_to_quat, quat_multiply, quat_rotate
from moglow.skeleton import Skeleton

PLANTED = ("toe_x", "toe_z", "foot_yaw")
"""Groups of a foot that stands: the path's step alone says what they become. A chart may have none of them."""

FIT_FRAMES = 20_000
"""Frames that a fit looks at, evenly spread over the clips; means do not change with more."""


@dataclass(frozen=True)
class Channel:
    """One number of a pose: what it is called, its group, and which number it becomes in a mirror, with which sign."""

    name: str
    group: str
    partner: str
    sign: float


@dataclass(frozen=True, eq=False)
class Chart(ABC):
    """A pose as ``(F,)`` numbers. The groups that stand on the floor (`PLANTED`) come first."""

    kind: ClassVar[str]
    tolerance: ClassVar[float] = (
        2e-5  # metres and radians by which a channel may be left out, see `Reduction`
    )
    skeleton: Skeleton

    @classmethod
    @abstractmethod
    def fit(cls, clips: Sequence[Clip], paths: Sequence[ControlPath]) -> Self:
        """Finds what the chart needs to know (means, bones) from clips of one skeleton and their paths."""

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
    def from_json(cls, skeleton: Skeleton, data: Mapping[str, Any]) -> Self:
        """The chart that `to_json` wrote."""

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


@dataclass(frozen=True)
class Sample:
    """Frames of many clips side by side, seen from their paths' frames, for fitting a chart."""

    skeleton: Skeleton
    positions: Array  # (N, J, 3) local
    rotations: Array  # (N, J, 4) local
    world_positions: Array  # (N, J, 3) in the path's frame
    world_rotations: Array  # (N, J, 4) in the path's frame
    mirror: Mirror

    @classmethod
    def of(cls, clips: Sequence[Clip], paths: Sequence[ControlPath]) -> Self:
        """Every n-th frame of the clips, so that about `FIT_FRAMES` remain."""
        stride = max(1, sum(map(len, clips)) // FIT_FRAMES)
        picked = [
            (clip[::stride], path.positions[::stride], path.headings[::stride])
            for clip, path in zip(clips, paths, strict=True)
        ]
        seen = [to_path_frame(clip, positions, headings) for clip, positions, headings in picked]
        skeleton = clips[0].skeleton
        world_rotations = np.concatenate([rotations for _, rotations in seen])
        return cls(
            skeleton,
            np.concatenate([clip.positions for clip, _, _ in picked]),
            np.concatenate([clip.rotations for clip, _, _ in picked]),
            np.concatenate([positions for positions, _ in seen]),
            world_rotations,
            find_mirror(skeleton, world_rotations, np.zeros(len(world_rotations))),
        )


def to_path_frame(clip: Clip, positions: Array, headings: Array) -> tuple[Array, Array]:
    """World positions ``(T, J, 3)`` and rotations ``(T, J, 4)`` of a clip, seen from the path's frame."""
    world_positions, world_rotations = clip.world()
    back = heading_to_quat(-headings)[:, None]
    origin = np.stack([positions[:, 0], np.zeros(len(positions)), positions[:, 1]], axis=-1)
    return quat_rotate(back, world_positions - origin[:, None]), quat_multiply(back, world_rotations)
