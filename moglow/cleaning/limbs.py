"""What kinds of damage to limbs share: which limbs there are, their pairs, and a fault of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from moglow.motion.skeleton import Skeleton, descendants

UPPER = {"leg": "thigh", "arm": "upper_arm", "fore leg": "front_thigh"}
"""Where a pair of limbs begins: the role of its upper joint."""


@dataclass(frozen=True)
class LimbFault:
    """Joints that are wrong from frame ``start`` up to ``stop``, and by how much: metres for what sinks, else 0."""

    start: int
    stop: int
    joints: tuple[int, ...]
    depth: float = 0.0


def limbs(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """The joints of each limb, by a name such as ``left leg``: the upper one and all that hangs on it."""
    roles = skeleton.anatomy.roles
    uppers = {
        f"{side} {pair}": roles[f"{side}_{upper}"]
        for pair, upper in UPPER.items()
        for side in ("left", "right")
        if f"{side}_{upper}" in roles
    }
    return {name: (joint, *descendants(skeleton, joint)) for name, joint in uppers.items()}


def limb_names(skeleton: Skeleton, joints: Sequence[int]) -> str:
    """The limbs that some joints belong to, in words."""
    return " and ".join(name for name, part in limbs(skeleton).items() if set(part) & set(joints))


def limb_pairs(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """The joints of both sides of each pair of limbs, ``leg`` and ``arm``."""
    parts = limbs(skeleton)
    sides = {pair: [parts.get(f"{side} {pair}") for side in ("left", "right")] for pair in UPPER}
    return {pair: (*left, *right) for pair, (left, right) in sides.items() if left and right}
