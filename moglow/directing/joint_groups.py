"""Groups of joints by name, and the pose channels that determine them. Needs numpy alone."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from moglow.encodings.encoding import Encoding
from moglow.errors import SkeletonError
from moglow.motion.skeleton import Skeleton

ARM, LEG = ("clavicle", "upper_arm", "forearm", "hand"), ("thigh", "shin", "foot", "toe")
SIDES = ("left", "right")
GROUPS: dict[str, tuple[str, ...]] = {
    **{f"{side}_arm": tuple(f"{side}_{part}" for part in ARM) for side in SIDES},
    **{f"{side}_leg": tuple(f"{side}_{part}" for part in LEG) for side in SIDES},
    "arms": tuple(f"{side}_{part}" for side in SIDES for part in ARM),
    "legs": tuple(f"{side}_{part}" for side in SIDES for part in LEG),
    "spine": ("spine", "chest"),
    "head": ("neck", "head"),
    "hips": ("hips",),
}
"""The roles of the joints in each group. Joints between two joints of a group, such as twist bones, belong to it."""


def joints_named(skeleton: Skeleton, names: Sequence[str], *, place: str) -> tuple[int, ...]:
    """Returns the joints of groups (`GROUPS`), roles such as ``left_hand``, or names; all joints if none are given.

    The prefix of a name, as in ``mixamorig:LeftHand``, may be omitted. ``place`` begins the message of an error.
    """
    if not names:
        return tuple(range(len(skeleton)))
    found: set[int] = set()
    for name in names:
        found |= _joints(skeleton, name.strip(), place)
    return tuple(sorted(found))


def _joints(skeleton: Skeleton, name: str, place: str) -> set[int]:
    roles = skeleton.anatomy.roles
    if name in GROUPS:
        joints = {roles[role] for role in GROUPS[name] if role in roles}
        if not joints:
            raise SkeletonError(f"{place}: the skeleton has no {name}; {_known(skeleton)}")
        return joints | _between(skeleton, joints)
    if name in roles:
        return {roles[name]}
    tails = [joint.split(":")[-1].split("|")[-1] for joint in skeleton.names]
    found = {k for k, joint in enumerate(skeleton.names) if name in (joint, tails[k])}
    if not found:
        near = get_close_matches(name, [*GROUPS, *roles, *skeleton.names], n=1)
        hint = f"did you mean {near[0]}?" if near else _known(skeleton)
        raise SkeletonError(f"{place}: no joint or group of joints {name!r}; {hint}")
    return found


def _known(skeleton: Skeleton) -> str:
    return f"groups are {', '.join(GROUPS)}, joints {', '.join(skeleton.names[:6])} …"


def _between(skeleton: Skeleton, joints: set[int]) -> set[int]:
    """Returns the joints between each joint of a group and the next one above it in the group."""
    found: set[int] = set()
    for joint in joints:
        way, above = set(), skeleton.parents[joint]
        while above >= 0 and above not in joints:
            way.add(above)
            above = skeleton.parents[above]
        if above >= 0:
            found |= way
    return found


def channels_of(encoding: Encoding, joints: Sequence[int]) -> NDArray[np.intp]:
    """Returns the pose channels that determine joints; for a joint of a leg without own channels, those of its leg."""
    skeleton = encoding.skeleton
    owners = np.array([skeleton.names.index(name.rpartition(".")[0]) for name in encoding.names])
    wanted = set(joints)
    for leg in skeleton.anatomy.legs:
        parts = {leg.hip, leg.knee, leg.ankle}
        if (wanted & parts) - set(owners.tolist()) or leg.ankle in wanted:
            wanted |= parts
    return np.flatnonzero(np.isin(owners, list(wanted)))


def whole_legs(skeleton: Skeleton, joints: Sequence[int]) -> tuple[int, ...]:
    """Returns joints, with all joints of a leg of which one is given: no joint of a leg is posed without the others."""
    wanted = set(joints)
    for leg in skeleton.anatomy.legs:
        parts = {leg.hip, leg.knee, leg.ankle}
        if wanted & parts:
            wanted |= parts
    return tuple(sorted(wanted))
