"""Makes a path that a person can walk from a line: rounded corners, speed by curvature, a stand at both ends.

A line has no times. The figure starts and stops gently and slows down in bends; at a corner that is too sharp for a
bend it stops, turns on the spot and continues.
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
"""Metres over which curvature is measured: one step, so that the jitter of a drawn line does not slow the figure."""
SHARPEST = 0.15
"""Metres: a corner that leaves room only for a smaller radius is turned on the spot, if it is a real corner …"""
CORNER = np.radians(60.0)
"""… which it is from this angle on."""
CUT = np.sqrt(2) - 1
"""Times the radius: no corner is missed by more than a full arc misses a right angle by."""


@dataclass(frozen=True)
class Pace:
    """How a path is walked: metres and seconds."""

    speed: float = 1.2  # comfortable walking
    acceleration: float = 1.0  # from a stand to a walk in about two steps
    turn: float = 1.6  # rad/s in bends; walking people in our data reach it at their 95th percentile
    pause: float = (
        3 * SMOOTHING
    )  # of standing before and after, so that smoothed starts and stops are at rest

    def __post_init__(self) -> None:
        for name in ("speed", "acceleration", "turn"):
            value = getattr(self, name)
            if not (value > 0 and np.isfinite(value)):
                raise ControlError(f"path: {name} {value}; give a positive number")


@dataclass(frozen=True, eq=False)
class Curve:
    """A line on the ground: nodes ``(N, 2)`` close together and the direction ``(N,)`` of the line there, unwrapped.

    Two nodes in the same place with different directions are a turn on the spot.
    """

    nodes: Array
    directions: Array

    @classmethod
    def through(cls, points: ArrayLike) -> "Curve":
        """The line through points ``(N, 2)`` that already lie close together on something smooth."""
        drawn = np.asarray(points, float)
        nodes: Array = drawn[np.linalg.norm(np.diff(drawn, axis=0, prepend=np.inf), axis=-1) > 1e-6]
        if len(nodes) < 3:
            raise ControlError(
                "path: shorter than a millimetre; give a longer one, or the preset stand:seconds=4"
            )
        return cls(nodes, np.unwrap(vector_to_heading(np.gradient(nodes, axis=0, edge_order=2))))

    @property
    def arcs(self) -> Array:
        """Metres ``(N,)`` walked up to each node."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.nodes, axis=0), axis=-1))])


def round_corners(points: ArrayLike, radius: float) -> tuple[Curve, Array]:
    """The polygon through ``points`` ``(N, 2)`` with every corner an arc, and each point's node: the middle of its arc.

    An arc has ``radius``, or what short segments and a sharp corner leave room for. Neighbouring points must differ.
    """
    points = np.asarray(points, float)
    segments = np.diff(points, axis=0)
    check_length(float(np.linalg.norm(segments, axis=-1).sum()))
    lengths, directions = np.linalg.norm(segments, axis=-1), np.unwrap(vector_to_heading(segments))
    room = lengths / 2
    room[[0, -1]] = lengths[[0, -1]]  # nothing else needs the ends
    nodes, headings = [points[:1]], [directions[:1]]
    marks, count, start = [0], 1, points[0]
    for corner, before, after, space in zip(
        points[1:-1], directions[:-1], directions[1:], np.minimum(room[:-1], room[1:]), strict=True
    ):
        angle = after - before
        half = min(abs(angle), np.pi - 1e-9) / 2
        bend, past = np.tan(half), 1 / np.cos(half) - 1  # times the radius: before the corner, and beside it
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
    """Walks a curve at a pace, facing along it or as ``facing`` ``(N,)`` says for its nodes; ``styles`` too are theirs.

    The speed v(s) is the largest with v ≤ pace.speed, v·|bend| ≤ pace.turn and |dv²/ds| ≤ 2·pace.acceleration, zero at
    both ends and where the curve turns on the spot. Time and heading are then smoothed, so that nothing starts with a
    jerk; positions stay on the curve.

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
    limit = np.minimum.accumulate(limit - ramp) + ramp  # the acceleration is bounded …
    limit = np.minimum.accumulate((limit + ramp)[::-1])[::-1] - ramp  # … and so is the deceleration
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
    """Raises ControlError for a path that is too long."""
    if metres > LONGEST * SPACING:
        raise ControlError(
            f"path: {metres / 1000:.0f} km long; ask for at most {LONGEST * SPACING / 1000:.0f} km"
        )


def _frame_count(seconds: float, fps: float) -> int:
    if not (fps > 0 and seconds * fps < LONGEST):
        raise ControlError(
            f"path: {seconds:.6g} s at {fps:g} frames a second; ask for a positive rate and less than {LONGEST} frames"
        )
    return int(np.ceil(seconds * fps)) + 1


def _bend(arcs: Array, angles: Array) -> Array:
    """Radians a metre, over the length of a step around each node."""
    ahead, behind = (np.interp(arcs + way * STRIDE / 2, arcs, angles) for way in (1, -1))
    bend: Array = np.abs(ahead - behind) / STRIDE
    return bend


def _between(start: Array, end: Array) -> Array:
    """Points from start to end, both included, at most `SPACING` apart."""
    pieces = max(1, int(np.ceil(np.linalg.norm(end - start) / SPACING)))
    return start + (end - start) * np.linspace(0, 1, pieces + 1)[:, None]
