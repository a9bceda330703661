"""The posture of a take: how it differs from the mean of its style, and how it changes. Needs numpy alone.

A model that sees a third of a second returns to the mean posture of a style. Takes are therefore moved along the axes
of recorded postures (`moglow.corpus.postures`), each by a random distance that changes slowly. Only the rotations of
hips, trunk, head and arms change, so feet and path stay as they are, and the model does not see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.context import Context
from moglow.maths.rotations import Array
from moglow.sampling.label_change import change_length

HELD = 0.5
"""Share of the variance of a posture that a take keeps; the rest changes."""
SECONDS = 8.0
"""Time in which the rest changes: the inverse of the deviation of its rates in rad/s."""
WAVES = 12
"""Number of waves whose sum changes along each axis."""
FULL = 0.7
"""Temperature from which postures differ as much as recorded ones; at 0 they do not."""
FARTHEST = 1.5
"""Limit of the distance along an axis, in deviations; a trunk that bends forward by more does not lean as far back."""
STREAM = 9
"""Number of the stream of random numbers of a seed."""
BLOCK = 64
"""Number of frames computed at once; the result does not depend on it."""


@dataclass(eq=False)
class PostureDrift:
    """The postures of a batch of takes, frame by frame."""

    axes: Array
    """Axes ``(S, R, D)`` of the styles, in metres and radians."""
    held: Array
    """Constant distances ``(B, R)`` along the axes."""
    rates: Array
    phases: Array
    """Rates in radians a frame and phases ``(B, R, WAVES)`` of the waves."""
    heights: Array
    """Height of each wave ``(B, 1)``."""
    change: int
    """Frames in which styles give way to others."""
    _frame: int = 0
    _shares: NDArray[np.float64] | None = None
    _mixed: Any = field(default=None, repr=False)
    _block: Any = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        context: Context,
        seeds: Sequence[tuple[int, ...]],
        temperature: float,
        steady: Sequence[bool] | None = None,
    ) -> Self | None:
        """Returns the postures of takes with these seeds, or None if they do not differ; ``steady`` takes have none."""
        axes, deviation = (np.asarray(each, float) for each in (context.posture_axes, context.pose_deviation))
        if not axes.any() or temperature <= 0:
            return None
        axes = axes * deviation * min(1.0, temperature / FULL)
        shape = (axes.shape[1], WAVES)
        held, rates, phases = [], [], []
        for seed in seeds:
            random = np.random.default_rng([*seed, STREAM])
            held.append(random.standard_normal(shape[0]))
            rates.append(np.abs(random.standard_normal(shape)) / (SECONDS * context.fps))
            phases.append(random.uniform(0.0, 2 * np.pi, shape))
        size = np.ones((len(seeds), 1)) if steady is None else 1.0 - np.array(steady, float)[:, None]
        return cls(
            axes,
            size * np.sqrt(HELD) * np.stack(held),
            np.stack(rates),
            np.stack(phases),
            size * np.sqrt(2 * (1 - HELD) / WAVES),
            change_length(context.fps),
        )

    def next(self, labels: NDArray[Any]) -> Array:
        """Returns how far the next poses ``(B, D)`` are moved, in metres and radians, with labels ``(B, P + S)``."""
        wanted = np.asarray(labels[:, -len(self.axes) :], float)
        if self._shares is None:
            self._shares = wanted
        elif not np.array_equal(wanted, self._shares):
            self._shares = self._shares + np.clip(wanted - self._shares, -1 / self.change, 1 / self.change)
            self._mixed = None
        if self._mixed is None:
            self._mixed = np.tensordot(self._shares, self.axes, 1)
        place = self._frame % BLOCK
        if place == 0:
            frames = np.arange(self._frame, self._frame + BLOCK)[:, None, None, None]
            waves = np.cos(self.rates * frames + self.phases).sum(-1)
            self._block = FARTHEST * np.tanh((self.held + self.heights * waves) / FARTHEST)
        self._frame += 1
        moved: Array = (self._block[place][:, None] @ self._mixed)[:, 0]
        return moved

    def along(self, labels: NDArray[Any]) -> Array:
        """Returns how far the poses ``(T, D)`` of a single take are moved, with labels ``(T, P + S)``."""
        return np.stack([self.next(label[None])[0] for label in labels])
