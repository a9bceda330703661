"""Motion that repeats without a jump. Needs numpy alone.

Some takes are sampled. A steady path becomes a cycle of strides: it begins as the left foot comes down and ends where
the motion is most like that again, so many strides later. Any other path is a lap, walked round and on: it is cut where
the gait is at the same point as at its start, and steps become a little longer or shorter so that they fit into it.
What differs at the cut is blended over; then feet are locked as if the motion never ended.
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
"""Motions that are sampled for a loop, fewer for a long lap …"""
FEWEST, ENOUGH = 3, 45.0
"""… but so many at least, and no more than together last so many seconds; …"""
CANDIDATES = 4
"""… so many cuts, those with the most alike ends, are looked at more closely, …"""
FAR = 0.02
"""… where so many metres between the ends count as much as feet that slide once more than real ones."""
TEMPO = 0.05
"""A short lap is walked at a tempo of so much less to so much more than the path's."""
BLEND = 0.4
"""Seconds in which the end of a round turns into what led to its start."""
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
    """A motion of some rounds, alike, of which a middle one is the loop."""

    rounds: Clip
    first: int
    """The frame of ``rounds`` at which the loop begins."""
    path: ControlPath
    """The round as it is walked; its last frame is the first of the next one."""
    strides: int
    """The strides of a cycle; 0 for a lap, whose strides are not counted."""
    blended: float
    """Metres between joints, in the mean, of the two frames that become one."""
    poses: Array
    """One round as sampled and closed ``(P, D)``, before feet are locked."""
    source: Track
    """The motion that it was cut from, …"""
    at: int
    """… at this frame, which is the first of the round unless it is a lap that moves."""
    measured: Measured

    @property
    def closed(self) -> bool:
        """Whether the loop returns to where it began, rather than going on from there."""
        return is_closed(self.path) or not np.any(self.path.velocities())

    @property
    def lap(self) -> dict[str, Any]:
        """How the loop closes, as plain numbers."""
        return {
            "returns": self.closed,
            "seconds": round(self.path.duration, 4),
            "strides": self.strides or None,
            "blended_m": round(self.blended, 4),
        }

    @property
    def figures(self) -> dict[str, Any]:
        """The figures as plain numbers, for a sidecar."""
        return {**self.measured.figures, "lap": self.lap}

    def finished(self, rig: Clip | None = None, fps: float | None = None, *, in_place: bool = False) -> Clip:
        """The loop, on another rig or at another rate; the last frame is the first again.

        In place it is seen from its path; only a lap still turns with it.
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
    """The frames of a motion that follow a path, from frame ``first`` on, on another rig or at another rate.

    At another rate the motion keeps its first and its last frame. In place it is seen from its path, and with
    ``turned`` does not turn with it.
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
    """The best loop along a path that there is among some takes.

    Args:
        sampler: samples the takes.
        checkpoint: the sampler's model.
        track: the path, and which of all loops along it.
        spec: how feet are held.
        strides: makes a cycle of so many strides, which needs a path of one velocity. If not given, a closed path is
            walked round, a steady one becomes a cycle of one stride, and any other goes on from where it ends.
        foot_lock: whether feet are held.
    """
    velocity = steady_velocity(track.path)
    if strides and (velocity is None or not np.any(velocity)):
        raise ControlError(
            "path: strides need a path walked at one velocity, and this one "
            + ("stands" if velocity is not None else "changes its own")
            + "; give one such as line:speed=1.2, or leave --strides out to loop the whole path"
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
    return min(loops, key=lambda loop: loop.blended / FAR + loop.measured.slide_before.mean / slide)


@dataclass(frozen=True, eq=False)
class _Cut:
    """A seam in a sampled motion, and the round that it makes: its path, and the frame of it at which the cut lies."""

    seam: Seam
    sampled: Sampled
    path: ControlPath
    strides: int
    source: Track
    offset: int = 0


def _cycles(sampler: Sampler, context: Context, track: Track, velocity: Array, strides: int) -> list[_Cut]:
    """Cycles of so many strides, each of which begins as the left foot comes down."""
    fps, blend = sampler.fps, round(BLEND * sampler.fps)
    frames = round(max(STEADY, ROUNDS * STRIDE * strides) * fps) + blend
    styles = track.path.styles and (track.path.styles[len(track.path) // 2],)
    path = ControlPath.from_velocities(np.tile(velocity, (frames, 1)), fps, styles=styles and styles * frames)
    found = []
    tracks = [replace(track, path=path, take=take) for take in _takes(track)]
    for source, sampled in _draw(sampler, context, tracks):
        features = joint_features(sampler.context.encoding, sampled[0], fps)
        starts = touchdowns(sampler.context.encoding.decode(sampled[0], path))
        seams = stride_seams(features, starts, stride_of(features, fps), strides, blend)
        seams.sort(key=lambda seam: seam.apart)
        found += [_Cut(seam, sampled, path[: seam.period + 1], strides, source) for seam in seams[:2]]
    if not found:
        raise ControlError("path: no step was found in it that repeats; give another --seed or a usual pace")
    return found


def _laps(sampler: Sampler, context: Context, track: Track) -> list[_Cut]:
    """Rounds of a whole path, its ends walked through."""
    fps, blend = sampler.fps, round(BLEND * sampler.fps)
    lap = without_ends(track.path)
    moving = bool(np.any(lap.velocities()))
    reach = max(0.0, min(TEMPO, STRIDE / 2 / lap.duration - 0.02)) if moving and lap.duration else 0.0
    takes = int(np.clip(ENOUGH / max(lap.duration, 1.0), FEWEST, TAKES))
    tempos = [_at_tempo(lap, 1 + reach * share) for share in np.linspace(-1, 1, takes)]
    laps = dict(zip(_takes(track), tempos, strict=False))
    longer = round(OVER * fps) + 2 * blend
    tracks = [
        replace(track, path=walked_on(each, len(each) + longer), take=take) for take, each in laps.items()
    ]
    found = []
    for source, sampled in _draw(sampler, context, tracks):
        each = laps[source.take]
        features, period = joint_features(sampler.context.encoding, sampled[0], fps), len(each) - 1
        slack = min(stride_of(features, fps) // 2, longer // 3, period // 3) if moving else 0
        seam = lap_seam(features, period, slack, blend, blend)
        found.append(_Cut(seam, sampled, each, 0, source, seam.at % period if moving else 0))
    return found


def touchdowns(clip: Clip, leg: int = 0) -> NDArray[np.intp]:
    """Frames in which a leg's foot comes down; every frame of a clip in which it never does."""
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


def _draw(sampler: Sampler, context: Context, tracks: Sequence[Track]) -> list[tuple[Track, Sampled]]:
    """Samples along tracks; those in which the model loses the figure are left out, and refused if all are."""
    most = sampler.model.rows[1]
    out: list[tuple[Track, Sampled]] = []
    for start in range(0, len(tracks), most):
        batch = tracks[start : start + most]
        poses, nats = (np.stack(part, 1) for part in zip(*sampler.draw(batch), strict=True))
        out += [
            (track, (poses[k, : len(track.path)].astype(float), nats[k, : len(track.path)].astype(float)))
            for k, track in enumerate(batch)
        ]
    sane = [each for each in out if not is_wild(each[1][0], context).any()]
    if not sane:
        refuse_wild(out[0][1][0], context, 0)
    return sane
