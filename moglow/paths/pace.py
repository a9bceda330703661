"""Converts a line to a walkable path: rounded corners, speed by curvature, a stand at both ends.

A line has no times. The figure accelerates and brakes gradually and slows down in bends. If a corner is too sharp to be
rounded, the figure stops, turns on the spot and continues.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from moglow.errors import ControlError
from moglow.maths.rotations import Array, heading_to_vector, vector_to_heading
from moglow.maths.signals import smooth_gaussian
from moglow.paths.control_path import LONGEST, SMOOTHING, ControlPath

SPACING = 0.02
"""Metres between the nodes of a curve."""
STRIDE = 0.3
"""Metres over which curvature is measured; one step, so that jitter of a drawn line does not slow the figure."""
SHARPEST = 0.15
"""Metres: corners with less room for a radius than this, and an angle above `CORNER`, are turned on the spot."""
CORNER = np.radians(60.0)
"""The smallest angle of a turn on the spot, in radians."""
CUT = np.sqrt(2) - 1
"""Largest distance between a corner and its arc, as a multiple of the radius; that of a right angle."""


@dataclass(frozen=True)
class Pace:
    """The pace of a path, in metres, radians and seconds."""

    speed: float = 1.2  # comfortable walking
    acceleration: float = 1.0  # reaches walking speed in about two steps
    turn: float = 1.6  # rad/s in bends; the 95th percentile of walks in the training data
    pause: float = 3 * SMOOTHING  # standing at both ends, so that the path is at rest there after smoothing

    def __post_init__(self) -> None:
        for name in ("speed", "acceleration", "turn"):
            value = getattr(self, name)
            if not (value > 0 and np.isfinite(value)):
                raise ControlError(f"path: {name} {value}; give a positive number")


@dataclass(frozen=True, eq=False)
class Curve:
    """A line on the ground: closely spaced nodes ``(N, 2)`` and the unwrapped direction ``(N,)`` of the line there.

    Two nodes at the same position with different directions are a turn on the spot.
    """

    nodes: Array
    directions: Array

    @classmethod
    def through(cls, points: ArrayLike) -> "Curve":
        """Returns the curve through closely spaced points ``(N, 2)`` of a smooth line."""
        drawn = np.asarray(points, float)
        nodes: Array = drawn[np.linalg.norm(np.diff(drawn, axis=0, prepend=np.inf), axis=-1) > 1e-6]
        if len(nodes) < 3:
            raise ControlError(
                "path: shorter than a millimetre; give a longer one, or the preset stand:seconds=4"
            )
        return cls(nodes, np.unwrap(vector_to_heading(np.gradient(nodes, axis=0, edge_order=2))))

    @property
    def arcs(self) -> Array:
        """The arc length ``(N,)`` up to each node, in metres."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.nodes, axis=0), axis=-1))])


