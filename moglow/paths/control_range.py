"""The range of controls that a model has learnt; checks paths against it and slows them down to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moglow.maths.quantiles import quantiles
from moglow.maths.rotations import Array
from moglow.paths.control_path import SMOOTHING, ControlPath

LEAST = 0.1
"""Metres or radians a second that are always within the range, since a standing figure moves a little."""
TOLERANCE = 1.02
"""A path may exceed the range by this factor without a warning."""
STRETCHED = 4.0
"""The largest factor by which a path is slowed down."""


@dataclass(frozen=True)
class ControlRange:
    """The largest velocities of motion, in m/s and rad/s; sideways and turn hold for both sides.

    ``slowest`` is the pace that 99 % of the frames exceed. A model trained without standing figures cannot start from
    a stand.
    """

    forward: float
    backward: float
    sideways: float
    turn: float
    slowest: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:
                raise ValueError(f"{name} is {value}; expected a number from 0")

    @classmethod
    def of(cls, *controls: NDArray[Any]) -> Self:
        """Returns the range of controls ``(N, 3)`` without the most extreme 0.1 % of them.

        >>> ControlRange.of(np.array([[1.0, -0.2, 0.5]]))
        ControlRange(forward=1.0, backward=0.0, sideways=0.2, turn=0.5, slowest=1.0198)
        """
        return cls.of_chunks(lambda: controls)

    @classmethod
    def of_chunks(cls, chunks: Callable[[], Iterable[NDArray[Any]]]) -> Self:
        """Returns the range of more controls than fit into memory; ``chunks`` returns arrays ``(N, 3)`` of them.

        The order and the sizes of the arrays make no difference.
        """

        def found(value: Callable[[NDArray[Any]], NDArray[Any]], *shares: float) -> list[float]:
            return quantiles(lambda: (value(chunk).astype(np.float32) for chunk in chunks()), shares)

        low, high = found(lambda control: control[:, 0], 0.001, 0.999)
        (sideways,) = found(lambda control: np.abs(control[:, 1]), 0.999)
        (turn,) = found(lambda control: np.abs(control[:, 2]), 0.999)
        (slowest,) = found(lambda control: np.hypot(control[:, 0], control[:, 1]), 0.01)
        values = (max(high, 0.0), max(-low, 0.0), sideways, turn, slowest)
        return cls(*(round(value, 4) for value in values))

    def joined(self, other: Self) -> Self:
        """Returns the union of two ranges, for a model that was trained on one corpus and then on another.

        >>> ControlRange(1.0, 0.5, 0.5, 1.0, 0.2).joined(ControlRange(0.8, 0.7, 0.5, 1.0, 0.1))
        ControlRange(forward=1.0, backward=0.7, sideways=0.5, turn=1.0, slowest=0.1)
        """
        largest = {name: max(getattr(self, name), getattr(other, name)) for name in _UNITS}
        return type(self)(**largest, slowest=min(self.slowest, other.slowest))

    def shares(self, path: ControlPath) -> dict[str, Array]:
        """Returns the path's velocities as multiples of the range, for each frame ``(T,)``; 1 is the limit.

        >>> steady = ControlPath.from_velocities([[1.5, 0.0, 0.0]] * 3, fps=30.0)
        >>> ControlRange(forward=1.0, backward=0.5, sideways=0.5, turn=1.0).shares(steady)["forward"].tolist()
        [1.5, 1.5, 1.5]
        """
        forward, sideways, turn = path.velocities().T
        requested = {
            "forward": np.maximum(forward, 0),
            "backward": np.maximum(-forward, 0),
            "sideways": np.abs(sideways),
            "turn": np.abs(turn),
        }
        return {name: values / max(getattr(self, name), LEAST) for name, values in requested.items()}

    def warnings(self, path: ControlPath) -> tuple[str, ...]:
        """Returns a message for each quantity that exceeds the range, with both values and the time.

        >>> fast = ControlPath.from_velocities([[6.2, 0.0, 0.0]] * 31, fps=30.0)
        >>> ControlRange(forward=4.1, backward=1.0, sideways=0.5, turn=2.0).warnings(fast)
        ('forward: 6.2 m/s requested at 0.0 s, 4.1 m/s within reach',)
        """
        out = []
        for name, share in self.shares(path).items():
            worst, seen, (scale, unit) = int(np.argmax(share.round(6))), getattr(self, name), _UNITS[name]
            requested = share[worst] * max(seen, LEAST)
            if share[worst] > TOLERANCE and f"{requested * scale:.1f}" != f"{seen * scale:.1f}":
                out.append(
                    f"{name}: {requested * scale:.1f} {unit} requested at {worst / path.fps:.1f} s, "
                    f"{seen * scale:.1f} {unit} within reach"
                )
        return tuple(out)

    def stands(self, path: ControlPath) -> tuple[str, ...]:
        """Returns a message with both paces and the time if a path is slower than the training data, else nothing.

        >>> walked = ControlRange(forward=1.3, backward=0.0, sideways=0.2, turn=1.0, slowest=0.8)
        >>> walked.stands(ControlPath.standing(31, fps=30.0))
        ('pace: 0.0 m/s requested at 0.0 s, nothing slower than 0.8 m/s within reach',)
        """
        pace = np.linalg.norm(path.velocities()[:, :2], axis=1)
        creeps = pace + LEAST < self.slowest
        if not creeps.any():
            return ()
        first = int(np.argmax(creeps))
        return (
            f"pace: {pace[first]:.1f} m/s requested at {first / path.fps:.1f} s, "
            f"nothing slower than {self.slowest:.1f} m/s within reach",
        )

    def slowed(self, path: ControlPath) -> ControlPath:
        """Returns the path slowed down wherever it exceeds the range.

        Time is stretched by the largest multiple of the range in a window around each frame. The stretch is then
        smoothed over the same window, so that it suffices at every frame and the path brakes without a jerk.
        """
        shares = np.max(list(self.shares(path).values()), axis=0)
        reach = max(1, round(SMOOTHING * path.fps))
        padded = np.pad(np.clip(shares, 1.0, STRETCHED), 2 * reach, mode="edge")
        largest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(-1)
        weights = 1 + np.cos(np.pi * np.arange(-reach, reach + 1) / (reach + 1))
        stretch = np.convolve(largest, weights / weights.sum(), "valid")
        times = np.concatenate([[0.0], np.cumsum(stretch[1:])])
        return path.at(np.interp(np.arange(int(np.floor(times[-1] + 1e-6)) + 1), times, np.arange(len(path))))


_UNITS = {
    "forward": (1.0, "m/s"),
    "backward": (1.0, "m/s"),
    "sideways": (1.0, "m/s"),
    "turn": (180 / np.pi, "deg/s"),
}
