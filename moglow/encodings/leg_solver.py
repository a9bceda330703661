"""Legs from their numbers: two-bone inverse kinematics with precomputed constants. Needs numpy alone.

It is fast for a single frame, as a game needs it: each step that is linear in products of cosines and sines is one
precomputed matrix, so that a few small products remain.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.legs import Legs, joints_of, reach, unit
from moglow.encodings.rotation import ancestors
from moglow.maths.quat_matrices import apply, left_matrix, product, right_matrix, turning_matrix
from moglow.maths.rotations import Array, matrix_to_quat, quat_conjugate, quat_multiply
from moglow.maths.two_bone_ik import across_leg


@dataclass(frozen=True, eq=False)
class LegSolver:
    """The inverse kinematics of the ``L`` legs of poses."""

    legs: Legs

    def solve(self, local: Array, toes: Array, swivel: Array, turned: Array, place: Array) -> None:
        """Writes the legs' joints into local rotations ``(..., J, 4)``, which contain those of the other joints.

        ``toes`` ``(..., L, 3)``, ``swivel`` ``(..., L, 1)``, ``turned`` ``(..., L + 1, 4)``, the rotations of the feet
        and the hips, and ``place`` ``(..., 3)``, the position of the hips, are in the path's frame. For a foot out of
        reach the leg is stretched along the line from hip to ankle.
        """
        count = len(self.legs.soles)
        feet, matrices = turned[..., :count, :], turning_matrix(turned)
        base, carrying, frame = self._frames(place, turned[..., count, :], matrices[..., count, :, :], local)
        # The line from hip to ankle in the frame of the leg's parent joint; the rest is in that frame.
        ankle = toes - apply(matrices[..., :count, :, :], self.legs.soles)
        line = apply(np.swapaxes(frame, -1, -2), ankle - base) - self._sockets
        distance = np.sqrt((line * line).sum(-1))
        swing = self._swing(line / (distance[..., None] + 1e-12), swivel)
        angles = self._angles(distance)
        bones = product(swing[..., None, :, :], apply(self._bone_matrix, angles))  # thighs, shins
        above = product(carrying, bones[..., 1, :, :])
        above[..., 1:] *= -1.0
        hips, knees, ankles, _ = self._joints
        local[..., hips, :] = bones[..., 0, :, :]
        local[..., knees, :] = apply(
            self._knee_matrix, _sum_of_angles(angles[..., 0, :, :], angles[..., 1, :, :])
        )
        local[..., ankles, :] = apply(self._ankle_matrix, product(above, feet))

    def constants(self) -> dict[str, NDArray[Any]]:
        """Returns all constants of `solve` by name, for solvers in other languages."""
        return {
            "soles": self.legs.soles,
            "leg_joints": np.stack(self._joints),
            "trunk": np.array(self._trunk, np.intp),
            "sockets": self._sockets,
            "lengths": self._lengths,
            "swing_matrix": self._swing_matrix,
            "bone_matrix": self._bone_matrix,
            "knee_matrix": self._knee_matrix,
            "ankle_matrix": self._ankle_matrix,
        }

    def _frames(self, place: Array, turned: Array, matrix: Array, local: Array) -> tuple[Array, Array, Array]:
        """Returns positions ``(..., L, 3)``, rotations ``(..., L, 4)`` and matrices of the legs' parent joints."""
        at = {self.legs.body.hips: (place, turned, matrix)}
        for j in self._trunk:
            base, turn, rotation = at[self.legs.body.skeleton.parents[j]]
            turn = product(turn, local[..., j, :])
            at[j] = base + apply(rotation, self.legs.body.bones[j]), turn, turning_matrix(turn)
        if (
            not self._trunk
        ):  # all legs are children of the hips, as in most bipeds: one frame, by broadcasting
            return place[..., None, :], turned[..., None, :], matrix[..., None, :, :]
        frames = [at[j] for j in self._joints[3]]
        bases, turns, rotations = ([frame[i] for frame in frames] for i in range(3))
        return np.stack(bases, axis=-2), np.stack(turns, axis=-2), np.stack(rotations, axis=-3)

    def _swing(self, direction: Array, swivel: Array) -> Array:
        """Returns the rotation ``(..., L, 4)`` from the mean line to a direction, after the knee's swivel about it.

        The shortest rotation from ``a`` to ``b`` is proportional to (1 + a · b, a × b), which is linear in ``b``, and
        its product with the swivel is linear in the swivel's cosine and sine.
        """
        factors = np.empty((*direction.shape[:-1], 2, 4))
        half = 0.5 * swivel
        factors[..., 0, 0], factors[..., 0, 1:] = 1.0 + 1e-9, direction
        factors[..., 1, :] = np.sin(half) * factors[..., 0, :]
        factors[..., 0, :] *= np.cos(half)
        swing = apply(self._swing_matrix, factors.reshape(*direction.shape[:-1], 8))
        swing /= np.sqrt((swing * swing).sum(-1, keepdims=True))
        return swing

    def _angles(self, distance: Array) -> Array:
        """Returns (cos, sin) of half the angles ``(..., 2, L, 2)`` between the leg's line and thigh and shin.

        It is the law of cosines in a form that is exact for flat triangles. Out of reach the leg is straight.
        """
        own, other = self._lengths, self._lengths[::-1]
        reach = np.minimum(np.maximum(distance, self._shortest), self._longest)[..., None, :]
        out = np.empty((*distance.shape[:-1], 2, len(self.legs.soles), 2))
        out[..., 0] = (own + reach) ** 2 - other**2
        out[..., 1] = other**2 - (own - reach) ** 2
        return np.sqrt(np.maximum(out, 0.0) / (4 * own * reach)[..., None])

    @property
    def thighs(self) -> Array:
        """The thighs ``(L, 3)`` in their frames, from the hip to the knee."""
        return self._bones[0]

    @cached_property
    def _joints(self) -> tuple[NDArray[np.intp], ...]:
        return joints_of(self.legs.body.skeleton)

    @cached_property
    def _trunk(self) -> list[int]:
        """The joints between the hips and the legs, parents first."""
        chains = [ancestors(self.legs.body.skeleton, int(j)) for j in self._joints[3]]
        return sorted({j for chain in chains for j in chain[chain.index(self.legs.body.hips) + 1 :]})

    @cached_property
    def _bones(self) -> tuple[Array, Array, Array, Array]:
        """Thigh and shin ``(L, 3)`` in their frames, and the fixed rotations ``(L, 4)`` of joints within them."""
        legs = self.legs.body.skeleton.anatomy.legs
        bones = [
            reach(self.legs.body, leg.hip, leg.knee) + reach(self.legs.body, leg.knee, leg.ankle)
            for leg in legs
        ]
        thigh, within_thigh, shin, within_shin = (np.stack(column) for column in zip(*bones, strict=True))
        return thigh, shin, within_thigh, within_shin

    @cached_property
    def _lengths(self) -> Array:
        """Lengths of thighs and shins ``(2, L)``."""
        return np.stack([np.linalg.norm(bone, axis=-1) for bone in self._bones[:2]])

    @cached_property
    def _shortest(self) -> Array:
        shortest: Array = np.abs(self._lengths[0] - self._lengths[1]) + 1e-9
        return shortest

    @cached_property
    def _longest(self) -> Array:
        longest: Array = self._lengths.sum(0)
        return longest

    @cached_property
    def _sockets(self) -> Array:
        return self.legs.body.bones[self._joints[0]]

    @cached_property
    def _swing_matrix(self) -> Array:
        """Map ``(L, 4, 8)`` from (cos, sin) of half the swivel times (1, direction) to the swing."""
        lines = _pure(self.legs.lines)
        swing = np.zeros((len(lines), 4, 4))
        swing[:, 0, 0] = 1.0
        swing[:, 0, 1:] = self.legs.lines
        swing[:, 1:, 1:] = np.swapaxes(np.cross(self.legs.lines[:, None], np.eye(3)), -1, -2)
        return np.concatenate([swing, right_matrix(lines) @ swing], axis=-1)

    @cached_property
    def _straight(self) -> tuple[Array, Array, Array]:
        """The straight leg along its mean line: rotations of thigh and shin, and the knee's axis."""
        thigh, shin, _, _ = self._bones
        leg = _frame(self.legs.lines, self.legs.knees)
        turns = [
            leg @ np.swapaxes(_frame(bone, hinge), -1, -2)
            for bone, hinge in zip((thigh, shin), self.legs.hinges, strict=True)
        ]
        return (
            matrix_to_quat(turns[0]),
            matrix_to_quat(turns[1]),
            _pure(np.cross(self.legs.lines, self.legs.knees)),
        )

    @cached_property
    def _bone_matrix(self) -> Array:
        """Map ``(2, L, 4, 2)`` from (cos, sin) of the half-angles at hip and ankle to rotations of thigh and shin."""
        thigh, shin, axis = self._straight
        thighs = np.stack([thigh, quat_multiply(axis, thigh)], axis=-1)
        return np.stack([thighs, np.stack([shin, -quat_multiply(axis, shin)], axis=-1)])

    @cached_property
    def _knee_matrix(self) -> Array:
        """Map from (cos, sin) of half the knee's bend, the sum of both angles, to the knee's local rotation."""
        above = quat_conjugate(quat_multiply(self._straight[0], self._bones[2]))
        matrix: Array = left_matrix(above) @ self._bone_matrix[1]
        return matrix

    @cached_property
    def _ankle_matrix(self) -> Array:
        return left_matrix(quat_conjugate(self._bones[3]))


def _frame(along: Array, ahead: Array) -> Array:
    """Returns matrices ``(..., 3, 3)`` with columns along, ahead (made perpendicular) and their cross product."""
    along = unit(along)
    ahead = across_leg(along, ahead)
    return np.stack([along, ahead, np.cross(along, ahead)], axis=-1)


def _pure(vector: Array) -> Array:
    """Returns the quaternion (0, v)."""
    return np.concatenate([np.zeros((*vector.shape[:-1], 1)), vector], axis=-1)


def _sum_of_angles(a: Array, b: Array) -> Array:
    """Returns (cos, sin) ``(..., 2)`` of the sum of two angles, each given as (cos, sin)."""
    out = np.empty(a.shape)
    out[..., 0] = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    out[..., 1] = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    return out
