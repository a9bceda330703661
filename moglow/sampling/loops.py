"""Motion that repeats without a visible seam. Needs numpy alone.

Several takes are sampled. For a path of constant velocity, the loop is a cycle of strides: it begins with a contact of
the left foot and ends after a number of strides where the motion is most similar to its start. Any other path is a lap,
which is walked beyond its end: it is cut at the same phase of the gait as at its start, and steps are scaled slightly
to fit. The difference at the seam is blended; then feet are locked as in an endless motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint, real_slide
from moglow.corpus.context import Context
from moglow.errors import ControlError
from moglow.maths.rotations import Array
from moglow.maths.signals import runs
from moglow.measures.similarity import body_positions
from moglow.measures.tally import Measured, Tally
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts
from moglow.motion.foot_lock import LockSpec, bent_toes, lock_feet
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.paths.laps import is_closed, laps_around, seen_from, steady_velocity, walked_on, without_ends
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import is_wild, refuse_wild
from moglow.sampling.seams import Seam, closed, joint_features, lap_seam, stride_of, stride_seams

TAKES = 6
"""Number of motions that are sampled for a loop."""
FEWEST, ENOUGH = 3, 45.0
"""For long laps: the least number of motions, and their largest total duration in seconds beyond it."""
CANDIDATES = 4
"""Number of cuts with the most similar ends that are compared by path, feet and likelihood."""
FAR = 0.02
"""Distance in metres between the ends that costs as much as a foot slide equal to that of real motion."""
UNEVEN = 0.05
"""Relative difference of the speed over half a stride from the path's, of the same cost."""
TEMPO = 0.05
"""Largest relative difference of the tempo of a short lap from the path's."""
BLEND = 0.4
"""Duration in seconds of the blend from the end of a round to the motion before its start."""
STEADY = 9.0
"""Seconds of steady motion in which a cycle is looked for, …"""
ROUNDS = 2.2
"""… or so many times the cycle, with strides of `STRIDE` seconds."""
STRIDE = 1.3
OVER = 3.0
"""Seconds that a lap is walked on, in which its cut is looked for."""
AROUND = 1.5
"""Seconds of further rounds on both sides, so that feet are locked over the cut as elsewhere."""
LONGEST = 600.0
"""The longest lap in seconds."""

Sampled: TypeAlias = tuple[Array, NDArray[np.float64]]
"""Poses ``(T, D)`` and likelihoods ``(T,)``."""


