"""Limbs and pairs of limbs of a skeleton, shared by the kinds of damage to limbs."""

from collections.abc import Sequence
from dataclasses import dataclass

from moglow.motion.skeleton import Skeleton, descendants

UPPER = {"leg": "thigh", "arm": "upper_arm", "fore leg": "front_thigh"}
"""The role of the upper joint of each pair of limbs."""


@dataclass(frozen=True)
class DamagedJoints:
    """Damaged joints in the frames from ``start`` to before ``stop``; ``depth`` is in metres for sunk feet, else 0."""

    start: int
    stop: int
    joints: tuple[int, ...]
    depth: float = 0.0


def limbs(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """Returns the joints of each limb, by a name such as ``left leg``: the upper joint and all its descendants."""
    roles = skeleton.anatomy.roles
    uppers = {
        f"{side} {pair}": roles[f"{side}_{upper}"]
        for pair, upper in UPPER.items()
        for side in ("left", "right")
        if f"{side}_{upper}" in roles
    }
    return {name: (joint, *descendants(skeleton, joint)) for name, joint in uppers.items()}


def limb_names(skeleton: Skeleton, joints: Sequence[int]) -> str:
    """Returns the names of the limbs that contain some of the joints."""
    return " and ".join(name for name, part in limbs(skeleton).items() if set(part) & set(joints))


def limb_pairs(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """Returns the joints of both sides of each pair of limbs, such as ``leg`` and ``arm``."""
    parts = limbs(skeleton)
    sides = {pair: [parts.get(f"{side} {pair}") for side in ("left", "right")] for pair in UPPER}
    return {pair: (*left, *right) for pair, (left, right) in sides.items() if left and right}
