"""Raises toes that swing too close to the ground, as in steps that were lengthened or shortened. Needs numpy alone."""

from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import UP
from moglow.motion.clip import Clip
from moglow.motion.contacts import leg_lengths, legs_of, toe_floor, toe_points
from moglow.motion.foot_lock import move_feet


@dataclass(frozen=True)
class ClearanceSpec:
    """The height of swinging toes. Lengths are relative to the length of the leg, speeds in metres a second."""

    slow: float = 0.5
    """Speed below which a toe counts as planted or landing …"""
    fast: float = 1.5
    """… and speed above which it counts as swinging."""
    height: float = 0.018
    """Smallest height of a swinging toe above the ground, and the height range over which toes are raised smoothly."""


def cleared(clip: Clip, spec: ClearanceSpec = ClearanceSpec()) -> Clip:
    """Returns the clip with swinging toes no lower than the height of the spec; all others are unchanged."""
    if not legs_of(clip.skeleton) or len(clip) < 3:
        return clip
    toes = toe_points(clip)
    speed = np.linalg.norm(np.gradient(toes, 1 / clip.fps, axis=0)[..., [0, 2]], axis=-1)
    share = np.clip((speed - spec.slow) / (spec.fast - spec.slow), 0.0, 1.0)
    share = share * share * (3 - 2 * share)
    height = spec.height * leg_lengths(clip.skeleton)
    lacking = toe_floor(toes) + height - toes[..., 1]
    soft = np.where(lacking < height, np.square(np.maximum(lacking + height, 0.0)) / (4 * height), lacking)
    raised = share * np.maximum(soft, 0.0)
    return move_feet(clip, np.where(raised > 1e-6, raised, 0.0)[..., None] * UP)