def round_corners(points: ArrayLike, radius: float) -> tuple[Curve, Array]:
    """Rounds the corners of a polyline ``(N, 2)``; returns the curve and the index of each point's node on it.

    The node of a corner is the middle of its arc. Arcs have the given ``radius``, or a smaller one at sharp corners and
    between short segments. Neighbouring points must differ.
    """
    points = np.asarray(points, float)
    segments = np.diff(points, axis=0)
    check_length(float(np.linalg.norm(segments, axis=-1).sum()))
    lengths, directions = np.linalg.norm(segments, axis=-1), np.unwrap(vector_to_heading(segments))
    room = lengths / 2
    room[[0, -1]] = lengths[[0, -1]]  # the end points have no arcs
    nodes, headings = [points[:1]], [directions[:1]]
    marks, count, start = [0], 1, points[0]
    for corner, before, after, space in zip(
        points[1:-1], directions[:-1], directions[1:], np.minimum(room[:-1], room[1:]), strict=True
    ):
        angle = after - before
        half = min(abs(angle), np.pi - 1e-9) / 2
        bend, past = np.tan(half), 1 / np.cos(half) - 1  # times radius: lengths before and beside the corner
        fitting = min(radius, space / max(bend, 1e-12), CUT * radius / max(past, 1e-12))
        if fitting < SHARPEST and abs(angle) > CORNER:
            fitting = 0.0
        straight = _between(start, corner - fitting * bend * heading_to_vector(before))
        turning = before + angle * np.linspace(0, 1, max(2, int(fitting * abs(angle) / SPACING) + 1))
        centre = np.array([np.cos(before), -np.sin(before)])
        spokes = centre - np.stack([np.cos(turning), -np.sin(turning)], axis=-1)
        arc = straight[-1] + np.sign(angle) * fitting * spokes
        nodes += [straight, arc]
        headings += [np.full(len(straight), before), turning]
        marks.append(count + len(straight) + len(arc) // 2)
        count, start = count + len(straight) + len(arc), arc[-1]
    last = _between(start, points[-1])
    nodes.append(last)
    headings.append(np.full(len(last), directions[-1]))
    curve = Curve(np.concatenate(nodes), np.concatenate(headings))
    return curve, np.array([*marks, len(curve.nodes) - 1][: len(points)])


def follow(
    curve: Curve,
    *,
    fps: float,
    pace: Pace | None = None,
    facing: ArrayLike | None = None,
    styles: ArrayLike | None = None,
) -> ControlPath:
    """Returns the path along a curve at a pace; ``facing`` ``(N,)`` and ``styles`` are given for the curve's nodes.

    Without ``facing``, the figure faces along the curve. The speed v(s) is the largest with v ≤ pace.speed,
    v·|bend| ≤ pace.turn and |dv²/ds| ≤ 2·pace.acceleration, and zero at both ends and at turns on the spot. Arc length
    and heading are then smoothed over time, so that the path starts without a jerk; positions stay on the curve.

    >>> path = follow(Curve.through(np.linspace([0.0, 0.0], [0.0, 6.0], 301)), fps=30.0)
    >>> round(path.length, 3), round(float(path.velocities()[:, 0].max()), 3)
    (6.0, 1.2)
    """
    pace, arcs = pace or Pace(), curve.arcs
    headings = curve.directions if facing is None else np.asarray(facing, float)
    steps, jumps = np.diff(arcs), np.abs(np.diff(curve.directions))
    pivots = np.flatnonzero((steps == 0) & (jumps > 1e-6))
    bend = np.maximum(_bend(arcs, curve.directions), _bend(arcs, headings))
    limit = np.minimum(pace.speed, pace.turn / np.maximum(bend, 1e-9)) ** 2
    limit[[0, -1, *pivots, *(pivots + 1)]] = 0.0
    ramp = 2 * pace.acceleration * arcs
    limit = np.minimum.accumulate(limit - ramp) + ramp  # limits the acceleration
    limit = np.minimum.accumulate((limit + ramp)[::-1])[::-1] - ramp  # limits the deceleration
    speed = np.sqrt(np.maximum(limit, 0.0))
    lasting = 2 * steps / np.maximum(speed[1:] + speed[:-1], 1e-9)
    lasting[pivots] = np.maximum(np.abs(np.diff(headings))[pivots] / pace.turn, pace.pause)
    times = pace.pause + np.concatenate([[0.0], np.cumsum(lasting)])
    frames = np.arange(_frame_count(times[-1] + pace.pause, fps)) / fps
    sigma = SMOOTHING * fps
    walked = smooth_gaussian(np.interp(frames, times, arcs), sigma)
    positions = np.stack([np.interp(walked, arcs, axis) for axis in curve.nodes.T], axis=-1)
    turned = smooth_gaussian(np.interp(frames, times, headings), sigma)
    if styles is None:
        return ControlPath(positions, turned, fps)
    reached = np.minimum(np.searchsorted(arcs, walked + 1e-9, side="right") - 1, len(arcs) - 1)
    return ControlPath(positions, turned, fps, tuple(np.asarray(styles)[reached].tolist()))


def check_length(metres: float) -> None:
    """Raises `ControlError` if a path is too long."""
    if metres > LONGEST * SPACING:
        raise ControlError(
            f"path: {metres / 1000:.0f} km long; give at most {LONGEST * SPACING / 1000:.0f} km"
        )


def _frame_count(seconds: float, fps: float) -> int:
    if not (fps > 0 and float(seconds) * float(fps) < LONGEST):
        raise ControlError(
            f"path: {seconds:.6g} s at {fps:g} frames a second; give a positive rate and less than {LONGEST} frames"
        )
    return int(np.ceil(seconds * fps)) + 1


def _bend(arcs: Array, angles: Array) -> Array:
    """Returns the curvature in rad/m at each node, averaged over the length of a step."""
    ahead, behind = (np.interp(arcs + way * STRIDE / 2, arcs, angles) for way in (1, -1))
    bend: Array = np.abs(ahead - behind) / STRIDE
    return bend


def _between(start: Array, end: Array) -> Array:
    """Returns points from start to end, both included, at most `SPACING` apart."""
    pieces = max(1, int(np.ceil(np.linalg.norm(end - start) / SPACING)))
    return start + (end - start) * np.linspace(0, 1, pieces + 1)[:, None]
