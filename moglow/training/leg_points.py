"""Knees and ankles of poses in the feet-first chart, with gradients: what `FeetFirstChart.decode` computes, in torch.

A leg that is nearly straight moves its knee fast when hips and toes move a little, which the chart's numbers hardly
show.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from moglow.encodings.encoding import Encoding
from moglow.encodings.feet_first import FeetFirstChart
from moglow.maths.quat_matrices import LEFT, TURN

STRAIGHT = 1e-4
"""Least squared sine of half an angle of a leg, whose root has no gradient at 0."""


class LegPoints:
    """The positions of the knees and ankles in the path's frame, of poses in metres and radians.

    It is for figures whose legs are children of the hips.
    """

    def __init__(self, chart: FeetFirstChart, encoding: Encoding, convert: Callable[[Any], Tensor]) -> None:
        constants = chart.constants()
        hips = int(constants["swivel_numbers"].max()) + 1
        reduction = encoding.reduction
        used = np.arange(hips + 6)  # the legs' numbers, then height, x and z, yaw, roll and pitch of the hips
        self.matrix = convert(reduction.matrix[: len(reduction.kept)][:, used])
        self.constant = convert(reduction.constant[used])
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

    @classmethod
    def of(cls, encoding: Encoding, convert: Callable[[Any], Tensor]) -> Self | None:
        """Returns the points of an encoding, or None if it has other legs."""
        chart = encoding.chart
        if not isinstance(chart, FeetFirstChart) or len(chart.constants()["trunk"]):
            return None
        return cls(chart, encoding, convert)

    def __call__(self, poses: Tensor) -> Tensor:
        """Returns the points (..., 2 L, 3) of poses (..., D): the knees, then the ankles."""
        values = poses @ self.matrix + self.constant
        toes, tilt, swivel = (values[..., numbers] for numbers in (self.toes, self.tilt, self.swivel))
        place = values[..., self.place][..., None, :]
        matrices = self._matrix((self.turned_matrix @ _factors(tilt)[..., None])[..., 0])
        feet, frame = matrices[..., :-1, :, :], matrices[..., -1:, :, :]
        ankles = toes - (feet @ self.soles[..., None])[..., 0]
        line = (frame.mT @ (ankles - place)[..., None])[..., 0] - self.sockets
        distance = line.square().sum(-1).clamp_min(1e-12).sqrt()
        half = 0.5 * swivel
        direction = torch.cat([torch.full_like(half, 1 + 1e-9), line / distance[..., None]], -1)
        factors = torch.cat([half.cos() * direction, half.sin() * direction], -1)
        swing = torch.nn.functional.normalize((self.swing_matrix @ factors[..., None])[..., 0], dim=-1)
        bone = (self.bone_matrix @ self._angle(distance)[..., None])[..., 0]
        turning = (swing @ self.left.flatten(1)).reshape(*swing.shape, 4)
        thigh = self._matrix((turning @ bone[..., None])[..., 0])
        knees = self.sockets + (thigh @ self.thighs[..., None])[..., 0]
        return torch.cat([place + (frame @ knees[..., None])[..., 0], ankles], -2)

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


def _factors(tilt: Tensor) -> Tensor:
    """Returns the products (..., 8) of the cosines and sines of half of three angles (..., 3)."""
    waves = torch.stack([(0.5 * tilt).cos(), (0.5 * tilt).sin()], -1)
    yaw, roll, pitch = waves.unbind(-2)
    return (yaw[..., :, None, None] * roll[..., None, :, None] * pitch[..., None, None, :]).flatten(-3)
