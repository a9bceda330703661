"""Repeats recorded starts and stops along paths as people draw them, so that steps begin and end in time with a path.

The path of a recording sways before the first step, and a model learns to wait for this sign. A drawn path stands
still and then sets off in a straight line. Here the recorded start is encoded along such a path: the figure moves as
recorded, but its path stands still until the figure sets off and does not sway after it. Few people are recorded
setting off at a brisk pace, so the starts are also repeated at higher speeds. A stop is a start reversed in time, and
its path is drawn by the same function. Needs numpy alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from moglow.corpus.corpus import Corpus, Stretch
from moglow.corpus.last_steps import with_short_last_step, with_smaller_steps
from moglow.corpus.splicing import extended
from moglow.encodings.encoding import Features, reverse_control
from moglow.maths.rotations import Array, heading_to_vector
from moglow.maths.signals import eased, sample_linear, smooth_gaussian
from moglow.paths.control_path import ControlPath


@dataclass(frozen=True)
class StartSpec:
    """The settings of repeated starts and stops; the recipe's ``[data] starts``."""

    speeds: tuple[float, ...] = ()
    """Speeds at which each start is repeated, relative to the recorded one; none by default."""
    stops: tuple[float, ...] = ()
    """Speeds at which each stop is repeated, likewise."""
    short: float = 0.0
    """Share of the repeated stops whose last step is too short; see `moglow.corpus.last_steps`."""
    small: float = 0.0
    """Share of the repeated stops with smaller steps than recorded."""
    copies: int = 1
    """Number of repetitions at each speed, with different smoothing of the path."""
    most: int = 1000
    """Largest number of starts, and of stops, that are repeated, spread over all recordings; it limits the memory."""
    before: float = 0.5
    """Duration in seconds of the stand before a start."""
    rest: float = 1.3
    """Duration in seconds of the stand after a stop."""
    after: float = 3.8
    """Duration in seconds of the recording from a start on, or up to a stop."""
    fastest: float = 2.0
    """Highest speed in m/s of repetitions that are faster than the recording."""

    def __post_init__(self) -> None:
        for name, speeds in (("speeds", self.speeds), ("stops", self.stops)):
            if not all(0.1 <= speed <= 10 for speed in speeds):
                raise ValueError(f"{name} is {list(speeds)}; give factors from 0.1 to 10")
        for name, share in (("short", self.short), ("small", self.small)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is {share}; a share lies between 0 and 1")
        if not 1 <= self.copies <= 100:
            raise ValueError(f"copies is {self.copies}; give 1 to 100")
        if self.most < 1:
            raise ValueError(f"most is {self.most}; give at least 1")
        if not (0 <= self.before <= 60 and 0 <= self.rest <= 60 and 0 < self.after <= 60):
            durations = f"before is {self.before}, rest {self.rest}, after {self.after}"
            raise ValueError(f"{durations}; give at most 60 seconds")


SLOW, MOVING, FAST = 0.08, 0.2, 0.6
"""Speeds in m/s: of a figure at rest, of one that has set off, and of one that walks."""
REST, SETTING_OFF, WITHIN, RAMP = 0.33, 0.4, 1.2, 0.2
"""Durations in seconds: of the rest before a start; the longest one from rest to `MOVING`, and from there to `FAST`;
and of the ramp with which a drawn path sets off."""
SMOOTHING, OF_STOPS, SWAY = (0.05, 0.35), (0.05, 0.5), 0.5
"""Standard deviations in seconds of the smoothing along the direction, of starts and of stops in ranges, and across."""
LATE, CAUGHT_UP = (0.0, 0.3), 0.7
"""Durations in seconds by which drawn paths set off late, in a range, and in which they catch up."""
ALIGNED = 1.5
"""Duration in seconds in which a drawn path passes from the place between the feet to the recorded path."""
STAGGERED = 0.08
"""Largest distance in metres of one foot before the other in the stand; otherwise a model learns to stop like this."""
APART = 0.25
"""Largest distance in metres between the hips' path and the drawn one; starts with larger ones are not repeated."""


def with_starts(corpus: Corpus, spec: StartSpec, *, seed: int = 0) -> Corpus:
    """Returns a corpus with repeated starts and stops of training clips, the same ones for the same settings."""
    if not (spec.speeds or spec.stops):
        return corpus
    generator = np.random.default_rng([seed, 1])
    more = [*_repeated(corpus, spec, generator), *_repeated(corpus, spec, generator, backwards=True)]
    return extended(corpus, more)


def starts(velocities: Array, fps: float) -> list[int]:
    """Returns the frames at which a figure with velocities ``(T, 3)`` has set off from rest to walk.

    >>> rest, walk = np.zeros((30, 3)), np.tile([1.0, 0.0, 0.0], (60, 1))
    >>> starts(np.concatenate([walk, rest, walk]), 30.0)
    [90]
    """
    speed = np.hypot(velocities[:, 0], velocities[:, 1])
    rest, within = round(REST * fps), round(WITHIN * fps)
    found: list[int] = []
    for frame in np.flatnonzero((speed[1:] >= MOVING) & (speed[:-1] < MOVING)) + 1:
        rested = frame >= rest and speed[frame - rest : frame].max() < MOVING
        if rested and speed[frame : frame + within].max() > FAST:
            found.append(int(frame))
    return found


def drawn_path(
    path: ControlPath, middle: Array, frame: int, smoothing: float, late: float = 0.0
) -> ControlPath:
    """Returns a path that stands still before the figure sets off at a frame, and does not sway after it.

    It stands where the feet are side by side, ``middle`` ``(T, 2)``, and passes to the recorded path as the figure
    walks. ``smoothing`` is the standard deviation in seconds of the smoothing along the direction of the start. A path
    that sets off ``late``, in seconds, sets off more suddenly.
    """
    fps, velocities = path.fps, path.velocities()
    speed = smooth_gaussian(np.hypot(velocities[:, :1], velocities[:, 1:2]), 0.07 * fps)[:, 0]
    onset = frame
    while onset > max(0, frame - round(SETTING_OFF * fps)) and speed[onset] > SLOW:
        onset -= 1
    ahead = velocities[frame : frame + round(fps), :2].mean(0)
    ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-9)
    aside = np.array([-ahead[1], ahead[0]])
    along = smooth_gaussian(velocities[:, :2] @ ahead[:, None], smoothing * fps)[:, 0]
    across = smooth_gaussian(velocities[:, :2] @ aside[:, None], SWAY * fps)[:, 0]
    turn = smooth_gaussian(velocities[:, 2:], SWAY * fps)[:, 0]
    # A smoothed path sets off earlier.
    since = np.arange(len(path)) - onset + round(1.2 * smoothing * fps) + 1
    share = np.clip(since / (RAMP * fps), 0.0, 1.0)
    along = np.where(np.arange(len(path)) < frame, np.maximum(along, 0.0), along)
    steps = share[:, None] * (along[:, None] * ahead + across[:, None] * aside)
    velocities = _delayed(np.column_stack([steps, share * turn]), onset, late * fps, CAUGHT_UP * fps)
    drawn = ControlPath.from_velocities(velocities, fps)
    moving = slice(onset, None)
    turned = float((path.headings - drawn.headings)[moving].mean())
    drawn = drawn.moved(heading=turned)
    arrived = (path.positions - drawn.positions)[moving].mean(0)
    left = 1 - eased(np.clip((np.arange(len(path)) - onset) / (ALIGNED * fps), 0.0, 1.0))[:, None]
    stood = middle[: onset + 1].mean(0) - drawn.positions[0]
    return replace(drawn, positions=drawn.positions + arrived + left * (stood - arrived))