@dataclass(frozen=True, eq=False)
class Loop:
    """A motion of several equal rounds; a middle one is the loop."""

    rounds: Clip
    first: int
    """The frame of ``rounds`` at which the loop begins."""
    path: ControlPath
    """The path of one round; its last frame is the first of the next round."""
    strides: int
    """The number of strides of a cycle; 0 for a lap."""
    blended: float
    """Mean distance in metres of the joints in the two frames that are joined."""
    poses: Array
    """The poses ``(P, D)`` of one closed round, before the foot lock."""
    source: Track
    """The motion from which the loop was cut."""
    at: int
    """The frame of ``source`` at which the loop was cut; the first of the round, except in a lap that moves."""
    measured: Measured

    @property
    def closed(self) -> bool:
        """Whether the loop returns to its starting place."""
        return is_closed(self.path) or not np.any(self.path.velocities())

    @property
    def uneven(self) -> float:
        """The largest relative difference of the hips' speed over half a stride from the path's; 0 for a lap."""
        if not self.strides:
            return 0.0
        frames = len(self.path) - 1
        step = max(1, frames // (2 * self.strides))
        asked = float(np.linalg.norm(self.path.positions[step] - self.path.positions[0]))
        ground = self.rounds.ground_positions()[self.first :]
        way = np.linalg.norm(ground[step : frames + step] - ground[:frames], axis=-1)
        return float(np.abs(way / asked - 1).max()) if asked > 1e-6 else 0.0

    @property
    def lap(self) -> dict[str, Any]:
        """Returns the figures of the loop's seam as plain numbers."""
        return {
            "returns": self.closed,
            "seconds": round(self.path.duration, 4),
            "strides": self.strides or None,
            "blended_m": round(self.blended, 4),
        }

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the figures as plain numbers, for a sidecar."""
        return {**self.measured.figures, "lap": self.lap}

    def finished(self, rig: Clip | None = None, fps: float | None = None, *, in_place: bool = False) -> Clip:
        """Returns the loop, on another rig or at another rate; its last frame equals the first.

        In place, it is relative to the positions of its path, and for a cycle also to its headings.
        """
        turned = self.strides > 0
        return cut_out(self.rounds, self.first, self.path, rig, fps, in_place=in_place, turned=turned)


def cut_out(
    rounds: Clip,
    first: int,
    path: ControlPath,
    rig: Clip | None,
    fps: float | None,
    *,
    in_place: bool,
    turned: bool,
) -> Clip:
    """Returns the frames of a motion that follow a path, from frame ``first``, on another rig or at another rate.

    The first and the last frame are the same at another rate. In place, the motion is relative to the positions of its
    path and, with ``turned``, to its headings.
    """
    rounds = retarget(rounds, rig.skeleton, like=rig, keep_path=True) if rig else rounds
    fps, frames = fps or rounds.fps, len(path) - 1
    wanted = max(2, round(frames * fps / rounds.fps))
    at = np.arange(wanted + 1) * (frames / wanted)
    clip = rounds.sampled(first + at, fps)
    return seen_from(clip, path.at(at), turned=turned) if in_place else clip


def make_loop(
    sampler: Sampler,
    checkpoint: Checkpoint,
    track: Track,
    *,
    spec: LockSpec,
    strides: int | None = None,
    foot_lock: bool = True,
) -> Loop:
    """Returns the best loop along a path among several takes.

    Args:
        sampler: samples the takes.
        checkpoint: the sampler's model.
        track: the path, seed and take.
        spec: the settings of the foot lock.
        strides: the number of strides of a cycle, which needs a path of constant velocity. By default, a closed path
            is one lap, a path of constant velocity a cycle of one stride, and any other path continues from its end.
        foot_lock: whether feet are locked.
    """
    velocity = steady_velocity(track.path)
    if strides and (velocity is None or not np.any(velocity)):
        raise ControlError(
            "path: strides need a path walked at one velocity, and this one "
            + ("stands" if velocity is not None else "changes its own")
            + "; give one such as line:speed=1.2, or no number of strides, to loop the whole path"
        )
    if track.path.duration > LONGEST:
        raise ControlError(f"path: a loop of {track.path.duration:.0f} s; give at most {LONGEST:.0f}")
    standing = velocity is not None and not np.any(velocity)
    if velocity is not None and (strides or not (standing or is_closed(track.path))):
        found = _cycles(sampler, checkpoint.context, track, velocity, strides or 1)
    else:
        found = _laps(sampler, checkpoint.context, track)
    found.sort(key=lambda cut: cut.seam.apart)
    loops = [_loop(checkpoint, each, spec if foot_lock else None) for each in found[:CANDIDATES]]
    slide = real_slide(checkpoint)

    def cost(loop: Loop) -> float:
        return loop.blended / FAR + loop.measured.slide_before.mean / slide + loop.uneven / UNEVEN

    return min(loops, key=cost)


@dataclass(frozen=True, eq=False)
class _Cut:
    """A seam in a sampled motion, with the path of the resulting round and the frame of the cut in it."""

    seam: Seam
    sampled: Sampled
    path: ControlPath
    strides: int
    source: Track
    offset: int = 0


def _cycles(sampler: Sampler, context: Context, track: Track, velocity: Array, strides: int) -> list[_Cut]:
    """Returns cycles of ``strides`` strides, each starting with a contact of the left foot."""
    fps, blend = sampler.fps, round(BLEND * sampler.fps)
    frames = round(max(STEADY, ROUNDS * STRIDE * strides) * fps) + blend
    styles = track.path.styles and (track.path.styles[len(track.path) // 2],)
    path = ControlPath.from_velocities(np.tile(velocity, (frames, 1)), fps, styles=styles and styles * frames)
    found = []
    tracks = [replace(track, path=path, take=take, steady=True) for take in _takes(track)]
    for source, sampled in _sampled(sampler, context, tracks):
        features = joint_features(sampler.context.encoding, sampled[0], fps)
        starts = touchdowns(sampler.context.encoding.decode(sampled[0], path))
        seams = stride_seams(features, starts, stride_of(features, fps), strides, blend)
        seams.sort(key=lambda seam: seam.apart)
        found += [_Cut(seam, sampled, path[: seam.period + 1], strides, source) for seam in seams[:2]]
    if not found:
        raise ControlError("path: no step was found in it that repeats; give another seed or a usual pace")
    return found


def _laps(sampler: Sampler, context: Context, track: Track) -> list[_Cut]:
    """Returns rounds of a whole path, which is walked beyond both ends."""
    fps, blend = sampler.fps, round(BLEND * sampler.fps)
    lap = without_ends(track.path)
    moving = bool(np.any(lap.velocities()))
    reach = max(0.0, min(TEMPO, STRIDE / 2 / lap.duration - 0.02)) if moving and lap.duration else 0.0
    takes = int(np.clip(ENOUGH / max(lap.duration, 1.0), FEWEST, TAKES))
    tempos = [_at_tempo(lap, 1 + reach * share) for share in np.linspace(-1, 1, takes)]
    laps = dict(zip(_takes(track), tempos, strict=False))
    longer = round(OVER * fps) + 2 * blend
    tracks = [
        replace(track, path=walked_on(each, len(each) + longer), take=take, steady=True)
        for take, each in laps.items()
    ]
    found = []
    for source, sampled in _sampled(sampler, context, tracks):
        each = laps[source.take]
        features, period = joint_features(sampler.context.encoding, sampled[0], fps), len(each) - 1
        slack = min(stride_of(features, fps) // 2, longer // 3, period // 3) if moving else 0
        seam = lap_seam(features, period, slack, blend, blend)
        found.append(_Cut(seam, sampled, each, 0, source, seam.at % period if moving else 0))
    return found


def touchdowns(clip: Clip, leg: int = 0) -> NDArray[np.intp]:
    """Returns the frames in which contacts of a leg's foot begin; all frames if there is none."""
    starts = [start for start, _ in runs(contacts(clip)[:, leg]) if start > 0]
    return np.array(starts or range(len(clip)), np.intp)


def _loop(checkpoint: Checkpoint, cut: _Cut, spec: LockSpec | None) -> Loop:
    encoding, frames = checkpoint.context.encoding, len(cut.path) - 1
    (poses, nats), seam = cut.sampled, cut.seam
    order = (np.arange(frames) + cut.offset) % frames
    cycle, likely = np.empty((frames, poses.shape[1])), np.empty(frames)
    cycle[order] = closed(encoding, poses, seam, frames, round(BLEND * cut.path.fps))
    likely[order] = nats[seam.at + np.round(np.arange(frames) * seam.period / frames).astype(int)]
    more = int(np.ceil(AROUND * cut.path.fps / frames))
    again = np.concatenate([*[cycle] * (2 * more + 1), cycle[:1]])
    rounds = encoding.decode(again, laps_around(cut.path, more, more))
    locked = bent_toes(lock_feet(rounds, spec=spec)) if spec else rounds
    once, tally = slice(more * frames, (more + 1) * frames + 1), Tally()
    tally.sampled(rounds[once], np.append(likely, likely[:1]))
    tally.written(locked[once])
    ends = [encoding.decode(poses[n : n + 1], cut.path[:1]) for n in (seam.at, seam.at + seam.period)]
    apart = float(np.linalg.norm(np.subtract(*map(body_positions, ends)), axis=-1).mean())
    measured = tally.measured(cut.path)
    return Loop(locked, once.start, cut.path, cut.strides, apart, cycle, cut.source, seam.at, measured)


def _takes(track: Track) -> range:
    return range(track.take * TAKES, (track.take + 1) * TAKES)


def _at_tempo(lap: ControlPath, tempo: float) -> ControlPath:
    frames = max(2, round((len(lap) - 1) / tempo))
    return lap.at(np.linspace(0, len(lap) - 1, frames + 1))


def _sampled(sampler: Sampler, context: Context, tracks: Sequence[Track]) -> list[tuple[Track, Sampled]]:
    """Samples along tracks, without implausible motion; raises an error if all motion is implausible."""
    most = sampler.model.rows[1]
    out: list[tuple[Track, Sampled]] = []
    for start in range(0, len(tracks), most):
        batch = tracks[start : start + most]
        poses, nats = (np.stack(part, 1) for part in zip(*sampler.sample(batch), strict=True))
        out += [
            (track, (poses[k, : len(track.path)].astype(float), nats[k, : len(track.path)].astype(float)))
            for k, track in enumerate(batch)
        ]
    sane = [each for each in out if not is_wild(each[1][0], context).any()]
    if not sane:
        refuse_wild(out[0][1][0], context, 0)
    return sane
