"""Samples motion along a path that meets goals. Needs numpy alone.

Between two goals, many motions are sampled and the nearest one is steered to the goal (`steer`). The remaining error is
corrected (`arrive`), and the model continues from there. Frames farther from a goal than `LEAD` are sampled as in a
motion without goals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from moglow.corpus.context import Context
from moglow.directing.aims import Aim, ReachAim
from moglow.directing.arrival import arrive
from moglow.directing.beginnings import Beginning
from moglow.directing.course import Course, Flow, Moment
from moglow.directing.goals import Goal
from moglow.directing.steer import SteeredStretch, SteerSpec
from moglow.errors import ControlError
from moglow.paths.control_path import ControlPath
from moglow.sampling.fast.folded import Floats
from moglow.sampling.start_and_stop import ENDINGS, best_ending, can_settle, ending_start, foresight

LEAD = 2.0
"""Time in seconds before a goal in which motion is steered."""
SOON = 0.5
"""Time in seconds after a goal within which the next goal is also taken into account."""
PARTICLES = 32
"""Number of motions that are sampled for a goal."""
COLDEST = 0.3
"""Lowest temperature of the noise that is steered."""
CHUNK = 300
SHORT = 0.02
"""Largest distance in metres between a joint and the point of its reach; a larger one is an error."""


@dataclass(frozen=True)
class Price:
    """The price of a goal: nats of the frames before it, and of its own frame, above the usual value."""

    words: str
    seconds: float
    nats: float
    frame_nats: float

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the price as plain numbers, for a sidecar."""
        return {
            "goal": self.words,
            "seconds": round(self.seconds, 4),
            "nats_more_than_usual": round(self.nats, 1),
            "of_its_own_frame": round(self.frame_nats, 1),
            "says": str(self),
        }

    def __str__(self) -> str:
        return f"{self.words} costs {max(0.0, self.nats):.0f} nats more than usual{_verdict(self.nats)}"


@dataclass(frozen=True, eq=False)
class Directed:
    """Poses ``(N, D)`` in metres and radians along a path, their log-likelihoods ``(N,)``, and the prices of goals."""

    path: ControlPath
    poses: Floats
    nats: Floats
    prices: tuple[Price, ...]


def _verdict(nats: float) -> str:
    if nats > DEAR:
        return ": the model does not get there by itself, look at the motion before it"
    return ": an unusual pose to arrive in" if nats > UNUSUAL else ""


UNUSUAL, DEAR = 300.0, 3000.0
"""Price in nats above which a goal is reported as unusual, and as mostly a deformation of sampled motion."""


