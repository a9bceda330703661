"""Measures the range of speeds of a model, by sweeps compared with recordings of the same speed. Needs numpy alone."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus, Stretch
from moglow.errors import ClipError
from moglow.maths.rotations import Array
from moglow.maths.signals import runs
from moglow.measures.gait import gait
from moglow.measures.metrics import jerk
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.sampling.generate import TEMPERATURE, motions
from moglow.sampling.sampler import Sampler, Track

DIRECTIONS = {
    "forward": (1.0, 0.0, 0.0),
    "backward": (-1.0, 0.0, 0.0),
    "sideways": (0.0, 1.0, 0.0),
    "turn": (0.0, 0.0, 1.0),
}
"""Velocity of a rate of 1: forward and sideways in m/s, turn in rad/s."""


@dataclass(frozen=True)
class ReachSpec:
    """The rates of a sweep, and the limits of a good motion."""

    step: float = 0.2
    """Difference between two rates in m/s or rad/s."""
    seconds: float = 6.0
    """Duration in seconds of each rate, after the acceleration to it."""
    rise: float = 1.5
    """Acceleration of the path in m/s² or rad/s²."""
    seeds: int = 2
    recorded: float = 3.0
    """Least duration in seconds of recordings within `near` of a rate."""
    enough: float = 40.0
    """Largest duration in seconds of recordings that are measured for a rate, spread over all of them."""
    near: float = 0.25
    """Largest difference of recordings from a rate, relative to the rate or to 1 m/s or rad/s if that is larger."""
    sliding: float = 1.5
    """Largest speed of low toes, as a multiple of that of recordings."""
    still: float = 0.08
    """Speed of low toes in m/s that is always accepted, because it is invisible."""
    jerky: float = 1.7
    """Largest jerk, as a multiple of that of recordings."""
    bowed: float = 15.0
    """Largest additional lean of the trunk in degrees, compared with recordings."""


@dataclass(frozen=True)
class Rate:
    """The figures of generated and recorded motion at one rate in one direction."""

    direction: str
    rate: float
    low_toe_speed: tuple[float, float]
    jerk: tuple[float, float]
    lean: tuple[float, float]
    good: bool


def measure_reach(
    checkpoint: Checkpoint, corpus: Corpus, spec: ReachSpec = ReachSpec(), *, temperature: float = TEMPERATURE
) -> tuple[ControlRange, list[Rate]]:
    """Returns the range of controls in which a model is about as good as recordings, and the figures of each rate.

    In each direction rates rise from `step` to the fastest recorded one. The reach is the last good rate before two in
    turn that are not; rates below the first good one do not count, since slow recordings also stand still.
    """
    seen, found = corpus.control_range, list[Rate]()
    sampler = Sampler.of(checkpoint, temperature=temperature)
    for direction in DIRECTIONS:
        fastest = float(getattr(seen, direction))
        swept = np.arange(spec.step, fastest + spec.step / 2, spec.step).tolist()
        pieces = {rate: recorded_at(corpus, direction, rate, spec) for rate in swept}
        rates = [rate for rate in swept if sum(map(len, pieces[rate])) >= spec.recorded * corpus.fps]
        if not rates:
            continue
        made = _generated(sampler, checkpoint, direction, rates, spec)
        for rate, clips in zip(rates, made, strict=True):
            found.append(_compared(direction, rate, clips, pieces[rate], spec))
    return replace(seen, **{name: farthest(found, name) for name in DIRECTIONS}), found


def recorded_at(corpus: Corpus, direction: str, rate: float, spec: ReachSpec) -> list[Clip]:
    """Returns the pieces of recordings, at least a second long, with about a rate in a direction."""
    along = np.array(DIRECTIONS[direction])
    width, pieces = spec.near * max(rate, 1.0), list[tuple[Stretch, int, int]]()
    for stretch in corpus.stretches:
        if stretch.again:
            continue
        control = np.asarray(corpus.features(stretch).control, float)
        there = control @ along if direction in ("forward", "backward") else np.abs(control @ along)
        across = np.abs(control * (1 - np.abs(along))).max(axis=1)
        steady = (np.abs(there - rate) < width) & (across < width + 0.2)
        pieces += [(stretch, *each) for each in runs(steady) if each[1] - each[0] >= corpus.fps]
    seconds = sum(stop - start for _, start, stop in pieces) / corpus.fps
    every = max(1, round(seconds / spec.enough))
    return [_piece(corpus, *each) for each in pieces[::every]]


def _piece(corpus: Corpus, stretch: Stretch, start: int, stop: int) -> Clip:
    part = slice(stretch.start + start, stretch.start + stop)
    path = ControlPath.from_velocities(corpus.control[part].astype(float), corpus.fps)
    return corpus.encoding.decode(corpus.pose[part], path)


def _generated(
    sampler: Sampler, checkpoint: Checkpoint, direction: str, rates: Sequence[float], spec: ReachSpec
) -> list[list[Clip]]:
    """Returns the steady parts of generated motion for each rate and seed, with locked feet.

    Motion that is not of a body is left out: its rate has fewer clips.
    """
    paths = [_path(direction, rate, sampler.fps, spec) for rate in rates]
    tracks = [Track(path, seed) for path in paths for seed in range(spec.seeds)]
    steady, found = round(spec.seconds * sampler.fps), [list[Clip]() for _ in rates]
    for number, motion in enumerate(motions(sampler, checkpoint, tracks)):
        with suppress(ClipError):
            found[number // spec.seeds].append(joined(motion.blocks)[-steady:])
    return found


def _path(direction: str, rate: float, fps: float, spec: ReachSpec) -> ControlPath:
    """Returns a path that stands, accelerates, and then keeps a rate."""
    rising = np.linspace(0.0, rate, max(2, round(rate / spec.rise * fps)))
    rates = np.concatenate([np.zeros(round(0.5 * fps)), rising, np.full(round(spec.seconds * fps), rate)])
    return ControlPath.from_velocities(rates[:, None] * np.array(DIRECTIONS[direction]), fps)


def _figures(clips: Sequence[Clip]) -> Array:
    """Returns the speed of low toes, the jerk and the lean of clips, means over their frames; zeros of no clips."""
    if not clips:
        return np.zeros(3)
    weights = [len(clip) for clip in clips]
    values = [(gait(clip), jerk(clip.world()[0], clip.fps)) for clip in clips]
    rows = [[each.low_toe_speed, jerky, each.lean] for each, jerky in values]
    return np.asarray(np.average(np.nan_to_num(rows), axis=0, weights=weights))


def _compared(
    direction: str, rate: float, made: Sequence[Clip], recorded: Sequence[Clip], spec: ReachSpec
) -> Rate:
    (slides, jerks, leans) = zip(_figures(made), _figures(recorded), strict=True)
    good = (
        len(made) == spec.seeds
        and slides[0] <= max(spec.sliding * slides[1], spec.still)
        and jerks[0] <= spec.jerky * jerks[1]
        and leans[0] <= leans[1] + spec.bowed
    )

    def pair(values: Sequence[float]) -> tuple[float, float]:
        return round(float(values[0]), 3), round(float(values[1]), 3)

    return Rate(direction, round(rate, 3), pair(slides), pair(jerks), pair(leans), bool(good))


def farthest(found: Sequence[Rate], direction: str) -> float:
    """Returns the last good rate before two in turn that are not, 0 without one."""
    last, missed = 0.0, 0
    for each in found:
        if each.direction != direction:
            continue
        if each.good:
            last, missed = each.rate, 0
        elif last:
            missed += 1
        if missed == 2:
            break
    return last
