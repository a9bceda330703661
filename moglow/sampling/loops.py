"""Motion that repeats without a jump. Needs numpy alone.

The path is walked round and round, in some takes a little faster or slower, so that steps come to fit into a lap. Where
one lap is most like the next it is cut, and blended over into it; then feet are locked as if it never ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint, real_slide
from moglow.errors import ControlError
from moglow.maths.rotations import Array, wrap_angle
from moglow.measures.similarity import body_positions
from moglow.measures.tally import Measured, Tally
from moglow.motion.clip import Clip
from moglow.motion.foot_lock import LockSpec, bent_toes, lock_feet
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import is_wild, refuse_wild

TAKES = 16
"""Motions that are tried for a loop …"""
CANDIDATES = 4
"""… of which so many, those with the best seams, are looked at more closely, …"""
FAR = 0.03
"""… where so many metres between the joints at the seam count as much as feet that slide once more than real ones."""
TEMPO = 0.06
"""They are walked at a tempo of so much less to so much more than the path's."""
BLEND = 0.4
"""Seconds in which the end of a lap turns into that of the lap before."""
LEAST = 12.0
"""The least number of seconds sampled, since short laps offer few places to cut."""
LONGEST = 600.0
"""The longest lap in seconds."""
ARM = 0.3
"""Metres: a turn on the spot is a way of so much per radian."""
STILL = 0.05
"""Metres a second: slower is standing."""
FEET = 3.0
"""How much more a difference of the feet counts than one elsewhere."""
CLOSED = 0.05
"""Metres and radians: a path that ends so near its start comes back to it."""


@dataclass(frozen=True, eq=False)
class Loop:
    """A motion of three laps, alike, of which the middle one is the loop."""

    laps: Clip
    path: ControlPath
    """The lap as it is walked; its last frame is the first of the next lap."""
    closed: bool
    """Whether the loop returns to where it began, rather than going on from there."""
    blended: float
    """Metres between joints, in the mean, of the two laps where one turns into the other."""
    measured: Measured

    @property
    def lap(self) -> dict[str, Any]:
        """How the loop closes, as plain numbers."""
        return {
            "returns": self.closed,
            "seconds": round(self.path.duration, 4),
            "blended_m": round(self.blended, 4),
        }

    @property
    def figures(self) -> dict[str, Any]:
        """The figures as plain numbers, for a sidecar."""
        return {**self.measured.figures, "lap": self.lap}

    def finished(self, rig: Clip | None = None, fps: float | None = None) -> Clip:
        """The loop, on another rig or at another rate; the last frame is the first again."""
        laps = retarget(self.laps, rig.skeleton, like=rig, keep_path=True) if rig else self.laps
        fps, frames = fps or laps.fps, len(self.path) - 1
        wanted = max(2, round(frames * fps / laps.fps))
        return laps.sampled(frames + np.arange(wanted + 1) * (frames / wanted), fps)


def make_loop(
    sampler: Sampler, checkpoint: Checkpoint, track: Track, *, spec: LockSpec, foot_lock: bool = True
) -> Loop:
    """The best loop along a path that there is among some takes."""
    if track.path.duration > LONGEST:
        raise ControlError(f"path: a loop of {track.path.duration:.0f} s; give at most {LONGEST:.0f}")
    lap, blend = without_ends(track.path), round(BLEND * sampler.fps)
    reach = TEMPO if lap.length + ARM * np.ptp(lap.headings) > STILL else 0.0
    laps = [_at_tempo(lap, tempo) for tempo in 1 + reach * np.linspace(-1, 1, TAKES)]
    least = round(LEAST * sampler.fps)
    tracks = [
        Track(_walked_on(each, max(2 * len(each), least) + 2 * blend), track.seed, track.take * TAKES + k)
        for k, each in enumerate(laps)
    ]
    drawn = list(zip(laps, _draw(sampler, tracks), strict=True))
    sane = [(each, made) for each, made in drawn if not is_wild(made[0], checkpoint.context).any()]
    if not sane:
        refuse_wild(drawn[0][1][0], checkpoint.context, 0)
    found = [
        (*_seam(sampler, poses, len(each) - 1, blend), each, poses, nats) for each, (poses, nats) in sane
    ]
    found.sort(key=lambda seam: seam[0])
    loops = [
        _loop(checkpoint, each, poses, nats, at, blend, spec if foot_lock else None)
        for _, at, each, poses, nats in found[:CANDIDATES]
    ]
    slide = real_slide(checkpoint)
    return min(loops, key=lambda loop: loop.blended / FAR + loop.measured.slide_before.mean / slide)


def _loop(
    checkpoint: Checkpoint,
    lap: ControlPath,
    poses: Array,
    nats: NDArray[np.float64],
    at: int,
    blend: int,
    spec: LockSpec | None,
) -> Loop:
    """The loop of a lap's sampled poses ``(T, D)`` that is cut at a frame."""
    encoding, period = checkpoint.context.encoding, len(lap) - 1
    cycle, chosen = _closed(poses, nats, at, period, blend)
    three = encoding.decode(np.concatenate([cycle, cycle, cycle, cycle[:1]]), _three(lap))
    locked = bent_toes(lock_feet(three, spec=spec)) if spec else three
    middle, tally = slice(period, 2 * period + 1), Tally()
    tally.sampled(three[middle], np.append(chosen, chosen[:1]))
    tally.written(locked[middle])
    apart = [body_positions(encoding.decode(poses[n : n + 1], lap[:1])) for n in (at, at + period)]
    blended = float(np.linalg.norm(apart[1] - apart[0], axis=-1).mean())
    return Loop(locked, lap, _is_closed(lap), blended, tally.measured(lap))


