"""Reads and writes paths as CSV; `read_path` reads a file or a preset.

The first row that is not a ``#`` comment names the columns, in any order. The delimiter is a comma, semicolon or tab.

* ``t,x,z[,heading][,style]``: positions at given times, in seconds, metres and degrees.
* ``x,z[,heading][,style]``: waypoints. The times follow from a comfortable pace, and corners are rounded.
* ``forward,sideways,turn[,style]``: the velocity that leads to each frame, in metres and degrees a second, left
  positive. Each row is a frame, at the rate of a comment ``# fps: 30`` or else at the requested rate.

A column ``id`` names the figure of each row; ``crowd.csv#anna`` is then the path of one (`moglow.paths.crowds`).

Heading 0 is +Z, and headings increase to the left: 90 is +X. Without this column the figure faces the direction of
travel and keeps its last heading while it stands. A style holds until the next row.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from moglow.errors import ControlError
from moglow.files.atomic import replacing
from moglow.maths.rotations import Array, vector_to_heading
from moglow.maths.signals import median, sample_monotone, smooth_gaussian
from moglow.paths.control_path import LONGEST, SMOOTHING, ControlPath
from moglow.paths.crowds import read_figure, split_source
from moglow.paths.csv_table import Table, read_table
from moglow.paths.pace import Pace, follow, round_corners
from moglow.paths.presets import PRESETS, preset

FPS = 30.0
"""Frames a second, if neither the caller nor the file gives a rate."""
FASTEST = 10_000.0
"""The largest frame rate, and the largest speed in m/s, that a caller may give."""
DENSE = 0.1
"""Seconds: rows closer in time are a recording and kept as they are; others are key points and smoothed."""
DOUBTFUL = 50.0
"""Metres between two waypoints from which the unit of a file is probably centimetres."""
STROLL = 0.1
"""Metres a second: a slower figure counts as standing and keeps its heading."""


def read_path(source: str | Path, *, fps: float | None = None, speed: float | None = None) -> ControlPath:
    """Returns the path of a file or a preset such as ``circle:r=2``, at ``fps`` frames a second.

    ``speed`` is the pace for waypoints and for presets whose text gives no speed.

    >>> read_path("line:length=3", fps=20.0).length
    3.00
    """
    for what, value in (("fps", fps), ("speed", speed)):
        if value is not None and not 0 < value <= FASTEST:
            raise ControlError(f"path: {what} is {value:g}; give a number above 0 and up to {FASTEST:g}")
    try:
        return _read_path(source, fps, speed)
    except ControlError as error:
        if str(error).startswith("path: "):
            raise ControlError(f"{source}: {str(error).removeprefix('path: ')}") from error
        raise


def _read_path(source: str | Path, fps: float | None, speed: float | None) -> ControlPath:
    name = str(source).partition(":")[0].strip()
    if name in PRESETS:
        return preset(str(source), fps or FPS, speed=speed)
    if not Path(split_source(source)[0]).exists():
        if isinstance(source, str) and not Path(source).suffix and not {"/", "\\"} & set(source):
            return preset(source, fps or FPS)  # raises an error that lists the presets
        raise ControlError(f"{source}: no such file; give a CSV file or a preset: {', '.join(PRESETS)}")
    table = read_table(source, read_figure)
    read = next(read for kind, read in READERS.items() if set(kind) <= set(table.columns))
    return read(table, fps or table.fps or FPS, Pace(speed) if speed else Pace())


def write_path(path: ControlPath, file: str | Path) -> None:
    """Writes a row ``t,x,z,heading[,style]`` for each frame, with a resolution of 1e-6 metres and degrees."""
    out = io.StringIO()
    out.write(f"# seconds, metres, degrees; fps: {path.fps:.10g}\n")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["t", "x", "z", "heading"] + (["style"] if path.styles else []))
    values = np.column_stack([path.times, path.positions, np.degrees(path.headings)])
    for k, row in enumerate(values):
        numbers = [f"{value + 0.0:.6f}".rstrip("0").rstrip(".") for value in row.round(6) + 0.0]
        rows.writerow(numbers + ([path.styles[k]] if path.styles else []))
    with replacing(file) as whole:
        whole.write(out.getvalue().encode())


def looking_ahead(positions: Array, fps: float) -> Array:
    """Returns smoothed headings ``(T,)`` in the direction of travel; the last one while standing, 0 without any."""
    if len(positions) < 2:
        return np.zeros(len(positions))
    velocity = np.gradient(smooth_gaussian(positions, SMOOTHING * fps), axis=0) * fps
    moving = np.linalg.norm(velocity, axis=-1) > STROLL
    if not moving.any():
        return np.zeros(len(positions))
    latest = np.maximum.accumulate(np.where(moving, np.arange(len(positions)), np.argmax(moving)))
    return smooth_gaussian(np.unwrap(vector_to_heading(velocity[latest])), SMOOTHING * fps)


def _timed(table: Table, fps: float, pace: Pace) -> ControlPath:
    times = table.columns["t"] - table.columns["t"][0]
    late = np.flatnonzero(np.diff(times) <= 0)
    if len(late):
        now, before = table.columns["t"][late[0] + 1], table.columns["t"][late[0]]
        raise table.complaint(late[0] + 1, "t", f"{now:g} s does not follow {before:g} s; times must grow")
    frames = int(np.floor(times[-1] * fps + 1e-3)) + 1
    if frames > LONGEST:
        raise table.complaint(-1, "t", f"{times[-1]:g} s are {frames} frames; give at most {LONGEST}")
    at = np.arange(frames) / fps
    gap = median(np.diff(times)) if len(times) > 1 else 0.0
    sigma = 0.0 if gap <= DENSE else min(SMOOTHING, gap / 2) * fps
    positions = smooth_gaussian(sample_monotone(times, table.stacked("x", "z"), at), sigma)
    rows = np.clip(np.searchsorted(times, at + 1e-6, side="right") - 1, 0, len(table) - 1)
    if "heading" in table.columns:
        headings = np.unwrap(np.radians(table.columns["heading"]))
        facing = smooth_gaussian(sample_monotone(times, headings, at), sigma)
    else:
        facing = looking_ahead(positions, fps)
    return ControlPath(positions, facing, fps, table.styles and tuple(table.styles[row] for row in rows))


def _stepped(table: Table, fps: float, pace: Pace) -> ControlPath:
    velocities = table.stacked("forward", "sideways", "turn") * np.array([1.0, 1.0, np.pi / 180])
    return ControlPath.from_velocities(velocities, table.fps or fps, styles=table.styles).resample(fps)


def _waypoints(table: Table, fps: float, pace: Pace) -> ControlPath:
    points = table.stacked("x", "z")
    apart = np.linalg.norm(np.diff(points, axis=0, prepend=np.inf), axis=-1) > 1e-3
    if apart.sum() < 2:
        raise ControlError(
            f"{table.source}: all waypoints are one place; give a second one, or the preset stand:seconds=4"
        )
    try:
        curve, marks = round_corners(points[apart], pace.speed / pace.turn)
    except ControlError as error:
        raise ControlError(f"{table.source}: {error}") from error
    facing = None
    if "heading" in table.columns:
        headings = np.unwrap(np.radians(table.columns["heading"][apart]))
        facing = np.interp(np.arange(len(curve.nodes)), marks, headings)
    styles = None
    if table.styles is not None:
        rows = np.searchsorted(marks, np.arange(len(curve.nodes)), side="right") - 1
        styles = np.array(table.styles)[apart][rows]
    path = follow(curve, fps=fps, pace=pace, facing=facing, styles=styles)
    longest = float(np.linalg.norm(np.diff(points[apart], axis=0), axis=-1).max())
    doubt = f"{longest:.0f} m from one point to the next; are these centimetres? give metres"
    return replace(path, notes=(doubt,)) if longest >= DOUBTFUL else path


READERS: Mapping[tuple[str, ...], Callable[[Table, float, Pace], ControlPath]] = {
    ("t", "x", "z"): _timed,
    ("forward", "sideways", "turn"): _stepped,
    ("x", "z"): _waypoints,
}
