"""Toes that bend where a foot pushes off, rather than dip into the floor. Floor 3; numpy alone."""

from dataclasses import replace

import numpy as np

from moglow.clip import Clip
from moglow.contacts import legs_of
from moglow.rotations import UP, Array, quat_between, quat_conjugate, quat_multiply


def bent_toes(clip: Clip) -> Clip:
    """Returns the clip with each toe whose tip is below the floor bent up in its foot's plane until the tip lies on it.

    Captures hardly mark toes: the heel rises and the toes point down with the foot. Nothing else moves, and frames in
    which the tips are above the floor stay as they are to the last bit.

    >>> from moglow.skeleton import Skeleton
    >>> names = ("Hips", *(f"{s}{j}" for s in ("Left", "Right") for j in ("UpLeg", "Leg", "Foot", "Toe")))
    >>> leg = [[0.1, 0, 0], [0, -0.4, 0], [0, -0.4, 0], [0, -0.1, 0.15]]
    >>> offsets = [[0, 0.9, 0], *leg, *(np.array(leg) * [-1, 1, 1])]
    >>> tips = ((4, (0.0, -0.06, 0.08)), (8, (0.0, 0.06, 0.08)))
    >>> walker = Skeleton(names, (-1, 0, 1, 2, 3, 0, 5, 6, 7), offsets, tips)
    >>> bent_toes(Clip.at_rest(walker)).end_positions()[0, :, 1:].round(3).tolist()
    [[0.0, 0.25], [0.06, 0.23]]
    """
    ends, sites = clip.end_positions(), clip.skeleton.end_sites
    ankles = {leg.toe: leg.ankle for leg in legs_of(clip.skeleton) if leg.toe is not None}
    tips = [
        place for place, (joint, _) in enumerate(sites) if joint in ankles and ends[:, place, 1].min() < 0
    ]
    if not tips:
        return clip
    (world, turns), rotations = clip.world(), clip.rotations.copy()
    for place in tips:
        toe, sunk = sites[place][0], np.flatnonzero(ends[:, place, 1] < 0)
        start, ahead = world[sunk, toe], world[sunk, toe] - world[sunk, ankles[toe]]
        bend = quat_between(*_bends(start, ends[sunk, place] - start, ahead))
        above = quat_conjugate(turns[sunk, clip.skeleton.parents[toe]])
        rotations[sunk, toe] = quat_multiply(above, quat_multiply(bend, turns[sunk, toe]))
    return replace(clip, rotations=rotations)


def _bends(toe: Array, tip: Array, ahead: Array) -> tuple[Array, Array]:
    """Where tips (T, 3) lie, seen from their toes, and where they are to lie; ``ahead`` is the way of the foot."""
    forward = ahead * (1 - UP)
    forward = forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    sideways = tip - (tip * forward).sum(-1, keepdims=True) * forward - tip * UP
    length = np.sqrt(np.maximum((tip**2).sum(-1) - (sideways**2).sum(-1), 1e-12))
    height = np.clip(-toe[:, 1], -length, length)  # of the tip over the toe, with the tip on the floor
    along = np.sqrt(length**2 - height**2)
    return tip, sideways + along[:, None] * forward + height[:, None] * UP
