"""Finds noise for which a model meets aims, near to noise that was sampled. Needs numpy alone.

Motions are sampled, and the latents of the nearest one are changed by the Gauss-Newton method:

    minimise  |z − z₀|² / T² + |missed(z)|²

where z₀ are the sampled latents, T is the temperature, and errors are divided by their tolerance. The derivatives are
exact. If a motion reaches the pose earlier or later than required, its timing is corrected first (`retimed`), so that
its steps become shorter or longer; z₀ is then the noise of the corrected motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.directing.aims import Aim, PoseAim, full_turns
from moglow.directing.course import Course, Flow, Moment
from moglow.directing.retimed import retimed
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats


@dataclass(frozen=True)
class SteerSpec:
    """The settings of steering. Times are in seconds."""

    rounds: int = 3
    """Largest number of Gauss-Newton steps; derivatives are computed again for every second step."""
    enough: float = 0.05
    """The share by which a step must reduce the objective for another step to follow."""
    out_of_step: float = 0.55
    """Largest difference in time between the pose in the motion and in the aim: half a stride."""
    hurry: float = 1500.0
    """Cost of moving a pose in the motion to a second earlier; it grows with the square of the time."""
    linger: float = 5000.0
    """The same for moving it to a second later: steps are shortened more easily than lengthened."""
    steady: float = 0.1
    """Speed in m/s of the lower toe without a cost …"""
    sliding: float = 1.0
    """… and speed above which the cost is constant: then both feet are in the air."""
    reach: float = 1.2
    """Seconds before an aim whose noise is changed; steps before it are shortened or lengthened alone."""
    averaged: int = 1
    """Number of motions nearest to the aims whose mean is used, which is nearer to what is likely than a sample. Its
    error at the first aim is distributed evenly over the frames before it; a single motion is steered."""
    near: float = 0.15
    """Tolerance in deviations of all channels by which the motions that are averaged are selected."""
    alike: float = 0.15
    """Largest difference in seconds between the delays of motions that are averaged; others differ in their steps."""
    shares: tuple[float, ...] = (1.0, 0.6, 0.3, 0.1)
    """The step lengths that are tried."""


@dataclass(frozen=True, eq=False)
class Steered:
    """The latents and poses ``(n, D)`` of a stretch, and the value of the objective."""

    latents: Floats
    poses: Floats
    cost: float
    usual: float
    """Mean log-likelihood of a frame of the sampled motions, in nats."""
    shift: int
    """The number of frames by which the timing was shifted; positive for earlier."""


@dataclass(frozen=True, eq=False)
class SteeredStretch:
    """A stretch of motion to steer: its course, first frame, the state before it, and the temperature."""

    flow: Flow
    course: Course
    frame: int
    moment: Moment
    temperature: float
    spec: SteerSpec = SteerSpec()

    def steer(self, latents: Floats, aims: Sequence[Aim]) -> Steered:
        """Returns the motion that meets the aims best, found from the nearest of the sampled latents ``(n, B, D)``.

        The latents may extend beyond the last aim, to contain poses that come too late.
        """
        frames = max(aim.frame for aim in aims) + 1
        particles = self.moment.rows([0] * latents.shape[1])
        poses, nats, _ = self.flow.roll(self.course, self.frame, particles, latents)
        usual = float(nats[:frames].mean())
        if self.spec.averaged > 1:
            own, shift = self._likely(poses, aims)
        else:
            (row, shift), *_ = self._nearest(poses, aims)
            sampled, own = latents[:frames, row], poses[:frames, row]
            own = self._timed(poses[:, row], shift, aims)[:frames]
        if shift or self.spec.averaged > 1:
            sampled = self.flow.score(self.course, self.frame, self.moment, own[:, None])[0][:, 0]
        found = Steered(sampled, own, np.inf, usual, shift)
        found, jacobian = replace(found, cost=self._cost(found, sampled, aims)), None
        for number in range(self.spec.rounds):
            jacobian = self._jacobian(found, aims) if jacobian is None or number % 2 == 0 else jacobian
            better = self._improved(found, sampled, aims, jacobian)
            jacobian = self._corrected(jacobian, found, better, aims)
            gained = better.cost < (1 - self.spec.enough) * found.cost
            found = better if better.cost < found.cost else found
            if not gained:
                break
        return found

    def _likely(self, poses: Floats, aims: Sequence[Aim]) -> tuple[Floats, int]:
        """Returns the mean ``(n, D)`` of several of the motions ``(n, B, D)``, led to the first aim, and its delay."""
        frames, at = max(aim.frame for aim in aims) + 1, aims[0].frame
        alike = [
            replace(aim, tolerance=np.full_like(aim.tolerance, self.spec.near))
            if isinstance(aim, PoseAim)
            else aim
            for aim in aims
        ]
        nearest = self._nearest(poses, alike)
        own = self._mean([self._timed(poses[:, row], shift, aims)[:frames] for row, shift in nearest])
        share = np.minimum(np.arange(1, frames + 1, dtype=np.float32) / (at + 1), 1.0)
        return own + share[:, None] * (aims[0].met(own[at]) - own[at]), nearest[0][1]

    def _nearest(self, poses: Floats, aims: Sequence[Aim]) -> list[tuple[int, int]]:
        """Returns the indices of the motions nearest to the aims, of ``(n, B, D)``, and their delays in frames."""
        at, fps = aims[0].frame, self.flow.context.fps
        most = round(self.spec.out_of_step * fps) if self._walks(aims[0]) else 0
        after = len(poses) - 1 - max(aim.frame for aim in aims)  # an earlier pose leaves fewer frames
        shifts = np.arange(-min(most, at), min(most, after) + 1)
        costs = np.stack([_squares(aims[0].missed(poses[at + shift])) for shift in shifts])
        seconds = shifts / fps
        each = np.where(seconds > 0, self.spec.hurry, self.spec.linger)
        costs += (each * np.square(seconds))[:, None]
        costs += _misses(aims[1:], poses)
        slide = self.flow.slide(self.course, self.frame, self.moment.rows([0] * poses.shape[1]), poses)
        costs += _squares(np.minimum(slide, self.spec.sliding).T / self.spec.steady)
        costs = np.nan_to_num(costs, nan=np.inf)
        places = costs.argmin(axis=0)
        order = np.argsort(costs.min(axis=0), kind="stable")[: self.spec.averaged]
        found = [(int(row), int(shifts[places[row]])) for row in order]
        return [each for each in found if abs(each[1] - found[0][1]) <= self.spec.alike * fps]

    def _walks(self, aim: Aim) -> bool:
        """Returns whether an aim concerns the legs, so that it depends on the timing of steps."""
        toes = self.flow.context.encoding.slice("toe_z")
        return isinstance(aim, PoseAim) and toes.start in aim.channels

    def _timed(self, own: Floats, shift: int, aims: Sequence[Aim]) -> Floats:
        """Returns a motion with its steps shortened or lengthened, so that the first aim's pose comes in time."""
        if not shift:
            return own
        context, history, at = self.flow.context, self.flow.context.spec.history, aims[0].frame
        controls = self.course.controls[self.frame + history :][: len(own)]
        path = ControlPath.from_velocities(context.physical_control(controls), context.fps)
        return retimed(context, own, path, at, shift, aims[0].met(own[at + shift]))

    def _mean(self, motions: Sequence[Floats]) -> Floats:
        """Returns the mean ``(n, D)`` of motions; angles differ from those of the first by less than half a turn."""
        turns = np.asarray(full_turns(self.flow.context), np.float32)
        off = np.stack(motions) - motions[0]
        off -= np.round(off / turns) * np.where(np.isfinite(turns), turns, 0.0)
        return np.asarray(motions[0] + off.mean(axis=0), np.float32)

    def _corrected(self, jacobian: Floats, before: Steered, after: Steered, aims: Sequence[Aim]) -> Floats:
        """Returns the Jacobian with Broyden's update from the result of a step."""
        did = _missed(aims, after.poses) - _missed(aims, before.poses)
        way = (after.latents - before.latents).reshape(-1)[: jacobian.shape[1]]
        lacking = (did - jacobian @ way) / max(float(way @ way), 1e-9)
        return np.asarray(jacobian + lacking[:, None] * way)

    def _improved(self, found: Steered, sampled: Floats, aims: Sequence[Aim], jacobian: Floats) -> Steered:
        """Returns the best result of several lengths of a Gauss-Newton step."""
        shares = np.array(self.spec.shares, np.float32)
        step = self._step(found, sampled, aims, jacobian)
        tried = found.latents[:, None] + shares[:, None] * step[:, None]
        poses, _, _ = self.flow.roll(self.course, self.frame, self.moment.rows([0] * len(shares)), tried)
        costs = (
            _misses(aims, poses) + _squares((tried - sampled[:, None]).swapaxes(0, 1)) / self.temperature**2
        )
        best = int(np.argmin(costs))
        return replace(found, latents=tried[:, best], poses=poses[:, best], cost=float(costs[best]))

    def _cost(self, found: Steered, sampled: Floats, aims: Sequence[Aim]) -> float:
        away = _squares((found.latents - sampled)[None])[0] / self.temperature**2
        return float(_misses(aims, found.poses[:, None])[0] + away)

    def _jacobian(self, found: Steered, aims: Sequence[Aim]) -> Floats:
        """Returns the derivatives ``(R, n · D)`` of all errors with respect to the latents up to the last aim."""
        last = max(aim.frame for aim in aims) + 1
        slopes = [aim.slopes(found.poses[aim.frame]) for aim in aims]
        rows = np.zeros((last, sum(map(len, slopes)), found.poses.shape[-1]), np.float32)
        start = 0
        for aim, slope in zip(aims, slopes, strict=True):
            rows[aim.frame, start : start + len(slope)] = slope
            start += len(slope)
        tapes = self.flow.tapes(
            self.course, self.frame, self.moment, found.poses[:last], found.latents[:last]
        )
        first = max(0, min(aim.frame for aim in aims) + 1 - round(self.spec.reach * self.flow.context.fps))
        jacobian = self.flow.jacobian(self.course, self.frame, tapes, rows, first)
        return np.ascontiguousarray(jacobian.swapaxes(0, 1)).reshape(start, -1)

    def _step(self, found: Steered, sampled: Floats, aims: Sequence[Aim], jacobian: Floats) -> Floats:
        """Returns the Gauss-Newton step ``(n, D)`` of the latents."""
        missed = _missed(aims, found.poses)
        last, variance = max(aim.frame for aim in aims) + 1, self.temperature**2
        moved = (found.latents - sampled)[:last].reshape(-1)
        gram = variance * (jacobian @ jacobian.T).astype(float) + np.eye(len(missed))
        pull = np.linalg.solve(gram, jacobian @ moved - missed)
        step = np.zeros_like(found.latents)
        step[:last] = (variance * (jacobian.T @ pull.astype(np.float32)) - moved).reshape(last, -1)
        return step


def _squares(values: Floats) -> Floats:
    """Returns half the sum of squares ``(B,)`` of values ``(B, …)``."""
    return np.asarray(0.5 * np.square(values, dtype=float).reshape(len(values), -1).sum(-1))


def _missed(aims: Sequence[Aim], poses: Floats) -> Floats:
    """Returns all errors ``(R,)`` of one motion ``(n, D)``."""
    return np.concatenate([aim.missed(poses[aim.frame][None])[0] for aim in aims])


def _misses(aims: Sequence[Aim], poses: Floats) -> Floats:
    """Returns half the sum of squared errors ``(B,)`` of motions ``(n, B, D)``; infinite if one is not a number."""
    total = sum((_squares(aim.missed(poses[aim.frame])) for aim in aims), np.zeros(poses.shape[1]))
    return np.asarray(np.nan_to_num(total, nan=np.inf))
