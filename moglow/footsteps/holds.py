"""Footholds: where on a ground each foot of a walk comes to stand, how high and how tilted. Needs numpy alone.

Each footprint may move a little along its foot. It lies where all of them together cost least: moved little, steps as
long as they were, no toe against a riser, no heel over an edge, no rough place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from moglow.footsteps.footprints import Footprint, Footprints
from moglow.ground.surface import Ground
from moglow.maths.rotations import UP, Array, heading_to_vector, quat_between

Ends: TypeAlias = tuple[float, float]
"""Metres from the ball of a foot back to its heel and ahead to its tip."""


@dataclass(frozen=True)
class HoldSpec:
    """What footholds cost. Lengths in metres."""

    farthest: float = 0.2
    """The most that a footprint is moved along its foot."""
    spacing: float = 0.01
    moved: float = 0.12
    """A footprint that is moved so far costs 1; …"""
    step: float = 0.08
    """… so does a step that is so much longer or shorter."""
    high: float = 25.0
    """Cost of a sole all of which would be within a riser, …"""
    low: float = 9.0
    """… of one all of which hangs over an edge, …"""
    hanging: float = 0.12
    """… beyond this share of it; …"""
    rough: float = 0.015
    """… and of ground that is so uneven below it: 1."""
    steepest: float = 30.0
    """Degrees: what is steeper from the ball of the foot is a riser or an edge."""
    broad: float = 0.04
    """Half the breadth of a foot."""
    sunk: float = 0.004
    """How deep a foot may press into the highest point below it."""


SPEC = HoldSpec()
ALONG = 9
"""Points along the sole that are looked at, on its middle and on both sides."""


@dataclass(frozen=True, eq=False)
class Hold:
    """A foothold: the height of the ground below the ball of the foot, its normal ``(3,)`` and what it costs."""

    height: float
    normal: Array
    cost: float


def footholds(
    prints: Sequence[Footprint], ground: Ground, ends: Sequence[Ends], spec: HoldSpec = SPEC
) -> tuple[Footprints, Array]:
    """The footprints of a walk on a flat floor as they come to stand on a ground, and their tilts ``(K, 4)``.

    ``ends`` are those of each leg's foot. Heights are added to those that the footprints have.
    """
    if not prints:
        return (), np.zeros((0, 4))
    count = round(spec.farthest / spec.spacing)
    shifts = spec.spacing * np.arange(-count, count + 1)
    holds = [[_hold(each, shift, ground, ends[each.leg], spec) for shift in shifts] for each in prints]
    costs = np.array([[hold.cost for hold in row] for row in holds]) + (shifts / spec.moved) ** 2
    between = ((shifts[:, None] - shifts) / spec.step) ** 2
    chosen = _cheapest(costs, between)
    out, tilts = [], []
    for each, row, k in zip(prints, holds, chosen, strict=True):
        x, z = np.array([each.x, each.z]) + shifts[k] * heading_to_vector(each.heading)
        out.append(replace(each, x=float(x), z=float(z), height=each.height + row[k].height))
        tilts.append(quat_between(UP, row[k].normal))
    return tuple(out), np.stack(tilts)


def _cheapest(costs: Array, between: Array) -> list[int]:
    """The choice in each row ``(K, N)`` that costs least together with what neighbours cost between them ``(N, N)``."""
    total, came = costs[0], []
    for row in costs[1:]:
        ways = total[:, None] + between
        came.append(ways.argmin(0))
        total = ways.min(0) + row
    place = int(total.argmin())
    chosen = [place]
    for row_came in came[::-1]:
        place = int(row_came[place])
        chosen.append(place)
    return chosen[::-1]


def _hold(each: Footprint, shift: float, ground: Ground, ends: Ends, spec: HoldSpec) -> Hold:
    """The plane through the ground under a sole, of what is neither a riser nor over an edge."""
    ahead = heading_to_vector(each.heading)
    left = np.array([ahead[1], -ahead[0]])
    along = np.repeat(np.linspace(-ends[0], ends[1], ALONG), 3)
    aside = np.tile(spec.broad * np.array([-1.0, 0.0, 1.0]), ALONG)
    ball = np.array([each.x, each.z]) + shift * ahead
    points = ball + along[:, None] * ahead + aside[:, None] * left
    heights = ground.heights(points[:, 0], points[:, 1])
    middle = float(ground.heights(ball[:1], ball[1:])[0])
    steep = np.tan(np.radians(spec.steepest)) * np.hypot(along, aside) + 0.01
    high, low = heights - middle > steep, middle - heights > steep
    level = ~(high | low)
    design = np.stack([along, aside, np.ones_like(along)], axis=-1)
    plane, *_ = np.linalg.lstsq(
        np.concatenate([design[level], 1e-2 * np.eye(3)[:2]]),
        np.concatenate([heights[level] - middle, [0.0, 0.0]]),
        rcond=None,
    )
    off = heights - middle - design @ plane
    raised = float(max(0.0, off[level].max(initial=0.0) - spec.sunk))
    rough = float(off[level].std()) if level.any() else 0.0
    cost = spec.high * float(high.mean()) + spec.low * max(0.0, float(low.mean()) - spec.hanging)
    slope = plane[0] * ahead + plane[1] * left
    normal = np.array([-slope[0], 1.0, -slope[1]])
    return Hold(
        middle + float(plane[2]) + raised, normal / np.linalg.norm(normal), cost + (rough / spec.rough) ** 2
    )
