"""The parts of a foot that touch the ground (heel, ball, tip of the toes), estimated from frames with flat feet.

Needs numpy alone.
"""

from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import UP, Array, quat_conjugate, quat_mean, quat_multiply, quat_rotate
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, legs_of, toe_floor, toe_points

FLAT = 0.3
"""Quantile of the ankle's height among planted frames up to which a foot counts as flat."""
LOWEST = 0.02
"""Quantile of a heel's height among planted frames that is taken as floor contact."""
BEHIND = 0.35
"""Distance of the heel behind the ankle, as a share of that from ankle to toe joint."""
BEYOND = 0.5
"""Distance of the tip from the toe joint, as the same share, for a skeleton without toe ends."""


@dataclass(frozen=True, eq=False)
class Soles:
    """Points of the ``L`` feet, ``(L, 3)`` each, in the local frames of ankle and toe joint.

    ``toes`` (the toe joints), ``heels`` and ``balls`` are in the ankle's frame; heels and balls touch the ground when
    the foot is flat. ``tips`` are the toes' end sites in the toe joint's frame. ``standing`` ``(L,)`` is the height of
    a planted toe joint, ``flat`` ``(L, 4)`` the world rotation of a flat foot that faces +Z.
    """

    toes: Array
    heels: Array
    balls: Array
    tips: Array
    standing: Array
    flat: Array

    @classmethod
    def of(cls, clip: Clip, planted: Flags | None = None) -> "Soles":
        """Returns the soles of a clip on a floor at height 0."""
        planted = contacts(clip) if planted is None else planted
        (world, turns), toes = clip.world(), toe_points(clip)
        standing, ends = toe_floor(toes), clip.end_positions()
        rows = []
        for k, leg in enumerate(legs_of(clip.skeleton)):
            still = np.flatnonzero(planted[:, k])
            still = still if len(still) else np.arange(len(clip))
            height = world[still, leg.ankle, 1]
            flat = still[height <= np.quantile(height, FLAT)]
            turn = turns[flat, leg.ankle]
            back = quat_conjugate(turn)
            toe = quat_rotate(quat_conjugate(turns[:, leg.ankle]), toes[:, k] - world[:, leg.ankle]).mean(0)
            up = _unit(quat_rotate(back, UP).mean(0))
            ahead = toe - (toe @ up) * up
            length = float(np.linalg.norm(ahead)) or 1e-6
            behind = world[still, leg.ankle] - BEHIND * quat_rotate(turns[still, leg.ankle], ahead)
            upright = np.maximum(quat_rotate(turns[still, leg.ankle], up)[:, 1], 0.5)
            heel = -BEHIND * ahead - float(np.quantile(behind[:, 1] / upright, LOWEST)) * up
            ball = toe - standing[k] * up
            sites = [i for i, (joint, _) in enumerate(clip.skeleton.end_sites) if joint == leg.toe]
            if leg.toe is not None and sites:
                back_toe = quat_conjugate(turns[flat, leg.toe])
                tip = quat_rotate(back_toe, ends[flat, sites[0]] - world[flat, leg.toe]).mean(0)
            else:
                tip = BEYOND * ahead  # as high as the toe joint, as an end site would be
                if leg.toe is not None:
                    local = quat_multiply(quat_conjugate(turns[flat, leg.toe]), turn)
                    tip = quat_rotate(local, tip).mean(0)
            facing = quat_mean(quat_multiply(_level(quat_rotate(turn, ahead / length)), turn))
            rows.append((toe, heel, ball, tip, facing))
        toe, heels, balls, tips, facing = (np.stack(column) for column in zip(*rows, strict=True))
        return cls(toe, heels, balls, tips, standing, facing)

    def points(self, toes: Array, turns: Array, bends: Array) -> Array:
        """Returns the world positions ``(T, L, 3, 3)`` of heel, ball and tip.

        Args:
            toes: the toe joints (T, L, 3).
            turns: world rotations of the feet (T, L, 4).
            bends: rotations of the toe joints relative to the feet (T, L, 4).
        """
        ankles = toes - quat_rotate(turns, self.toes)
        heel, ball = (ankles + quat_rotate(turns, each) for each in (self.heels, self.balls))
        tip = toes + quat_rotate(quat_multiply(turns, bends), self.tips)
        return np.stack([heel, ball, tip], axis=2)


def feet_of(clip: Clip) -> tuple[Array, Array, Array]:
    """Returns toe joints ``(T, L, 3)``, the feet's world rotations and the toes' relative rotations ``(T, L, 4)``."""
    turns, legs = clip.world_rotations, legs_of(clip.skeleton)
    feet = turns[:, [leg.ankle for leg in legs]]
    toes = turns[:, [leg.ankle if leg.toe is None else leg.toe for leg in legs]]
    return toe_points(clip), feet, quat_multiply(quat_conjugate(feet), toes)


def _level(ahead: Array) -> Array:
    """Returns the rotations about the vertical ``(N, 4)`` that map directions to +Z."""
    angle = -np.arctan2(ahead[:, 0], ahead[:, 2]) / 2
    zero = np.zeros_like(angle)
    return np.stack([np.cos(angle), zero, np.sin(angle), zero], axis=-1)


def _unit(vector: Array) -> Array:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))
