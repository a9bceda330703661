"""Parametric grounds: flat, a slope, stairs, rough ground. Needs numpy alone.

They begin ``start`` metres from the origin in the direction ``heading`` (degrees, 0 along +Z, left positive). The
ground before is flat.
"""

from dataclasses import dataclass, field

import numpy as np

from moglow.ground.surface import CELL, Ground, Surface, grid_surface
from moglow.maths.rotations import Array


@dataclass(frozen=True)
class Flat(Ground):
    """A floor at one height."""

    height: float = 0.0
    name: str = field(default="flat", compare=False)

    def heights(self, x: Array, z: Array) -> Array:
        return np.full(np.broadcast_shapes(np.shape(x), np.shape(z)), self.height)


@dataclass(frozen=True)
class Slope(Ground):
    """A slope of ``angle`` degrees over ``length`` metres, then level ground; a negative angle leads down.

    >>> Slope(angle=45.0, start=1.0, length=2.0).heights(np.zeros(3), np.array([0.0, 2.0, 9.0])).round(3).tolist()
    [0.0, 1.0, 2.0]
    """

    angle: float = 10.0
    start: float = 1.5
    length: float = 1e6
    heading: float = 0.0
    name: str = field(default="slope", compare=False)

    def heights(self, x: Array, z: Array) -> Array:
        ahead = _ahead(self.heading, x, z) - self.start
        return np.asarray(np.tan(np.radians(self.angle)) * np.clip(ahead, 0.0, self.length))


@dataclass(frozen=True)
class Stairs(Ground):
    """Stairs of ``steps`` steps with a ``rise`` and a ``run``, then a landing; a negative rise leads down.

    >>> stairs = Stairs(rise=0.2, run=0.3, steps=3, start=1.0)
    >>> stairs.heights(np.zeros(4), np.array([0.9, 1.1, 1.4, 9])).round(3).tolist()
    [0.0, 0.2, 0.4, 0.6]
    """

    rise: float = 0.17
    run: float = 0.29
    steps: float = 8
    start: float = 1.5
    heading: float = 0.0
    name: str = field(default="stairs", compare=False)

    def heights(self, x: Array, z: Array) -> Array:
        ahead = _ahead(self.heading, x, z) - self.start
        return np.asarray(self.rise * np.clip(np.floor(ahead / self.run + 1e-9) + 1, 0, self.steps))

    def surface(self, low: Array, high: Array) -> Surface:
        """Returns treads and risers as wide as the area."""
        corners = np.array([[a, b] for a in (low[0], high[0]) for b in (low[1], high[1])])
        turn = np.radians(self.heading)
        ahead = corners @ np.array([np.sin(turn), np.cos(turn)])
        aside = corners @ np.array([np.cos(turn), -np.sin(turn)])
        edges = self.start + self.run * np.arange(int(self.steps))
        edges = edges[(edges > ahead.min()) & (edges < ahead.max())]
        along = np.concatenate([[ahead.min()], np.repeat(edges, 2), [ahead.max()]])
        beyond = np.concatenate([[ahead.min()], *[[edge - 1e-6, edge] for edge in edges], [ahead.max()]])
        level = self.rise * np.clip(np.floor((beyond - self.start) / self.run + 1e-9) + 1, 0, self.steps)
        sides = []
        for side in (aside.min(), aside.max()):
            x, z = along * np.sin(turn) + side * np.cos(turn), along * np.cos(turn) - side * np.sin(turn)
            sides.append(np.stack([x, level, z], axis=-1))
        count, n = len(along), np.arange(len(along) - 1)
        faces = [
            np.stack([n, n + 1, n + 1 + count], axis=-1),
            np.stack([n, n + 1 + count, n + count], axis=-1),
        ]
        return Surface(np.concatenate(sides), np.concatenate(faces).astype(np.int64))


@dataclass(frozen=True)
class Rough(Ground):
    """Random bumps and hollows, at most ``height`` metres high or deep and ``size`` metres wide."""

    height: float = 0.08
    size: float = 0.8
    seed: float = 0
    start: float = 0.5
    heading: float = 0.0
    name: str = field(default="rough", compare=False)

    def heights(self, x: Array, z: Array) -> Array:
        generator = np.random.default_rng(int(self.seed))
        angles, phases = generator.uniform(0, 2 * np.pi, (2, 12))
        waves = np.pi / self.size * generator.uniform(0.6, 1.4, 12)
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(z, float))
        total = sum(
            np.sin(wave * (np.cos(angle) * x + np.sin(angle) * z) + phase)
            for wave, angle, phase in zip(waves, angles, phases, strict=True)
        )
        share = np.clip((_ahead(self.heading, x, z) - self.start) / self.size, 0.0, 1.0)
        return np.asarray(self.height * np.tanh(total / 3.0) * share * share * (3 - 2 * share))

    def surface(self, low: Array, high: Array) -> Surface:
        sides = [np.arange(a, b + CELL, max(CELL, (b - a) / 120)) for a, b in zip(low, high, strict=True)]
        return grid_surface(sides[0], sides[1], self)


def _ahead(heading: float, x: Array, z: Array) -> Array:
    turn = np.radians(heading)
    return np.asarray(np.asarray(x, float) * np.sin(turn) + np.asarray(z, float) * np.cos(turn))
