"""Interpolates heads, hands and toes that are rotated beyond the limits of joints, as after lost markers."""

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
    """The limits of joints: the largest angle in degrees from the canonical pose, relative to a joint above."""

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
    """Seconds before and after that are replaced too."""


def within_limits(clip: Clip, *, spec: LimitSpec = LimitSpec()) -> Clip:
    """Returns the clip with rotations of heads, hands and toes beyond the limits interpolated between sound frames.

    The neck is interpolated with the head. Rotations within the limits do not change by a bit.
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
    missing[:, missing.all(0)] = False  # no frame to interpolate from
    return fill_gaps(clip, missing, longest=np.inf) if missing.any() else clip