def _delayed(velocities: Array, onset: int, late: float, within: float) -> Array:
    """Returns velocities ``(T, 3)`` that set off some frames late and catch up within some more."""
    frames = np.arange(len(velocities))
    knots = [0.0, onset, onset + late, onset + late + within, onset + late + within + len(frames)]
    times = np.interp(frames, knots, [0.0, onset, onset, *knots[3:]])
    gone = sample_linear(frames, np.cumsum(velocities, axis=0), times)
    return np.diff(gone, axis=0, prepend=gone[:1])


def faster(features: Features, speed: float) -> Features:
    """Returns features at a speed relative to their own, at the same frame rate."""
    frames = np.arange(len(features.pose))
    at = np.arange(0.0, len(frames) - 1, speed)
    pose, control = (sample_linear(frames, part, at) for part in (features.pose, features.control))
    return Features(pose, speed * control)


def _repeated(
    corpus: Corpus, spec: StartSpec, generator: np.random.Generator, *, backwards: bool = False
) -> Iterator[tuple[Stretch, Features]]:
    """Yields the stretch and the new features of each repetition of each start, or of each stop."""
    speeds, stand, smoothing = (
        (spec.stops, spec.rest, OF_STOPS) if backwards else (spec.speeds, spec.before, SMOOTHING)
    )
    found = list(_found(corpus, backwards)) if speeds else []
    before, after = round((REST + stand) * corpus.fps), round(spec.after * corpus.fps)
    for stretch, frame in found[:: max(1, -(-len(found) // spec.most))]:
        first, stop = max(0, frame - before), min(len(stretch), frame + after)
        ends = (len(stretch) - stop, len(stretch) - first) if backwards else (first, stop)
        piece = replace(stretch, start=stretch.start + ends[0], stop=stretch.start + ends[1], again=True)
        pose, path = corpus.pose[piece.frames].astype(float), corpus.path(piece)
        if backwards:
            pose, path = pose[::-1], path.reversed()
        top = np.hypot(*path.velocities()[:, :2].T).max()
        usable = [speed for speed in speeds if speed <= 1 or speed * top <= spec.fastest]
        ways = [(generator.uniform(*smoothing), generator.uniform(*LATE)) for _ in range(spec.copies)]
        for features in _along_drawn_paths(corpus, pose, path, frame - first, ways):
            for speed in usable:
                made = faster(features, speed * generator.uniform(0.93, 1.07))
                made = Features(made.pose.astype(np.float32), made.control.astype(np.float32))
                yield piece, _stopping(corpus, made.reversed(), spec, generator) if backwards else made


def _found(corpus: Corpus, backwards: bool) -> Iterator[tuple[Stretch, int]]:
    """Yields the stretch and the frame of each start, or of each stop, with frames counted from the end."""
    for stretch in corpus.split("train"):
        if not stretch.again:
            control = corpus.control[stretch.frames].astype(float)
            for frame in starts(reverse_control(control) if backwards else control, corpus.fps):
                yield stretch, frame


def _stopping(corpus: Corpus, stop: Features, spec: StartSpec, generator: np.random.Generator) -> Features:
    """Returns a stop as it is, or with other steps, by the shares of the settings."""
    if generator.uniform() < spec.small:
        stop = with_smaller_steps(stop, corpus.encoding, generator)
    if generator.uniform() < spec.short:
        stop = with_short_last_step(stop, corpus.encoding, corpus.fps, generator) or stop
    return stop


def _along_drawn_paths(
    corpus: Corpus,
    pose: Array,
    path: ControlPath,
    frame: int,
    ways: Iterable[tuple[float, float]],
) -> Iterator[Features]:
    """Yields the features of recorded poses ``(T, D)`` of a start along paths drawn near ``path``, the recorded one.

    ``ways`` are their ``smoothing`` and ``late``, see `drawn_path`.
    """
    clip = corpus.encoding.decode(pose, path)
    middle = _between_feet(corpus, pose, path)
    for smoothing, late in ways:
        drawn = drawn_path(path, middle, frame, smoothing, late)
        if np.linalg.norm(drawn.positions - path.positions, axis=-1).max() < APART:
            features = Features(corpus.encoding.encode(clip, drawn), drawn.velocities())
            if _staggered(corpus, features) <= STAGGERED:
                yield features


def _staggered(corpus: Corpus, features: Features) -> float:
    """Returns how far one foot is before the other where the path stands, or 0 for poses without feet."""
    standing = np.hypot(*features.control[:, :2].T) < SLOW
    if "toe_z" not in corpus.encoding.slices or not standing.any():
        return 0.0
    return float(np.ptp(features.pose[standing, corpus.encoding.slices["toe_z"]], axis=-1).mean())


def _between_feet(corpus: Corpus, pose: Array, path: ControlPath) -> Array:
    """Returns the place ``(T, 2)`` of hips that stand between the feet of each frame, as they do on average."""
    slices = corpus.encoding.slices
    if "toe_x" not in slices:
        return path.positions
    aside, ahead = (pose[:, slices[group]].mean(-1, keepdims=True) for group in ("toe_x", "toe_z"))
    usual = float(corpus.pose_normalizer.mean[slices["toe_z"]].mean())
    forward = heading_to_vector(path.headings)
    leftward = heading_to_vector(path.headings + np.pi / 2)
    return np.asarray(path.positions + aside * leftward + (ahead - usual) * forward)
