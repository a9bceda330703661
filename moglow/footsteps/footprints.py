"""Footprints: when and where each foot of a clip stands. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from moglow.maths.rotations import Array, vector_to_heading
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, legs_of, toe_floor, toe_points
from moglow.motion.skeleton import Skeleton

LOW = 0.25
"""Quantile of a planted toe's heights that is used as its height; the joint rises before the foot leaves."""


@dataclass(frozen=True)
class Footprint:
    """One contact of a foot with the ground, in seconds, metres and radians.

    ``leg`` is the number of the leg, ``on`` and ``off`` are the times of the first and last planted frame, ``x`` and
    ``z`` the position of the toe joint, ``heading`` is the direction from ankle to toe and ``height`` that of the
    ground.
    """

    leg: int
    on: float
    off: float
    x: float
    z: float
    heading: float
    height: float = 0.0


Footprints: TypeAlias = tuple[Footprint, ...]
"""Footprints in the order of time; those of one leg do not overlap."""


def footprints(
    clip: Clip, *, planted: Flags | None = None, standing: Array | None = None, floor: Array | None = None
) -> Footprints:
    """Returns the footprints of a clip.

    Args:
        clip: the motion.
        planted: whether each foot is planted in each frame, ``(T, L)``; by default from `contacts`.
        standing: heights ``(L,)`` of planted toe joints over the ground; by default those of the clip's lowest toes.
        floor: height ``(T, L)`` of the ground below the toes; by default 0.
    """
    toes = toe_points(clip)
    standing = toe_floor(toes) if standing is None else standing
    ground = np.zeros(toes.shape[:2]) if floor is None else floor
    planted = contacts(clip, floor=standing + ground) if planted is None else planted
    ahead = (toes - clip.world_positions[:, [leg.ankle for leg in legs_of(clip.skeleton)]])[..., [0, 2]]
    found = []
    for leg in range(planted.shape[1]):
        for start, stop in runs(planted[:, leg]):
            x, _, z = toes[start:stop, leg].mean(0)
            way = ahead[start:stop, leg].sum(0)
            height = np.quantile(toes[start:stop, leg, 1], LOW) - standing[leg]
            found.append(
                Footprint(
                    leg,
                    start / clip.fps,
                    (stop - 1) / clip.fps,
                    float(x),
                    float(z),
                    float(vector_to_heading(way)),
                    float(height),
                )
            )
    return in_order(found)


def in_order(prints: Sequence[Footprint]) -> Footprints:
    """Returns footprints sorted by time, then by leg."""
    return tuple(sorted(prints, key=lambda each: (each.on, each.leg)))


def foot_names(skeleton: Skeleton) -> tuple[str, ...]:
    """Returns the name of each foot: left and right, with four legs also left_front and right_front.

    >>> names = ("Hips", "Thigh_L", "Shin_L", "Foot_L", "Thigh_R", "Shin_R", "Foot_R")
    >>> offsets = [[0, 9, 0], [1, 0, 0], [0, -4, 0], [0, -4, 0], [-1, 0, 0], [0, -4, 0], [0, -4, 0]]
    >>> foot_names(Skeleton(names, (-1, 0, 1, 2, 0, 4, 5), offsets))
    ('left', 'right')
    """
    return tuple(leg.side + ("_front" if leg.front else "") for leg in legs_of(skeleton))
