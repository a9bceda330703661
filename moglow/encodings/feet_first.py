"""The feet-first chart: legs by where the feet stand, everything else as rotation vectors. Floor 4; numpy alone.

A leg is seven numbers: the toe's position in the path's frame (x, z and height), the foot's yaw, roll and pitch, and
the swivel of the knee about the line from hip to ankle. The ankle follows from the toe, the knee by two-bone IK. Small
errors of a model then move a foot by little, where in a rotation chart they add up along the leg, and a foot that
stands still in the world has three numbers that the path's step alone predicts (see `Encoding.carry`).

Seven numbers say where a leg's joints are and how the foot is turned. Twists of thigh and shin that move no joint are
not kept: both bones are turned as their mean is relative to the knee's bend. Nor is a knee that bends backwards, which
the noise of a stretched leg does by some millimetres: it would turn its direction over within a frame, so it is
bent forwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from moglow.anatomy import Leg
from moglow.clip import Clip
from moglow.control import ControlPath
from moglow.encodings.chart import Channel, Chart, to_path_frame
from moglow.encodings.quat_matrices import apply, left_matrix, product, right_matrix, turning_matrix
from moglow.encodings.rotation import RotationChart, ancestors, rotation_to_tilt, tilt_to_rotation
from moglow.errors import SkeletonError
from moglow.leg_ik import across_leg, across_part, knee_direction
from moglow.mirroring import find_mirror
from moglow.rotations import (
    IDENTITY,
    Array,
    matrix_to_quat,
    quat_between,
    quat_conjugate,
    quat_mean,
    quat_multiply,
    quat_rotate,
)
from moglow.skeleton import Skeleton

STRAIGHT = 0.005
"""Metres off the line from hip to ankle below which a knee points where its thigh's hinge does, not where it is.

