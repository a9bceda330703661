"""Places of the joints of poses in the feet-first chart, with gradients: `FeetFirstChart.decode` in torch."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from moglow.encodings.encoding import Encoding
from moglow.encodings.feet_first import FeetFirstChart
from moglow.encodings.rotation import ancestors
from moglow.maths.quat_matrices import LEFT, TURN
from moglow.maths.rotations import quat_conjugate, quat_multiply, quat_to_matrix

STRAIGHT = 1e-4
"""Least squared sine of half an angle of a leg, whose root has no gradient at 0."""


class BodyPoints:
    """The positions of the hips and the joints below them in the path's frame, of poses in metres and radians.

    It is for figures whose legs are children of the hips.
    """

    def __init__(self, chart: FeetFirstChart, encoding: Encoding, convert: Callable[[Any], Tensor]) -> None:
        constants = chart.constants()
        skeleton, body = chart.skeleton, chart.body
        self.hips = skeleton.hips
        hips = (
            int(constants["swivel_numbers"].max()) + 1
        )  # the legs' numbers come first, then those of the hips
        reduction = encoding.reduction
        self.matrix = convert(reduction.matrix[: len(reduction.kept)])
        self.constant = convert(reduction.constant)
        self.toes, self.tilt, self.swivel = (
            torch.as_tensor(constants[f"{name}_numbers"]) for name in ("toe", "tilt", "swivel")
        )
        self.place = torch.as_tensor(np.array([1, 0, 2]) + hips)
        names = ("turned_matrix", "soles", "sockets", "lengths", "swing_matrix")
        self.turned_matrix, self.soles, self.sockets, self.lengths, self.swing_matrix = (
            convert(constants[name]) for name in names
        )
        self.bone_matrix = convert(constants["bone_matrix"][0])
        self.thighs = convert(chart.thighs)
        self.left, self.turn = convert(LEFT), convert(TURN)
        self.legs = [(leg.hip, leg.knee, leg.ankle) for leg in skeleton.anatomy.legs]
        # A joint's local rotation is `before`, then its rotation in the path's axes, then `after`.
        self.turns = slice(hips + 6, hips + 6 + 3 * len(body.joints))
        joints = list(body.joints)
        after = body.standing[joints]
        self.after = convert(quat_to_matrix(after))
        self.before = convert(quat_to_matrix(quat_multiply(body.means[joints], quat_conjugate(after))))
        self.order = {joint: number for number, joint in enumerate(joints)}
        self.parents = skeleton.parents
        self.joints = [joint for joint in range(len(skeleton)) if self.hips in ancestors(skeleton, joint)]
        self.bones = convert(body.bones)
        self.fixed = convert(quat_to_matrix(body.means))

    @classmethod
    def of(cls, encoding: Encoding, convert: Callable[[Any], Tensor]) -> Self | None:
        """Returns the points of an encoding, or None if it has other legs."""
        chart = encoding.chart
        if not isinstance(chart, FeetFirstChart) or len(chart.constants()["trunk"]):
            return None
        return cls(chart, encoding, convert)

    def __call__(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the points (..., J, 3) of `joints` for poses (..., D), and how far the legs are stretched (..., L).

        That is the distance from hip to ankle that a pose asks for, in lengths of the leg; above 1 it is too short.
        """
        values = poses @ self.matrix + self.constant
        place, matrices, sockets, ankles = self._ends(values)
        frame, line = matrices[..., -1:, :, :], ankles - sockets
        distance = _length(line)
        thighs = self._thighs((frame.mT @ line[..., None])[..., 0], distance, values[..., self.swivel])
        knees = sockets + (frame @ thighs[..., None])[..., 0]
        points = {self.hips: place}
        for number, (hip, knee, ankle) in enumerate(self.legs):
            points[hip], points[knee] = sockets[..., number, :], knees[..., number, :]
            points[ankle] = ankles[..., number, :]
        self._stand(points, matrices, values[..., self.turns].reshape(*place.shape[:-1], -1, 3))
        return torch.stack([points[joint] for joint in self.joints], -2), distance / self.lengths.sum(0)

    def stretch(self, poses: Tensor) -> Tensor:
        """Returns how far the legs are stretched (..., L), without the points."""
        _, _, sockets, ankles = self._ends(poses @ self.matrix + self.constant)
        return _length(ankles - sockets) / self.lengths.sum(0)

    def _ends(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns the place of the hips, the rotations of the feet and the hips, and both ends of the legs."""
        toes, tilt, place = (values[..., numbers] for numbers in (self.toes, self.tilt, self.place))
        matrices = self._matrix((self.turned_matrix @ _factors(tilt)[..., None])[..., 0])
        feet, frame = matrices[..., :-1, :, :], matrices[..., -1:, :, :]
        ankles = toes - (feet @ self.soles[..., None])[..., 0]
        sockets = place[..., None, :] + (frame @ self.sockets[..., None])[..., 0]
        return place, matrices, sockets, ankles

    def _stand(self, points: dict[int, Tensor], matrices: Tensor, turns: Tensor) -> None:
        """Adds the places of the joints that are no part of a leg, and of those below the ankles."""
        local = self.before @ _rotation(turns) @ self.after
        frames = {self.hips: matrices[..., -1, :, :]}
        for number, (_, _, ankle) in enumerate(self.legs):
            frames[ankle] = matrices[..., number, :, :]
        for joint in self.joints:
            if joint in points:
                continue
            parent = self.parents[joint]
            frame = frames[parent]
            points[joint] = points[parent] + frame @ self.bones[joint]
            if joint in self.parents:  # the rotation of the last joint of a limb moves no other
                turned = local[..., self.order[joint], :, :] if joint in self.order else self.fixed[joint]
                frames[joint] = frame @ turned

    def _thighs(self, line: Tensor, distance: Tensor, swivel: Tensor) -> Tensor:
        """Returns the thighs (..., L, 3) in the frame of the hips, from the lines from hip to ankle in it."""
        half = 0.5 * swivel
        direction = torch.cat([torch.full_like(half, 1 + 1e-9), line / distance[..., None]], -1)
        factors = torch.cat([half.cos() * direction, half.sin() * direction], -1)
        swing = normalize((self.swing_matrix @ factors[..., None])[..., 0], dim=-1)
        bone = (self.bone_matrix @ self._angle(distance)[..., None])[..., 0]
        turning = (swing @ self.left.flatten(1)).reshape(*swing.shape, 4)
        thighs: Tensor = (self._matrix((turning @ bone[..., None])[..., 0]) @ self.thighs[..., None])[..., 0]
        return thighs

    def _angle(self, distance: Tensor) -> Tensor:
        """Returns (cos, sin) (..., L, 2) of half the angle between the leg's line and the thigh."""
        own, other = self.lengths
        reach = torch.maximum(torch.minimum(distance, own + other), (own - other).abs() + 1e-9)
        both = torch.stack([(own + reach) ** 2 - other**2, other**2 - (own - reach) ** 2], -1)
        angle: Tensor = (both / (4 * own * reach)[..., None]).clamp_min(STRAIGHT).sqrt()
        return angle

    def _matrix(self, quat: Tensor) -> Tensor:
        """Returns the rotation matrices (..., 3, 3) of quaternions (..., 4)."""
        pairs = quat[..., :, None] * quat[..., None, :]
        return (pairs.flatten(-2) @ self.turn).reshape(*quat.shape[:-1], 3, 3)


def _length(line: Tensor) -> Tensor:
    return line.square().sum(-1).clamp_min(1e-12).sqrt()


def _factors(tilt: Tensor) -> Tensor:
    """Returns the products (..., 8) of the cosines and sines of half of three angles (..., 3)."""
    waves = torch.stack([(0.5 * tilt).cos(), (0.5 * tilt).sin()], -1)
    yaw, roll, pitch = waves.unbind(-2)
    return (yaw[..., :, None, None] * roll[..., None, :, None] * pitch[..., None, None, :]).flatten(-3)


def _rotation(turns: Tensor) -> Tensor:
    """Returns the rotation matrices (..., 3, 3) of rotation vectors (..., 3), by the formula of Rodrigues."""
    angle = (turns.square().sum(-1) + 1e-12).sqrt()[..., None, None]
    x, y, z = turns.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*turns.shape, 3)
    one = torch.eye(3, dtype=turns.dtype, device=turns.device)
    matrices: Tensor = (
        one + angle.sin() / angle * cross + (1 - angle.cos()) / angle.square() * (cross @ cross)
    )
    return matrices
