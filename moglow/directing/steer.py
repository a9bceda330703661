"""Finds the noise with which a model arrives at aims: the nearest to noise that was sampled. Needs numpy alone.

Motions are sampled, the most suitable one is taken, and its latents are changed by Gauss and Newton's method:

    minimise  |z − z₀|² / T² + |missed(z)|²

where z₀ are the sampled latents, T is the temperature, and misses are in units of what hardly matters. The derivatives
are exact. A motion that has the pose a little earlier or later than it is wanted is out of step: it is first led, in
stages, to its own poses at those other times, so that its steps become longer or shorter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.directing.aims import Aim, PoseAim, walking_channels
from moglow.directing.course import Course, Flow, Moment
from moglow.sampling.fast.folded import Floats


@dataclass(frozen=True)
class SteerSpec:
    """How motion is steered. Times are seconds."""

    rounds: int = 2
    """Steps of Gauss and Newton towards the aims, at most."""
    enough: float = 0.05
    """The share by which a step must make the objective smaller for another one to follow."""
    out_of_step: float = 0.5
    """How much earlier or later than wanted a motion may have the pose."""
    stage: float = 0.1
    """The time by which steps are shifted in one stage."""
    shift_cost: float = 900.0
    """What a shift by a second costs; its square counts."""
    shares: tuple[float, ...] = (1.0, 0.6, 0.3, 0.1)
    """The parts of a step that are tried."""


@dataclass(frozen=True, eq=False)
class Steered:
    """Latents and poses ``(n, D)`` of a stretch, and the objective."""

    latents: Floats
    poses: Floats
    cost: float
    usual: float
    """Mean log-likelihood of a frame of the motions that were sampled, in nats."""
    shift: int
    """By how many frames steps were shifted; positive is earlier."""


@dataclass(frozen=True, eq=False)
class Steering:
    """A stretch of motion to steer: from a frame of a course on, after a moment, at a temperature."""

    flow: Flow
    course: Course
    frame: int
    moment: Moment
    temperature: float
    spec: SteerSpec = SteerSpec()

    def steer(self, latents: Floats, aims: Sequence[Aim]) -> Steered:
        """The motion that meets the aims best, found near one of the sampled latents ``(n, B, D)``.

        The latents may go on beyond the last aim, so that there are poses later than wanted.
        """
        frames = max(aim.frame for aim in aims) + 1
        particles = self.moment.rows([0] * latents.shape[1])
        poses, nats, _ = self.flow.roll(self.course, self.frame, particles, latents)
        row, shift = self._nearest(poses, aims)
        own, sampled = poses[:, row], latents[:frames, row]
        found = Steered(sampled, own[:frames], np.inf, float(nats[:frames].mean()), shift)
        for aim in self._stages(own, aims[0], shift):
            found = self._improved(found, sampled, [aim])
        found = replace(found, cost=self._cost(found, sampled, aims))
        for _ in range(self.spec.rounds):
            better = self._improved(found, sampled, aims)
            gained = better.cost < (1 - self.spec.enough) * found.cost
            found = better if better.cost < found.cost else found
            if not gained:
                break
        return found

    def _nearest(self, poses: Floats, aims: Sequence[Aim]) -> tuple[int, int]:
        """Which of motions ``(n, B, D)`` is nearest to the aims, and by how many frames it is out of step."""
        at, fps = aims[0].frame, self.flow.context.fps
        most = round(self.spec.out_of_step * fps) if self._walks(aims[0]) else 0
        shifts = np.arange(-min(most, at), min(most, len(poses) - 1 - at) + 1)
        costs = np.stack([_squares(aims[0].missed(poses[at + shift])) for shift in shifts])
        costs += self.spec.shift_cost * np.square(shifts / fps)[:, None]
        costs += _misses(aims[1:], poses)
        place, row = np.unravel_index(np.argmin(np.nan_to_num(costs, nan=np.inf)), costs.shape)
        return int(row), int(shifts[place])

    def _walks(self, aim: Aim) -> bool:
        """Whether an aim is about feet, which may be out of step."""
        toes = self.flow.context.encoding.slice("toe_z")
        return isinstance(aim, PoseAim) and toes.start in aim.channels

    def _stages(self, own: Floats, aim: Aim, shift: int) -> list[Aim]:
        """Poses of a motion, from where it is to where it is in step, at the frame of an aim: legs and hips."""
        context = self.flow.context
        count = int(np.ceil(abs(shift) / (self.spec.stage * context.fps)))
        channels = walking_channels(context.encoding)
        return [
            PoseAim.of(context, aim.frame, channels, own[aim.frame + round(shift * k / count)])
            for k in range(1, count + 1)
        ]

    def _improved(self, found: Steered, sampled: Floats, aims: Sequence[Aim]) -> Steered:
        """The best of several parts of a step of Gauss and Newton."""
        shares = np.array(self.spec.shares, np.float32)
        tried = found.latents[:, None] + shares[:, None] * self._step(found, sampled, aims)[:, None]
        poses, _, _ = self.flow.roll(self.course, self.frame, self.moment.rows([0] * len(shares)), tried)
        costs = (
            _misses(aims, poses) + _squares((tried - sampled[:, None]).swapaxes(0, 1)) / self.temperature**2
        )
        best = int(np.argmin(costs))
        return replace(found, latents=tried[:, best], poses=poses[:, best], cost=float(costs[best]))

    def _cost(self, found: Steered, sampled: Floats, aims: Sequence[Aim]) -> float:
        away = _squares((found.latents - sampled)[None])[0] / self.temperature**2
        return float(_misses(aims, found.poses[:, None])[0] + away)

    def _step(self, found: Steered, sampled: Floats, aims: Sequence[Aim]) -> Floats:
        """The change of the latents ``(n, D)`` that would reach the minimum if everything were linear."""
        last = max(aim.frame for aim in aims) + 1
        missed = [aim.missed(found.poses[aim.frame][None])[0] for aim in aims]
        rows = np.zeros((last, sum(map(len, missed)), found.poses.shape[-1]), np.float32)
        start = 0
        for aim, miss in zip(aims, missed, strict=True):
            rows[aim.frame, start : start + len(miss)] = aim.slopes(found.poses[aim.frame])
            start += len(miss)
        tapes = self.flow.tapes(self.course, self.frame, self.moment, found.poses[:last])
        jacobian = self.flow.jacobian(self.course, self.frame, tapes, rows)
        jacobian = jacobian.swapaxes(0, 1).reshape(start, -1)
        moved, variance = (found.latents - sampled)[:last].reshape(-1), self.temperature**2
        gram = variance * (jacobian @ jacobian.T).astype(float) + np.eye(start)
        pull = np.linalg.solve(gram, jacobian @ moved - np.concatenate(missed))
        step = np.zeros_like(found.latents)
        step[:last] = (variance * (jacobian.T @ pull.astype(np.float32)) - moved).reshape(last, -1)
        return step


def _squares(values: Floats) -> Floats:
    """Half the sum of the squares ``(B,)`` of values ``(B, …)``."""
    return np.asarray(0.5 * np.square(values, dtype=float).reshape(len(values), -1).sum(-1))


def _misses(aims: Sequence[Aim], poses: Floats) -> Floats:
    """Half the square of all misses ``(B,)`` of motions ``(n, B, D)``; not a number counts as the worst."""
    total = sum((_squares(aim.missed(poses[aim.frame])) for aim in aims), np.zeros(poses.shape[1]))
    return np.asarray(np.nan_to_num(total, nan=np.inf))
