"""Step rate, stance and roll of the feet as functions of the velocity, for a biped and a trotting quadruped.

The figures are from the literature on walking, smoothed into one formula each: at 1.3 m/s people take 1.9 steps a
second, have each foot planted for 62 % of a stride, strike with the heel at 20° and push off from the ball at 50°; near
2 m/s they begin to run, with a flight phase.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from moglow.maths.rotations import Array


@dataclass(frozen=True)
class Manner:
    """Individual characteristics of a mover; the defaults are average."""

    cadence: float = 1.0  # factor of the step rate
    width: float = 1.0  # factor of the distance between the feet
    toe_out: float = 0.1  # radians
    scatter: float = 0.008  # deviation in metres of the feet's places
    roll: float = 1.0  # factor of the feet's pitch at heel strike and push-off
    bounce: float = 1.0  # factor of the hips' rise and fall
    sway: float = 1.0  # factor of the hips' sideways sway and roll
    arms: float = 1.0  # factor of the arms' swing
    elbow: float = 0.0  # additional bend in radians
    lean: float = 0.0  # forward lean in radians
    crouch: float = 0.0  # metres by which the hips are lower


class GaitPattern(ABC):
    """The properties of steps that depend on the velocity ``(..., 3)``: forward, sideways, turn."""

    @abstractmethod
    def rate(self, velocity: Array) -> Array:
        """Returns the steps per second ``(...)``."""

    @abstractmethod
    def duty(self, velocity: Array) -> Array:
        """Returns the share ``(...)`` of a stride in which a foot is planted."""

    @abstractmethod
    def lead(self, velocity: Array) -> float:
        """Returns the metres by which a stance's place is farther ahead than that of a standing foot."""

    @abstractmethod
    def landing(self, velocity: Array) -> float:
        """Returns the pitch of the foot at touch-down in radians, toes up positive."""

    @abstractmethod
    def leaving(self, velocity: Array) -> float:
        """Returns the pitch of the foot at lift-off."""

    @abstractmethod
    def clearance(self, velocity: Array) -> float:
        """Returns the metres by which the ball of a swinging foot rises above the line between its places."""

    @abstractmethod
    def crest(self, velocity: Array) -> float:
        """Returns the share of a swing after which the ball is highest."""

    @abstractmethod
    def braking(self, velocity: Array) -> float:
        """Returns the share of a swing in which the foot slows down before touch-down."""

    @abstractmethod
    def tuck(self, velocity: Array) -> float:
        """Returns the additional pitch, toes down, in the middle of a swing, in radians."""


def running(velocity: Array) -> Array:
    """Returns the share of running in the gait: 0 up to 1.9 m/s, 1 from 2.4 m/s on."""
    return _step(velocity[..., 0], 1.9, 2.4)


def effort(velocity: Array) -> Array:
    """Returns the speed (m/s), with larger weights for sideways and backward steps."""
    forward = np.where(velocity[..., 0] < 0, 1.4 * velocity[..., 0], velocity[..., 0])
    out: Array = np.hypot(forward, 2.0 * velocity[..., 1])
    return out


@final
class BipedGaitPattern(GaitPattern):
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
class TrotGaitPattern(GaitPattern):
    """Diagonal legs move together, with a short flight phase at speed."""

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
