"""The figure: a symmetric biped of 21 joints, 1.72 m tall, in a T-pose on the floor and facing +Z.

Proportions follow the usual segment tables (thigh 0.245 and shank 0.24 of the height, foot 0.15, span about the
height). The toe joint is the ball of the foot, 2 cm above the sole. The root has no offset: its position channels move
the hips to `STANDING_HEIGHT` above the floor.
"""

from collections.abc import Mapping

import numpy as np

from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton

Point = tuple[float, float, float]
Joints = Mapping[str, tuple[str, Point]]

STANDING_HEIGHT = 0.95

MIDDLE: Joints = {
    "Hips": ("", (0.0, 0.0, 0.0)),
    "Spine": ("Hips", (0.0, 0.11, -0.01)),
    "Chest": ("Spine", (0.0, 0.16, 0.0)),
    "Neck": ("Chest", (0.0, 0.24, -0.01)),
    "Head": ("Neck", (0.0, 0.09, 0.02)),
}
LIMBS: Joints = {  # of the left side, +X; the right one is its mirror image
    "Shoulder": ("Chest", (0.03, 0.18, -0.01)),
    "Arm": ("*Shoulder", (0.15, 0.0, 0.0)),
    "ForeArm": ("*Arm", (0.28, 0.0, 0.0)),
    "Hand": ("*ForeArm", (0.25, 0.0, 0.0)),
    "UpLeg": ("Hips", (0.09, -0.04, 0.0)),
    "Leg": ("*UpLeg", (0.0, -0.42, 0.0)),
    "Foot": ("*Leg", (0.0, -0.41, 0.0)),
    "ToeBase": ("*Foot", (0.0, -0.06, 0.13)),
}
TIPS: Mapping[str, Point] = {"Head": (0.0, 0.17, 0.0), "Hand": (0.17, 0.0, 0.0), "ToeBase": (0.0, 0.0, 0.07)}


def make_figure() -> Skeleton:
    """Returns the skeleton.

    >>> figure = make_figure()
    >>> len(figure), round(float(figure.rest_positions[figure.index("LeftToeBase"), 1] + STANDING_HEIGHT), 3)
    (21, 0.02)
    """
    return joined(MIDDLE, LIMBS, TIPS)


def make_rest_clip() -> Clip:
    """Returns one frame of the T-pose, with the feet on the floor."""
    return Clip.at_rest(make_figure()).moved((0.0, STANDING_HEIGHT, 0.0))


def joined(middle: Joints, limbs: Joints, tips: Mapping[str, Point]) -> Skeleton:
    """Returns a symmetric skeleton of middle joints and left limbs; ``*`` in a parent's name means the side."""
    joints = dict(middle)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        for part, (parent, offset) in limbs.items():
            joints[side + part] = (parent.replace("*", side), _mirrored(offset, sign))
    names = tuple(_branch("Hips", joints))  # in the order of a file
    parents = tuple(names.index(joints[name][0]) if joints[name][0] else -1 for name in names)
    ends = []
    for joint, name in enumerate(names):
        part = name.removeprefix("Left").removeprefix("Right")
        if part in tips:
            ends.append((joint, _mirrored(tips[part], -1.0 if name.startswith("Right") else 1.0)))
    return Skeleton(names, parents, np.array([joints[name][1] for name in names]), tuple(ends))


def _branch(name: str, joints: Joints) -> list[str]:
    """Returns a joint and all joints below it, depth first."""
    children = (child for child, (parent, _) in joints.items() if parent == name)
    return [name, *(joint for child in children for joint in _branch(child, joints))]


def _mirrored(offset: Point, sign: float) -> Point:
    return (offset[0] * sign, offset[1], offset[2])
