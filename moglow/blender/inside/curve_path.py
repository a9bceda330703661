"""A curve object as a path to walk: where it lies in the world, and when to be where, if that is keyframed on it."""

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
"""Points for each segment of a curve: a circle of four segments is read to a few millimetres."""
SPEED = "speed"
"""The custom property of a curve object that says how fast it is walked, in metres a second; it may be keyframed."""


@dataclass(frozen=True)
class Line:
    """A curve seen from above: ground ``points`` ``(N, 2)`` in metres, whether it is closed, and its heights there."""

    points: Array
    closed: bool
    floor: float
    rise: float


def read_line(curve: Any, unit: float) -> Line:
    """The longest spline of a curve object, as it lies in the world; ``unit`` is metres per Blender unit."""
    pieces = [from_blender(points) * unit for points in _splines(curve)]
    if not pieces:
        raise ControlError(f"{curve.name}: the curve has no points; draw one first")
    points = max(pieces, key=lambda piece: float(_lengths(piece).sum()))
    heights, ground = points[:, 1], points[:, [0, 2]]
    ground = ground[np.concatenate([[True], _lengths(ground) > 1e-4])]
    if len(ground) < 2:
        raise ControlError(
            f"{curve.name}: the curve has no length when seen from above; lay it on the ground"
        )
    closed = len(ground) > 2 and bool(np.linalg.norm(ground[0] - ground[-1]) < 1e-3)
    return Line(ground, closed, float(heights.min()), float(np.ptp(heights)))


def smooth_curve(points: Array, radius: float) -> Curve:
    """The line through points that lie close together, its corners rounded as far as there is room.

    Points nearer to a real corner than the radius are left out: an arc takes their place.
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
    """Walks a line at a speed, or in so many seconds; around and around if it is closed."""
    pace = Pace(speed)
    path = follow(_around(line, laps, pace), fps=fps, pace=pace)
    if not seconds:
        return path
    frames = round(seconds * fps) + 1
    if not 1 < frames <= LONGEST:
        raise ControlError(f"path: {seconds:g} s are {frames} frames; ask for 2 to {LONGEST}")
    return path.at(np.linspace(0, len(path) - 1, frames))


def keyed(line: Line, curve: Any, scene: Any, *, fps: float, laps: int = 1) -> tuple[ControlPath, int] | None:
    """The path as keyframes time it, and the frame of the scene at which it begins; nothing where there are none.

    Keyframed is either the curve's evaluation time, as Blender's Follow Path has it, or its property `speed`. Who is
    sent backwards walks backwards.
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
            f"{curve.name}: its keyframes lead nowhere; let the evaluation time or the speed grow"
        )
    positions = np.stack([np.interp(at, nodes.arcs, axis) for axis in nodes.nodes.T], axis=-1)
    headings = smooth_gaussian(np.interp(at, nodes.arcs, nodes.directions), SMOOTHING * fps)
    return ControlPath(positions, headings, fps), int(frames[0])


def own_speed(curve: Any, speed: float) -> float:
    """The speed that a curve itself asks for, or else the given one."""
    return float(curve.get(SPEED, speed))


def _around(line: Line, laps: int, pace: Pace) -> Curve:
    points = line.points
    if line.closed and laps > 1:
        points = np.concatenate([np.tile(points[:-1], (laps, 1)), points[-1:]])
    return smooth_curve(points, pace.speed / pace.turn)


def _splines(curve: Any) -> list[Array]:
    """The points ``(N, 3)`` of each spline in the world, finely; the first again at the end of one that is closed."""
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
