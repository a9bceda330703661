"""Figures of a gait: step width and length, crossed steps, the trunk's lean, the speed of low toes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from moglow.maths.rotations import UP, Array
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, ground_speed, toe_floor, toe_points

LOW = 0.05
"""Height in metres over its floor below which a toe is low."""


@dataclass(frozen=True)
class Gait:
    """Figures of a biped's walk or run; NaN for a clip without two consecutive steps."""

    steps: int
    """Number of pairs of consecutive plants by different feet."""
    width: float
    """Median distance, in metres and across the direction of travel, from the right ankle to the left."""
    crossed: float
    """Share of steps whose foot is planted beyond the line of the other foot."""
    left: float
    """Median length, in metres along the direction of travel, of steps by the left foot."""
    right: float
    """The same for the right foot."""
    lean: float
    """Median angle, in degrees, of the line from hips to head away from the vertical."""
    low_toe_speed: float
    """Mean horizontal speed, in metres a second, of toes within 5 cm of their floor."""
    flight: float
    """Share of frames in which no foot is planted."""


@dataclass(frozen=True)
class Step:
    """One step, from a plant of one foot to the next plant of the other."""

    side: str
    """The foot that steps, "left" or "right"."""
    width: float
    """Distance, in metres and across the direction of travel, from the right ankle to the left; negative if crossed."""
    length: float
    """Distance, in metres, along the direction of travel."""


def steps(clip: Clip) -> list[Step]:
    """Returns the steps of a clip of one biped, in order of time.

    A plant is a stretch in which `contacts` finds a foot planted; its place is the ankle's median position. A step is a
    pair of consecutive plants by different feet, measured along and across the hips' displacement between them.
    """
    return _steps(clip, contacts(clip))


def _steps(clip: Clip, planted: Flags) -> list[Step]:
    legs, positions = clip.skeleton.anatomy.legs, clip.world_positions
    hips = positions[:, clip.skeleton.anatomy.roles.get("hips", 0)]
    left = next((number for number, leg in enumerate(legs) if leg.side == "left"), 0)
    plants = _plants(positions, planted, [leg.ankle for leg in legs])
    found = []
    for (first, leg, place), (second, other, next_place) in pairwise(plants):
        way = (hips[second] - hips[first]) * (1.0 - UP)
        if leg == other or np.linalg.norm(way) < 0.05:
            continue
        way = way / np.linalg.norm(way)
        step, to_left = next_place - place, np.cross(UP, way)
        width = float(step @ to_left) * (1.0 if other == left else -1.0)
        found.append(Step("left" if other == left else "right", width, float(step @ way)))
    return found


def gait(clip: Clip) -> Gait:
    """Returns the figures of a clip of one biped; `steps` defines a step."""
    roles = clip.skeleton.anatomy.roles
    positions, planted, toes = clip.world_positions, contacts(clip), toe_points(clip)
    hips, head = (positions[:, roles.get(role, 0)] for role in ("hips", "head"))
    found = _steps(clip, planted)
    widths = [step.width for step in found]
    trunk = head - hips
    lean = np.degrees(np.arctan2(np.linalg.norm(trunk[:, [0, 2]], axis=1), trunk[:, 1]))
    low = toes[..., 1] - toe_floor(toes) < LOW
    speeds = ground_speed(toes, clip.fps)[low]
    return Gait(
        steps=len(widths),
        width=_median(widths),
        crossed=float(np.mean(np.array(widths) < 0)) if widths else float("nan"),
        left=_median([step.length for step in found if step.side == "left"]),
        right=_median([step.length for step in found if step.side == "right"]),
        lean=float(np.median(lean)),
        low_toe_speed=float(speeds.mean()) if len(speeds) else float("nan"),
        flight=float((~planted.any(axis=1)).mean()),
    )


def _plants(positions: Array, planted: Flags, ankles: Sequence[int]) -> list[tuple[int, int, Array]]:
    """Returns the middle frame, the leg and the ankle's place of each plant, in order of time."""
    found = [
        ((start + stop) // 2, leg, np.median(positions[start:stop, ankle], axis=0))
        for leg, ankle in enumerate(ankles)
        for start, stop in runs(planted[:, leg])
    ]
    return sorted(found, key=lambda plant: plant[:2])


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else float("nan")
