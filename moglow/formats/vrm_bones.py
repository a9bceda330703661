"""The bones of the VRM humanoid, and the roles that they play in our anatomy."""

from types import MappingProxyType

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
"""Our role by VRM bone: ``leftUpperLeg`` is ``left_thigh``."""
