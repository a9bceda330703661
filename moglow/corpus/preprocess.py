"""Builds a corpus from folders of motion capture: read, resample, retarget, trim and encode, in parallel over files.

A file that cannot be used is omitted and listed with the reason. Files are split into training and validation before
anything else, so no statistic depends on a held-out file.
"""

import multiprocessing
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from moglow.cleaning.joint_limits import within_limits
from moglow.cleaning.knees import steady_knees
from moglow.cleaning.levelling import level_floor
from moglow.cleaning.spike import despike
from moglow.cleaning.t_poses import without_t_poses
from moglow.corpus.corpus import Corpus, Label
from moglow.corpus.sources import DataSpec, Source, find_sources
from moglow.corpus.splicing import spliced
from moglow.corpus.summary import Summary
from moglow.corpus.trimming import trim
from moglow.encodings.encoding import Encoding, FeatureSpec
from moglow.errors import MoglowError, RecipeError
from moglow.files.atomic import refuse_overwriting
from moglow.formats.read import read_motion
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.motion.skeleton import Skeleton

LIKE_FRAMES = 600
"""Number of frames of each clip that are used to find the stance for retargeting: twenty seconds."""

Clips = list[tuple[Source, Clip]]
T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps, and a description of the current one; the last one contains the summary."""

    done: int
    total: int
    doing: str
    summary: Summary | None = None


def preprocess(
    data: DataSpec,
    features: FeatureSpec,
    output: str | Path,
    *,
    base: str | Path = ".",
    workers: int = 1,
    encoding: Encoding | None = None,
) -> Iterator[Progress]:
    """Builds the corpus file ``output`` and yields the progress. Paths of the recipe are relative to ``base``.

    The same files and recipe give the same bytes for any number of ``workers`` (processes). With the ``encoding`` of a
    checkpoint, clips are retargeted to its skeleton and encoded with it; then ``features`` and the skeleton of ``data``
    are not used.
    """
    features = encoding.spec if encoding else features
    run = _Run(data, Path(base), workers, encoding)
    skeleton = Path(base) / data.skeleton if data.skeleton else None
    refuse_overwriting(output, [*(source.path for source in run.sources), skeleton])
    yield from run.load(features)
    yield from run.unite()
    yield from run.encode(features)
    run.corpus.write(output)
    summary = Summary.of(run.corpus, run.dropped, read=run.read / 60, t_poses=run.t_poses / 60)
    yield replace(run.progress(str(output)), summary=summary)


class _Run:
    """The state of preprocessing: the clips, the omitted files, and the progress."""

    def __init__(self, data: DataSpec, base: Path, workers: int, encoding: Encoding | None) -> None:
        self.data, self.workers, self.encoding = data, workers, encoding
        self.root = base / data.root
        self.target = encoding.skeleton if encoding else None
        if data.skeleton and not encoding:
            self.target = read_motion(base / data.skeleton, pose_only=True).skeleton
        self.sources = find_sources(data, base)
        self.clips: Clips = []
        self.dropped: list[tuple[str, str]] = []
        self.read = self.t_poses = 0.0  # seconds
        self.done, self.total = 0, len(self.sources) + 3

    def progress(self, doing: str) -> Progress:
        self.done += 1
        return Progress(self.done, self.total, doing)

    def load(self, features: FeatureSpec) -> Iterator[Progress]:
        """Reads the files and retargets them if there is a target skeleton."""
        known: dict[
            Skeleton, Skeleton
        ] = {}  # one object for equal skeletons, so that their cached properties are computed once
        jobs = [(source, self.target, self.data, features) for source in self.sources]
        for source, loaded in zip(self.sources, _parallel(_load, jobs, self.workers), strict=True):
            clip = loaded.clip
            self.read, self.t_poses = self.read + loaded.seconds, self.t_poses + loaded.t_poses
            if isinstance(clip, Clip):
                clip = replace(clip, skeleton=known.setdefault(clip.skeleton, clip.skeleton))
            self._take(source, clip)
            yield self.progress(source.name)

    def unite(self) -> Iterator[Progress]:
        """Retargets all clips to the skeleton with the most frames, unless there is a target skeleton."""
        if not self.clips:
            return
        frames: Counter[Skeleton] = Counter()
        for _, clip in self.clips:
            frames[clip.skeleton] += len(clip)
        common = frames.most_common(1)[0][0]
        same = {skeleton: same_bones(skeleton, common) for skeleton in frames}
        others = [(source, clip) for source, clip in self.clips if not same[clip.skeleton]]
        self.clips = [
            (source, replace(clip, skeleton=common)) for source, clip in self.clips if same[clip.skeleton]
        ]
        # The motion shows how feet and elbows are turned, which may not be clear from the zero pose.
        like = max((clip for _, clip in self.clips), key=len)[:LIKE_FRAMES]
        jobs = [(clip, common, like) for _, clip in others]
        self.total += len(jobs)
        for (source, _), united in zip(others, _parallel(_retarget, jobs, self.workers), strict=True):
            self._take(source, united if isinstance(united, str) else replace(united, skeleton=common))
            yield self.progress(source.name)
        self.clips.sort(key=lambda pair: pair[0].name)

    def encode(self, features: FeatureSpec) -> Iterator[Progress]:
        """Removes capture errors, encodes the rest and builds the corpus."""
        encoding = self.encoding or features.fit(self.training)
        yield self.progress("looking for damage")
        sources, clips = zip(*self.clips, strict=True)
        training = [source.split == "train" for source in sources]
        trimmed = trim(encoding, clips, training, outlier=self.data.outlier, shortest=self.data.shortest)
        self.clips = [
            (source, piece) for source, (pieces, _) in zip(sources, trimmed, strict=True) for piece in pieces
        ]
        lost = [(source.name, damage) for source, (_, damage) in zip(sources, trimmed, strict=True) if damage]
        if lost:
            self.dropped += lost
            encoding = self.encoding or features.fit(self.training)
        yield self.progress("encoding")
        labels = [
            Label(source.name, source.style, source.split, source.performer) for source, _ in self.clips
        ]
        encoded = [encoding.features(clip) for _, clip in self.clips]
        again = [
            (encoding.features(clip, smoothing=smoothing), label)
            for smoothing in self.data.smoother
            for (source, clip), label in zip(self.clips, labels, strict=True)
            if source.split == "train"
        ]
        encoded, labels = encoded + [each for each, _ in again], labels + [label for _, label in again]
        corpus = Corpus.build(
            encoding, encoded, labels, fps=self.data.fps, notices=self.data.notices, again=len(again)
        )
        self.corpus = spliced(corpus, self.data.splices)

    @property
    def training(self) -> list[Clip]:
        """Returns the training clips; raises an error if there are none."""
        clips = [clip for source, clip in self.clips if source.split == "train"]
        if not clips:
            why = "; ".join(f"{name}: {reason}" for name, reason in self.dropped[:1]) or "all are held out"
            raise RecipeError(f"{self.root}: no clip to train on among {len(self.sources)} files ({why})")
        return clips

    def _take(self, source: Source, clip: Clip | str) -> None:
        if isinstance(clip, Clip):
            self.clips.append((source, clip))
        else:
            self.dropped.append((source.name, clip))


def same_bones(one: Skeleton, other: Skeleton) -> bool:
    """Returns whether two skeletons agree to a tenth of a millimetre, except for the arbitrary offset of the hips."""
    if (one.names, one.parents) != (other.names, other.parents):
        return False
    below = one.anatomy.roles.get("hips", 0) + 1
    return bool(abs(one.offsets[below:] - other.offsets[below:]).max(initial=0.0) < 1e-4)


@dataclass(frozen=True)
class Loaded:
    """The clip of a source file or the reason for its omission, its duration, and the seconds removed as T-poses."""

    clip: Clip | str
    seconds: float = 0.0
    t_poses: float = 0.0


def _load(job: tuple[Source, Skeleton | None, DataSpec, FeatureSpec]) -> Loaded:
    """Returns the content of a source file."""
    source, target, data, features = job
    seconds = t_poses = 0.0
    try:
        clip = replace(read_motion(source.path), name=source.name)
        seconds = clip.duration
        if seconds < data.shortest:
            return Loaded(f"only {seconds:.1f} s long", seconds)
        clip = (despike(clip) if data.despike else clip).resample(data.fps)
        moving = without_t_poses(clip) if data.cut_t_poses else clip
        t_poses = clip.duration - moving.duration
        clip = level_floor(moving) if data.level_floors else moving
        # A retarget puts the toes on the floor; the lowest point of a clip may be an end site with a bad marker.
        clip = clip.on_floor() if target is None else retarget(clip, target)
        clip = steady_knees(clip) if data.steady_knees else clip
        clip = features.posed(within_limits(clip) if data.limits else clip)
        # Without cached properties, which would be sent between processes.
        return Loaded(replace(clip), seconds, t_poses)
    except MoglowError as error:
        return Loaded(str(error), seconds, t_poses)


def _retarget(job: tuple[Clip, Skeleton, Clip]) -> Clip | str:
    clip, skeleton, like = job
    try:
        return replace(retarget(clip, skeleton, like=like))
    except MoglowError as error:
        return str(error)


def _parallel(work: Callable[[Any], T], jobs: Sequence[Any], workers: int) -> Iterator[T]:
    """Yields the results of ``work`` for each job, in order."""
    if workers <= 1 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    # Spawned processes, since a fork of a program with threads may deadlock.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    processes: list[Any] = []
    try:
        with _interrupts_ignored():  # the processes continue to ignore them, and this process ends them
            results = pool.map(work, jobs, chunksize=max(1, min(8, len(jobs) // (4 * workers))))
        processes += (getattr(pool, "_processes", None) or {}).values()
        yield from results
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Context manager that ignores Ctrl-C, permanently in the processes that are started in it."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set a handler
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