def without_ends(path: ControlPath) -> ControlPath:
    """The path walked through its start and its end as fast as in between: a loop does not stop where it closes.

    >>> from moglow.paths.presets import preset
    >>> whole = preset("circle:r=2", fps=30.0)
    >>> lap = without_ends(whole)
    >>> bool(lap.velocities()[:, 0].min() > 1.0), bool(abs(lap.length - whole.length) < 0.01)
    (True, True)
    """
    velocities = path.velocities()[1:]
    speed = np.hypot(velocities[:, 0], velocities[:, 1]) + ARM * np.abs(velocities[:, 2])
    moving = speed > STILL
    if not moving.any():
        return path
    usual = float(np.median(speed[moving]))
    quick = np.flatnonzero(speed >= 0.9 * usual)
    first, last = int(quick[0]), int(quick[-1])
    faster = speed.copy()
    gap = first + len(speed) - 1 - last
    if gap:  # from the last quick frame over the seam to the first, evenly
        over = speed[last] + (speed[first] - speed[last]) * np.arange(1, gap + 1) / (gap + 1)
        ends = np.concatenate([np.arange(last + 1, len(speed)), np.arange(first)])
        faster[ends] = np.maximum(speed[ends], over)
    times = np.concatenate([[0.0], np.cumsum(speed / faster)])
    frames = max(2, round(times[-1]))
    return path.at(np.interp(np.linspace(0, times[-1], frames + 1), times, np.arange(len(path))))


def _at_tempo(lap: ControlPath, tempo: float) -> ControlPath:
    frames = max(2, round((len(lap) - 1) / tempo))
    return lap.at(np.linspace(0, len(lap) - 1, frames + 1))


def _walked_on(lap: ControlPath, frames: int) -> ControlPath:
    """So many frames of the lap again and again, by its velocities; frame n is at the lap's frame n mod P."""
    steps = np.arange(frames) % (len(lap) - 1)
    rows = lap.velocities()[np.where(steps, steps, len(lap) - 1)]
    styles = lap.styles and [lap.styles[step] for step in steps]
    return ControlPath.from_velocities(rows, lap.fps, styles=styles)


def _three(lap: ControlPath) -> ControlPath:
    """The lap, one before it and one after it, each beginning where the other ends."""
    turned = float(lap.headings[-1] - lap.headings[0])
    back = lap.moved(heading=-turned)
    return back.moved(lap.positions[0] - back.positions[-1]).then(lap).then(lap)


def _draw(sampler: Sampler, tracks: Sequence[Track]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    most = sampler.model.rows[1]
    out = []
    for start in range(0, len(tracks), most):
        batch = tracks[start : start + most]
        poses, nats = (np.stack(part, 1) for part in zip(*sampler.draw(batch), strict=True))
        out += [
            (poses[k, : len(track.path)].astype(float), nats[k, : len(track.path)].astype(float))
            for k, track in enumerate(batch)
        ]
    return out


def _seam(sampler: Sampler, poses: Array, period: int, blend: int) -> tuple[float, int]:
    """How unlike frames one lap apart are where they are most alike, over some frames around, and where that is."""
    context = sampler.context
    weights = np.ones(poses.shape[-1])
    for group in ("toe_x", "toe_z", "toe_height", "foot_yaw"):
        weights[context.encoding.slice(group)] = FEET
    scaled = poses / sampler.model.numpy(context.pose_deviation).astype(float) * weights
    unlike = np.square(scaled[period:] - scaled[:-period]).mean(-1)  # frame n + period against n
    around = np.convolve(unlike, np.hanning(blend + 2)[1:-1] / np.hanning(blend + 2).sum(), "valid")
    place = int(np.argmin(around[blend:])) + blend
    return float(around[place]), place + blend // 2


def _closed(
    poses: Array, nats: NDArray[np.float64], at: int, period: int, blend: int
) -> tuple[Array, NDArray[np.float64]]:
    """One lap ``(P, D)`` from frame ``at`` on, its end blended into what led to ``at``; in the order of the path."""
    lap, own = poses[at : at + period].copy(), nats[at : at + period]
    width = min(blend, period, at)
    share = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1))
    lap[period - width :] += share[:, None] * (poses[at - width : at] - lap[period - width :])
    order = np.arange(at, at + period) % period
    cycle, likely = np.empty_like(lap), np.empty_like(own)
    cycle[order], likely[order] = lap, own
    return cycle, likely


def _is_closed(lap: ControlPath) -> bool:
    apart = np.linalg.norm(lap.positions[-1] - lap.positions[0])
    return bool(apart < CLOSED and abs(wrap_angle(lap.headings[-1] - lap.headings[0])) < CLOSED)
