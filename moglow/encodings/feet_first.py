"""The feet-first chart: legs by the place of their feet, everything else as rotation vectors. Needs numpy alone.

A leg has seven numbers: the toe's position in the path's frame (x, z and height), the foot's yaw, roll and pitch, and
the swivel of the knee about the line from hip to ankle. The ankle follows from the toe, the knee by two-bone IK. A
small error of a model then moves a foot by little, whereas in a rotation chart errors add up along the leg. Three
numbers of a planted foot are predicted by the path's step alone (see `Encoding.carry`).

The seven numbers determine the positions of a leg's joints and the foot's rotation. Twists of thigh and shin that move
no joint are not encoded: both bones have their mean twist relative to the knee's bend. A knee that bends backwards, by
some millimetres from the noise of a stretched leg, is bent forwards, since its direction would flip within a frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.chart import Channel, Chart, to_path_frame
from moglow.encodings.leg_solver import LegSolver
from moglow.encodings.legs import Legs, twins_of
from moglow.encodings.rotation import TILT_MATRIX, RotationChart, ancestors, tilt_factors
from moglow.errors import FileFormatError, SkeletonError
from moglow.files.tables import Numbers, from_table
from moglow.maths.quat_matrices import apply, right_matrix
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.motion.mirror import find_mirror
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

GROUPS = (  # name, group and mirror sign of a leg's numbers; each group has all legs; the planted groups come first
    ("x", "toe_x", -1.0),
    ("z", "toe_z", 1.0),
    ("yaw", "foot_yaw", -1.0),
    ("height", "toe_height", 1.0),
    ("roll", "foot_roll", -1.0),
    ("pitch", "foot_pitch", 1.0),
    ("knee", "knee", -1.0),
)

STRETCHED = 0.93
"""Largest distance from hips to toe, in lengths of leg and foot; recorded legs exceed it in 0.1 % of the frames."""


@dataclass(frozen=True, eq=False)
class FeetFirstChart(Chart):
    """The legs' numbers, then those of a rotation chart of all other joints."""

    kind: ClassVar[str] = "feet_first"
    tolerance: ClassVar[float] = 1e-3  # moves no joint by a millimetre; the feet's channels are always kept
    body: RotationChart
    legs: Legs

    @classmethod
    def fit(cls, clip: Clip, path: ControlPath) -> Self:
        skeleton = clip.skeleton
        body = RotationChart.of_joints(clip, path, joints_of_body(skeleton))
        positions, rotations = to_path_frame(clip, path)
        mirror = find_mirror(skeleton, rotations, np.zeros(len(clip)))
        return cls(skeleton, body, Legs.fit(body, positions, rotations, mirror))

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        feet = [self.skeleton.names[leg.ankle] for leg in self.skeleton.anatomy.legs]
        twins = twins_of(self.skeleton)
        channels = [
            Channel(f"{foot}.{name}", group, f"{feet[twin]}.{name}", sign)
            for name, group, sign in GROUPS
            for foot, twin in zip(feet, twins, strict=True)
        ]
        return (*channels, *self.body.channels)

    @cached_property
    def reaches(self) -> Array:
        bones, hips = np.linalg.norm(self.skeleton.offsets, axis=1), self.skeleton.hips
        chains = [ancestors(self.skeleton, leg.ankle) for leg in self.skeleton.anatomy.legs]
        legs = [bones[chain[chain.index(hips) + 1 :] if hips in chain else chain].sum() for chain in chains]
        reaches: Array = STRETCHED * (np.array(legs) + np.linalg.norm(self.legs.soles, axis=1))
        return reaches

    def encode(self, clip: Clip, path: ControlPath) -> Array:
        legs = self.legs.encode(*to_path_frame(clip, path))
        return np.concatenate([legs, self.body.encode(clip, path)], axis=1)

    def decode(self, values: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        values = np.asarray(values, float)
        body = values[..., self._body]
        toes, tilt, swivel = (values[..., numbers] for numbers in self._numbers)
        turned = apply(self._turned_matrix, tilt_factors(tilt))
        place, local = self.body.place(body), self.body.turns(body)
        self._solver.solve(local, toes, swivel, turned, place)
        return self.body.stand(local, place, turned[..., -1, :], positions, headings)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Returns all constants of `decode` by name, for decoders in other languages."""
        toes, tilt, swivel = self._numbers
        return {
            **self.body.constants(),
            **self._solver.constants(),
            "toe_numbers": toes,
            "tilt_numbers": tilt,
            "swivel_numbers": swivel,
            "turned_matrix": self._turned_matrix,
        }

    @property
    def thighs(self) -> Array:
        """The thighs ``(L, 3)`` in their frames, from the hip to the knee."""
        return self._solver.thighs

    @cached_property
    def _solver(self) -> LegSolver:
        return LegSolver(self.legs)

    @cached_property
    def _body(self) -> slice:
        return slice(len(GROUPS) * len(self.skeleton.anatomy.legs), None)

    @cached_property
    def _numbers(self) -> tuple[NDArray[np.intp], ...]:
        """Indices of the toes ``(L, 3)``, the tilts ``(L + 1, 3)``, the hips' last, and the swivels ``(L, 1)``."""
        x, z, yaw, height, roll, pitch, knee = np.arange(self._body.start).reshape(len(GROUPS), -1)
        hips = self._body.start + np.arange(6)  # height, x, z, yaw, roll, pitch
        tilt = np.concatenate([np.stack([yaw, roll, pitch], axis=-1), hips[None, 3:]])
        return np.stack([x, height, z], axis=-1), tilt, knee[:, None]

    @cached_property
    def _turned_matrix(self) -> Array:
        """From the factors of yaw, roll and pitch to the rotations ``(L + 1, 4)`` of the feet and, last, the hips."""
        means = np.concatenate([self.legs.feet, self.body.means[[self.body.hips]]])
        matrix: Array = right_matrix(means) @ TILT_MATRIX.T
        return matrix

    def to_json(self) -> dict[str, Any]:
        return {"body": self.body.to_json(), **self.legs.to_json()}

    @classmethod
    def from_json(cls, skeleton: Skeleton, data: object, place: str = "chart") -> Self:
        table = from_table(_Table, data, place, FileFormatError)
        body = RotationChart.from_json(skeleton, table.body, f"{place} body")
        if {*body.joints} - {*joints_of_body(skeleton)}:
            raise FileFormatError(f"{place} body joints should be none of the legs'")
        constants = (table.soles, table.feet, table.lines, table.knees, table.hinges)
        legs = len(skeleton.anatomy.legs)
        if {constant.shape[-2] for constant in constants} != {legs}:
            raise FileFormatError(f"{place} should have constants of {legs} legs, as the skeleton has")
        return cls(skeleton, body, Legs(body, *constants))


@dataclass(frozen=True, eq=False)
class _Table:
    """A feet-first chart in JSON."""

    body: Mapping[str, Any]
    soles: Annotated[Array, Numbers(None, 3)]
    feet: Annotated[Array, Numbers(None, 4)]
    lines: Annotated[Array, Numbers(None, 3)]
    knees: Annotated[Array, Numbers(None, 3)]
    hinges: Annotated[Array, Numbers(2, None, 3)]


def joints_of_body(skeleton: Skeleton) -> list[int]:
    """Returns the joints that the legs' inverse kinematics does not turn.

    Raises SkeletonError where no leg is below the hips.
    """
    hips, legs = skeleton.hips, skeleton.anatomy.legs
    chains = [ancestors(skeleton, leg.ankle) for leg in legs]
    if not legs or not all(hips in chain for chain in chains):
        found = "one is below another joint" if legs else "none was found"
        raise SkeletonError(
            "the encoding 'feet_first' needs legs below the hips, "
            f"{found}; name them in a map file or use the encoding 'rotations'"
        )
    solved = {j for chain, leg in zip(chains, legs, strict=True) for j in chain[chain.index(leg.hip) :]}
    return [j for j in range(len(skeleton)) if j not in solved]
