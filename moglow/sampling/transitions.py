"""Motion from one loop to another: starts, stops and turns. Needs numpy alone.

Several motions are sampled from the past of a loop's frame. The one that is nearest to a frame of the other loop is cut
there; its last steps are moved to the footprints of that loop, the rest is blended, and feet are locked together with
the loops before and after. The first and the last frame are exactly those of the loops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint
from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array, wrap_angle
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts
from moglow.motion.foot_lock import LockSpec, bent_toes, lock_feet
from moglow.paths.control_path import ControlPath
from moglow.sampling.loops import Loop, cut_out
from moglow.sampling.sampler import Past, Sampler
from moglow.sampling.seams import joint_features

BLEND = 0.4
"""Duration in seconds of the blend from a transition to the motion before the frame in which it ends."""
REJOIN = 0.2
"""Duration in seconds of the blend from its locked feet to those of the loops, at both ends."""
AROUND = 1.2
"""Seconds of the loops before and after with which feet are locked."""
EVERY = 2
"""Number of frames between the frames that are tried as the end of a transition."""
UNLIKE = 0.05
"""Cost, as a distance in metres, of a foot that is not planted while the loop's feet all are."""
WAYS = 16
"""Number of transitions that are sampled."""


@dataclass(frozen=True, eq=False)
class Joint:
    """A frame of a loop at which transitions begin or end.

    ``locked`` ``(P, D)`` are the loop's poses after the foot lock.
    """

    name: str
    loop: Loop
    frame: int
    locked: Array

    @classmethod
    def of(cls, name: str, loop: Loop, encoding: Encoding, frame: int = 0) -> "Joint":
        period = len(loop.path) - 1
        round_ = loop.rounds[loop.first : loop.first + period]
        return cls(name, loop, frame, encoding.encode(round_, loop.path[:period]))

    @property
    def period(self) -> int:
        return len(self.loop.path) - 1

    def poses(self, frames: NDArray[np.intp], *, locked: bool = False) -> Array:
        """Returns the poses ``frames`` frames after the joint; the loop repeats."""
        return (self.locked if locked else self.loop.poses)[(self.frame + frames) % self.period]

    def velocities(self, frames: NDArray[np.intp]) -> Array:
        """Returns the path's velocities that lead to these frames."""
        steps = (self.frame + frames) % self.period
        return self.loop.path.velocities()[np.where(steps, steps, self.period)]


@dataclass(frozen=True, eq=False)
class Transition:
    """A motion between two loops, with frames of both loops around it."""

    whole: Clip
    first: int
    path: ControlPath
    start: Joint
    end: Joint
    apart: float
    """Distance in metres of its joints from the loop's at the cut."""

    def finished(self, rig: Clip | None = None, fps: float | None = None, *, in_place: bool = False) -> Clip:
        """Returns the transition, on another rig or at another rate; in place, it is relative to its path."""
        return cut_out(self.whole, self.first, self.path, rig, fps, in_place=in_place, turned=True)


def can_branch(sampler: Sampler) -> bool:
    """Returns whether a sampler can continue a past several times, as the numpy sampler can."""
    return sampler.device == "numpy"


def pasts_of(sampler: Sampler, loop: Loop, frames: Sequence[int]) -> list[Past]:
    """Returns the pasts after some frames of a loop's first two thirds, which are not blended."""
    track, wanted = loop.source, [loop.at + frame + 1 for frame in frames]
    labels = sampler.context.path_rows(track.path, track.performer)
    found: dict[int, Past] = {}
    steps = sampler.follow(track.path.velocities()[None], labels[None], [(track.seed, track.take)])
    for frame, (past, _, _) in enumerate(steps):
        if frame in wanted:
            found[frame] = past
        if len(found) == len(set(wanted)):
            break
    return [found[frame] for frame in wanted]


