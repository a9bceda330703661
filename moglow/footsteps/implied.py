"""The path that footprints imply, between left and right foot. Needs numpy alone."""

from collections.abc import Sequence

import numpy as np

from moglow.errors import ControlError
from moglow.footsteps.footprints import Footprint
from moglow.footsteps.tracks import Share
from moglow.maths.rotations import Array, heading_to_vector
from moglow.maths.signals import smooth_gaussian
from moglow.motion.contacts import legs_of
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import SMOOTHING, ControlPath
from moglow.paths.csv_files import looking_ahead

LONGEST = 600.0
"""Largest accepted duration of footprints in seconds."""


def implied_path(prints: Sequence[Footprint], skeleton: Skeleton, fps: float) -> ControlPath:
    """Returns the path of a figure that walks in footprints, from time 0 to the end of the last one.

    Its positions are the mean of the ankles and its headings the mean of the feet. If footprints have no heading, the
    path faces the direction of travel.
    """
    last = max(each.off for each in prints)
    if last > LONGEST:
        raise ControlError(f"footprints: the last one is at {last:.0f} s; give at most {LONGEST:.0f} s")
    seconds = np.arange(max(2, round(last * fps) + 1)) / fps
    back = ankle_to_toe(skeleton)
    ways, facings = [], []
    for leg in sorted({each.leg for each in prints}):
        own = [each for each in prints if each.leg == leg]
        share = Share.of(own, seconds, 0.0)
        ahead = [np.nan_to_num(heading_to_vector(each.heading)) for each in own]
        ankles = np.array([[each.x, each.z] for each in own]) - back[leg] * np.array(ahead)
        ways.append(share.mix(ankles))
        facings.append(share.mix(np.array(ahead)))
    sigma = SMOOTHING * fps
    positions = smooth_gaussian(np.mean(ways, axis=0), sigma)
    facing = np.mean(facings, axis=0)
    if np.linalg.norm(facing, axis=-1).min() < 0.2:
        return ControlPath(positions, looking_ahead(positions, fps), fps)
    return ControlPath(positions, smooth_gaussian(np.unwrap(np.arctan2(*facing.T)), sigma), fps)


def ankle_to_toe(skeleton: Skeleton) -> Array:
    """Returns the horizontal distance ``(L,)`` in metres from each ankle to its toe joint, from the bone's length."""
    lengths = []
    for leg in legs_of(skeleton):
        bone = float(np.linalg.norm(skeleton.offsets[leg.toe])) if leg.toe is not None else 0.0
        lengths.append(0.9 * bone)
    return np.array(lengths)
