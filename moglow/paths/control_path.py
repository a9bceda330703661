"""The class `ControlPath`: the position, heading and style of a figure on the ground over time.

The control of a model is the *velocities* of a path. Row t is the step from frame t−1 to frame t, divided by its
duration and expressed in the heading half-way between the two frames. With this choice,

* a path reversed in time has the negated velocities, shifted by one row, and
* a mirrored path has the velocities with sideways and turn negated.

Both operations are linear, like all others on the windows of a model. (If a step were expressed in the heading of one
of its two frames, the integral of the negated velocities would differ from the reversed path.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from moglow.errors import ControlError
from moglow.maths.rotations import Array, heading_to_quat, heading_to_vector
from moglow.maths.signals import sample_cubic, smooth_gaussian
from moglow.motion.clip import Clip

SMOOTHING = 0.25
"""Standard deviation in seconds of the Gaussian that smooths a clip's root into a path: it removes the sway of single
steps and keeps changes of direction."""
LONGEST = 1_000_000
"""The most frames of a path: nine hours at 30 a second; longer paths raise an error."""
STEP = 0.1
"""The speed in m/s from which a frame counts as moving sideways or backwards."""
SIDEWAYS, BACKWARDS = 0.2, 0.5
"""The shares of frames from which a path counts as going sideways, or backwards."""


@dataclass(frozen=True, eq=False)
class ControlPath:
    """Ground ``positions`` ``(T, 2)`` as (x, z) in metres, ``headings`` ``(T,)`` in radians, unwrapped, at ``fps``.

    ``styles`` holds the name of a style for each frame, or is None. ``notes`` are warnings about the source file.

    >>> arc = ControlPath.from_velocities([[1.2, 0.0, 0.5]] * 61, fps=30.0)
    >>> len(arc), arc.duration, arc.velocities()[-1].round(6).tolist()
    (61, 2.0, [1.2, 0.0, 0.5])
    """

    positions: Array
    headings: Array
    fps: float
    styles: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positions, headings = np.asarray(self.positions, float), np.asarray(self.headings, float)
        if headings.ndim != 1 or positions.shape != (len(headings), 2):
            raise ControlError(
                f"path: positions {positions.shape} and headings {headings.shape}; expected (T, 2) and (T,)"
            )
        if not len(headings):
            raise ControlError("path: no frames; give at least one")
        if len(headings) > LONGEST:
            raise ControlError(f"path: {len(headings)} frames; give at most {LONGEST}")
        if not (self.fps > 0 and np.isfinite(self.fps)):
            raise ControlError(f"path: {self.fps} frames a second; give a positive rate")
        if not (np.isfinite(positions).all() and np.isfinite(headings).all()):
            raise ControlError("path: a value is not finite; every position and heading must be a number")
        if self.styles is not None and len(self.styles) != len(headings):
            raise ControlError(
                f"path: {len(self.styles)} styles for {len(headings)} frames; give one for each frame"
            )
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "headings", np.unwrap(headings))

    @classmethod
    def from_velocities(
        cls,
        velocities: ArrayLike,
        fps: float,
        *,
        start: tuple[float, float, float] = (0.0, 0.0, 0.0),
        styles: Sequence[str] | None = None,
    ) -> "ControlPath":
        """Integrates ``(T, 3)`` forward m/s, sideways m/s, turn rad/s; the inverse of `velocities`.

        ``start`` is x, z and heading of the first frame. Row 0 is the step before the first frame and is ignored.
        """
        forward, sideways, turn = np.asarray(velocities, float).reshape(-1, 3).T / fps
        headings = start[2] + np.concatenate([[0.0], np.cumsum(turn[1:])])
        middle = heading_to_vector((headings[1:] + headings[:-1]) / 2)
        steps = forward[1:, None] * middle + sideways[1:, None] * _left(middle)
        positions = np.array([start[:2]]) + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        return cls(positions, headings, fps, None if styles is None else tuple(styles))

    @classmethod
    def from_clip(cls, clip: Clip, smoothing: float = SMOOTHING) -> "ControlPath":
        """Returns the path of a clip's hips and heading, smoothed by a Gaussian of ``smoothing`` seconds."""
        sigma = smoothing * clip.fps
        positions = smooth_gaussian(clip.ground_positions(), sigma)
        return cls(positions, smooth_gaussian(clip.headings(), sigma), clip.fps)

    @classmethod
    def standing(cls, frames: int, fps: float) -> "ControlPath":
        """Returns a path that stands at the origin, facing +Z."""
        return cls(np.zeros((frames, 2)), np.zeros(frames), fps)

    def __len__(self) -> int:
        return len(self.headings)

    def __getitem__(self, frames: slice) -> "ControlPath":
        styles = None if self.styles is None else self.styles[frames]
        return replace(self, positions=self.positions[frames], headings=self.headings[frames], styles=styles)

    @property
    def duration(self) -> float:
        """The time from the first frame to the last, in seconds."""
        return (len(self) - 1) / self.fps

    @property
    def times(self) -> Array:
        """The times ``(T,)`` of the frames, in seconds."""
        return np.arange(len(self)) / self.fps

    @property
    def length(self) -> float:
        """The length of the path in metres."""
        return float(np.linalg.norm(np.diff(self.positions, axis=0), axis=-1).sum())

    def goes_sideways(self) -> bool:
        """Returns whether the path goes sideways or backwards for a large share of its frames."""
        forward, sideways, _ = self.velocities().T
        aside = np.abs(sideways) > np.maximum(np.abs(forward), STEP)
        return bool(aside.mean() > SIDEWAYS or (forward < -STEP).mean() > BACKWARDS)

    def velocities(self) -> Array:
        """Returns ``(T, 3)`` forward m/s, sideways m/s and turn rad/s (left positive); row 0 is a copy of row 1."""
        if len(self) == 1:
            return np.zeros((1, 3))
        middle = heading_to_vector((self.headings[1:] + self.headings[:-1]) / 2)
        steps = np.diff(self.positions, axis=0)
        along, across = np.sum(steps * middle, axis=-1), np.sum(steps * _left(middle), axis=-1)
        rows = np.stack([along, across, np.diff(self.headings)], axis=-1) * self.fps
        return np.concatenate([rows[:1], rows])

    def frames(self) -> tuple[Array, Array]:
        """Returns the path as coordinate frames: positions ``(T, 3)`` on the floor and rotations ``(T, 4)``."""
        x, z = self.positions.T
        return np.stack([x, np.zeros_like(x), z], axis=-1), heading_to_quat(self.headings)

    def at(self, frames: ArrayLike) -> "ControlPath":
        """Returns the path interpolated at fractional frames ``(N,)``, at the same ``fps``; this changes the timing."""
        frames = np.asarray(frames, float)
        nearest = np.clip(np.round(frames).astype(int), 0, len(self) - 1)
        styles = None if self.styles is None else tuple(self.styles[k] for k in nearest)
        positions, headings = sample_cubic(self.positions, frames), sample_cubic(self.headings, frames)
        return replace(self, positions=positions, headings=headings, styles=styles)

    def resample(self, fps: float) -> "ControlPath":
        """Returns the path at another frame rate; the last frame is the last that lies within the path."""
        if not (fps > 0 and np.isfinite(fps)):
            raise ControlError(f"path: cannot resample to {fps} frames a second; give a positive rate")
        if not self.duration * fps < LONGEST:
            raise ControlError(
                f"path: {self.duration:.6g} s at {fps:g} frames a second; give at most {LONGEST} frames"
            )
        frames = int(np.floor(self.duration * fps + 1e-6)) + 1
        return replace(self.at(np.arange(frames) * (self.fps / fps)), fps=float(fps))

    def reversed(self) -> "ControlPath":
        """Returns the path reversed in time: forward becomes backward."""
        return self[::-1]

    def mirrored(self) -> "ControlPath":
        """Returns the path reflected at the plane x = 0."""
        return replace(self, positions=self.positions * np.array([-1.0, 1.0]), headings=-self.headings)

    def moved(self, offset: ArrayLike = (0.0, 0.0), heading: float = 0.0) -> "ControlPath":
        """Returns the path rotated about the origin by a heading and then shifted by (x, z)."""
        forward = heading_to_vector(heading)
        positions = self.positions[:, :1] * _left(forward) + self.positions[:, 1:] * forward
        return replace(
            self, positions=positions + np.asarray(offset, float), headings=self.headings + heading
        )

    def at_origin(self) -> "ControlPath":
        """Returns the path moved so that it starts at the origin, facing +Z."""
        turned = self.moved(heading=-float(self.headings[0]))
        return turned.moved(-turned.positions[0])

    def then(self, following: "ControlPath") -> "ControlPath":
        """Appends a path, moved so that its first frame coincides with the last frame of this one."""
        following, turn = following.resample(self.fps).at_origin(), float(self.headings[-1])
        following = following.moved(heading=turn).moved(self.positions[-1])[1:]
        styles = None if self.styles is None or following.styles is None else self.styles + following.styles
        positions = np.concatenate([self.positions, following.positions])
        return replace(
            self,
            positions=positions,
            headings=np.concatenate([self.headings, following.headings]),
            styles=styles,
        )


def _left(forward: Array) -> Array:
    """Returns the directions to the left of (x, z) directions: +X is left of +Z."""
    return np.stack([forward[..., 1], -forward[..., 0]], axis=-1)
