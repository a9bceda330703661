"""Aimless ways with everything in them: strolls, runs, turns, side-steps, backward steps and stands, at random."""

from collections.abc import Callable

import numpy as np

from moglow.maths.rotations import Array
from moglow.maths.signals import smooth_gaussian
from moglow.paths.control_path import ControlPath

CHANGE = 0.35
"""Seconds (a Gaussian's deviation) in which one activity becomes the next."""

Draw = Callable[[np.random.Generator], tuple[float, float, float]]
ACTIVITIES: dict[
    str, tuple[float, Draw]
] = {  # how often, and forward, sideways (m/s) and turn (rad/s) while it lasts
    "straight": (0.22, lambda g: (g.uniform(0.5, 1.7), 0.0, 0.0)),
    "curve": (0.26, lambda g: (g.uniform(0.5, 1.5), 0.0, _either(g, 0.2, 1.4))),
    "run": (0.14, lambda g: (g.uniform(2.4, 3.6), 0.0, g.uniform(-0.7, 0.7))),
    "side": (0.10, lambda g: (g.uniform(-0.1, 0.2), _either(g, 0.25, 0.6), 0.0)),
    "back": (0.10, lambda g: (-g.uniform(0.35, 0.9), 0.0, g.uniform(-0.4, 0.4))),
    "spin": (0.08, lambda g: (0.0, 0.0, _either(g, 0.6, 1.7))),
    "stand": (0.10, lambda g: (0.0, 0.0, 0.0)),
}


def wander(seconds: float, *, fps: float, generator: np.random.Generator) -> ControlPath:
    """A path of so many seconds that starts and ends at rest.

    >>> path = wander(20.0, fps=30.0, generator=np.random.default_rng(0))
    >>> len(path), bool(path.velocities()[0].any())
    (601, False)
    """
    frames = round(seconds * fps) + 1
    rest = round(5 * CHANGE * fps)
    chances = np.array([chance for chance, _ in ACTIVITIES.values()])
    draws = [draw for _, draw in ACTIVITIES.values()]
    wanted: Array = np.zeros((frames, 3))
    start = rest
    while start < frames - rest:
        stop = min(start + round(generator.uniform(1.2, 4.5) * fps), frames - rest)
        wanted[start:stop] = draws[generator.choice(len(draws), p=chances / chances.sum())](generator)
        start = stop
    return ControlPath.from_velocities(smooth_gaussian(wanted, CHANGE * fps), fps)


def _either(generator: np.random.Generator, low: float, high: float) -> float:
    """A size between two, to the left or to the right."""
    return float(generator.choice([-1.0, 1.0]) * generator.uniform(low, high))
