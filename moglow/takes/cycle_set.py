"""The set of loops and transitions for a game character.

It contains an idle, cycles of gaits that begin with a contact of the left foot, turns on the spot, starts on either
foot and stops from either foot. Starts and turns begin in the idle's first frame or soon after it, stops in a cycle;
each ends in the first frame of the following loop.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.encodings.encoding import Encoding
from moglow.errors import ControlError
from moglow.maths.rotations import Array
from moglow.measures.gait import gait
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import TOLERANCE, ControlRange
from moglow.sampling.generate import LOCK
from moglow.sampling.loops import Loop, make_loop, touchdowns
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.transitions import WAYS, Joint, Transition, as_at, can_branch, make_transition, pasts_of
from moglow.takes.cycle_piece import Piece

GAITS: Mapping[str, tuple[float, float]] = {
    "walk": (1.3, 0.0),
    "jog": (2.5, 0.0),
    "run": (4.0, 0.0),
    "back": (-0.8, 0.0),
    "back_jog": (-1.6, 0.0),
    "strafe_left": (0.0, 0.6),
    "strafe_jog_left": (0.0, 1.6),
}
"""Velocity in m/s, forward and left, of each cycle; those to the right are mirror images."""


@dataclass(frozen=True)
class CycleSpec:
    """The durations and limits of the motions of a set."""

    ahead: tuple[str, ...] = ("walk", "jog", "run")
    """Gaits with starts and stops."""
    turns: tuple[float, ...] = (90.0, 180.0)
    """Turns on the spot in degrees, to either side."""
    idle: float = 4.0
    """Duration of the idle in seconds."""
    idles: int = 4
    """Largest number of idles of which the one with most starts is used."""
    turning: float = np.radians(110.0)
    """Largest turning speed on the spot in rad/s."""
    faster: float = 2.0
    """Largest acceleration of a start in m/s²."""
    slower: float = 2.2
    """Largest acceleration of a stop in m/s²."""
    joining: float = 2.0
    """Time in seconds in which a start joins its cycle."""
    settling: float = 1.6
    """Time in seconds in which a stop or a turn comes to rest."""
    apart: float = 0.05
    """Largest distance in metres between the ends of a cycle."""
    limp: float = 0.4
    """Largest difference between left and right steps of a cycle, relative to their length."""


SPEC = CycleSpec()


def cycle_set(
    sampler: Sampler,
    checkpoint: Checkpoint,
    *,
    seed: int = 0,
    speeds: Mapping[str, float] | None = None,
    style: str | None = None,
    performer: str | None = None,
) -> Iterator[Piece | str]:
    """Yields the pieces of the set, and a line with the reason for each one that is omitted.

    Args:
        sampler: samples the motion.
        checkpoint: the sampler's model, whose control range limits the gaits.
        seed: the same seed gives the same set.
        speeds: speeds in m/s of gaits by name, instead of those of `GAITS`.
        style: a style of the model; by default its default style.
        performer: a performer of the model; by default its default performer.
    """
    encoding, fps = checkpoint.context.encoding, sampler.fps
    about = Track(ControlPath.standing(round(SPEC.idle * fps) + 1, fps), seed, 0, performer)
    about = replace(about, path=styled(about.path, style))
    gaits: dict[str, Loop] = {}
    pieces: list[Piece | str] = []
    for name, velocity in _velocities(speeds or {}).items():
        made = _cycle(sampler, checkpoint, about, name, velocity)
        if isinstance(made, str):
            pieces.append(made)
            continue
        gaits[name] = made
        pieces.append(_cycle_piece(name, made))
        if "left" in name:
            pieces.append(_cycle_piece(name.replace("left", "right"), mirrored(made, encoding)))
    cycles = {name: Joint.of(name, gaits[name], encoding) for name in SPEC.ahead if name in gaits}
    idle = _best_idle(sampler, checkpoint, about, cycles, seed)
    slide = round(idle.rest.loop.measured.slide.mean, 4)
    yield Piece("idle", "idle", idle.rest.loop, {"foot_slide_m_s": slide})
    yield from pieces
    if not can_branch(sampler):
        yield "starts, stops and turns are left out: they need the numpy sampler, which this model does not have"
        return
    yield from _turns(sampler, checkpoint, idle.rest, idle.begin, seed)
    for name, cycle in cycles.items():
        yield from idle.starts[name]
        yield from _stops(sampler, checkpoint, cycle, idle.rest, seed)


@dataclass(frozen=True, eq=False)
class _Idle:
    """An idle, frames of it in which transitions begin, and the starts into cycles by their names."""

    rest: Joint
    begin: Sequence[tuple[Joint, Any]] = ()
    starts: Mapping[str, Sequence[Piece | str]] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """The number of starts that were not found."""
        return sum(isinstance(each, str) for made in self.starts.values() for each in made)


def _best_idle(
    sampler: Sampler, checkpoint: Checkpoint, about: Track, cycles: Mapping[str, Joint], seed: int
) -> _Idle:
    """Returns the first idle with starts on either foot, else the one with most starts.

    A figure that rests on one leg lifts the other first.
    """
    found: list[_Idle] = []
    while len(found) < SPEC.idles and not (found and not found[-1].missing):
        loop = make_loop(sampler, checkpoint, replace(about, take=len(found)), spec=LOCK)
        rest = Joint.of("idle", loop, checkpoint.context.encoding)
        if not can_branch(sampler):
            return _Idle(rest)
        begin = _idle_starts(sampler, rest)
        starts = {name: [*_starts(sampler, checkpoint, each, begin, seed)] for name, each in cycles.items()}
        found.append(_Idle(rest, begin, starts))
    return min(found, key=lambda idle: idle.missing)


def styled(path: ControlPath, style: str | None) -> ControlPath:
    """Returns the path with one style for all frames, or the path itself without a style."""
    return path if style is None else replace(path, styles=(style,) * len(path))


def mirrored(loop: Loop, encoding: Encoding) -> Loop:
    """Returns the mirror image of a cycle, shifted to begin with a contact of its left foot."""
    rounds, path = loop.rounds.mirrored(), loop.path.mirrored()
    later = [int(frame) - loop.first for frame in touchdowns(rounds) if frame >= loop.first]
    shift = later[0] if later else 0
    x, z = shift * (path.positions[1] - path.positions[0])
    poses = np.roll(loop.poses @ encoding.mirror.T, -shift, axis=0)
    return replace(loop, rounds=rounds.moved((-x, 0.0, -z)), first=loop.first + shift, path=path, poses=poses)


def _velocities(speeds: Mapping[str, float]) -> dict[str, Array]:
    out: dict[str, Array] = {}
    for name, (forward, left) in GAITS.items():
        usual = float(np.hypot(forward, left))
        wanted = speeds.get(name, usual)
        out[name] = np.array([forward, left, 0.0]) * wanted / usual
    return out


def _cycle(sampler: Sampler, checkpoint: Checkpoint, about: Track, name: str, velocity: Array) -> Loop | str:
    """Returns the cycle of a gait, or the reason why there is none."""
    pace = float(np.hypot(velocity[0], velocity[1]))
    if reason := _beyond(checkpoint.control_range, velocity):
        return f"{name} at {pace:g} m/s is left out: {reason}"
    rows = np.tile(velocity, (round(2 * sampler.fps), 1))
    styles = about.path.styles and about.path.styles[:1] * len(rows)
    path = ControlPath.from_velocities(rows, sampler.fps, styles=styles)
    try:
        loop = make_loop(sampler, checkpoint, replace(about, path=path), spec=LOCK, strides=1)
    except ControlError:
        return f"{name} at {pace:g} m/s is left out: the model takes no steps that repeat at this pace"
    if loop.blended > SPEC.apart:
        apart = f"{100 * loop.blended:.0f} cm, {100 * SPEC.apart:.0f} cm at most"
        return f"{name} at {pace:g} m/s is left out: no two strides are alike, they differ by {apart}"
    steps = gait(loop.rounds)
    uneven = abs(steps.left - steps.right) / max(abs(steps.left) + abs(steps.right), 1e-6) * 2
    if abs(velocity[0]) > abs(velocity[1]) and uneven > SPEC.limp:
        uneven_steps = f"{steps.left:.2f} m left and {steps.right:.2f} m right"
        return f"{name} at {pace:g} m/s is left out: it limps, with steps of {uneven_steps}"
    return loop


def _beyond(seen: ControlRange, velocity: Array) -> str | None:
    forward, left, _ = velocity
    for requested, limit, way in (
        (forward, seen.forward, "ahead"),
        (-forward, seen.backward, "backward"),
        (abs(left), seen.sideways, "sideways"),
    ):
        if requested > limit * TOLERANCE and requested > 0:
            return f"the model has seen {limit:.1f} m/s {way}"
    return None


def _cycle_piece(name: str, loop: Loop) -> Piece:
    figures = {
        "speed_m_s": round(float(np.hypot(*loop.path.velocities()[1:, :2].mean(0))), 4),
        "strides": loop.strides,
        "blended_m": round(loop.blended, 4),
        "foot_slide_m_s": round(loop.measured.slide.mean, 4),
    }
    return Piece(name, "cycle", loop, figures)


def _idle_starts(sampler: Sampler, rest: Joint) -> list[tuple[Joint, Any]]:
    """Returns frames of the idle in which transitions begin: half of them the first one, half spread evenly."""
    frames = [0] * (WAYS // 2) + np.linspace(0, rest.period // 2, WAYS - WAYS // 2).round().astype(
        int
    ).tolist()
    pasts = pasts_of(sampler, rest.loop, frames)
    return [(as_at(rest, frame), past) for frame, past in zip(frames, pasts, strict=True)]


def _starts(
    sampler: Sampler, checkpoint: Checkpoint, cycle: Joint, begin: Sequence[tuple[Joint, Any]], seed: int
) -> Iterator[Piece | str]:
    velocity = cycle.loop.path.velocities()[-1]
    ramp = max(0.8, 1.5 * float(np.hypot(*velocity[:2])) / SPEC.faster)
    rows = _ramp(np.zeros(3), velocity, ramp, SPEC.joining, sampler.fps)
    for leg, side in enumerate(("left", "right")):
        made = make_transition(
            sampler, checkpoint, begin, cycle, rows,
            earliest=round(ramp * sampler.fps), seed=seed, spec=LOCK, first=leg,
        )  # fmt: skip
        name = f"{cycle.name}_start_{side}"
        yield (
            _piece(name, "start", made)
            if made
            else f"{name} is left out: no start with this foot was sampled"
        )


def _stops(
    sampler: Sampler, checkpoint: Checkpoint, cycle: Joint, rest: Joint, seed: int
) -> Iterator[Piece | str]:
    velocity = cycle.loop.path.velocities()[-1]
    ramp = max(0.7, 1.5 * float(np.hypot(*velocity[:2])) / SPEC.slower)
    rows = _ramp(velocity, np.zeros(3), ramp, SPEC.settling, sampler.fps)
    first = cycle.loop.first
    for leg, side in enumerate(("left", "right")):
        name = f"{cycle.name}_stop_{side}"
        downs = [
            int(t) - first
            for t in touchdowns(cycle.loop.rounds, leg)
            if 0 <= t - first < 2 * cycle.period // 3
        ]
        if not downs:
            yield f"{name} is left out: in the cycle this foot does not come down"
            continue
        joint = as_at(cycle, downs[0])
        (past,) = pasts_of(sampler, cycle.loop, downs[:1])
        made = make_transition(
            sampler, checkpoint, [(joint, past)] * WAYS, rest, rows,
            earliest=round((ramp + 0.5) * sampler.fps), seed=seed, spec=LOCK,
        )  # fmt: skip
        yield _piece(name, "stop", made) if made else f"{name} is left out: no stop was sampled"


def _turns(
    sampler: Sampler, checkpoint: Checkpoint, rest: Joint, begin: Sequence[tuple[Joint, Any]], seed: int
) -> Iterator[Piece | str]:
    for degrees in SPEC.turns:
        for sign, side in ((1.0, "left"), (-1.0, "right")):
            angle = sign * np.radians(degrees)
            lasts = max(
                0.8, 1.875 * abs(angle) / SPEC.turning
            )  # 1.875: the steepest slope of the curve below
            count = round(lasts * sampler.fps)
            turn = np.diff(angle * _smooth(np.arange(count + 1) / count)) * sampler.fps
            still = np.zeros(round(SPEC.settling * sampler.fps))
            rows = np.zeros((count + len(still), 3))
            rows[:, 2] = np.concatenate([turn, still])
            made = make_transition(
                sampler, checkpoint, begin, rest, rows,
                earliest=count + round(0.4 * sampler.fps), seed=seed, spec=LOCK,
            )  # fmt: skip
            name = f"turn_{side}_{degrees:.0f}"
            yield _piece(name, "turn", made) if made else f"{name} is left out: no turn was sampled"


def _piece(name: str, kind: str, made: Transition) -> Piece:
    joints = {
        "from": {"clip": made.start.name, "frame": made.start.frame},
        "to": {"clip": made.end.name, "frame": made.end.frame},
    }
    return Piece(name, kind, made, {**joints, "blended_m": round(made.apart, 4)})


def _ramp(start: Array, end: Array, seconds: float, held: float, fps: float) -> Array:
    """Returns velocities ``(T, 3)`` from ``start`` to ``end``, which is then constant."""
    share = _smooth(np.arange(1, round(seconds * fps) + 1) / round(seconds * fps))[:, None]
    return np.concatenate([start + share * (end - start), np.tile(end, (round(held * fps), 1))])


def _smooth(s: Array) -> Array:
    return np.asarray(s**3 * (10 - 15 * s + 6 * s**2))
