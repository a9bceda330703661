"""Heads, hands and toes that turn farther than joints can, as after lost markers: found and interpolated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from moglow.cleaning.gaps import fill_gaps
from moglow.maths.rotations import quat_angle, quat_conjugate, quat_multiply
from moglow.maths.signals import widened
from moglow.motion.canonical_pose import canonical_rotations
from moglow.motion.clip import Clip


@dataclass(frozen=True)
class LimitSpec:
    """How far ends of the body turn, in degrees away from the canonical pose, against a joint above them."""

    farthest: Mapping[str, tuple[str, float]] = field(
        default_factory=lambda: MappingProxyType(
            {
                "head": ("chest", 100.0),
                "left_hand": ("left_forearm", 130.0),
                "right_hand": ("right_forearm", 130.0),
                "left_toe": ("left_foot", 75.0),
                "right_toe": ("right_foot", 75.0),
            }
        )
    )
    around: float = 0.1
    """Seconds to both sides that are not believed either."""


def within_limits(clip: Clip, *, spec: LimitSpec = LimitSpec()) -> Clip:
    """The clip with heads, hands and toes that turn too far led from the last sound frame to the next.

    A head takes the neck with it. What is within its limits keeps every bit.
    """
    skeleton, roles = clip.skeleton, clip.skeleton.anatomy.roles
    turned = quat_multiply(clip.world()[1], quat_conjugate(canonical_rotations(skeleton, clip)))
    missing = np.zeros((len(clip), len(skeleton)), bool)
    reach = round(spec.around * clip.fps)
    for role, (above, degrees) in spec.farthest.items():
        if role not in roles or above not in roles:
            continue
        off = quat_angle(turned[:, roles[role]], turned[:, roles[above]]) > np.radians(degrees)
        if not off.any():
            continue
        wide = widened(off, reach)
        joint = roles[role]
        while joint != roles[above] and joint >= 0:
            missing[:, joint] |= off if wide.all() else wide
            joint = skeleton.parents[joint]
    missing[:, missing.all(0)] = False  # nothing to lead from
    return fill_gaps(clip, missing, longest=np.inf) if missing.any() else clip
