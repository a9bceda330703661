"""Finds the noise with which a model arrives at aims: the nearest to noise that was sampled. Needs numpy alone.

Motions are sampled, the one that comes nearest is taken, and its latents are changed by Gauss and Newton's method:

    minimise  |z − z₀|² / T² + |missed(z)|²

where z₀ are the sampled latents, T the temperature, and the misses are in units of what hardly matters. The derivatives
are exact. What is found is motion of the model: feet that stood still stand still, and what it costs is a likelihood.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moglow.directing.aims import Aim
from moglow.directing.course import Course, Flow, Moment
from moglow.sampling.fast.folded import Floats

STEPS = (1.0, 0.6, 0.3, 0.1)
"""Shares of a step of Gauss and Newton that are tried."""
ENOUGH = 0.02
"""The share by which a round must make the objective smaller for another one to follow."""


@dataclass(frozen=True, eq=False)
class Steered:
    """Latents and poses ``(n, D)`` of a stretch, what was before each frame and after the last, and the objective."""

    latents: Floats
    poses: Floats
    moments: Sequence[Moment]
    cost: float


def steer(
    flow: Flow,
    course: Course,
    frame: int,
    moment: Moment,
    latents: Floats,
    aims: Sequence[Aim],
    *,
    temperature: float,
    rounds: int = 2,
) -> Steered:
    """The motion from a frame on that meets the aims best, found near one of the sampled latents ``(n, B, D)``."""
    particles = moment.rows([0] * latents.shape[1]) if len(moment) == 1 else moment
    poses, _, moments = flow.roll(course, frame, particles, latents)
    best = int(np.argmin(_misses(aims, poses)))
    begin = particles.rows([best])
    found = Steered(
        latents[:, best], poses[:, best], [each.rows([best]) for each in moments], _misses(aims, poses)[best]
    )
    sampled = found.latents
    for _ in range(rounds):
        step = _step(flow, course, frame, begin, found, sampled, aims, temperature)
        tried = found.latents[:, None] + np.array(STEPS, np.float32)[:, None] * step[:, None]
        poses, _, moments = flow.roll(course, frame, begin.rows([0] * len(STEPS)), tried)
        away = np.square(tried - sampled[:, None], dtype=float).sum((0, 2)) / (2 * temperature**2)
        costs = _misses(aims, poses) + away
        k = int(np.argmin(costs))
        if not costs[k] < found.cost:
            break
        gained = costs[k] < (1 - ENOUGH) * found.cost
        found = Steered(tried[:, k], poses[:, k], [each.rows([k]) for each in moments], float(costs[k]))
        if not gained:
            break
    return found


def _misses(aims: Sequence[Aim], poses: Floats) -> Floats:
    """Half the square of the misses ``(B,)`` of motions ``(n, B, D)``; not a number counts as the worst."""
    squares = [np.square(aim.missed(poses[aim.frame]), dtype=float).sum(-1) for aim in aims]
    return np.asarray(np.nan_to_num(0.5 * np.sum(squares, axis=0), nan=np.inf))


def _step(
    flow: Flow,
    course: Course,
    frame: int,
    begin: Moment,
    found: Steered,
    sampled: Floats,
    aims: Sequence[Aim],
    temperature: float,
) -> Floats:
    """The change of the latents ``(n, D)`` that would reach the minimum if everything were linear."""
    slopes = [aim.slopes(found.poses[aim.frame]) for aim in aims]
    missed = np.concatenate([aim.missed(found.poses[aim.frame][None])[0] for aim in aims])
    last = max(aim.frame for aim in aims) + 1
    rows = np.zeros((last, len(missed), found.poses.shape[-1]), np.float32)
    start = 0
    for aim, slope in zip(aims, slopes, strict=True):
        rows[aim.frame, start : start + len(slope)] = slope
        start += len(slope)
    tapes = flow.tapes(course, frame, begin, found.poses[:last])
    jacobian = flow.jacobian(course, frame, tapes, rows).swapaxes(0, 1).reshape(len(missed), -1)
    moved = (found.latents - sampled)[:last].reshape(-1)
    gram = temperature**2 * (jacobian @ jacobian.T).astype(float) + np.eye(len(missed))
    pull = np.linalg.solve(gram, jacobian @ moved - missed)
    step = np.zeros_like(found.latents)
    step[:last] = (temperature**2 * (jacobian.T @ pull.astype(np.float32)) - moved).reshape(last, -1)
    return step