@dataclass(frozen=True, eq=False)
class Director:
    """Samples motion from a beginning along a path; ``usual`` is the log-likelihood of a recorded frame in nats."""

    flow: Flow
    path: ControlPath
    beginning: Beginning
    temperature: float
    seed: int
    take: int = 0
    usual: float = np.inf
    spec: SteerSpec = field(default_factory=SteerSpec)

    @property
    def context(self) -> Context:
        return self.flow.context

    @property
    def course(self) -> Course:
        return self.beginning.course

    def direct(self, goals: Sequence[Goal]) -> Directed:
        """Returns the motion that meets goals, which are sorted by frame."""
        before, begin = self.beginning.before_path(self.path), self.beginning.frame
        latents, moment, done = self._latents(), self.beginning.moment, begin
        groups = [(before + frame, [*group]) for frame, group in groupby(goals, key=lambda goal: goal.frame)]
        parts: list[tuple[Floats, Floats]] = []
        prices: list[Price] = []
        for number, (frame, group) in enumerate(groups):
            lead = max(done, frame + 1 - round(LEAD * self.path.fps))
            part, moment = self._roll(latents[done - begin : lead - begin], done, moment)
            soon = [
                each for later, others in groups[number + 1 :] for each in others if self._soon(frame, later)
            ]
            aims = [goal.aim(self.context, before + goal.frame - lead) for goal in (*group, *soon)]
            hints = (
                [] if soon else [hint for goal in group for hint in goal.hints(self.context, frame - lead)]
            )
            last = lead + max(aim.frame for aim in (*aims, *hints))
            steering = SteeredStretch(
                self.flow, self.course, lead, moment, max(self.temperature, COLDEST), self.spec
            )
            later = min(len(latents), last + 1 - begin + round(self.spec.out_of_step * self.path.fps))
            found = steering.steer(self._particles(latents[lead - begin : later], number), [*aims, *hints])
            latents[lead - begin : last + 1 - begin] = found.latents
            arrived = self._arrived(found.poses[: frame + 1 - lead], aims[: len(group)], lead, group)
            _, nats, moments = self.flow.score(self.course, lead, moment, arrived[:, None])
            prices += self._prices(group, nats[:, 0], found.usual)
            parts += [part, (arrived, nats[:, 0])]
            moment, done = moments[-1], frame + 1
        parts += self._rest(
            latents[done - begin :], done, moment, free=not groups or self._settles(groups[-1][0])
        )
        poses, nats = (np.concatenate(each) for each in zip(*parts, strict=True))
        known = self.beginning.known
        poses = np.concatenate([known, poses])[max(0, before - begin) :]
        nats = np.concatenate([np.full(len(known), np.nan), nats])[max(0, before - begin) :]
        nats[: len(known)] = nats[len(known) :].mean() if len(nats) > len(known) else 0.0
        return Directed(self.path, self.context.physical_pose(poses), nats, tuple(prices))

    def _soon(self, frame: int, later: int) -> bool:
        return later - frame <= SOON * self.path.fps

    def _latents(self) -> Floats:
        """Returns the latents ``(n, D)`` of the motion without goals, as sampled by the sampler."""
        before, model = self.beginning.before_path(self.path), self.flow.model
        counts = max(0, before - self.beginning.frame), len(self.course) - max(before, self.beginning.frame)
        noise = [
            np.random.default_rng([self.seed, self.take, part]).standard_normal(
                (count, model.noise_dim), dtype=np.float32
            )
            for part, count in enumerate(counts)
        ]
        return np.array(model.latent(np.concatenate(noise), self.temperature))

    def _particles(self, own: Floats, number: int) -> Floats:
        """Returns latents ``(n, B, D)`` of B motions: the given ones, and others that are sampled."""
        generator = np.random.default_rng([self.seed, self.take, 2, number])
        shape = (len(own), PARTICLES - 1, self.flow.model.noise_dim)
        others = self.flow.model.latent(generator.standard_normal(shape, dtype=np.float32), self.temperature)
        return np.concatenate([own[:, None], others], axis=1)

    def _roll(self, latents: Floats, frame: int, moment: Moment) -> tuple[tuple[Floats, Floats], Moment]:
        """Returns the poses and likelihoods of latents ``(n, D)`` of one motion, and the state after them."""
        poses, nats = [latents[:0]], [latents[:0, 0]]
        for start in range(0, len(latents), CHUNK):
            part = latents[start : start + CHUNK, None]
            made, likely, moments = self.flow.roll(self.course, frame + start, moment, part)
            poses.append(made[:, 0])
            nats.append(likely[:, 0])
            moment = moments[-1]
        return (np.concatenate(poses), np.concatenate(nats)), moment

    def _arrived(self, poses: Floats, aims: Sequence[Aim], lead: int, group: Sequence[Goal]) -> Floats:
        """Returns the poses ``(n, D)`` of a stretch, corrected to meet its goals exactly."""
        wanted = poses[-1]
        for aim in sorted(aims, key=lambda aim: isinstance(aim, ReachAim)):
            wanted = aim.met(wanted)
        for aim, goal in zip(aims, group, strict=True):
            if isinstance(aim, ReachAim):
                short = aim.short(wanted)
                if short > SHORT:
                    joint = self.context.encoding.skeleton.names[aim.joint]
                    raise ControlError(
                        f"{goal.words}: {joint} stays {100 * short:.0f} cm short of the point; "
                        "give one nearer to the path, or another time"
                    )
        # The positions of the path in each frame; frames before it have its first position.
        at = np.maximum(lead - self.beginning.before_path(self.path) + np.arange(len(poses)), 0)
        where = ControlPath(self.path.positions[at], self.path.headings[at], self.path.fps)
        return arrive(self.context, poses, where, wanted)

    def _prices(self, group: Sequence[Goal], nats: Floats, sampled: float) -> list[Price]:
        usual = min(self.usual, sampled)
        return [
            Price(
                goal.words,
                goal.frame / self.path.fps,
                float(np.sum(usual - nats)),
                float(usual - nats[-1]),
            )
            for goal in group
        ]

    def _settles(self, last: int) -> bool:
        """Returns whether the motion's ending begins after the last goal."""
        start = ending_start(self.path)
        return start is not None and self.beginning.before_path(self.path) + start > last

    def _rest(
        self, latents: Floats, frame: int, moment: Moment, *, free: bool
    ) -> list[tuple[Floats, Floats]]:
        """Returns the frames after the last goal; where the path stops, the best of several endings."""
        start = ending_start(self.path)
        if not free or start is None or not can_settle(self.context.encoding):
            return [self._roll(latents, frame, moment)[0]]
        stop = self.beginning.before_path(self.path) + start - frame
        before, moment = self._roll(latents[:stop], frame, moment)
        generator = np.random.default_rng([self.seed, self.take, 3])
        shape = (len(latents) - stop, ENDINGS, self.flow.model.noise_dim)
        noise = self.flow.model.latent(generator.standard_normal(shape, dtype=np.float32), self.temperature)
        coming = foresight(self.context.spec.lookahead, self.path.fps)
        poses, nats, _ = self.flow.roll(self.course, frame + stop, moment.rows([0] * ENDINGS), noise, coming)
        physical = self.context.physical_pose(poses.swapaxes(0, 1))
        best = best_ending(self.context.encoding, physical, self.path.fps)
        return [before, (poses[:, best], nats[:, best])]
