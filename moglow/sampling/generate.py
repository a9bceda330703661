"""Makes finished takes, with their figures, from a checkpoint and a path. Needs numpy alone.

The poses of `Sampler` are decoded to clips, feet are locked, figures measured and takes ranked. Motion is processed in
blocks of some seconds, so that memory does not grow with its length; `joined` makes one clip of the blocks.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.checkpoint import Checkpoint, real_slide
from moglow.compute.ahead import ahead
from moglow.errors import ControlError, ExportError
from moglow.footsteps.footprints import Footprints
from moglow.formats.export import export
from moglow.measures.metrics import Slide
from moglow.measures.tally import Measured, Tally
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.contacts import toe_floor, toe_points
from moglow.motion.foot_lock import LockSpec, bent_toes, lock_stream
from moglow.paths.control_path import ControlPath
from moglow.sampling.ranking import scores
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import refuse_wild

PRETRAINED = Path(__file__).parents[1] / "pretrained" / "locomotion.safetensors"
"""The model inside the package."""

HOTTEST = 2.0
"""The highest temperature."""
TEMPERATURE = 0.8
"""The default temperature, at which motion is about as smooth as recorded motion, and feet slide as little."""

BLOCK = 10.0
"""Seconds of a block; the height of planted toes is estimated from the first one."""
SHORT = 2.0
"""Seconds below which the last block is joined to the one before, except to the first one."""
LOCK = LockSpec(settle=0.5)
"""The settings of the foot lock; a toe is held at its mean position in the first half second of its contact."""
AHEAD = 4
"""Number of blocks that are sampled ahead of those that are decoded and written."""
WAITING = 250_000
"""Largest number of frames of sampled poses in memory, 60 MB; it limits the number of long motions sampled at once."""


@dataclass(frozen=True, eq=False)
class StreamedMotion:
    """A motion in blocks that can be read once; afterwards `measured` returns its figures."""

    track: Track
    blocks: Iterator[Clip]
    tally: Tally

    def measured(self) -> Measured:
        return self.tally.measured(self.track.path)

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the figures as plain numbers, for a sidecar."""
        return self.measured().figures


@dataclass(frozen=True, eq=False)
class Origin:
    """The settings of a take, from which it can be made again with another style or temperature."""

    styles: tuple[str, ...]
    """The styles of the model."""
    style: str | None
    temperature: float
    make: Callable[[str | None, float], "Take"]


@dataclass(frozen=True, eq=False)
class Take:
    """One motion along a path: the clip, its seed and take number, and its figures."""

    clip: Clip
    seed: int
    number: int
    path: ControlPath
    measured: Measured
    real: Mapping[str, Any] = field(default_factory=dict)
    """The same figures of recordings, if the checkpoint has them."""
    warnings: tuple[str, ...] = ()
    """Warnings about a path beyond the range of the recordings."""
    lap: Mapping[str, Any] = field(default_factory=dict)
    """For a loop: whether it returns to its start, its length in seconds, and the difference blended at the seam."""
    footprints: Footprints = ()
    """For directed feet: their footprints."""
    directed: Mapping[str, Any] = field(default_factory=dict)
    """For directed feet: the figures of footprints and ground."""
    pins: tuple[Mapping[str, Any], ...] = ()
    """For motion with pins: the figures of each pin."""
    origin: Origin | None = None
    """The settings of a take of `moglow.generate`."""

    @property
    def slide_before(self) -> Slide:
        return self.measured.slide_before

    @property
    def slide(self) -> Slide:
        return self.measured.slide

    @property
    def figures(self) -> dict[str, Any]:
        """Returns the figures as plain numbers, in metres, seconds and nats."""
        about: dict[str, Any] = {"real_motion": dict(self.real)} if self.real else {}
        if self.lap:
            about["lap"] = dict(self.lap)
        if self.pins:
            about["pins"] = [dict(pin) for pin in self.pins]
        about |= self.directed
        return {"take": self.number, **self.measured.figures, **about, "warnings": list(self.warnings)}

    def export(self, path: str | Path, **options: object) -> None:
        """Writes the clip to a file in the format of its suffix; see `moglow.export`."""
        export(self.clip, path, **options)

    def show(self) -> Any:
        """Returns a widget for notebooks that plays the take, with sliders for its style and temperature.

        The widget's ``take`` is the take that it plays. Needs anywidget, which the extra ``notebook`` installs. The
        viewer is imported by name here, because it depends on this package and only notebooks need it.
        """
        try:
            module = import_module("moglow_viewer.notebook.take_widget")
        except ModuleNotFoundError as error:
            raise ExportError(f"take.show() needs {error.name}: pip install 'moglow[notebook]'") from None
        return module.TakeWidget(self)

    def _repr_html_(self) -> str:
        """Returns the take on its path as a page in a frame, for notebooks."""
        return self.clip.as_frame(control=self.path, figures=[self.figures])


