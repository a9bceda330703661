"""Footholds: the position, height and tilt of each footprint of a walk on uneven ground. Needs numpy alone.

Each footprint may move a little along its foot. Dynamic programming minimises the total cost of all footprints, which
grows with the displacement, the change of step length, the parts of the sole on a riser or beyond an edge, and the
roughness of the ground.
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
    """The costs of footholds. Lengths are in metres."""

    farthest: float = 0.2
    """Largest displacement of a footprint along its foot."""
    spacing: float = 0.01
    """Distance between the candidate positions of a footprint."""
    moved: float = 0.12
    """Displacement of a footprint that costs 1."""
    step: float = 0.08
    """Change of a step's length that costs 1."""
    high: float = 25.0
    """Cost of a sole that lies entirely within a riser."""
    low: float = 9.0
    """Cost of a sole that lies entirely beyond an edge."""
    hanging: float = 0.12
    """Share of a sole that may lie beyond an edge at no cost."""
    rough: float = 0.015
    """Deviation of the ground from a plane below a sole that costs 1."""
    steepest: float = 30.0
    """Slope in degrees, from the ball of the foot, above which ground is a riser or an edge."""
    broad: float = 0.04
    """Half the breadth of a foot."""
    sunk: float = 0.004
    """Depth by which the highest point of the ground may enter the sole."""


SPEC = HoldSpec()
ALONG = 9
"""Number of sample points along the sole, on its middle and on both sides."""


@dataclass(frozen=True, eq=False)
class FootHold:
    """A foothold: the height of the ground below the ball of the foot, the ground's normal ``(3,)`` and the cost."""

    height: float
    normal: Array
    cost: float


def footholds(
    prints: Sequence[Footprint],
    ground: Ground,
    ends: Sequence[Ends],
    spec: HoldSpec = SPEC,
    fixed: Sequence[bool] = (),
) -> tuple[Footprints, Array]:
    """Returns the footprints of a walk on a flat floor, moved onto a ground, and their tilts ``(K, 4)``.

    ``ends`` has the `Ends` of each leg's foot. The height of the ground is added to that of the footprint. Footprints
    that are ``fixed`` keep x and z.
    """
    if not prints:
        return (), np.zeros((0, 4))
    count = round(spec.farthest / spec.spacing)
    shifts = spec.spacing * np.arange(-count, count + 1)
    holds = [[_hold(each, shift, ground, ends[each.leg], spec) for shift in shifts] for each in prints]
    costs = np.array([[hold.cost for hold in row] for row in holds]) + (shifts / spec.moved) ** 2
    if len(fixed):
        costs[np.flatnonzero(fixed)[:, None], np.flatnonzero(shifts)] = np.inf
    between = ((shifts[:, None] - shifts) / spec.step) ** 2
    chosen = _cheapest(costs, between)
    out, tilts = [], []
    for each, row, k in zip(prints, holds, chosen, strict=True):
        x, z = np.array([each.x, each.z]) + shifts[k] * heading_to_vector(each.heading)
        out.append(replace(each, x=float(x), z=float(z), height=each.height + row[k].height))
        tilts.append(quat_between(UP, row[k].normal))
    return tuple(out), np.stack(tilts)


def _cheapest(costs: Array, between: Array) -> list[int]:
    """Returns the column chosen in each row of ``costs`` ``(K, N)`` with the least total cost.

    ``between`` ``(N, N)`` is the cost of the columns chosen in successive rows.
    """
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


def _hold(each: Footprint, shift: float, ground: Ground, ends: Ends, spec: HoldSpec) -> FootHold:
    """Returns the foothold on the plane fitted to the ground below a sole, without risers and edges."""
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
    return FootHold(
        middle + float(plane[2]) + raised, normal / np.linalg.norm(normal), cost + (rough / spec.rough) ** 2
    )
