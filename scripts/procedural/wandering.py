"""Random paths of all activities: strolls, runs, turns, side-steps, backward steps and stands."""

from collections.abc import Callable

import numpy as np

from moglow.maths.rotations import Array
from moglow.maths.signals import smooth_gaussian
from moglow.paths.control_path import ControlPath

CHANGE = 0.35
"""Deviation in seconds of the Gaussian that smooths the change between activities."""

VelocitySampler = Callable[[np.random.Generator], tuple[float, float, float]]
ACTIVITIES: dict[str, tuple[float, VelocitySampler]] = {
    # The frequency of each, and a sampler of its forward, sideways (m/s) and turn (rad/s) velocities.
    "straight": (0.22, lambda g: (g.uniform(0.5, 1.7), 0.0, 0.0)),
    "curve": (0.26, lambda g: (g.uniform(0.5, 1.5), 0.0, _either(g, 0.2, 1.4))),
    "run": (0.14, lambda g: (g.uniform(2.4, 3.6), 0.0, g.uniform(-0.7, 0.7))),
    "side": (0.10, lambda g: (g.uniform(-0.1, 0.2), _either(g, 0.25, 0.6), 0.0)),
    "back": (0.10, lambda g: (-g.uniform(0.35, 0.9), 0.0, g.uniform(-0.4, 0.4))),
    "spin": (0.08, lambda g: (0.0, 0.0, _either(g, 0.6, 1.7))),
    "stand": (0.10, lambda g: (0.0, 0.0, 0.0)),
}


def wander(seconds: float, *, fps: float, generator: np.random.Generator) -> ControlPath:
    """Returns a random path of a duration in seconds that starts and ends at rest.

    >>> path = wander(20.0, fps=30.0, generator=np.random.default_rng(0))
    >>> len(path), bool(path.velocities()[0].any())
    (601, False)
    """
    frames = round(seconds * fps) + 1
    rest = round(5 * CHANGE * fps)
    chances = np.array([chance for chance, _ in ACTIVITIES.values()])
    samplers = [sampler for _, sampler in ACTIVITIES.values()]
    wanted: Array = np.zeros((frames, 3))
    start = rest
    while start < frames - rest:
        stop = min(start + round(generator.uniform(1.2, 4.5) * fps), frames - rest)
        sampler = samplers[generator.choice(len(samplers), p=chances / chances.sum())]
        wanted[start:stop] = sampler(generator)
        start = stop
    return ControlPath.from_velocities(smooth_gaussian(wanted, CHANGE * fps), fps)


def _either(generator: np.random.Generator, low: float, high: float) -> float:
    """Returns a random size between two bounds with a random sign."""
    return float(generator.choice([-1.0, 1.0]) * generator.uniform(low, high))
