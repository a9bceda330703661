"""Turns the position of a stick into the velocities that a model takes. Needs numpy alone.

A stick can jump, a body cannot: each velocity follows the stick like a critically damped spring, in closed form. A
model that looks ahead is given the velocities that the spring would have if the stick were held, so that the figure
reacts at once, however far the model looks. The state is a value that is passed and returned:

    coming = steering.ahead(moving, wanted, 1 + lookahead)  # what `Sampler.step` takes, once standardised
    moving = steering.step(moving, wanted)
    place = walked(place, moving.velocities, fps)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from moglow.maths.rotations import Array
from moglow.paths.control_path import SMOOTHING, ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.pace import Pace

RESPONSE = float(np.e / (SMOOTHING * np.sqrt(2 * np.pi)))
"""Per second: the spring is as fast as a sudden change looks in the smoothed paths of the training data.

A jump by d is steepest with d·RESPONSE/e here and with d/(SMOOTHING·√2π) there. Half of it is done after 0.39 s.
"""


@dataclass(frozen=True, eq=False)
class Moving:
    """How a figure moves now: ``velocities`` ``(3,)`` forward, sideways, turn, and their ``accelerations`` ``(3,)``."""

    velocities: Array = field(default_factory=lambda: np.zeros(3))
    accelerations: Array = field(default_factory=lambda: np.zeros(3))


@dataclass(frozen=True)
class Steering:
    """Springs between a stick and a figure, at ``fps``, within what a model has seen.

    >>> steering = Steering(ControlRange(forward=4.0, backward=1.0, sideways=1.0, turn=2.5), fps=30.0)
    >>> moving = Moving()
    >>> for _ in range(90):
    ...     moving = steering.step(moving, steering.wanted(1.0, 0.0, 0.0))
    >>> moving.velocities.round(2).tolist()
    [1.2, 0.0, 0.0]
    """

    seen: ControlRange
    fps: float
    response: float = RESPONSE
    walk: float = Pace.speed  # m/s with the stick held forward …
    back: float = 0.8  # … backward …
    side: float = 0.5  # … and sideways: the paces of the presets
    turn: float = Pace.turn  # rad/s

    def wanted(self, forward: float, sideways: float, turn: float, *, hurry: float = 1.0) -> Array:
        """The velocities ``(3,)`` that a stick asks for, −1 to 1 along each axis, left positive; ``hurry`` times them.

        The corner of a square stick asks for no more than its edge: forward and sideways share one pace.
        """
        length = max(1.0, float(np.hypot(forward, sideways)))
        pace = self.walk if forward > 0 else self.back
        stick = np.array([pace * forward / length, self.side * sideways / length, self.turn * turn])
        return self.clamped(stick * [hurry, hurry, 1.0])

    def clamped(self, wanted: ArrayLike) -> Array:
        """Velocities ``(3,)`` as near to the wanted ones as the model has seen."""
        low = [-self.seen.backward, -self.seen.sideways, -self.seen.turn]
        clamped: Array = np.clip(wanted, low, [self.seen.forward, self.seen.sideways, self.seen.turn])
        return clamped

    def step(self, moving: Moving, wanted: ArrayLike) -> Moving:
        """The motion one frame later, with the stick held meanwhile."""
        velocities, accelerations = self._held(moving, wanted, np.array([1.0 / self.fps]))
        return Moving(velocities[0], accelerations[0])

    def ahead(self, moving: Moving, wanted: ArrayLike, frames: int) -> Array:
        """Velocities ``(frames, 3)`` of the next frames if the stick is held: exactly those that `step` would give."""
        return self._held(moving, wanted, np.arange(1, frames + 1) / self.fps)[0]

    def _held(self, moving: Moving, wanted: ArrayLike, seconds: Array) -> tuple[Array, Array]:
        """The spring after so many seconds ``(n,)``: velocities and accelerations ``(n, 3)``."""
        goal, t = self.clamped(wanted), seconds[:, None]
        away = moving.velocities - goal
        pull = moving.accelerations + self.response * away
        fading = np.exp(-self.response * t)
        return goal + (away + pull * t) * fading, (moving.accelerations - self.response * t * pull) * fading


def walked(place: Sequence[float] | Array, velocities: ArrayLike, fps: float) -> Array:
    """Where a figure is ``(3,)`` x, z, heading, one frame after ``place``: one step of `ControlPath.from_velocities`.

    >>> walked([0.0, 0.0, 0.0], [1.2, 0.0, 0.0], fps=30.0).round(3).tolist()
    [0.0, 0.04, 0.0]
    """
    x, z, heading = (float(number) for number in place)
    path = ControlPath.from_velocities(
        np.tile(np.asarray(velocities, float), (2, 1)), fps, start=(x, z, heading)
    )
    return np.append(path.positions[1], heading + np.asarray(velocities, float)[2] / fps)