def make_transition(
    sampler: Sampler,
    checkpoint: Checkpoint,
    starts: Sequence[tuple[Joint, Past]],
    end: Joint,
    velocities: Array,
    *,
    earliest: int,
    seed: int,
    spec: LockSpec,
    first: int | None = None,
) -> Transition | None:
    """Returns the best transition between two loops, or None if no sampled motion lifts the leg ``first`` first.

    Args:
        sampler: samples the motions; it must be able to branch.
        checkpoint: the sampler's model.
        starts: joints at which motions begin, with their pasts.
        end: the joint at which they end.
        velocities: the velocities (T, 3) that lead to the frames after the joint; the last are those of the other loop.
        earliest: the first of these frames in which a motion may end.
        seed: the seed of the motions.
        spec: the settings of the foot lock.
        first: the leg that is lifted first; by default any.
    """
    encoding = checkpoint.context.encoding
    ways = _ways(sampler, starts, velocities, seed)
    blend = round(BLEND * sampler.fps)
    aim = joint_features(encoding, end.poses(np.arange(-blend, 1)), sampler.fps)
    stands = contacts(end.loop.rounds)[end.loop.first + end.frame]
    path = ControlPath.from_velocities(np.concatenate([velocities[:1], velocities]), sampler.fps)
    last, tries = end.poses(np.zeros(1, np.intp))[0], []
    for (joint, _), poses in zip(starts, ways, strict=True):
        poses = np.concatenate([joint.poses(np.zeros(1, np.intp)), poses])
        planted = contacts(encoding.decode(poses, path))
        if first is not None and first_lifted(planted) != first:
            continue
        places = np.arange(max(earliest, blend) + 1, len(poses), EVERY)
        led = [
            led_to(encoding, poses[: at + 1], path[: at + 1], planted[: at + 1], last)[-blend - 1 :]
            for at in places
        ]
        features = joint_features(encoding, np.stack(led), sampler.fps)
        apart = np.linalg.norm(features - aim, axis=-1).mean(-1)
        cost = apart + UNLIKE * (~planted[places]).sum(-1) if stands.all() else apart
        best = int(cost.argmin())
        tries.append((float(cost[best]), float(apart[best]), joint, poses, planted, int(places[best])))
    if not tries:
        return None
    _, nearest, joint, poses, planted, at = min(tries, key=lambda each: each[0])
    poses = led_to(encoding, poses[: at + 1], path[: at + 1], planted[: at + 1], last)
    share = _smooth(np.arange(1, blend + 1) / (blend + 1))[:, None]
    aims = end.poses(np.arange(-blend, 0))
    poses[-blend - 1 : -1] += share * (aims - poses[-blend - 1 : -1])
    poses[-1] = last
    return _joined(encoding, joint, end, poses, velocities[:at], sampler.fps, spec, nearest)


def _ways(
    sampler: Sampler, starts: Sequence[tuple[Joint, Past]], velocities: Array, seed: int
) -> list[Array]:
    """Returns the poses ``(T, D)`` of one motion from each start."""
    context, most = sampler.context, sampler.model.rows[1]
    out: list[Array] = []
    for first in range(0, len(starts), most):
        group = starts[first : first + most]
        track = group[0][0].loop.source
        rows = np.repeat(velocities[None], len(group), axis=0)
        path = ControlPath.from_velocities(velocities, sampler.fps, styles=None)
        styles = track.path.styles[:1] if track.path.styles else context.styles_of(path)
        who = context.performer_of(track.path, track.performer)
        labels = context.style_rows(styles, len(velocities), who)
        seeds = [(seed, first + number, 2) for number in range(len(group))]
        steps = sampler.follow(
            rows, np.repeat(labels[None], len(group), axis=0), seeds, _beside([p for _, p in group])
        )
        poses = np.stack([pose for _, pose, _ in steps], axis=1)
        out += list(poses.astype(float))
    return out


def _beside(pasts: Sequence[Past]) -> Past:
    """Returns the pasts of single figures as one batch."""
    memory = tuple(
        np.concatenate([np.asarray(past.memory[k]) for past in pasts], axis=1)
        for k in range(len(pasts[0].memory))
    )
    return Past(
        np.concatenate([past.poses for past in pasts]),
        np.concatenate([past.controls for past in pasts]),
        memory,
    )


