"""A solid body for any skeleton: one tapered capsule per bone, as a triangle mesh. Needs numpy alone.

Each point is fixed in the frame of one joint, so posing the body takes one rigid transform per joint. The thickness
depends on the joint's role.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moglow.anatomy.anatomy import part_of
from moglow.maths.rotations import Array, quat_between, quat_rotate
from moglow.motion.skeleton import Skeleton

# Radius in metres at each role's joint on a figure of 1.75 m; roles are without side, fore and hind.
RADII = {
    "hips": 0.105, "spine": 0.100, "chest": 0.115, "neck": 0.050, "head": 0.085,
    "clavicle": 0.070, "upper_arm": 0.052, "forearm": 0.040, "hand": 0.032,
    "thigh": 0.080, "shin": 0.055, "foot": 0.040, "toe": 0.032,
}  # fmt: skip
REACH = 1.15  # metres from the hips to the farthest tip, along the bones of that figure
SHORTEST = 0.02  # metres; a bone shorter than this, on that figure, has no capsule of its own
SIDES, RINGS = 12, 5  # points around a capsule; rings on each rounded end
INSIDE = 0.94  # ratio of radii where the next bone begins; coincident surfaces would flicker
STICK, BALL = 0.012, 0.026  # metres on that figure: radius of a bone drawn as a stick, and of its joints


@dataclass(frozen=True)
class CapsuleBody:
    """Points and normals ``(P, 3)`` in the frame of their joint ``(P,)``, and ``triangles`` ``(F, 3)``."""

    points: Array
    normals: Array
    joints: NDArray[np.int64]
    triangles: NDArray[np.int64]

    def posed(self, world_positions: Array, world_rotations: Array) -> Array:
        """Returns the points ``(..., P, 3)`` for joints at world positions and rotations."""
        turned = quat_rotate(world_rotations[..., self.joints, :], self.points)
        return turned + world_positions[..., self.joints, :]


def capsule_body(skeleton: Skeleton, *, around: int = SIDES) -> CapsuleBody:
    """Returns the body of a skeleton, with ``around`` points around each capsule.

    >>> arm = Skeleton(("UpperArm", "Forearm"), (-1, 0), [[0, 0, 0], [0.3, 0, 0]], ((1, (0.25, 0, 0)),))
    >>> body = capsule_body(arm)
    >>> len(body.points), sorted(set(body.joints.tolist()))
    (240, [0, 1])
    """
    radii = joint_radii(skeleton)
    tips = [
        (p, tip, radii[p], 0.9 * radii[p] if j is None else INSIDE * radii[j])
        for p, tip, j in _bones(skeleton)
    ]
    return _body(tips or [(0, np.zeros(3), radii[0], radii[0])], around)  # a lone joint is a ball


def stick_body(skeleton: Skeleton, *, around: int = SIDES) -> CapsuleBody:
    """Returns the bones of a skeleton as thin sticks with a ball at each joint.

    >>> arm = Skeleton(("UpperArm", "Forearm"), (-1, 0), [[0, 0, 0], [0.3, 0, 0]], ((1, (0.25, 0, 0)),))
    >>> sorted(set(stick_body(arm).joints.tolist()))
    [0, 1]
    """
    stick, ball = STICK * _scale(skeleton), BALL * _scale(skeleton)
    bones = _bones(skeleton)
    hips = skeleton.hips
    joints = sorted({hips} | {p for p, _, _ in bones} | {j for _, _, j in bones if j is not None})
    shapes = [(joint, np.zeros(3), ball, ball) for joint in joints]
    return _body(shapes + [(p, tip, stick, stick) for p, tip, _ in bones], around)


def _bones(skeleton: Skeleton) -> list[tuple[int, Array, int | None]]:
    """Returns the visible bones: the joint of each, its tip in the joint's frame, and the joint at the tip or None."""
    above, shortest = _above_body(skeleton), SHORTEST * _scale(skeleton)
    bones: list[tuple[int, Array, int | None]] = [
        (p, skeleton.offsets[j], j) for j, p in enumerate(skeleton.parents) if j not in above
    ]
    bones += [(joint, np.array(tip), None) for joint, tip in skeleton.end_sites]
    return [bone for bone in bones if np.linalg.norm(bone[1]) >= shortest]


def _body(tips: list[tuple[int, Array, float, float]], around: int) -> CapsuleBody:
    """Returns a body of capsules, given the joint of each, its tip in the joint's frame, and the radii of both ends."""
    shapes = [_capsule(tip, float(start), float(end), around) for _, tip, start, end in tips]
    triangles = _triangles(around)
    count = len(shapes[0][0])
    return CapsuleBody(
        points=np.concatenate([points for points, _ in shapes]),
        normals=np.concatenate([normals for _, normals in shapes]),
        joints=np.repeat([joint for joint, *_ in tips], count),
        triangles=np.concatenate([triangles + count * k for k in range(len(tips))]),
    )


