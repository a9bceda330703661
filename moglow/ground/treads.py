"""Adapts a path to a ground: slower on slopes, and one step per tread on stairs. Needs numpy alone."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from moglow.ground.surface import Ground
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags, smooth_gaussian
from moglow.paths.control_path import SMOOTHING, ControlPath


@dataclass(frozen=True)
class TreadSpec:
    """The parameters of stairs and slopes; lengths in metres."""

    spacing: float = 0.01
    """Distance between the points of a profile."""
    riser: float = 0.05
    """Least difference of height between every second point at an edge."""
    deepest: float = 0.8
    """Largest depth of a tread; longer level stretches are floors."""
    slope: float = 0.6
    """Distance over which a slope is measured."""
    effort: float = 1.0
    """Relative increase of time per slope: a slope of 100 % is walked at half the speed, one of 50 % at two thirds."""
    ramp: float = 0.12
    """Standard deviation of the Gaussian that smooths the step length where stairs begin."""
    stretch: tuple[float, float] = (0.7, 3.0)
    """Range of the ratio of the gait's step length to that on the treads."""


SPEC = TreadSpec()


@dataclass(frozen=True, eq=False)
class Stairway:
    """A path over a ground.

    ``stretch`` ``(T,)`` is the ratio of the gait's step length on a flat floor to that on the path, ``on_treads``
    ``(T,)`` is True on stairs.
    """

    path: ControlPath
    stretch: Array
    on_treads: Flags

    def gait(self) -> ControlPath:
        """Returns the corresponding path on a flat floor: its steps are longer and take the same time."""
        rows = self.path.velocities() * np.stack(
            [self.stretch, self.stretch, np.ones_like(self.stretch)], axis=-1
        )
        start = (*self.path.positions[0].tolist(), float(self.path.headings[0]))
        return ControlPath.from_velocities(rows, self.path.fps, start=start, styles=self.path.styles)


def tread_edges(heights: Array, spec: TreadSpec = SPEC) -> Array:
    """Returns the distances ``(N,)`` in metres of the edges along a profile with points ``spec.spacing`` apart.

    >>> tread_edges(np.repeat([0.0, 0.17, 0.34], 30))
    array([0.3, 0.6])
    """
    change = np.abs(heights[2:] - heights[:-2])
    peaks = np.flatnonzero(
        (change > spec.riser) & (change >= np.roll(change, 1)) & (change >= np.roll(change, -1))
    )
    kept: list[int] = []
    for peak in peaks:
        if not kept or (peak - kept[-1]) * spec.spacing > 0.06:
            kept.append(int(peak))
    return spec.spacing * (np.array(kept, float) + 1)


def over_ground(path: ControlPath, ground: Ground, *, step: float, speed: float) -> Stairway:
    """Returns a path, with its times adapted to slopes and stairs.

    Args:
        path: the path on a flat floor.
        ground: the ground below the path.
        step: length in metres of the gait's steps at ``speed``.
        speed: speed of the gait used on stairs, in m/s on a flat floor.
    """
    steps = np.linalg.norm(np.diff(path.positions, axis=0), axis=-1)
    arcs = np.concatenate([[0.0], np.cumsum(steps)])
    if arcs[-1] < SPEC.spacing:
        return Stairway(path, np.ones(len(path)), np.zeros(len(path), bool))
    at = np.arange(0.0, arcs[-1] + SPEC.spacing, SPEC.spacing)
    moving = np.concatenate([[True], steps > 1e-9])
    x, z = (np.interp(at, arcs[moving], axis[moving]) for axis in path.positions.T)
    heights = ground.heights(x, z)
    stretch, treads = _stretch(heights, step)
    grade = np.where(treads, 0.0, np.abs(_grade(np.where(treads, np.nan, heights))))
    here = np.interp(arcs, at, stretch)
    on_treads = np.interp(arcs, at, treads.astype(float)) > 0.5
    pace = np.linalg.norm(path.velocities()[:, :2], axis=-1)
    slower = np.maximum(
        1.0, np.where(on_treads, pace * here / speed, 1.0 + SPEC.effort * np.interp(arcs, at, grade))
    )
    slower = np.maximum(smooth_gaussian(slower, SMOOTHING * path.fps), 1.0)
    times = np.concatenate([[0.0], np.cumsum(slower[1:])])
    frames = np.interp(np.arange(int(np.floor(times[-1] + 1e-6)) + 1), times, np.arange(len(path)))
    walked = path.at(frames)
    return Stairway(
        walked, np.interp(frames, np.arange(len(path)), here), on_treads[np.round(frames).astype(int)]
    )


def _stretch(heights: Array, step: float) -> tuple[Array, Flags]:
    """Returns for each point of a profile the ratio of step lengths, and whether it is on stairs."""
    stretch, treads = np.ones(len(heights)), np.zeros(len(heights), bool)
    edges = tread_edges(heights)
    for first, last in pairwise(edges):
        deep = last - first
        if deep <= SPEC.deepest:
            part = slice(round(first / SPEC.spacing), round(last / SPEC.spacing))
            stretch[part] = np.clip(step * max(1, round(deep / step)) / deep, *SPEC.stretch)
            treads[part] = True
    for edge in edges:  # the step onto the first tread and the one after the last
        start, stop = (round((edge + sign * step / 3) / SPEC.spacing) for sign in (-1, 1))
        near = slice(max(0, start), stop)
        if treads[near].any():
            stretch[near] = np.where(treads[near], stretch[near], stretch[near][treads[near]].mean())
            treads[near] = True
    return np.maximum(smooth_gaussian(stretch, SPEC.ramp / SPEC.spacing), SPEC.stretch[0]), treads


def _grade(heights: Array) -> Array:
    """Returns the slope of a profile, interpolated over stairs, which are NaN."""
    there = ~np.isnan(heights)
    if not there.any():
        return np.zeros(len(heights))
    filled = np.interp(np.arange(len(heights)), np.flatnonzero(there), heights[there])
    if len(filled) < 2:
        return filled * 0
    return np.gradient(smooth_gaussian(filled, SPEC.slope / SPEC.spacing / 2)) / SPEC.spacing


def at_heights(path: ControlPath, ground: Ground) -> Array:
    """Returns the path as points ``(T, 3)`` on the ground."""
    x, z = path.positions.T
    return np.stack([x, ground.heights(x, z), z], axis=-1)