def first_lifted(planted: Flags) -> int:
    """Returns the leg whose foot leaves the ground first in frames ``(T, L)``.

    >>> first_lifted(np.array([[True, True], [True, False], [False, True]]))
    1
    """
    lifted = [int(np.argmin(leg)) if not leg.all() else len(leg) for leg in planted.T]
    return int(np.argmin(lifted))


def led_to(encoding: Encoding, poses: Array, path: ControlPath, planted: Flags, aim: Array) -> Array:
    """Returns poses ``(T, D)`` with the feet that are planted at the end moved to those of a pose ``aim`` ``(D,)``.

    The correction is applied over the last step of each foot; for a foot that never leaves the ground, over all frames.
    """
    out = poses.copy()
    x, z, yaw = (encoding.slice(group).start for group in ("toe_x", "toe_z", "foot_yaw"))
    turned = path.headings[-1] - path.headings
    cosine, sine = np.cos(turned), np.sin(turned)
    for leg in range(planted.shape[1]):
        stands = runs(planted[:, leg])
        if not stands or stands[-1][1] < len(poses):
            continue
        start, lifted = stands[-1][0], stands[-2][1] if len(stands) > 1 else 0
        share = _smooth(np.clip((np.arange(len(poses)) - lifted) / max(start - lifted, 1), 0.0, 1.0))
        if start == 0:
            share = _smooth(np.arange(len(poses)) / max(len(poses) - 1, 1))
        dx, dz = aim[x + leg] - poses[-1, x + leg], aim[z + leg] - poses[-1, z + leg]
        out[:, x + leg] += share * (cosine * dx + sine * dz)
        out[:, z + leg] += share * (cosine * dz - sine * dx)
        out[:, yaw + leg] += share * float(wrap_angle(aim[yaw + leg] - poses[-1, yaw + leg]))
    return out


def _joined(
    encoding: Encoding,
    start: Joint,
    end: Joint,
    poses: Array,
    velocities: Array,
    fps: float,
    spec: LockSpec,
    apart: float,
) -> Transition:
    """Locks a transition's feet with the loops around it, and blends its ends to the loops' frames."""
    around = round(AROUND * fps)
    lead_in, lead_out = np.arange(-around, 0), np.arange(1, around + 1)
    rows = np.concatenate([start.velocities(lead_in), start.velocities(np.zeros(1, np.intp)), velocities])
    rows = np.concatenate([rows, end.velocities(lead_out)])
    path = ControlPath.from_velocities(rows, fps)
    path = path.moved(heading=-float(path.headings[around]))
    path = path.moved(-path.positions[around])
    together = np.concatenate([start.poses(lead_in), poses, end.poses(lead_out)])
    locked = bent_toes(lock_feet(encoding.decode(together, path), spec=spec))
    done = encoding.encode(locked, path)[around : around + len(poses)]
    width = min(round(REJOIN * fps), len(done) // 2)
    share = _smooth(1 - np.arange(width + 1) / (width + 1))[:, None]
    zero = np.zeros(1, np.intp)
    done[: width + 1] += share * (start.poses(zero, locked=True) - done[:1])
    done[-width - 1 :] += share[::-1] * (end.poses(zero, locked=True) - done[-1:])
    whole = np.concatenate([start.poses(lead_in, locked=True), done, end.poses(lead_out, locked=True)])
    own = path[around : around + len(poses)]
    return Transition(encoding.decode(whole, path), around, own, start, end, apart)


def _smooth(s: Array) -> Array:
    """Returns a curve from 0 to 1 whose first two derivatives are zero at both ends."""
    return np.asarray(s**3 * (10 - 15 * s + 6 * s**2))


def as_at(joint: Joint, frame: int) -> Joint:
    """Returns the joint of the same loop at another frame."""
    return replace(joint, frame=frame)