def generate(
    checkpoint: Checkpoint,
    path: ControlPath,
    *,
    seed: int = 0,
    takes: int = 1,
    temperature: float = TEMPERATURE,
    foot_lock: bool = True,
    name: str = "",
) -> Iterator[Take]:
    """Yields takes of a path; the same seed and number give the same motion."""
    sampler = Sampler.of(checkpoint, temperature=temperature)
    path = path.resample(sampler.fps)
    tracks = [Track(path, seed, number) for number in range(takes)]
    for motion in motions(sampler, checkpoint, tracks, foot_lock=foot_lock):
        clip = joined(motion.blocks, name)
        yield Take(clip, seed, motion.track.take, path, motion.measured())


def motions(
    sampler: Sampler, checkpoint: Checkpoint, tracks: Sequence[Track], *, foot_lock: bool = True
) -> Iterator[StreamedMotion]:
    """Yields the motions of tracks in order, sampled in batches; each must be consumed before the next.

    While a motion is decoded and written, a thread samples those after it.
    """
    groups = [
        [tracks[number] for number in batch]
        for batch in batches([len(track.path) for track in tracks], sampler.model.rows[1])
    ]

    def sampled(wanted: Callable[[], bool]) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
        for k, together in enumerate(groups):
            yield from ((k, *block) for block in _blocks(sampler, together, wanted))

    blocks = ahead(sampled, AHEAD)  # its thread ends once no motion refers to it
    for k, together in enumerate(groups):
        # Blocks of motions that were given up, since the model lost the figure, are left out.
        own = ((poses, nats) for number, poses, nats in blocks if number == k)
        for track, poses_and_nats in zip(together, _sampled(sampler, together, own), strict=True):
            tally = Tally()
            yield StreamedMotion(track, finished(checkpoint, track, poses_and_nats, tally, foot_lock), tally)