def _above_body(skeleton: Skeleton) -> set[int]:
    """Returns the joints from the root to the hips, including both; a root on the floor is not part of the body."""
    return _ways({skeleton.hips}, skeleton)


def joint_radii(skeleton: Skeleton) -> Array:
    """Returns the radius ``(J,)`` of the body at each joint in metres."""
    return _scale(skeleton) * _radii(skeleton)


def joint_sides(skeleton: Skeleton) -> list[int]:
    """Returns the side of each joint, from its role or its parent: 1 left, −1 right, 0 middle."""
    named = {joint: role.partition("_")[0] for role, joint in skeleton.anatomy.roles.items()}
    sides: list[int] = []
    for joint, parent in enumerate(skeleton.parents):
        inherited = sides[parent] if parent >= 0 else 0
        sides.append({"left": 1, "right": -1}.get(named.get(joint, ""), inherited))
    return sides


def _scale(skeleton: Skeleton) -> float:
    return _reach(skeleton, _above_body(skeleton)) / REACH or 1.0


def _radii(skeleton: Skeleton) -> Array:
    """Returns the radius at each joint. The radius without a role is that of the parent, or less on the last bones."""
    radii: list[float] = []
    parts = {joint: part_of(role) for role, joint in skeleton.anatomy.roles.items()}
    leading = _ways(set(parts), skeleton)
    for joint, parent in enumerate(skeleton.parents):
        inherited = radii[parent] if parent >= 0 else RADII["upper_arm"]
        thinner = 1.0 if joint in leading or parent < 0 else 0.6  # fingers, toes, ears, tails
        radii.append(RADII.get(parts.get(joint, ""), thinner * inherited))
    return np.array(radii)


def _ways(joints: set[int], skeleton: Skeleton) -> set[int]:
    """Returns the joints on the paths from the root to ``joints``, including both ends."""
    found: set[int] = set()
    for joint in joints:
        while joint >= 0 and joint not in found:
            found.add(joint)
            joint = skeleton.parents[joint]
    return found


def _reach(skeleton: Skeleton, above: set[int]) -> float:
    """Returns the length of the longest path along bones from the hips to a tip."""
    way = [0.0] * len(skeleton)
    for joint, parent in enumerate(skeleton.parents):
        if joint not in above:
            way[joint] = way[parent] + float(skeleton.bone_lengths[joint])
    return max([*way, *(way[joint] + float(np.linalg.norm(tip)) for joint, tip in skeleton.end_sites)])


def _capsule(tip: ArrayLike, start: float, end: float, around: int) -> tuple[Array, Array]:
    """Returns points and normals of a capsule from the origin to ``tip``: two balls and their tangent cone.

    The cone touches both balls where their normals have the slope a, sin a = (start − end) / length. The profile is an
    arc up to a, a straight line, and an arc from a.
    """
    tip = np.asarray(tip, float)
    length = float(np.linalg.norm(tip))
    slope = np.arcsin(np.clip((start - end) / max(length, 1e-9), -0.99, 0.99))
    slopes = np.concatenate([np.linspace(-np.pi / 2, slope, RINGS), np.linspace(slope, np.pi / 2, RINGS)])
    ball = np.repeat([start, end], RINGS)
    along = np.repeat([0.0, length], RINGS) + ball * np.sin(slopes)
    turns = np.linspace(0, 2 * np.pi, around, endpoint=False)
    circle = np.stack([np.cos(turns), np.zeros(around), -np.sin(turns)], axis=-1)
    normals = np.cos(slopes)[:, None, None] * circle + np.sin(slopes)[:, None, None] * [0, 1, 0]
    points = (ball * np.cos(slopes))[:, None, None] * circle + along[:, None, None] * [0, 1, 0]
    upright = quat_between([0.0, 1.0, 0.0], tip)
    return quat_rotate(upright, points.reshape(-1, 3)), quat_rotate(upright, normals.reshape(-1, 3))


def _triangles(around: int) -> NDArray[np.int64]:
    """Returns the triangles of a capsule, anticlockwise from outside; a quad at a pole is one triangle."""
    corners = np.arange(2 * RINGS * around).reshape(2 * RINGS, around)
    low, high = corners[:-1], corners[1:]
    low_next, high_next = np.roll(low, -1, axis=1), np.roll(high, -1, axis=1)
    upper = np.stack([low, high_next, high], axis=-1)[:-1]
    lower = np.stack([low, low_next, high_next], axis=-1)[1:]
    return np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)])
