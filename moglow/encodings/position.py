"""The position chart of the MoGlow paper: every joint's x, y and z in the path's frame. Needs numpy alone.

Since bones are rigid, such poses are on a surface of lower dimension and their density has no meaningful scale; the
chart is for comparison only. Decoding turns the bones of the skeleton towards the joint positions: bone lengths are
kept, and twists about a bone have their means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from moglow.encodings.chart import Channel, Chart, to_path_frame
from moglow.encodings.rotation import RotationChart, ancestors
from moglow.errors import FileFormatError
from moglow.files.tables import from_table
from moglow.maths.rotations import (
    Array,
    matrix_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_to_matrix,
)
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath

MEAN_WEIGHT = 1e-8
"""Weight of a joint's mean rotation against its bones (m²): it decides only what the bones leave undetermined."""


@dataclass(frozen=True, eq=False)
class PositionChart(Chart):
    """Joint positions; ``body`` has the bones and the mean rotations that determine the twists."""

    kind: ClassVar[str] = "positions"
    body: RotationChart

    @classmethod
    def fit(cls, clip: Clip, path: ControlPath) -> Self:
        return cls(clip.skeleton, RotationChart.fit(clip, path))

    @cached_property
    def order(self) -> list[int]:
        """The joints that have channels, toes first; joints above the hips have none."""
        toes = [leg.ankle if leg.toe is None else leg.toe for leg in self.skeleton.anatomy.legs]
        above = ancestors(self.skeleton, self.body.hips)[:-1]
        return toes + [j for j in range(len(self.skeleton)) if j not in toes and j not in above]

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        names, partners = self.skeleton.names, self.skeleton.anatomy.partners
        toes = len(self.skeleton.anatomy.legs)

        def channel(j: int, axis: str, group: str) -> Channel:
            partner = partners[j] if partners[j] in self.order else j
            return Channel(
                f"{names[j]}.{axis}", group, f"{names[partner]}.{axis}", -1.0 if axis == "x" else 1.0
            )

        planted = [channel(j, axis, f"toe_{axis}") for axis in "xzy" for j in self.order[:toes]]
        return (*planted, *(channel(j, axis, "joints") for j in self.order[toes:] for axis in "xyz"))

    def encode(self, clip: Clip, path: ControlPath) -> Array:
        positions, _ = to_path_frame(clip, path)
        toes, rest = np.split(positions[:, self.order], [len(self.skeleton.anatomy.legs)], axis=1)
        columns = [toes[..., 0], toes[..., 2], toes[..., 1], rest.reshape(len(clip), -1)]
        return np.concatenate(columns, axis=1)

    def decode(self, values: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        values = np.asarray(values, float)
        lead, toes = values.shape[:-1], len(self.skeleton.anatomy.legs)
        places = np.zeros((*lead, len(self.skeleton), 3))
        for i, axis in enumerate((0, 2, 1)):
            places[..., self.order[:toes], axis] = values[..., i * toes : (i + 1) * toes]
        places[..., self.order[toes:], :] = values[..., 3 * toes :].reshape(*lead, -1, 3)
        local = np.empty((*lead, len(self.skeleton), 4))
        local[...] = self.body.means
        hips = self.body.hips
        turned: dict[int, Array] = {}
        for j in sorted(self.order):
            parent = self.skeleton.parents[j]
            usual = local[..., j, :] if j == hips else quat_multiply(turned[parent], local[..., j, :])
            turned[j] = self._aligned(j, usual, places)
            if j != hips:
                local[..., j, :] = quat_multiply(quat_conjugate(turned[parent]), turned[j])
        return self.body.stand(local, places[..., hips, :], turned[hips], positions, headings)

    def _aligned(self, joint: int, usual: Array, places: Array) -> Array:
        """Returns the rotation of a joint that best turns its bones towards its children's places (Kabsch's method)."""
        children = list(self.skeleton.children(joint))
        if not children:
            return usual
        towards = places[..., children, :] - places[..., [joint], :]
        covariance = np.swapaxes(towards, -1, -2) @ self.body.bones[children]
        left, _, right = np.linalg.svd(covariance + MEAN_WEIGHT * quat_to_matrix(usual))
        left[..., -1] *= np.linalg.det(left @ right)[..., None]
        return matrix_to_quat(left @ right)

    def to_json(self) -> dict[str, Any]:
        return {"body": self.body.to_json()}

    @classmethod
    def from_json(cls, skeleton: Skeleton, data: object, place: str = "chart") -> Self:
        table = from_table(_Table, data, place, FileFormatError)
        return cls(skeleton, RotationChart.from_json(skeleton, table.body, f"{place} body"))


@dataclass(frozen=True)
class _Table:
    """A position chart in JSON."""

    body: Mapping[str, Any]
