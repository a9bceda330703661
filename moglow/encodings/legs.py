"""The legs of the feet-first chart: their constants, and their numbers in a pose. Needs numpy alone."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.anatomy.anatomy import Leg
from moglow.encodings.rotation import RotationChart, ancestors, rotation_to_tilt
from moglow.maths.rotations import (
    IDENTITY,
    Array,
    matrix_to_quat,
    quat_between,
    quat_conjugate,
    quat_mean,
    quat_multiply,
    quat_rotate,
)
from moglow.maths.two_bone_ik import across_leg, across_part, knee_direction
from moglow.motion.mirror import Mirror
from moglow.motion.skeleton import Skeleton

STRAIGHT = 0.005
"""Metres from the line hip-ankle below which a knee's direction is taken from the thigh's hinge, not from its position.

At 5 mm the direction of the knee's position is mostly noise; a wrong direction there moves the knee by under 1 mm.
"""

_FLIP = matrix_to_quat(np.diag([1.0, -1.0, -1.0]))  # of the mirror plane, as in `moglow.motion.mirror`


@dataclass(frozen=True, eq=False)
class Legs:
    """Constants of the ``L`` legs below a body's hips.

    ``soles`` ``(L, 3)`` are the toes in the foot's frame and ``feet`` ``(L, 4)`` the mean foot rotations in the path's
    frame; ``lines`` and ``knees`` ``(L, 3)`` are the mean directions from hip to ankle and, across that, to the knee,
    in the frame of the leg's parent joint; ``hinges`` ``(2, L, 3)`` are the knee directions in the frames of thigh and
    shin.
    """

    body: RotationChart
    soles: Array
    feet: Array
    lines: Array
    knees: Array
    hinges: Array

    @classmethod
    def fit(cls, body: RotationChart, positions: Array, rotations: Array, mirror: Mirror) -> Self:
        """Returns left-right symmetric constants of joints ``(N, J, 3)``, ``(N, J, 4)`` in the path's frame."""
        skeleton = body.skeleton
        hip, knee, ankle, frame = joints_of(skeleton)
        back = quat_conjugate(rotations[:, frame])
        line = quat_rotate(back, unit(positions[:, ankle] - positions[:, hip]))
        # A knee that never bends points forward; any bend outweighs this term.
        ahead = np.array([0.0, 0.0, 1e-6])
        bend = quat_rotate(
            back,
            across_part(positions[:, knee] - positions[:, hip], positions[:, ankle] - positions[:, hip])
            + ahead,
        )

        twins, reflections = twins_of(skeleton), mirror.reflections
        lines = _symmetric(line.mean(0), twins, reflections[frame])
        bent = quat_rotate(quat_between(line, lines), bend).mean(0)
        knees = across_leg(lines, _symmetric(bent, twins, reflections[frame]))
        hinges = [
            _symmetric(
                quat_rotate(
                    quat_conjugate(rotations[:, joints]), quat_rotate(rotations[:, frame], bend)
                ).mean(0),
                twins,
                reflections[joints],
            )
            for joints in (hip, knee)
        ]
        feet = quat_mean(rotations[:, ankle])
        mirrored = quat_multiply(quat_multiply(_FLIP, feet[twins]), matrix_to_quat(-reflections[ankle]))
        soles = np.stack([_sole(body, leg) for leg in skeleton.anatomy.legs])
        return cls(body, soles, quat_mean(np.stack([feet, mirrored])), lines, knees, np.stack(hinges))

    def encode(self, positions: Array, rotations: Array) -> Array:
        """Returns toe x, toe z, foot yaw, toe height, foot roll, foot pitch and knee swivel ``(T, 7 L)`` of joints."""
        hip, knee, ankle, frame = joints_of(self.body.skeleton)
        tilt = rotation_to_tilt(quat_multiply(rotations[:, ankle], quat_conjugate(self.feet)))
        toe = positions[:, ankle] + quat_rotate(rotations[:, ankle], self.soles)
        leg = positions[:, ankle] - positions[:, hip]
        hinge = quat_rotate(rotations[:, hip], self.hinges[0])
        bend = across_part(positions[:, knee] - positions[:, hip], leg)
        bent = positions[:, knee] - np.minimum((bend * hinge).sum(-1, keepdims=True), 0.0) * hinge
        pointing = knee_direction(positions[:, hip], bent, positions[:, ankle], hinge, width=STRAIGHT)
        back = quat_conjugate(rotations[:, frame])
        pointing = quat_rotate(quat_between(quat_rotate(back, leg), self.lines), quat_rotate(back, pointing))
        side = np.cross(self.lines, self.knees)
        swivel = np.arctan2((pointing * side).sum(-1), (pointing * self.knees).sum(-1))
        columns = [toe[..., 0], toe[..., 2], tilt[..., 0], toe[..., 1], tilt[..., 1], tilt[..., 2], swivel]
        return np.concatenate(columns, axis=1)

    def to_json(self) -> dict[str, Any]:
        """Returns the constants as plain lists, without the body."""
        return {name: getattr(self, name).tolist() for name in ("soles", "feet", "lines", "knees", "hinges")}


def joints_of(skeleton: Skeleton) -> tuple[NDArray[np.intp], ...]:
    """Returns the hip, knee, ankle and parent joints ``(L,)`` of the legs."""
    legs = skeleton.anatomy.legs
    rows = [(leg.hip, leg.knee, leg.ankle, skeleton.parents[leg.hip]) for leg in legs]
    return tuple(np.array(rows, np.intp).T.copy())


def twins_of(skeleton: Skeleton) -> list[int]:
    """Returns for each leg the index of the leg on the other side, or its own index where there is none."""
    legs = skeleton.anatomy.legs
    place = {leg.ankle: i for i, leg in enumerate(legs)}
    return [place.get(skeleton.anatomy.partners[leg.ankle], i) for i, leg in enumerate(legs)]


def unit(vector: Array) -> Array:
    """Returns vectors scaled to length one; zero stays zero."""
    scaled: Array = vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
    return scaled


def _symmetric(directions: Array, twins: list[int], reflections: Array) -> Array:
    """Returns the mean of each leg's direction ``(L, 3)`` and the mirror image of its twin's.

    `reflections` map to the twin's frame.
    """
    mirrored = np.einsum("lba,lb->la", reflections, directions[twins])
    return unit(unit(directions) + unit(mirrored))


def reach(body: RotationChart, start: int, end: int) -> tuple[Array, Array]:
    """Returns the position of joint ``end`` and the rotation of its parent in the frame of ``start``, at the means."""
    place, turn, before = np.zeros(3), IDENTITY, IDENTITY
    chain = ancestors(body.skeleton, end)
    for j in chain[chain.index(start) + 1 :]:
        place = place + quat_rotate(turn, body.bones[j])
        turn, before = quat_multiply(turn, body.means[j]), turn
    return place, before


def _sole(body: RotationChart, leg: Leg) -> Array:
    """Returns the contact point of the foot in its frame: the toe joint, else the end site, else the ankle."""
    if leg.toe is not None:
        return reach(body, leg.ankle, leg.toe)[0]
    tips = [tip for joint, tip in body.skeleton.end_sites if joint == leg.ankle]
    return np.array(tips[0] if tips else (0.0, 0.0, 0.0))