def batches(frames: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yields the numbers of motions that are sampled together: at most ``most`` in order, within `WAITING` frames.

    >>> list(batches([300, 300, 300, 200_000, 200_000], most=2))
    [[0, 1], [2], [3], [4]]
    """
    batch: list[int] = []
    for number, length in enumerate(frames):
        longest = max([length, *(frames[each] for each in batch)])
        if batch and (len(batch) == most or (len(batch) + 1) * longest > WAITING):
            yield batch
            batch = []
        batch.append(number)
    yield from [batch] if batch else []


def _blocks(
    sampler: Sampler, tracks: Sequence[Track], wanted: Callable[[], bool]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yields poses ``(T, B, D)`` and likelihoods ``(T, B)`` in blocks while they are wanted, for all tracks at once."""
    size, frames = round(BLOCK * sampler.fps), takewhile(lambda _: wanted(), sampler.sample(tracks))
    while part := list(islice(frames, size)):
        poses, nats = zip(*part, strict=True)
        yield np.stack(poses), np.stack(nats)


def _sampled(
    sampler: Sampler, tracks: Sequence[Track], parts: Iterator[tuple[NDArray[Any], NDArray[Any]]]
) -> list[Iterator[tuple[NDArray[Any], NDArray[Any]]]]:
    """Returns each track's poses ``(T, D)`` and likelihoods ``(T,)`` in blocks, given those of all tracks.

    The first block has no further frames, since the floor is estimated from it.
    """
    size, short = round(BLOCK * sampler.fps), round(SHORT * sampler.fps)
    waiting: list[deque[tuple[NDArray[Any], NDArray[Any]]]] = [deque() for _ in tracks]

    def share_block(start: int) -> None:
        poses, nats = next(parts)
        for row, (track, queue) in enumerate(zip(tracks, waiting, strict=True)):
            own = max(0, min(len(track.path) - start, size))
            queue.append((poses[:own, row].copy(), nats[:own, row].copy()))

    def blocks(row: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        frames, start = len(tracks[row].path), 0
        stops = [*range(size, frames, size), frames]
        if len(stops) > 2 and frames - stops[-2] < short:
            del stops[-2]
        for stop in stops:
            parts = []
            for begin in range(start, stop, size):
                if not waiting[row]:
                    share_block(begin)
                parts.append(waiting[row].popleft())
            poses, nats = zip(*parts, strict=True)
            yield np.concatenate(poses), np.concatenate(nats)
            start = stop

    return [blocks(row) for row in range(len(tracks))]


def finished(
    checkpoint: Checkpoint,
    track: Track,
    poses_and_nats: Iterator[tuple[NDArray[Any], NDArray[Any]]],
    tally: Tally,
    foot_lock: bool,
) -> Iterator[Clip]:
    """Returns the blocks of a track as clips with locked feet, measured while they are read."""

    def decoded() -> Iterator[Clip]:
        start = 0
        for poses, nats in poses_and_nats:
            refuse_wild(poses, checkpoint.context, start)
            clip = checkpoint.context.encoding.decode(poses, track.path[start : start + len(poses)])
            tally.sampled(clip, nats)
            start += len(poses)
            yield clip

    clips = decoded()
    if foot_lock:
        first = next(clips)
        locked = lock_stream(chain([first], clips), floor=toe_floor(toe_points(first)), spec=LOCK)
        clips = map(bent_toes, locked)
    for clip in clips:
        tally.written(clip)
        yield clip


def ranked(takes: Sequence[Take], checkpoint: Checkpoint) -> list[Take]:
    """Returns the takes, sorted by `ranking.scores`, the best first."""
    measured = [take.measured for take in takes]
    values = scores(
        [each.path.mean for each in measured],
        [each.slide_before.mean for each in measured],
        [float(each.nats.mean()) for each in measured],
        channels=checkpoint.context.pose_dim,
        real_slide=real_slide(checkpoint),
    )
    return [takes[k] for k in np.argsort(values, kind="stable")]


def within_range(
    checkpoint: Checkpoint, path: ControlPath, *, as_asked: bool, strict: bool
) -> tuple[ControlPath, list[str]]:
    """Returns the path to follow, and warnings about speeds beyond the model's range.

    A path that is too fast is slowed down; with ``as_asked`` it is not changed, with ``strict`` a ControlError is
    raised.
    """
    reach = checkpoint.control_range
    fast, stands = reach.warnings(path), reach.stands(path)
    for beyond, advice in (
        (fast, "slow it down"),
        (stands, "begin and end at speed, as velocities forward,sideways,turn can"),
    ):
        if strict and beyond:
            raise ControlError(f"path: {'; '.join(beyond)}; {advice}")
    slow = [f"{each}; feet may slide: begin and end at speed" for each in stands]
    if not fast or as_asked:
        return path, [f"{each}; feet may slide" for each in fast] + slow
    slowed = reach.slowed(path)
    left = [f"{each}, after slowing down" for each in reach.warnings(slowed)]
    seconds = f"slowed from {path.duration:.1f} s to {slowed.duration:.1f} s"
    return slowed, [f"{seconds}: {'; '.join(fast)}", *left, *slow]


def styled(path: ControlPath, style: str | None) -> ControlPath:
    """Returns the path with one style for all frames, or the path itself without a style."""
    return path if style is None else replace(path, styles=(style,) * len(path))
