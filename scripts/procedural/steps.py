"""The places and times of all stances along a path.

Steps are counted by a phase that increases by one per step. Legs of even and odd beat alternate; the swing of step k is
centred at phase k + 1/2, and is longer than a step in gaits with a flight phase. A foot is placed where the path is in
the middle of its stance, so that the body passes over it. Where the path is at rest, all feet are side by side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.maths.rotations import Array, heading_to_quat, quat_rotate
from moglow.maths.signals import smooth_gaussian
from moglow.paths.control_path import ControlPath
from scripts.procedural.gaits import GaitPattern, Manner

CREEP = 0.03
"""Speed in m/s (and half of it in rad/s) below which a path is at rest …"""
REST = 0.4
"""… if that lasts longer than these seconds."""


@dataclass(frozen=True)
class Foothold:
    """The place (x, z) of the ball of a foot when standing at the origin and facing +Z, and the leg's beat."""

    home: tuple[float, float]
    beat: int


@dataclass(frozen=True)
class Stance:
    """A stance: times of touch-down and lift-off in seconds, the place (x, z) of the ball, and the heading.

    ``landing`` and ``leaving`` are the pitch (toes up positive) at touch-down and at lift-off.
    """

    touch: float
    lift: float
    ball: tuple[float, float]
    heading: float
    landing: float = 0.0
    leaving: float = 0.0


@dataclass(frozen=True, eq=False)
class StepPlan:
    """The stances of each leg in order of time, and the phase ``(T,)`` in steps."""

    stances: tuple[tuple[Stance, ...], ...]
    phase: Array


@dataclass(frozen=True, eq=False)
class Bout:
    """Motion between two rests: seconds ``(N,)`` and phases ``(N,)``, with ``count`` steps from step ``first``."""

    times: Array
    phases: Array
    first: int
    count: int

    def time(self, phase: float) -> float:
        return float(np.interp(phase, self.phases, self.times))


def plan_steps(
    path: ControlPath,
    holds: Sequence[Foothold],
    gait: GaitPattern,
    manner: Manner,
    *,
    generator: np.random.Generator,
) -> StepPlan:
    """Returns a plan of all stances; the path should begin and end with a rest."""
    velocities = path.velocities()
    bouts = list(_bouts(path, velocities, gait, manner, generator))
    stances = tuple(tuple(_stances(path, velocities, bouts, hold, gait, manner, generator)) for hold in holds)
    phase = np.zeros(len(path))
    for bout in bouts:
        phase = np.where(path.times >= bout.times[0], np.interp(path.times, bout.times, bout.phases), phase)
    return StepPlan(stances, phase)


def _bouts(
    path: ControlPath, velocities: Array, gait: GaitPattern, manner: Manner, generator: np.random.Generator
) -> Iterator[Bout]:
    fps = path.fps
    going = (np.hypot(velocities[:, 0], velocities[:, 1]) > CREEP) | (np.abs(velocities[:, 2]) > CREEP / 2)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], going, [False]]).astype(int))).reshape(-1, 2)
    joined: list[list[int]] = []
    for start, stop in edges.tolist():
        if joined and start - joined[-1][1] < REST * fps:
            joined[-1][1] = stop
        else:
            joined.append([start, stop])
    unevenness = np.exp(smooth_gaussian(generator.normal(0, 0.12, len(path)), 0.4 * fps))
    rate = gait.rate(velocities) * manner.cadence * unevenness
    first = 0
    for start, stop in joined:
        stop = min(stop + 1, len(path))  # up to the first frame of the rest
        if stop - start < 2:
            continue
        counted = np.concatenate(
            [[0.0], np.cumsum((rate[start : stop - 1] + rate[start + 1 : stop]) / (2 * fps))]
        )
        count = max(2, round(counted[-1]))
        leftward = float(np.mean(velocities[start : start + round(fps), 1:].sum(-1)))
        leader = int(generator.integers(2)) if abs(leftward) < 0.1 else int(leftward < 0)
        first += (first - leader) % 2
        yield Bout(path.times[start:stop], first + counted * (count / counted[-1]), first, count)
        first += count


def _stances(
    path: ControlPath,
    velocities: Array,
    bouts: Sequence[Bout],
    hold: Foothold,
    gait: GaitPattern,
    manner: Manner,
    generator: np.random.Generator,
) -> Iterator[Stance]:
    def velocity(time: float) -> Array:
        return np.array([np.interp(time, path.times, column) for column in velocities.T])

    def stand(touch: float, middle: float, landing: float) -> Stance:
        forward, sideways, _ = velocity(middle)
        period = 1 / float(gait.rate(velocity(middle)[None])[0])
        heading = float(np.interp(middle, path.times, path.headings))
        side = np.sign(hold.home[0])
        # In side-steps the feet stay apart, else the trailing foot would be placed beyond the leading one.
        apart = max(abs(hold.home[0]) * manner.width, (abs(sideways) * period + 0.08) / 2)
        scatter = generator.normal(0, manner.scatter, 2) * min(1.0, np.hypot(forward, sideways))
        home = np.array(
            [side * apart + scatter[0], 0.0, hold.home[1] + gait.lead(velocity(middle)) + scatter[1]]
        )
        offset = quat_rotate(heading_to_quat(heading), home)
        place = [float(np.interp(middle, path.times, axis)) for axis in path.positions.T]
        ball = (place[0] + float(offset[0]), place[1] + float(offset[2]))
        return Stance(touch, np.inf, ball, heading + side * manner.toe_out, landing)

    current = stand(-np.inf, 0.0, 0.0)
    for bout in bouts:
        end = bout.first + bout.count
        for step in range(bout.first + (hold.beat - bout.first) % 2, end, 2):
            air = 1 - float(gait.duty(velocity(bout.time(step + 0.5))[None])[0])
            lift, touch = bout.time(max(step + 0.5 - air, bout.first)), bout.time(min(step + 0.5 + air, end))
            yield replace(current, lift=lift, leaving=gait.leaving(velocity(lift)) * manner.roll)
            # The last two steps go to the path's resting place, so that the feet end side by side.
            middle = float(bout.times[-1]) if step >= end - 2 else bout.time(step + 1.5)
            current = stand(touch, middle, gait.landing(velocity(touch)) * manner.roll)
    yield current
