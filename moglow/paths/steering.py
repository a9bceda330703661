"""Converts the position of a control stick to the velocities that control a model.

A stick can jump, but a body cannot. Each velocity therefore follows the stick like a critically damped spring, computed
in closed form. A model with lookahead sees the next velocity of the spring and then those that the stick asks for, so
that the figure prepares for them at once: with the spring's own future it starts and stops later, and its feet slide
more. The state is a value that is passed and returned:

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

RESPONSE = float(1.15 * np.e / (SMOOTHING * np.sqrt(2 * np.pi)))
"""Rate of the spring in 1/s, chosen to match sudden changes in the smoothed paths of the training data.

After a jump by d, the steepest slope of the spring is d·RESPONSE/e; that of a smoothed path is d/(SMOOTHING·√2π). The
spring is steeper by 15 %, since a model follows a little late. Half of the change is complete after 0.34 s.
"""
TWIST = 0.018
"""Twist of the upper body in radians per rad/s² of the spring of the turn.

People turn their shoulders before their feet. The model turns the body only some frames after the stick, and the spring
has an acceleration before it has much velocity. The twist shows a turn in the second frame; it reaches 3°.
"""


@dataclass(frozen=True, eq=False)
class Moving:
    """The current ``velocities`` ``(3,)`` forward, sideways and turn, and their ``accelerations`` ``(3,)``."""

    velocities: Array = field(default_factory=lambda: np.zeros(3))
    accelerations: Array = field(default_factory=lambda: np.zeros(3))


@dataclass(frozen=True)
class Steering:
    """Springs between a stick and a figure, at ``fps``, limited to the control range of a model.

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
    walk: float = Pace.speed  # m/s with the stick fully forward
    back: float = 0.8  # m/s with the stick fully backward
    side: float = 0.5  # m/s with the stick fully sideways; all three are the paces of the presets
    turn: float = Pace.turn  # rad/s
    twist: float = TWIST
    going: float = 0.2  # m/s from which a figure goes ahead, back or sideways
    turning: float = 0.5  # rad/s from which it turns

    def wanted(self, forward: float, sideways: float, turn: float, *, hurry: float = 1.0) -> Array:
        """Returns the velocities ``(3,)`` for a stick, −1 to 1 along each axis, left positive.

        ``hurry`` multiplies forward and sideways. Their combined deflection is limited to 1, so that the corners of a
        square stick are not faster than its edges.
        """
        length = max(1.0, float(np.hypot(forward, sideways)))
        pace = self.walk if forward > 0 else self.back
        stick = np.array([pace * forward / length, self.side * sideways / length, self.turn * turn])
        return self.clamped(stick * [hurry, hurry, 1.0])

    def clamped(self, wanted: ArrayLike) -> Array:
        """Returns the wanted velocities ``(3,)`` limited to the control range."""
        low = [-self.seen.backward, -self.seen.sideways, -self.seen.turn]
        clamped: Array = np.clip(wanted, low, [self.seen.forward, self.seen.sideways, self.seen.turn])
        return clamped

    def step(self, moving: Moving, wanted: ArrayLike) -> Moving:
        """Returns the motion one frame later for a constant stick."""
        velocities, accelerations = self._held(moving, wanted, np.array([1.0 / self.fps]))
        return Moving(velocities[0], accelerations[0])

    def ahead(self, moving: Moving, wanted: ArrayLike, frames: int) -> Array:
        """Returns what a model sees of the future ``(frames, 3)``: the velocities of `step`, then the wanted ones."""
        seen = np.tile(self.clamped(wanted), (frames, 1))
        seen[0] = self.step(moving, wanted).velocities
        return seen

    def twisting(self, moving: Moving) -> float:
        """Returns the angle by which the upper body is turned to the left of the hips."""
        return self.twist * float(moving.accelerations[2])

    def aside(self, coming: Array, before: bool) -> bool:
        """Returns whether a figure goes sideways, from the velocities ``(n, 3)`` that a model sees.

        It does until it goes ahead, back or turns: a stop belongs to the side-steps before it.
        """
        ahead, aside, turn = np.abs(coming).max(0)
        if aside > max(self.going, ahead):
            return True
        return before and bool(ahead <= self.going and turn <= self.turning)

    def _held(self, moving: Moving, wanted: ArrayLike, seconds: Array) -> tuple[Array, Array]:
        """Returns velocities and accelerations ``(n, 3)`` after ``seconds`` ``(n,)``, for a constant stick."""
        goal, t = self.clamped(wanted), seconds[:, None]
        away = moving.velocities - goal
        pull = moving.accelerations + self.response * away
        fading = np.exp(-self.response * t)
        return goal + (away + pull * t) * fading, (moving.accelerations - self.response * t * pull) * fading


def walked(place: Sequence[float] | Array, velocities: ArrayLike, fps: float) -> Array:
    """Returns ``(3,)`` x, z and heading one frame after ``place``; a step of `ControlPath.from_velocities`.

    >>> walked([0.0, 0.0, 0.0], [1.2, 0.0, 0.0], fps=30.0).round(3).tolist()
    [0.0, 0.04, 0.0]
    """
    x, z, heading = (float(number) for number in place)
    path = ControlPath.from_velocities(
        np.tile(np.asarray(velocities, float), (2, 1)), fps, start=(x, z, heading)
    )
    return np.append(path.positions[1], heading + np.asarray(velocities, float)[2] / fps)