At 5 mm the direction of the knee is mostly measuring noise; a wrong direction there moves the knee by under 1 mm.
"""

GROUPS = (  # name, group and sign in the mirror of a leg's numbers; each group holds all legs, planted ones first
    ("x", "toe_x", -1.0),
    ("z", "toe_z", 1.0),
    ("yaw", "foot_yaw", -1.0),
    ("height", "toe_height", 1.0),
    ("roll", "foot_roll", -1.0),
    ("pitch", "foot_pitch", 1.0),
    ("knee", "knee", -1.0),
)


@dataclass(frozen=True, eq=False)
class FeetFirstChart(Chart):
    """A rotation chart of the body and, for each of the ``L`` legs, constants found from data.

    ``soles`` ``(L, 3)`` the toe in the foot's frame, ``feet`` ``(L, 4)`` mean foot rotations in the path's frame;
    ``lines`` and ``knees`` ``(L, 3)`` mean directions from hip to ankle and across it to the knee, in the frame that
    carries the leg; ``hinges`` ``(2, L, 3)`` that knee direction in the frames of thigh and shin.
    """

    kind: ClassVar[str] = "feet_first"
    tolerance: ClassVar[float] = 1e-3  # moves no joint by a millimetre; feet have no channel that could go
    body: RotationChart
    soles: Array
    feet: Array
    lines: Array
    knees: Array
    hinges: Array

    @classmethod
    def fit(cls, clip: Clip, path: ControlPath) -> Self:
        skeleton, legs = clip.skeleton, clip.skeleton.anatomy.legs
        if not legs:
            raise SkeletonError(
                "feet first needs legs, none were found; name them in a map file or use the encoding 'rotations'"
            )
        solved = {j for leg in legs for j in leg_joints(skeleton, leg)}
        body = RotationChart.of_joints(clip, path, [j for j in range(len(skeleton)) if j not in solved])

        world, turned = to_path_frame(clip, path)
        hip, knee, ankle = ([getattr(leg, part) for leg in legs] for part in ("hip", "knee", "ankle"))
        carrying = quat_conjugate(turned[:, [skeleton.parents[j] for j in hip]])
        line = quat_rotate(carrying, unit(world[:, ankle] - world[:, hip]))
        across = world[:, knee] - world[:, hip]
        bend = quat_rotate(carrying, across)
        bend -= (bend * line).sum(-1, keepdims=True) * line

        twins = _twins(skeleton)
        reflections = find_mirror(skeleton, turned, np.zeros(len(turned))).reflections
        frames = [skeleton.parents[j] for j in hip]
        lines = _symmetric(line.mean(0), twins, reflections[frames])
        ahead = quat_rotate(
            carrying, np.broadcast_to([0.0, 0.0, 1e-6], bend.shape)
        )  # speaks only if no knee ever bends
        bent = quat_rotate(quat_between(line, lines), bend) + ahead
        knees = across_leg(lines, _symmetric(bent.mean(0), twins, reflections[frames]))
        hinges = []
        for joints in (hip, knee):
            pointing = quat_rotate(
                quat_conjugate(turned[:, joints]), quat_rotate(quat_conjugate(carrying), bend + ahead)
            )
            hinges.append(_symmetric(pointing.mean(0), twins, reflections[joints]))
        feet = quat_mean(turned[:, ankle])
        flip, flipped = matrix_to_quat(np.diag([1.0, -1.0, -1.0])), matrix_to_quat(-reflections[ankle])
        feet = quat_mean(np.stack([feet, quat_multiply(quat_multiply(flip, feet[twins]), flipped)]))
        return cls(
            skeleton, body, np.stack([_sole(body, leg) for leg in legs]), feet, lines, knees, np.stack(hinges)
        )

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        return self.skeleton.anatomy.legs

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        feet = [self.skeleton.names[leg.ankle] for leg in self.legs]
        twins = _twins(self.skeleton)
        channels = [
            Channel(f"{foot}.{name}", group, f"{feet[twin]}.{name}", sign)
            for name, group, sign in GROUPS
            for foot, twin in zip(feet, twins, strict=True)
        ]
        return (*channels, *self.body.channels)

    def encode(self, clip: Clip, path: ControlPath) -> Array:
        positions, rotations = to_path_frame(clip, path)
        hip, knee, ankle, frame = self._joints
        tilt = rotation_to_tilt(quat_multiply(rotations[:, ankle], quat_conjugate(self.feet)))
        toe = positions[:, ankle] + quat_rotate(rotations[:, ankle], self.soles)
        hinge = quat_rotate(rotations[:, hip], self.hinges[0])
        bend = across_part(positions[:, knee] - positions[:, hip], positions[:, ankle] - positions[:, hip])
        backwards = np.minimum((bend * hinge).sum(-1, keepdims=True), 0.0)
        bent = positions[:, knee] - backwards * hinge
        pointing = knee_direction(positions[:, hip], bent, positions[:, ankle], hinge, width=STRAIGHT)
        carrying = quat_conjugate(rotations[:, frame])
        line = quat_rotate(carrying, positions[:, ankle] - positions[:, hip])
        pointing = quat_rotate(quat_between(line, self.lines), quat_rotate(carrying, pointing))
        side = np.cross(self.lines, self.knees)
        swivel = np.arctan2((pointing * side).sum(-1), (pointing * self.knees).sum(-1))
        columns = [toe[..., 0], toe[..., 2], tilt[..., 0], toe[..., 1], tilt[..., 1], tilt[..., 2], swivel]
        return np.concatenate([*columns, self.body.encode(clip, path)], axis=1)

    def decode(self, values: Array, positions: Array, headings: Array) -> tuple[Array, Array]:
        """Local positions and rotations; a foot out of reach is approached along the line from its hip."""
        values = np.asarray(values, float)
        count = len(self.legs)
        toes, tilt, half_swivel = (values[..., numbers] for numbers in self._numbers)
        turned = apply(self._turned_matrix, tilt_to_rotation(tilt))
        place, local = self.body.place(values[..., 7 * count :]), self.body.turns(values[..., 7 * count :])
        base, carrying = self._frames(place, turned[..., count, :], local)
        frame = turning_matrix(carrying)
        feet = turned[..., :count, :]

        # The line from hip to ankle in the frame that carries the leg; from here on everything is in that frame.
        ankle = toes - apply(turning_matrix(feet), self.soles)
        line = apply(np.swapaxes(frame, -1, -2), ankle - base) - self._sockets
        distance = np.sqrt((line * line).sum(-1, keepdims=True))
        swing = apply(self._swing_matrix, line / (distance + 1e-12))
        swing[..., 0] += 1.0 + 1e-9  # (1 + cos, sin · axis) points along the half-angle's quaternion
        swing /= np.sqrt((swing * swing).sum(-1, keepdims=True))
        half_swivel = 0.5 * half_swivel
        swing = np.cos(half_swivel) * swing + np.sin(half_swivel) * apply(self._swivel_matrix, swing)

        angles = self._angles(distance[..., 0])
        bones = product(swing[..., None, :, :], apply(self._bone_matrix, angles))  # thighs, shins
        at_hip, at_ankle = angles[..., 0, :, :], angles[..., 1, :, :]
        back = product(carrying, bones[..., 1, :, :])
        back[..., 1:] *= -1.0
        hips, knees, ankles, _ = self._joints
        local[..., hips, :] = bones[..., 0, :, :]
        local[..., knees, :] = apply(self._knee_matrix, _sum_of_angles(at_hip, at_ankle))
        local[..., ankles, :] = apply(self._ankle_matrix, product(back, feet))
        return self.body.stand(local, place, turned[..., count, :], positions, headings)

    def _frames(self, place: Array, turned: Array, local: Array) -> tuple[Array, Array]:
        """Positions ``(..., L, 3)`` and rotations ``(..., L, 4)`` of the joints that carry the legs."""
        at = {self.body.hips: (place, turned)}
        for j in self._trunk:
            base, turn = at[self.skeleton.parents[j]]
            at[j] = base + apply(turning_matrix(turn), self.body.bones[j]), product(turn, local[..., j, :])
        frames = [at[j] for j in self._joints[3]]
        if (
            not self._trunk
        ):  # legs on the hips themselves, as on most bipeds: one frame for all, by broadcasting
            return place[..., None, :], turned[..., None, :]
        return np.stack([base for base, _ in frames], axis=-2), np.stack(
            [turn for _, turn in frames], axis=-2
        )

    def _angles(self, distance: Array) -> Array:
        """(cos, sin) of half the angles ``(..., 2, L, 2)`` at hip and ankle between the bones and the line of the leg.

        Of the triangle's cosine rule in the form that is exact where the triangle is flat. Out of reach is straight.
        """
        own, other = self._lengths, self._lengths[::-1]
        reach = np.minimum(np.maximum(distance, self._shortest), self._longest)[..., None, :]
        out = np.empty((*distance.shape[:-1], 2, len(self.legs), 2))
        out[..., 0] = (own + reach) ** 2 - other**2
        out[..., 1] = other**2 - (own - reach) ** 2
        return np.sqrt(np.maximum(out, 0.0) / (4 * own * reach)[..., None])

    @cached_property
    def _numbers(self) -> tuple[NDArray[np.intp], ...]:
        """Which numbers are toes ``(L, 3)``, tilts ``(L + 1, 3)`` with the hips' last, and swivels ``(L, 1)``."""
        x, z, yaw, height, roll, pitch, knee = np.arange(7 * len(self.legs)).reshape(7, -1)
        hips = 7 * len(self.legs) + np.arange(6)  # height, x, z, yaw, roll, pitch
        tilt = np.concatenate([np.stack([yaw, roll, pitch], axis=-1), hips[None, 3:]])
        return np.stack([x, height, z], axis=-1), tilt, knee[:, None]

    @cached_property
    def _joints(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Hips, knees, ankles and carrying joints of the legs."""
        hips = [leg.hip for leg in self.legs]
        parents = [self.skeleton.parents[j] for j in hips]
        return hips, [leg.knee for leg in self.legs], [leg.ankle for leg in self.legs], parents

    @cached_property
    def _trunk(self) -> list[int]:
        """The joints between the hips and the legs, parents first."""
        chains = [ancestors(self.skeleton, j) for j in self._joints[3]]
        return sorted({j for chain in chains for j in chain[chain.index(self.body.hips) + 1 :]})

    @cached_property
    def _bones(self) -> tuple[Array, Array, Array, Array]:
        """Thigh ``(L, 3)`` and shin bones in their frames, and the fixed turns ``(L, 4)`` of what lies within them."""
        bones = [
            reach(self.body, leg.hip, leg.knee) + reach(self.body, leg.knee, leg.ankle) for leg in self.legs
        ]
        thigh, within_thigh, shin, within_shin = (np.stack(column) for column in zip(*bones, strict=True))
        return thigh, shin, within_thigh, within_shin

    @cached_property
    def _lengths(self) -> Array:
        """Thighs and shins ``(2, L)``."""
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
        return self.body.bones[self._joints[0]]

    @cached_property
    def _turned_matrix(self) -> Array:
        """From yaw, roll and pitch to the rotation of the feet and, last, the hips."""
        return right_matrix(np.concatenate([self.feet, self.body.means[[self.body.hips]]]))

    @cached_property
    def _swing_matrix(self) -> Array:
        """From a direction ``v`` to (lines · v, lines × v)."""
        across = np.cross(self.lines[:, None], np.eye(3))  # row i: lines × the i-th axis
        return np.concatenate([self.lines[:, None], np.swapaxes(across, -1, -2)], axis=-2)

    @cached_property
    def _swivel_matrix(self) -> Array:
        return right_matrix(_pure(self.lines))

    @cached_property
    def _straight(self) -> tuple[Array, Array, Array]:
        """The stretched leg along its mean line: rotations of thigh and shin, and the axis its knee bends about."""
        thigh, shin, _, _ = self._bones
        axis = np.cross(self.lines, self.knees)
        leg = _frame(self.lines, self.knees)
        rotations = [
            leg @ np.swapaxes(_frame(bone, hinge), -1, -2)
            for bone, hinge in zip((thigh, shin), self.hinges, strict=True)
        ]
        return matrix_to_quat(rotations[0]), matrix_to_quat(rotations[1]), _pure(axis)

    @cached_property
    def _bone_matrix(self) -> Array:
        """From (cos, sin) of the half-angles at hip and ankle to the rotations of thigh and shin ``(2, L, 4, 2)``."""
        thigh, shin, axis = self._straight
        thighs = np.stack([thigh, quat_multiply(axis, thigh)], axis=-1)
        return np.stack([thighs, np.stack([shin, -quat_multiply(axis, shin)], axis=-1)])

    @cached_property
    def _knee_matrix(self) -> Array:
        """From (cos, sin) of half the knee's bend to its local rotation: the thigh's angle and the shin's in one."""
        thigh, within = self._straight[0], self._bones[2]
        matrix: Array = left_matrix(quat_conjugate(quat_multiply(thigh, within))) @ self._bone_matrix[1]
        return matrix

    @cached_property
    def _ankle_matrix(self) -> Array:
        return left_matrix(quat_conjugate(self._bones[3]))

    def to_json(self) -> dict[str, Any]:
        arrays = {
            name: getattr(self, name).tolist() for name in ("soles", "feet", "lines", "knees", "hinges")
        }
        return {"body": self.body.to_json(), **arrays}

    @classmethod
    def from_json(cls, skeleton: Skeleton, data: Mapping[str, Any]) -> Self:
        arrays = {name: np.array(data[name]) for name in ("soles", "feet", "lines", "knees", "hinges")}
        return cls(skeleton, RotationChart.from_json(skeleton, data["body"]), **arrays)


def leg_joints(skeleton: Skeleton, leg: Leg) -> list[int]:
    """The joints that a leg's inverse kinematics turns, with any that lie within its bones."""
    chain = ancestors(skeleton, leg.ankle)
    return chain[chain.index(leg.hip) :]


def reach(body: RotationChart, start: int, end: int) -> tuple[Array, Array]:
    """Where joint ``end`` lies in the frame of ``start``, and how its parent is turned there, at the means."""
    place, turn = np.zeros(3), IDENTITY
    chain = ancestors(body.skeleton, end)
    for j in chain[chain.index(start) + 1 :]:
        place = place + quat_rotate(turn, body.bones[j])
        turn, before = quat_multiply(turn, body.means[j]), turn
    return place, before


def _sole(body: RotationChart, leg: Leg) -> Array:
    """The point of the foot that should not slide, in the foot's frame: toe joint, else end site, else the ankle."""
    if leg.toe is not None:
        return reach(body, leg.ankle, leg.toe)[0]
    tips = [tip for joint, tip in body.skeleton.end_sites if joint == leg.ankle]
    return np.array(tips[0] if tips else (0.0, 0.0, 0.0))


def _twins(skeleton: Skeleton) -> list[int]:
    """For each leg the number of the leg on the other side, its own where there is none."""
    legs = skeleton.anatomy.legs
    place = {leg.ankle: i for i, leg in enumerate(legs)}
    return [place.get(skeleton.anatomy.partners[leg.ankle], i) for i, leg in enumerate(legs)]


def _symmetric(directions: Array, twins: list[int], reflections: Array) -> Array:
    """The mean of each leg's direction ``(L, 3)`` and its twin's mirrored; reflections lead to the twin's frame."""
    mirrored = np.einsum("lba,lb->la", reflections, directions[twins])
    return unit(unit(directions) + unit(mirrored))


def unit(vector: Array) -> Array:
    """Vectors scaled to length one; zero stays zero."""
    scaled: Array = vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
    return scaled


def _frame(along: Array, ahead: Array) -> Array:
    """Rotation matrices ``(..., 3, 3)`` with columns along, ahead (made perpendicular) and their cross product."""
    along = unit(along)
    ahead = across_leg(along, ahead)
    return np.stack([along, ahead, np.cross(along, ahead)], axis=-1)


def _pure(vector: Array) -> Array:
    """The quaternion (0, v)."""
    return np.concatenate([np.zeros((*vector.shape[:-1], 1)), vector], axis=-1)


def _sum_of_angles(a: Array, b: Array) -> Array:
    """(cos, sin) of the sum of two angles given so."""
    cosine = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    return np.stack([cosine, a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]], axis=-1)
