"""A curve object as a path: its points in the world, and its timing if that is keyframed."""

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from moglow.blender.inside.action import find_channel, scene_rate
from moglow.blender.inside.axes import from_blender
from moglow.errors import ControlError
from moglow.maths.rotations import Array, vector_to_heading, wrap_angle
from moglow.maths.signals import smooth_gaussian
from moglow.paths.control_path import LONGEST, SMOOTHING, ControlPath
from moglow.paths.pace import CORNER, Curve, Pace, follow, round_corners

FINENESS = 64
"""Points for each segment of a curve, which gives a circle of four segments to a few millimetres."""
SPEED = "speed"
"""The custom property of a curve object with the speed in metres a second; it may be keyframed."""


@dataclass(frozen=True)
class Line:
    """A curve projected to the ground: ``points`` ``(N, 2)`` in metres, whether it is closed, and its heights."""

    points: Array
    closed: bool
    floor: float
    rise: float


def read_line(curve: Any, unit: float) -> Line:
    """Returns the longest spline of a curve object in the world; ``unit`` is metres per Blender unit."""
    pieces = [from_blender(points) * unit for points in _splines(curve)]
    if not pieces:
        raise ControlError(f"{curve.name}: the curve has no points; draw one first")
    points = max(pieces, key=lambda piece: float(_lengths(piece).sum()))
    heights, ground = points[:, 1], points[:, [0, 2]]
    ground = ground[np.concatenate([[True], _lengths(ground) > 1e-4])]
    if len(ground) < 2:
        raise ControlError(
            f"{curve.name}: the curve has no length when seen from above; draw it along the ground"
        )
    closed = len(ground) > 2 and bool(np.linalg.norm(ground[0] - ground[-1]) < 1e-3)
    return Line(ground, closed, float(heights.min()), float(np.ptp(heights)))


def smooth_curve(points: Array, radius: float) -> Curve:
    """Returns the curve through closely spaced points, with corners rounded as far as there is room.

    Points nearer to a corner than the radius are replaced by an arc.
    """
    turns = wrap_angle(np.diff(vector_to_heading(np.diff(points, axis=0))))
    arcs = np.concatenate([[0.0], np.cumsum(_lengths(points))])
    corners = arcs[1:-1][np.abs(turns) > CORNER]
    kept = np.ones(len(points), bool)
    for corner in corners:
        kept &= (np.abs(arcs - corner) >= radius) | np.isin(arcs, corners)
    kept[[0, -1]] = True
    return round_corners(points[kept], radius)[0]


def walked(line: Line, *, fps: float, speed: float, seconds: float = 0.0, laps: int = 1) -> ControlPath:
    """Returns the path along a line at a speed or of a duration, with several laps if it is closed."""
    pace = Pace(speed)
    path = follow(_around(line, laps, pace), fps=fps, pace=pace)
    if not seconds:
        return path
    frames = round(seconds * fps) + 1
    if not 1 < frames <= LONGEST:
        raise ControlError(f"path: {seconds:g} s are {frames} frames; ask for 2 to {LONGEST}")
    return path.at(np.linspace(0, len(path) - 1, frames))


def keyed(line: Line, curve: Any, scene: Any, *, fps: float, laps: int = 1) -> tuple[ControlPath, int] | None:
    """Returns the path with the timing of keyframes, and the scene's frame at which it begins; None without keyframes.

    The keyframes are those of the curve's evaluation time, as for Blender's Follow Path, or of its property `speed`.
    Where they decrease, the figure walks backwards.
    """
    nodes = _around(line, laps, Pace())
    length, rate = float(nodes.arcs[-1]), scene_rate(scene)
    time = find_channel(curve.data, "eval_time") if curve.data.use_path else None
    speed = find_channel(curve, f'["{SPEED}"]')
    channel = time or speed
    if channel is None:
        return None
    first, last = channel.range() if len(channel.keyframe_points) else (scene.frame_start, scene.frame_end)
    frames = np.arange(int(np.floor(first)), int(np.ceil(last)) + 1)
    values = np.array([channel.evaluate(frame) for frame in frames])
    if time:
        arcs = values / curve.data.path_duration * length
    else:
        arcs = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 / rate)])
    count = int(np.floor((len(frames) - 1) / rate * fps + 1e-6)) + 1
    at = np.interp(np.arange(count) / fps, (frames - frames[0]) / rate, np.clip(arcs, 0.0, length))
    at = smooth_gaussian(at, SMOOTHING * fps)
    if not np.ptp(at) > 1e-3:
        raise ControlError(
            f"{curve.name}: its keyframes do not move along the curve; let the evaluation time or the speed increase"
        )
    positions = np.stack([np.interp(at, nodes.arcs, axis) for axis in nodes.nodes.T], axis=-1)
    headings = smooth_gaussian(np.interp(at, nodes.arcs, nodes.directions), SMOOTHING * fps)
    return ControlPath(positions, headings, fps), int(frames[0])


def own_speed(curve: Any, speed: float) -> float:
    """Returns the speed in a curve's property, or else the given one."""
    return float(curve.get(SPEED, speed))


def _around(line: Line, laps: int, pace: Pace) -> Curve:
    points = line.points
    if line.closed and laps > 1:
        points = np.concatenate([np.tile(points[:-1], (laps, 1)), points[-1:]])
    return smooth_curve(points, pace.speed / pace.turn)


def _splines(curve: Any) -> list[Array]:
    """Returns finely spaced points ``(N, 3)`` of each spline in the world; a closed one ends with its first point."""
    curve.update_from_editmode()
    data = curve.data.copy()
    data.dimensions, data.bevel_mode, data.bevel_depth, data.extrude, data.offset = "3D", "ROUND", 0, 0, 0
    data.resolution_u = data.render_resolution_u = FINENESS
    for spline in data.splines:
        spline.resolution_u = FINENESS
    bare = bpy.data.objects.new("", data)
    try:
        mesh = bare.to_mesh()
        points = np.array([curve.matrix_world @ vertex.co for vertex in mesh.vertices]).reshape(-1, 3)
        edges = {tuple(sorted(edge.vertices)) for edge in mesh.edges}
    finally:
        bpy.data.objects.remove(bare)
        bpy.data.curves.remove(data)
    ends = [k for k in range(len(points)) if (k, k + 1) not in edges]
    starts = [0, *(end + 1 for end in ends[:-1])]
    pieces = []
    for start, end in zip(starts, ends, strict=True):
        order = [*range(start, end + 1), *([start] if (start, end) in edges and end > start + 1 else [])]
        pieces.append(points[order])
    return pieces


def _lengths(points: Array) -> Array:
    lengths: Array = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    return lengths
