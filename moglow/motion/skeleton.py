"""A skeleton: names, parents, offsets and end sites, with forward kinematics. Needs numpy alone.

Units are metres, and Y is up. A joint's frame is its parent's frame, shifted by the joint's local position and rotated
by its local rotation. In the zero pose, local rotations are the identity and local positions are the offsets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from moglow.anatomy.anatomy import Anatomy, find_anatomy
from moglow.errors import FileFormatError, SkeletonError
from moglow.files.tables import Numbers, from_table
from moglow.maths.rotations import Array, quat_rotate
from moglow.motion.kinematics import to_world

CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ")


@dataclass(frozen=True)
class Layout:
    """The representation of a skeleton in its file, from which the same hierarchy can be written.

    ``channels`` has each joint's channels in file order (empty for files other than BVH), ``unit`` is metres per file
    unit, ``basis`` ``(3, 3)`` is the rotation from the file's axes to Y up and +Z forward, and ``root_offset`` is the
    root's OFFSET in file units, which position channels replace.
    """

    channels: tuple[tuple[str, ...], ...]
    unit: float = 0.01
    basis: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    root_offset: tuple[float, ...] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not self.unit > 0:
            raise ValueError(f"unit is {self.unit}; give metres per unit, above 0")
        if [len(row) for row in self.basis] != [3, 3, 3] or len(self.root_offset) != 3:
            raise ValueError("basis should be 3 × 3 numbers and root_offset 3")
        for channel in chain.from_iterable(self.channels):
            if channel not in CHANNELS:
                raise ValueError(f"channel {channel!r} is unknown; one of {', '.join(CHANNELS)}")


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A tree of joints, parents before children; the first joint is the only root.

    ``offsets`` ``(J, 3)`` are local positions in the zero pose, ``end_sites`` pairs of joint and tip offset.
    ``overrides`` has roles and partners that replace those found by `find_anatomy`.

    >>> arm = Skeleton(("Shoulder", "Elbow"), (-1, 0), [[0, 0, 0], [0.3, 0, 0]], ((1, (0.25, 0, 0)),))
    >>> arm.index("Elbow"), arm.bone_lengths.tolist()
    (1, [0.0, 0.3])
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    end_sites: tuple[tuple[int, tuple[float, ...]], ...] = ()
    layout: Layout | None = None
    overrides: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        offsets = np.array(self.offsets, float)
        offsets.setflags(write=False)
        object.__setattr__(self, "offsets", offsets)
        if offsets.shape != (len(self.names), 3) or len(self.parents) != len(self.names):
            raise SkeletonError(
                f"skeleton: {len(self.names)} names, {len(self.parents)} parents and offsets {offsets.shape}; "
                "give one parent and three coordinates a joint"
            )
        if not self.names or self.parents[0] != -1:
            raise SkeletonError("skeleton: the first joint must be the root, with parent -1")
        for j, parent in enumerate(self.parents[1:], start=1):
            if not 0 <= parent < j:
                raise SkeletonError(
                    f"skeleton: joint {self.names[j]} has parent {parent}; list parents first"
                )

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Skeleton):
            return NotImplemented
        return (self.names, self.parents, self.end_sites, self.layout, dict(self.overrides)) == (
            other.names,
            other.parents,
            other.end_sites,
            other.layout,
            dict(other.overrides),
        ) and np.array_equal(self.offsets, other.offsets)

    def __hash__(self) -> int:
        return hash((self.names, self.parents, self.offsets.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the fields without cached properties."""
        return Skeleton, (
            self.names, self.parents, self.offsets, self.end_sites, self.layout, dict(self.overrides)
        )  # fmt: skip

    def index(self, name: str) -> int:
        """Returns the number of the first joint with this name."""
        try:
            return self.names.index(name)
        except ValueError:
            near = get_close_matches(name, self.names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(self.names[:6])} …"
            raise SkeletonError(f"the skeleton has no joint {name!r}; {hint}") from None

    def role(self, role: str) -> int:
        """Returns the joint with a role such as ``left_foot``; raises a SkeletonError if there is none."""
        try:
            return self.anatomy.roles[role]
        except KeyError:
            raise SkeletonError(
                f'no joint was found for the role {role!r}; name it in a map file ([roles] {role} = "…")'
            ) from None

    def children(self, joint: int) -> tuple[int, ...]:
        """Returns the children of a joint."""
        return self._children[joint]

    @cached_property
    def _children(self) -> tuple[tuple[int, ...], ...]:
        children: list[list[int]] = [[] for _ in self.names]
        for j, parent in enumerate(self.parents[1:], start=1):
            children[parent].append(j)
        return tuple(map(tuple, children))

    @cached_property
    def anatomy(self) -> Anatomy:
        """Returns partners, roles and legs, found from names and shape."""
        return find_anatomy(self.names, self.parents, self.rest_positions, self.overrides)

    @property
    def hips(self) -> int:
        """Returns the joint with the role ``hips``, by default the root."""
        return self.anatomy.roles.get("hips", 0)

    @cached_property
    def rest_positions(self) -> Array:
        """Returns the positions ``(J, 3)`` of the joints in the zero pose, with the root at its offset."""
        rest = self.offsets.copy()
        for j, parent in enumerate(self.parents[1:], start=1):
            rest[j] += rest[parent]
        return rest

    @cached_property
    def bone_lengths(self) -> Array:
        """Returns the distance ``(J,)`` of each joint from its parent; 0 for the root."""
        lengths: Array = np.linalg.norm(self.offsets, axis=-1)
        lengths[0] = 0.0
        return lengths

    def forward_kinematics(self, positions: ArrayLike, rotations: ArrayLike) -> tuple[Array, Array]:
        """Returns world positions ``(..., J, 3)`` and rotations ``(..., J, 4)``, given local ones."""
        places, turns = np.asarray(positions), np.asarray(rotations)
        if places.shape[:-1] != turns.shape[:-1] or turns.shape[-2] != len(self):
            raise SkeletonError(
                f"skeleton: positions {places.shape} and rotations {turns.shape} of {len(self)} joints; "
                "expected (..., J, 3) and (..., J, 4)"
            )
        return to_world(self.parents, places, turns)

    def end_positions(self, world_positions: Array, world_rotations: Array) -> Array:
        """Returns the world positions ``(..., E, 3)`` of the end sites."""
        joints = [joint for joint, _ in self.end_sites]
        tips = np.array([tip for _, tip in self.end_sites], float).reshape(-1, 3)
        return world_positions[..., joints, :] + quat_rotate(world_rotations[..., joints, :], tips)

    def scaled(self, scale: float) -> "Skeleton":
        """Returns the skeleton with scaled offsets, without the layout, whose numbers would be wrong."""
        ends = tuple((j, tuple(scale * x for x in tip)) for j, tip in self.end_sites)
        return replace(self, offsets=self.offsets * scale, end_sites=ends, layout=None)

    def to_json(self) -> dict[str, Any]:
        """Returns the skeleton as plain lists; `from_json` returns an equal skeleton."""
        layout = self.layout
        return {
            "names": list(self.names),
            "parents": list(self.parents),
            "offsets": self.offsets.tolist(),
            "end_sites": [[joint, list(tip)] for joint, tip in self.end_sites],
            "overrides": dict(self.overrides),
            "layout": layout
            and {
                "channels": [list(channels) for channels in layout.channels],
                "unit": layout.unit,
                "basis": [list(row) for row in layout.basis],
                "root_offset": list(layout.root_offset),
            },
        }

    @classmethod
    def from_json(cls, data: object, place: str = "skeleton") -> "Skeleton":
        """Returns the skeleton, given the result of `to_json`."""
        table = from_table(_Table, data, place, FileFormatError)
        skeleton = cls(
            table.names, table.parents, table.offsets, table.end_sites, table.layout, dict(table.overrides)
        )
        if any(not 0 <= joint < len(skeleton) for joint, _ in skeleton.end_sites):
            raise FileFormatError(f"{place} end_sites name a joint beyond the {len(skeleton)} there are")
        if skeleton.layout and len(skeleton.layout.channels) != len(skeleton):
            count = len(skeleton.layout.channels)
            raise FileFormatError(f"{place} layout has {count} channels, the skeleton {len(skeleton)} joints")
        return skeleton


@dataclass(frozen=True, eq=False)
class _Table:
    """A skeleton in JSON."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Annotated[Array, Numbers(None, 3)]
    end_sites: tuple[tuple[int, tuple[float, float, float]], ...]
    overrides: Mapping[str, str]
    layout: Layout | None = None


def descendants(skeleton: Skeleton, joint: int) -> Sequence[int]:
    """Returns the descendants of a joint, parents first."""
    below = {joint}
    for j, parent in enumerate(skeleton.parents):
        if parent in below:
            below.add(j)
    return sorted(below - {joint})
