"""The rotation chart: hips about the path, other joints as rotation vectors about their means. Needs numpy alone.

The hips have a height, an offset (x, z) from the path, a yaw relative to its heading, a roll and a pitch. Every other
joint has a rotation vector: the rotation from the joint's mean to its current value, in the axes of the path's frame
with all joints at their means. In these axes a mirror image only changes signs, for any axes of the skeleton's zero
pose: x (nodding) keeps its sign, y (turning) and z (leaning) change it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.chart import Channel, Chart, to_path_frame
from moglow.errors import FileFormatError
from moglow.files.tables import Numbers, from_table
from moglow.maths.quat_matrices import apply, expmap_to_quat, left_matrix, product, right_matrix
from moglow.maths.rotations import (
    IDENTITY,
    Array,
    quat_conjugate,
    quat_mean,
    quat_multiply,
    quat_rotate,
    quat_to_euler,
    quat_to_expmap,
)
from moglow.motion.clip import Clip
from moglow.motion.mirror import find_mirror
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath


@dataclass(frozen=True, eq=False)
class RotationChart(Chart):
    """``bones`` ``(J, 3)`` are mean local positions, ``means`` ``(J, 4)`` mean local rotations (the hips' in the path's
    frame), ``joints`` have a rotation vector, and the position of the joint ``carrier`` moves the figure."""

    kind: ClassVar[str] = "rotations"
    bones: Array
    means: Array
    carrier: int
    joints: tuple[int, ...]

    @classmethod
    def fit(cls, clip: Clip, path: ControlPath) -> Self:
        return cls.of_joints(clip, path, range(len(clip.skeleton)))

    @classmethod
    def of_joints(cls, clip: Clip, path: ControlPath, joints: Sequence[int]) -> Self:
        """Returns the chart of the given joints; the hips and joints above them have no rotation vector."""
        skeleton, hips = clip.skeleton, clip.skeleton.hips
        trunk = ancestors(skeleton, hips)
        spread = [float(np.ptp(clip.positions[:, j], axis=0).max()) for j in trunk]
        _, seen = to_path_frame(clip, path)
        means = quat_mean(clip.rotations)
        means[hips] = quat_mean(seen[:, hips])
        means[trunk[:-1]] = IDENTITY
        means = quat_mean(
            np.stack([means, find_mirror(skeleton, seen, np.zeros(len(clip))).rotations(means)])
        )
        carrier = trunk[int(np.argmax(spread))] if max(spread) > 1e-6 else 0
        bones = np.median(clip.positions, axis=0)
        return cls(skeleton, bones, means, carrier, tuple(j for j in joints if j not in trunk))

    @cached_property
    def hips(self) -> int:
        return self.skeleton.hips

    @cached_property
    def standing(self) -> Array:
        """World rotations ``(J, 4)`` in the path's frame when every joint is at its mean."""
        return self.skeleton.forward_kinematics(self.bones, self.means)[1]

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        names, partners = self.skeleton.names, self.skeleton.anatomy.partners
        hips = names[self.hips]
        body = [("height", "hips_height", 1), ("x", "hips_x", -1), ("z", "hips_z", 1)]
        body += [("yaw", "hips_yaw", -1), ("roll", "hips_roll", -1), ("pitch", "hips_pitch", 1)]
        channels = [Channel(f"{hips}.{axis}", group, f"{hips}.{axis}", sign) for axis, group, sign in body]
        for j in self.joints:
            for axis, sign in (("x", 1), ("y", -1), ("z", -1)):
                partner = partners[j] if partners[j] in self.joints else j
                name, twin = f"{names[j]}.turn_{axis}", f"{names[partner]}.turn_{axis}"
                channels.append(Channel(name, "joints", twin, sign, j))
        return tuple(channels)

    def encode(self, clip: Clip, path: ControlPath) -> Array:
        positions, rotations = to_path_frame(clip, path)
        tilt = rotation_to_tilt(quat_multiply(rotations[:, self.hips], quat_conjugate(self.means[self.hips])))
        joints = list(self.joints)
        turns = continuous_turns(quat_multiply(quat_conjugate(self.means[joints]), clip.rotations[:, joints]))
        turns = quat_rotate(self.standing[joints], turns)
        hips = positions[:, self.hips]
        columns = [hips[:, [1, 0, 2]], tilt, turns.reshape(len(clip), -1)]
        return np.concatenate(columns, axis=1)

    @cached_property
    def _moving(self) -> NDArray[np.intp]:
        return np.array(self.joints, np.intp)

    @cached_property
    def _turn_matrices(self) -> Array:
        """Constant maps ``(K, 4, 4)`` from a rotation in the path's axes to a joint's local rotation."""
        joints = list(self.joints)
        after = self.standing[joints]
        before = quat_multiply(self.means[joints], quat_conjugate(after))
        return left_matrix(before) @ right_matrix(after)

    @cached_property
    def _hips_matrix(self) -> Array:
        return right_matrix(self.means[self.hips])

    @cached_property
    def _lift(self) -> Array:
        """The offset from the carrier to the hips; the joints between them are not rotated."""
        chain = ancestors(self.skeleton, self.hips)
        lift: Array = self.bones[[j for j in chain if j != self.carrier]].sum(0)
        return lift

    def decode(self, values: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        values = np.asarray(values, float)
        turned = apply(self._hips_matrix, tilt_to_rotation(values[..., 3:6]))
        return self.stand(self.turns(values), self.place(values), turned, positions, headings)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Returns all constants of `turns` and `stand` by name, for decoders in other languages."""
        return {
            "bones": self.bones,
            "means": self.means,
            "moving": self._moving,
            "turn_matrices": self._turn_matrices,
            "lift": self._lift,
            "hips": np.array([self.hips]),
            "carrier": np.array([self.carrier]),
        }

    def place(self, values: Array) -> Array:
        """Returns the position ``(..., 3)`` of the hips in the path's frame."""
        return values[..., [1, 0, 2]]

    def turns(self, values: Array) -> Array:
        """Returns local rotations ``(..., J, 4)``; joints without channels have their means."""
        local = np.empty((*values.shape[:-1], len(self.skeleton), 4))
        local[...] = self.means
        turns = expmap_to_quat(values[..., 6:].reshape(*values.shape[:-1], len(self.joints), 3))
        local[..., self._moving, :] = apply(self._turn_matrices, turns)
        return local

    def stand(
        self, local: Array, place: Array, turned: Array, positions: Array, headings: Array
    ) -> tuple[Array, Array]:
        """Returns local positions ``(..., J, 3)`` and rotations of a pose with its hips placed on the path."""
        turn = np.zeros((*headings.shape, 4))
        turn[..., 0], turn[..., 2] = np.cos(headings / 2), np.sin(headings / 2)
        local[..., self.hips, :] = product(turn, turned)
        moved = np.empty((*local.shape[:-1], 3))
        moved[...] = self.bones
        cosine, sine = np.cos(headings), np.sin(headings)
        hips = moved[..., self.carrier, :]
        hips[..., 0] = cosine * place[..., 0] + sine * place[..., 2] + positions[..., 0]
        hips[..., 1] = place[..., 1]
        hips[..., 2] = cosine * place[..., 2] - sine * place[..., 0] + positions[..., 1]
        hips -= self._lift
        return moved, local

    def to_json(self) -> dict[str, Any]:
        return {
            "bones": self.bones.tolist(),
            "means": self.means.tolist(),
            "carrier": self.carrier,
            "joints": list(self.joints),
        }

    @classmethod
    def from_json(cls, skeleton: Skeleton, data: object, place: str = "chart") -> Self:
        table, joints = from_table(_Table, data, place, FileFormatError), range(len(skeleton))
        if table.bones.shape != (len(joints), 3) or table.means.shape != (len(joints), 4):
            raise FileFormatError(
                f"{place} has bones {table.bones.shape} and means {table.means.shape}, "
                f"expected {(len(joints), 3)} and {(len(joints), 4)}"
            )
        trunk = ancestors(skeleton, skeleton.hips)
        if table.carrier not in trunk:
            raise FileFormatError(
                f"{place} carrier is {table.carrier}, expected a joint from the root to the hips"
            )
        if len(set(table.joints)) != len(table.joints) or not set(table.joints) <= {*joints} - {*trunk}:
            raise FileFormatError(f"{place} joints should be joints below the hips, each once")
        return cls(skeleton, table.bones, table.means, table.carrier, table.joints)


@dataclass(frozen=True, eq=False)
class _Table:
    """A rotation chart in JSON."""

    bones: Annotated[Array, Numbers(None, 3)]
    means: Annotated[Array, Numbers(None, 4)]
    carrier: int
    joints: tuple[int, ...]


def ancestors(skeleton: Skeleton, joint: int) -> list[int]:
    """Returns the joints from the root down to this one, both included."""
    chain = [joint]
    while skeleton.parents[chain[-1]] >= 0:
        chain.append(skeleton.parents[chain[-1]])
    return chain[::-1]


def continuous_turns(quats: Array) -> Array:
    """Returns rotation vectors ``(T, K, 3)`` of quaternions ``(T, K, 4)`` that are continuous beyond a rotation of π.

    An arm swung over the head is then at 190° instead of −170° about the same axis. Between two discontinuities, of
    more than a radian in a frame, most frames have the shorter of the two vectors.

    >>> angle = np.array([0.0, 0.8, 1.6, 2.4, 3.2, 4.0])[:, None]
    >>> quats = np.stack([np.cos(angle / 2), np.sin(angle / 2), 0 * angle, 0 * angle], axis=-1)
    >>> continuous_turns(quats)[:, 0, 0].round(6).tolist()
    [0.0, 0.8, 1.6, 2.4, 3.2, 4.0]
    """
    turns = quat_to_expmap(quats)
    dots = (quats[1:] * quats[:-1]).sum(-1)
    for k in np.flatnonzero((np.abs(np.diff(turns, axis=0)) > 1.0).any((0, 2))):
        edges = np.flatnonzero(np.abs(dots[:, k]) < np.cos(0.5)) + 1
        for start, stop in pairwise([0, *edges.tolist(), len(quats)]):
            signs = np.cumprod(np.where(dots[start : stop - 1, k] < 0, -1.0, 1.0))
            part = quats[start:stop, k] * np.concatenate([[1.0], signs])[:, None]
            part = part * (-1.0 if part[:, 0].sum() < 0 else 1.0)
            sine = np.linalg.norm(part[:, 1:], axis=-1, keepdims=True)
            beyond = part[:, 0] < 0
            longer = part[:, 1:] * 2 * np.arctan2(sine, part[:, :1]) / np.maximum(sine, 1e-9)
            turns[start:stop, k][beyond] = longer[beyond]
    return turns


def rotation_to_tilt(rotation: Array) -> Array:
    """Returns yaw about the vertical, roll, and pitch about the rotated sideways axis ``(..., 3)`` of a rotation.

    A turn about the vertical changes only the yaw, which makes `Encoding.carry` exact for a planted foot. Pitch may
    have any value, such as that of a runner's kicked-up heel; only a roll of 90° is singular.
    """
    return quat_to_euler(rotation, "YZX")


def tilt_to_rotation(tilt: Array) -> Array:
    """Returns the rotation ``(..., 4)`` of yaw, roll and pitch ``(..., 3)``; the inverse of `rotation_to_tilt`.

    >>> rotation_to_tilt(tilt_to_rotation(np.array([0.4, -0.2, 2.5]))).round(6).tolist()
    [0.4, -0.2, 2.5]
    """
    rotation: Array = tilt_factors(tilt) @ TILT_MATRIX
    return rotation


def tilt_factors(tilt: Array) -> Array:
    """Returns products ``(..., 8)`` of the cosines and sines of half the angles; the rotation is linear in them."""
    half = 0.5 * tilt
    waves = np.empty((*tilt.shape, 2))
    waves[..., 0], waves[..., 1] = np.cos(half), np.sin(half)
    yaw, roll, pitch = (
        waves[..., 0, :, None, None],
        waves[..., 1, None, :, None],
        waves[..., 2, None, None, :],
    )
    return (yaw * roll * pitch).reshape(*tilt.shape[:-1], 8)


_YAW, _ROLL, _PITCH = np.eye(4)[[0, 2]], np.eye(4)[[0, 3]], np.eye(4)[[0, 1]]
TILT_MATRIX = quat_multiply(quat_multiply(_YAW[:, None, None], _ROLL[:, None]), _PITCH).reshape(8, 4)
"""Map from the factors of a tilt to its rotation."""
