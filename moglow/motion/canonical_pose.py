"""The canonical pose, relative to which figures are compared: standing, facing +Z, arms out, feet flat.

The zero pose of a skeleton may be a T-pose, an A-pose or, if every bone lies along a coordinate axis of its joint, no
natural pose. The directions of bones and the axes about which they bend determine each joint's rotation in the
canonical pose. Two figures are in the same pose if the rotations of their joints away from it are equal. Needs numpy
alone.
"""

import numpy as np

from moglow.maths.rotations import (
    IDENTITY,
    UP,
    Array,
    axis_angle_to_quat,
    heading_to_quat,
    quat_between,
    quat_conjugate,
    quat_mean,
    quat_multiply,
    quat_rotate,
    vector_to_heading,
)
from moglow.maths.two_bone_ik import aim
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, ground_speed, leg_lengths, legs_of
from moglow.motion.skeleton import Skeleton, descendants

LEFT, FORWARD = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])

_NEXT = {
    "hips": "spine", "spine": "chest", "chest": "neck", "neck": "head",
    "clavicle": "upper_arm", "upper_arm": "forearm", "forearm": "hand",
    "thigh": "shin", "shin": "foot", "foot": "toe",
}  # fmt: skip
"""The role at the end of each role's bone."""

SLOPE = np.radians(30.0)
"""Default slope in radians of a flat foot from ankle to toe joint, if neither zero pose nor motion determine it."""

BENT, HINGED, TWISTED = 0.5, 0.95, np.cos(np.radians(30.0))
"""Limits of a knee whose axis is used: the sine of its flexion, the constancy of the axis, and the cosine of the angle
to the axis of the zero pose, which is used below 30°."""

SHARP = 0.999
"""Least constancy of an elbow's axis that is used instead of the zero pose's."""


UPRIGHT = np.cos(np.radians(45.0))
"""Least cosine of the trunk's tilt in a standing zero pose; rigs tilt by up to 20°, ACCAD's by 60°."""


def canonical_rotations(skeleton: Skeleton, motion: Clip | None = None) -> Array:
    """Returns the world rotations ``(J, 4)`` of all joints in the canonical pose.

    Joints without a role follow their parents. A ``motion`` of the skeleton determines flat feet and the axes of
    elbows; if the zero pose is not a natural pose, also the twist of bones. Without a motion, the twist is estimated,
    which does not change the positions of joints.
    """
    legs_of(skeleton, motion.name if motion else "")
    roles = {joint: role for role, joint in skeleton.anatomy.roles.items()}
    reader = _Reader(skeleton, motion)
    rotations = np.empty((len(skeleton), 4))
    for joint, parent in enumerate(skeleton.parents):
        above = rotations[parent] if parent >= 0 else reader.facing
        if joint in roles:
            rotations[joint] = reader.rotation(joint, roles[joint], above)
        else:
            rotations[joint] = quat_multiply(above, reader.local(joint))
    return rotations


def stands(skeleton: Skeleton) -> bool:
    """Returns whether the zero pose stands: all legs point down and, with two legs and arms, the trunk points up."""
    rest, lengths = skeleton.rest_positions, leg_lengths(skeleton)
    legs, roles = legs_of(skeleton), skeleton.anatomy.roles
    drops = [rest[leg.hip, 1] - rest[leg.ankle, 1] for leg in legs]
    if not (np.array(drops) > 0.6 * lengths).all():
        return False
    if len(legs) != 2 or not {"head", "left_upper_arm", "right_upper_arm"} <= set(roles):
        return True
    trunk = rest[roles["head"]] - rest[[leg.hip for leg in legs]].mean(0)
    return bool(trunk[1] > UPRIGHT * np.linalg.norm(trunk))


