"""The bones of the VRM humanoid and their roles."""

from types import MappingProxyType

from moglow.errors import SkeletonError
from moglow.motion.skeleton import Skeleton

_MIDDLE = {"hips": "hips", "spine": "spine", "chest": "chest", "neck": "neck", "head": "head"}
_SIDED = {
    "Shoulder": "clavicle",
    "UpperArm": "upper_arm",
    "LowerArm": "forearm",
    "Hand": "hand",
    "UpperLeg": "thigh",
    "LowerLeg": "shin",
    "Foot": "foot",
    "Toes": "toe",
}
ROLE_OF = MappingProxyType(
    _MIDDLE
    | {f"{side}{part}": f"{side}_{role}" for side in ("left", "right") for part, role in _SIDED.items()}
)
"""The role of each VRM bone, such as ``left_thigh`` of ``leftUpperLeg``."""

REQUIRED = (
    "hips", "spine", "head",
    *(f"{side}{part}" for side in ("left", "right")
      for part in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")),
)  # fmt: skip
"""The required bones of a VRM humanoid."""


def humanoid(skeleton: Skeleton) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    """Returns the VRM bones of a skeleton, parents first: their names, joints and parents (−1 above the hips)."""
    roles = skeleton.anatomy.roles
    joints = {bone: roles[role] for bone, role in ROLE_OF.items() if role in roles}
    missing = [bone for bone in REQUIRED if bone not in joints]
    if missing:
        raise SkeletonError(
            f"VRM avatars need the bone {missing[0]}, the skeleton has no {ROLE_OF[missing[0]]}; "
            "name it in a map file",
            setting="map",
        )
    bones = sorted(joints, key=joints.__getitem__)
    picked = [joints[bone] for bone in bones]
    parents = []
    for joint in picked:
        above = skeleton.parents[joint]
        while above >= 0 and above not in picked:
            above = skeleton.parents[above]
        parents.append(picked.index(above) if above >= 0 else -1)
    if parents.count(-1) != 1 or bones[0] != "hips":
        raise SkeletonError(
            "all bones of a VRM avatar must be below its hips; name roles in a map file", setting="map"
        )
    return tuple(bones), tuple(picked), tuple(parents)
