"""How fast steps follow each other, how long feet stand and how they roll, by speed: a biped's and a trotter's gait.

The figures are those of the walking literature, smoothed into one formula each: at 1.3 m/s people take 1.9 steps a
second, stand on each foot for 62 % of a stride, strike with the heel at 20° and push off from the ball at 50°; near
2 m/s they begin to run, with a flight.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from moglow.maths.rotations import Array


@dataclass(frozen=True)
class Manner:
    """What tells one mover from another; the defaults are the usual."""

    cadence: float = 1.0  # steps a second, times
    width: float = 1.0  # distance between the feet, times
    toe_out: float = 0.1  # radians
    scatter: float = 0.008  # metres by which a foot misses its place
    roll: float = 1.0  # pitch of the feet at heel strike and push-off, times
    bounce: float = 1.0  # rise and fall of the hips, times
    sway: float = 1.0  # hips to the standing foot and rolling, times
    arms: float = 1.0  # swing of the arms, times
    elbow: float = 0.0  # radians more or less bent
    lean: float = 0.0  # radians forward
    crouch: float = 0.0  # metres lower


class Gait(ABC):
    """Everything about stepping that depends on the velocity ``(..., 3)``: forward, sideways, turn."""

    @abstractmethod
    def rate(self, velocity: Array) -> Array:
        """Steps a second ``(...)``."""

    @abstractmethod
    def duty(self, velocity: Array) -> Array:
        """The share ``(...)`` of a stride that a foot stands."""

    @abstractmethod
    def lead(self, velocity: Array) -> float:
        """Metres by which the middle of a stance lies further ahead than a standing foot."""

    @abstractmethod
    def landing(self, velocity: Array) -> float:
        """Pitch of the foot when it touches, radians, toes up positive."""

    @abstractmethod
    def leaving(self, velocity: Array) -> float:
        """Pitch of the foot when it lifts off."""

    @abstractmethod
    def clearance(self, velocity: Array) -> float:
        """Metres by which the ball of a swinging foot rises above the line between its places."""

    @abstractmethod
    def crest(self, velocity: Array) -> float:
        """The share of a swing after which the ball is highest."""

    @abstractmethod
    def braking(self, velocity: Array) -> float:
        """The share of a swing in which the foot slows down before it touches."""

    @abstractmethod
    def tuck(self, velocity: Array) -> float:
        """How much more a foot is pitched toes down in the middle of its swing, radians."""


def running(velocity: Array) -> Array:
    """How much of a run it is: 0 up to 1.9 m/s, 1 from 2.4 m/s on."""
    return _step(velocity[..., 0], 1.9, 2.4)


def effort(velocity: Array) -> Array:
    """Speed (m/s) with sideways and backward steps counted for what they are: harder."""
    forward = np.where(velocity[..., 0] < 0, 1.4 * velocity[..., 0], velocity[..., 0])
    out: Array = np.hypot(forward, 2.0 * velocity[..., 1])
    return out


@final
class BipedGait(Gait):
    """Walking, running, side-steps, backward steps, turns on the spot."""

    def rate(self, velocity: Array) -> Array:
        speed = effort(velocity)
        walk = 1.9 * np.maximum(speed / 1.3, 0.05) ** 0.42
        run = 2.45 + 0.11 * speed
        turning = np.abs(velocity[..., 2]) / 0.6  # no more than 35° a step
        ran = running(velocity)
        out: Array = np.clip(np.maximum((1 - ran) * walk + ran * run, turning), 1.35, 3.5)
        return out

    def duty(self, velocity: Array) -> Array:
        speed, ran = effort(velocity), running(velocity)
        walk = np.clip(0.69 - 0.055 * speed, 0.585, 0.69)
        run = np.clip(0.47 - 0.035 * speed, 0.33, 0.42)
        out: Array = (1 - ran) * walk + ran * run
        return out

    def lead(self, velocity: Array) -> float:
        walk = 0.055 * np.clip(velocity[0] / 1.3, -0.6, 1.1)
        return float(walk * (1 - running(velocity)) - 0.08 * running(velocity))

    def landing(self, velocity: Array) -> float:
        walk = np.radians(20.0) * np.clip(velocity[0] / 1.3, -0.8, 1.1)
        return float((1 - running(velocity)) * walk - running(velocity) * np.radians(3.0))

    def leaving(self, velocity: Array) -> float:
        pushing = np.clip(velocity[0] / 1.3, -0.1, 1.1)
        return float(-np.radians(8.0) - np.radians(36.0) * pushing)

    def clearance(self, velocity: Array) -> float:
        return float(0.035 + 0.012 * np.minimum(effort(velocity), 1.5) + 0.22 * running(velocity))

    def crest(self, velocity: Array) -> float:
        return float(0.42 + 0.12 * running(velocity))

    def braking(self, velocity: Array) -> float:
        return float(0.13 - 0.03 * running(velocity))

    def tuck(self, velocity: Array) -> float:
        return float(running(velocity) * np.radians(45.0))


@final
class TrotGait(Gait):
    """Diagonal legs together, with a short flight at speed."""

    def rate(self, velocity: Array) -> Array:
        turning = np.abs(velocity[..., 2]) / 0.5
        out: Array = np.clip(np.maximum(3.3 + 0.8 * effort(velocity), turning), 2.6, 6.0)
        return out

    def duty(self, velocity: Array) -> Array:
        out: Array = np.clip(0.6 - 0.08 * effort(velocity), 0.4, 0.6)
        return out

    def lead(self, velocity: Array) -> float:
        return 0.0

    def landing(self, velocity: Array) -> float:
        return float(-np.radians(4.0))

    def leaving(self, velocity: Array) -> float:
        return float(-np.radians(22.0) * np.clip(velocity[0] / 1.5, 0.2, 1.0))

    def clearance(self, velocity: Array) -> float:
        return float(0.035 + 0.015 * np.minimum(effort(velocity), 2.0))

    def crest(self, velocity: Array) -> float:
        return 0.5

    def braking(self, velocity: Array) -> float:
        return 0.2

    def tuck(self, velocity: Array) -> float:
        return float(np.radians(15.0) * np.clip(velocity[0] / 1.5, 0.2, 1.0))


def _step(value: Array, low: float, high: float) -> Array:
    share = np.clip((value - low) / (high - low), 0, 1)
    out: Array = share * share * (3 - 2 * share)
    return out