class _Reader:
    """Computes the canonical rotation of each joint from a skeleton and, if given, its motion."""

    def __init__(self, skeleton: Skeleton, motion: Clip | None) -> None:
        self.skeleton, self.motion = skeleton, motion
        self.rest, self.roles = skeleton.rest_positions, skeleton.anatomy.roles
        self.stands = stands(skeleton)
        self.facing = IDENTITY
        if self.stands:
            first, second = legs_of(skeleton)[:2]
            across = (self.rest[first.hip] - self.rest[second.hip]) * (1 if first.side == "left" else -1)
            self.facing = heading_to_quat(-vector_to_heading([-across[2], across[0]]))
        self.flat = _flat_frames(motion) if motion else {}
        self.unturned = heading_to_quat(-motion.headings()) if motion else IDENTITY

    def local(self, joint: int) -> Array:
        """Returns a joint's local rotation without a role: the identity or, without a standing zero pose, its mean."""
        return IDENTITY if self.stands or self.motion is None else quat_mean(self.motion.rotations[:, joint])

    def rotation(self, joint: int, role: str, above: Array) -> Array:
        side, part = _split(role)
        outwards = LEFT if side == "left" else -LEFT
        if part in ("foot", "toe"):
            return self.foot(joint, role, above)
        if part in ("upper_arm", "forearm", "hand"):
            return self.arm(joint, role, above, outwards)
        if part in ("thigh", "shin"):
            return self.leg(joint, role, above)
        if self.stands:
            return self.facing
        if part == "clavicle":
            # The direction of collar bones depends on the rig and hardly changes: their mean direction is used.
            usual = self.usual(joint)
            rest = outwards if usual is None else quat_rotate(usual, self.bone(joint, role)).mean(0)
            return self.turned(joint, above, self.bone(joint, role), rest, UP)
        if part == "hips":
            legs = legs_of(self.skeleton)
            return _frame(
                self.bone(joint, role),
                self.upwards(joint, role),
                self.way(joint, legs[1].hip, legs[0].hip),
                LEFT,
            )
        return self.turned(joint, above, self.bone(joint, role), UP, LEFT)

    def bone(self, joint: int, role: str) -> Array:
        """Returns the direction of the bone in the joint's frame."""
        part = after = _split(role)[1]
        while after in _NEXT:
            after = _NEXT[after]
            end = self.roles.get(role.removesuffix(part) + after)
            if end is not None:
                return self.way(joint, joint, end)
        bones = [self.way(joint, joint, below) for below in descendants(self.skeleton, joint)]
        bones += [np.array(tip) for tipped, tip in self.skeleton.end_sites if tipped == joint]
        longest = max(bones, key=lambda bone: float(np.linalg.norm(bone)), default=np.zeros(3))
        # A joint without children continues its parent's bone.
        tiny = np.linalg.norm(longest) < 0.01
        return self.way(joint, self.skeleton.parents[joint], joint) if tiny else longest

    def way(self, joint: int, start: int, end: int) -> Array:
        """Returns the vector between two joints in a joint's frame, from a standing zero pose or the motion's mean."""
        if self.stands or self.motion is None:
            rest: Array = self.rest[end] - self.rest[start]
            return rest
        world, rotations = self.motion.world()
        ways = quat_rotate(quat_conjugate(rotations[:, joint]), world[:, end] - world[:, start])
        usual: Array = ways.mean(0)
        return usual

    def usual(self, joint: int) -> Array | None:
        """Returns the world rotations (T, 4) of a joint in the motion, relative to the body's heading."""
        return quat_multiply(self.unturned, self.motion.world_rotations[:, joint]) if self.motion else None

    def turned(self, joint: int, above: Array, bone: Array, towards: Array, facing: Array) -> Array:
        """Returns the rotation with the bone pointing ``towards`` and its usual front facing ``facing``."""
        if self.stands:
            return _frame(bone, towards, quat_rotate(quat_conjugate(self.facing), facing), facing)
        usual = self.usual(joint)
        if usual is None:
            return aim(above, bone, towards)
        side = quat_rotate(quat_conjugate(usual), facing).mean(0)
        return _frame(bone, towards, _snapped(side, bone), facing)

    def arm(self, joint: int, role: str, above: Array, outwards: Array) -> Array:
        bone, axis = self.bone(joint, role), self.elbow(joint, role)
        if axis is not None:
            return _frame(bone, outwards, axis, np.cross(outwards, FORWARD))
        if self.stands:
            return self.turned(joint, above, bone, outwards, FORWARD)
        return aim(above, bone, outwards)

    def upwards(self, joint: int, role: str) -> Array:
        """Returns the direction of the hips' bone while the trunk is upright; straight up if it never is.

        The lowest joint of the spine is above, before or behind the hips, depending on the rig.
        """
        usual = self.usual(joint)
        if usual is None or self.motion is None or "head" not in self.roles:
            return UP
        world = self.motion.world_positions
        trunk = world[:, self.roles["head"]] - world[:, [leg.hip for leg in legs_of(self.skeleton)]].mean(1)
        rise = trunk[:, 1] / np.maximum(np.linalg.norm(trunk, axis=-1), 1e-9)
        if rise.max() < np.cos(np.radians(30.0)):
            return UP
        upright = rise >= np.quantile(rise, 0.5)
        leads: Array = quat_rotate(usual[upright], self.bone(joint, role)).mean(0) * (UP + FORWARD)
        return leads

    def leg(self, joint: int, role: str, above: Array) -> Array:
        """Returns a vertical thigh or shin, with the twist of the zero pose unless the knee's axis differs too much."""
        bone, axis = self.bone(joint, role), self.knee(joint, role)
        if self.stands and axis is not None:
            turned = quat_rotate(self.facing, axis)
            if turned @ LEFT < TWISTED * np.linalg.norm(turned):
                return _frame(bone, -UP, axis, LEFT)
        return self.turned(joint, above, bone, -UP, LEFT)

    def knee(self, joint: int, role: str) -> Array | None:
        """Returns the axis of a biped's knee in this joint's frame, or None if the motion does not bend it enough."""
        names = [role[: role.index("_") + 1] + part for part in ("thigh", "shin", "foot")]
        legs = legs_of(self.skeleton)
        if self.motion is None or len(legs) != 2 or not all(name in self.roles for name in names):
            return None
        world, rotations = self.motion.world()
        hip, knee, ankle = (world[:, self.roles[name]] for name in names)
        axes = quat_rotate(quat_conjugate(rotations[:, joint]), np.cross(knee - hip, ankle - knee))
        sines = np.linalg.norm(axes, axis=-1) / max(float(leg_lengths(self.skeleton).mean()) ** 2 / 4, 1e-9)
        bent = axes[sines > BENT]
        if len(bent) < self.motion.fps / 3:
            return None
        total, most = bent.sum(0), np.linalg.norm(bent, axis=-1).sum()
        return total if np.linalg.norm(total) > HINGED * most else None

    def elbow(self, joint: int, role: str) -> Array | None:
        """Returns the axis of the elbow in this joint's frame, or None if the motion does not determine it."""
        side, part = _split(role)
        names = [f"{side}_{part}" for part in ("upper_arm", "forearm", "hand")]
        if self.motion is None or part == "hand" or not all(name in self.roles for name in names):
            return None
        world, rotations = self.motion.world()
        shoulder, elbow, wrist = (world[:, self.roles[name]] for name in names)
        axes = np.cross(elbow - shoulder, wrist - elbow)
        total = quat_rotate(quat_conjugate(rotations[:, joint]), axes).sum(0)
        sharpness = np.linalg.norm(total) / max(np.linalg.norm(axes, axis=-1).sum(), 1e-9)
        if not self.stands:
            return _snapped(total, self.bone(joint, role))
        return total if sharpness > SHARP else None

    def foot(self, joint: int, role: str, above: Array) -> Array:
        """Returns the rotation of a foot or toes that are flat and point ahead."""
        bone = self.bone(joint, role)
        length = np.linalg.norm(bone)
        if not length:
            return self.facing if self.stands else above  # a bone without length has no direction
        bone = bone / length
        flat = self.flat.get(joint)
        if flat is not None:
            slope = np.arcsin(np.clip(np.median(-quat_rotate(flat, bone)[:, 1]), -1, 1))
        elif self.stands:
            slope = np.arcsin(-bone[1])
        else:
            slope = SLOPE if role.endswith("foot") else 0.0
        if self.stands and bone[2] < 0.5:
            return self.facing  # a hoof, a dog's metatarsus or a foot without toes does not point ahead
        return self.turned(joint, above, bone, np.cos(slope) * FORWARD - np.sin(slope) * UP, LEFT)


