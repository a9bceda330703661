"""How a path is walked over a ground: slower where it climbs, and a step a tread on stairs. Needs numpy alone."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from moglow.ground.surface import Ground
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags, smooth_gaussian
from moglow.paths.control_path import SMOOTHING, ControlPath

SPACING = 0.01
"""Metres between the points of a profile."""
RISER = 0.05
"""Metres that the ground rises or falls within two points at an edge."""
DEEPEST = 0.8
"""Metres: what is level for longer is no tread but a floor."""
SLOPE = 0.6
"""Metres over which a slope is measured."""
EFFORT = 1.0
"""A slope of 100 % is walked at a half of the speed, one of 50 % at two thirds."""
RAMP = 0.12
"""Metres, a Gaussian's deviation, over which steps get shorter where stairs begin."""
STRETCH = (0.7, 3.0)
"""How much longer steps of the gait may be than those on the treads."""


@dataclass(frozen=True, eq=False)
class Stairway:
    """A path over a ground, and how many times ``stretch`` ``(T,)`` the gait's steps are as long as those on it.

    ``on_treads`` ``(T,)`` says where there are stairs.
    """

    path: ControlPath
    stretch: Array
    on_treads: Flags

    def gait(self) -> ControlPath:
        """The path that a figure on a flat floor walks meanwhile: with longer steps, in the same times."""
        rows = self.path.velocities() * np.stack(
            [self.stretch, self.stretch, np.ones_like(self.stretch)], axis=-1
        )
        return ControlPath.from_velocities(rows, self.path.fps, styles=self.path.styles)


def tread_edges(heights: Array) -> Array:
    """Metres ``(N,)`` along a profile, of points `SPACING` apart, at which it rises or falls by an edge.

    >>> tread_edges(np.repeat([0.0, 0.17, 0.34], 30))
    array([0.3, 0.6])
    """
    change = np.abs(heights[2:] - heights[:-2])
    peaks = np.flatnonzero(
        (change > RISER) & (change >= np.roll(change, 1)) & (change >= np.roll(change, -1))
    )
    kept: list[int] = []
    for peak in peaks:
        if not kept or (peak - kept[-1]) * SPACING > 0.06:
            kept.append(int(peak))
    return SPACING * (np.array(kept, float) + 1)


def over_ground(path: ControlPath, ground: Ground, *, step: float, speed: float) -> Stairway:
    """The path as it is walked over a ground.

    Args:
        path: the path on a flat floor.
        ground: what it leads over.
        step: length of the gait's steps at ``speed``.
        speed: the pace of the gait on stairs: m/s on a flat floor.
    """
    steps = np.linalg.norm(np.diff(path.positions, axis=0), axis=-1)
    arcs = np.concatenate([[0.0], np.cumsum(steps)])
    if arcs[-1] < SPACING:
        return Stairway(path, np.ones(len(path)), np.zeros(len(path), bool))
    at = np.arange(0.0, arcs[-1] + SPACING, SPACING)
    moving = np.concatenate([[True], steps > 1e-9])
    x, z = (np.interp(at, arcs[moving], axis[moving]) for axis in path.positions.T)
    heights = ground.heights(x, z)
    stretch, treads = _stretch(heights, step)
    grade = np.where(treads, 0.0, np.abs(_grade(np.where(treads, np.nan, heights))))
    here = np.interp(arcs, at, stretch)
    on_treads = np.interp(arcs, at, treads.astype(float)) > 0.5
    pace = np.linalg.norm(path.velocities()[:, :2], axis=-1)
    slower = np.maximum(
        1.0, np.where(on_treads, pace * here / speed, 1.0 + EFFORT * np.interp(arcs, at, grade))
    )
    slower = np.maximum(smooth_gaussian(slower, SMOOTHING * path.fps), 1.0)
    times = np.concatenate([[0.0], np.cumsum(slower[1:])])
    frames = np.interp(np.arange(int(np.floor(times[-1] + 1e-6)) + 1), times, np.arange(len(path)))
    walked = path.at(frames)
    return Stairway(
        walked, np.interp(frames, np.arange(len(path)), here), on_treads[np.round(frames).astype(int)]
    )


def _stretch(heights: Array, step: float) -> tuple[Array, Flags]:
    """How many times each point's steps are longer in the gait, and whether it lies on stairs."""
    stretch, treads = np.ones(len(heights)), np.zeros(len(heights), bool)
    edges = tread_edges(heights)
    for first, last in pairwise(edges):
        deep = last - first
        if deep <= DEEPEST:
            part = slice(round(first / SPACING), round(last / SPACING))
            stretch[part] = np.clip(step * max(1, round(deep / step)) / deep, *STRETCH)
            treads[part] = True
    for edge in edges:  # the step onto the first tread, and the one off the last
        near = slice(max(0, round((edge - step / 3) / SPACING)), round((edge + step / 3) / SPACING))
        if treads[near].any():
            stretch[near] = np.where(treads[near], stretch[near], stretch[near][treads[near]].mean())
            treads[near] = True
    return np.maximum(smooth_gaussian(stretch, RAMP / SPACING), STRETCH[0]), treads


def _grade(heights: Array) -> Array:
    """The slope of a profile, in which stairs are gaps."""
    there = ~np.isnan(heights)
    if not there.any():
        return np.zeros(len(heights))
    filled = np.interp(np.arange(len(heights)), np.flatnonzero(there), heights[there])
    return (
        np.gradient(smooth_gaussian(filled, SLOPE / SPACING / 2)) / SPACING if len(filled) > 1 else filled * 0
    )


def at_heights(path: ControlPath, ground: Ground) -> Array:
    """The path as points ``(T, 3)`` on the ground."""
    x, z = path.positions.T
    return np.stack([x, ground.heights(x, z), z], axis=-1)