def _flat_frames(motion: Clip) -> dict[int, Array]:
    """Returns the world rotations of feet and toes in frames with flat feet, in which neither toe nor ankle moves."""
    world, rotations = motion.world()
    flat: dict[int, Array] = {}
    planted, lengths = contacts(motion), leg_lengths(motion.skeleton)
    for k, leg in enumerate(legs_of(motion.skeleton)):
        still = planted[:, k] & (ground_speed(world[:, leg.ankle], motion.fps) < 0.1 * lengths[k])
        if still.sum() >= 5:
            flat |= {joint: rotations[still, joint] for joint in (leg.ankle, leg.toe) if joint is not None}
    return flat


def _split(role: str) -> tuple[str, str]:
    """Returns the side and part of a role.

    >>> _split("left_front_thigh"), _split("right_upper_arm"), _split("neck")
    (('left', 'thigh'), ('right', 'upper_arm'), ('', 'neck'))
    """
    side, _, part = role.partition("_")
    if side not in ("left", "right"):
        return "", role
    return side, part.removeprefix("front_")


def _snapped(direction: Array, bone: Array) -> Array:
    """Returns the coordinate axis nearest to a direction, if the bone lies along an axis too, or the direction."""
    if np.abs(bone).max() < np.cos(np.radians(5)) * np.linalg.norm(bone):
        return direction
    return np.where(np.abs(direction) == np.abs(direction).max(), np.sign(direction), 0.0)


def _frame(first: Array, to_first: Array, second: Array, to_second: Array) -> Array:
    """Returns the rotation that maps ``first`` exactly and ``second`` as nearly as possible to their targets."""
    swing = quat_between(first, to_first)
    turned, axis = quat_rotate(swing, second), to_first / np.linalg.norm(to_first)
    angle = np.arctan2(
        axis @ np.cross(turned, to_second), turned @ to_second - (axis @ turned) * (axis @ to_second)
    )
    return quat_multiply(axis_angle_to_quat(axis, angle), swing)
