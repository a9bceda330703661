"""Builds a corpus from folders of motion capture: read, resample, retarget, trim and encode, in parallel over files.

A file that cannot be used is omitted and listed with the reason. Files are split into training and validation before
anything else, so no statistic depends on a held-out file. Every step is a task on one file, whose result lies in a
scratch folder beside the output, so no process holds more than a few clips.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from moglow.corpus.corpus import Corpus, Label, in_turn
from moglow.corpus.long_sides import with_long_sides
from moglow.corpus.normalizer import Moments
from moglow.corpus.rows import Rows, parts_of
from moglow.corpus.scratch import Scratch
from moglow.corpus.shards import Shard, folder_of, read_shard, refuse_replacing, remove_shards, write_shard
from moglow.corpus.sources import DataSpec, Source, find_sources
from moglow.corpus.splicing import spliced
from moglow.corpus.starts import with_starts
from moglow.corpus.steps import (
    Block,
    Coding,
    Kept,
    Loading,
    Sampling,
    Sharding,
    Uniting,
    cut,
    encode,
    load,
    measure,
    sample,
    unite,
    write_blocks,
)
from moglow.corpus.summary import Summary
from moglow.corpus.trimming import Trimming
from moglow.encodings.encoding import Encoding, FeatureSpec, fit_stride
from moglow.errors import RecipeError
from moglow.files.atomic import refuse_overwriting
from moglow.formats.read import read_motion
from moglow.motion.skeleton import Skeleton
from moglow.workers.opening import open_workers
from moglow.workers.workers import Workers

LIKE_FRAMES = 600
"""Number of frames of each clip that are used to find the stance for retargeting: twenty seconds."""
SHARD_FRAMES = 500_000
"""Number of frames of the files from which a corpus of one file is put together."""

Moment = tuple[Moments, Moments]


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
    scheduler: str | None = None,
    shards: int | None = None,
    encoding: Encoding | None = None,
) -> Iterator[Progress]:
    """Builds the corpus ``output`` and yields the progress. Paths of the recipe are relative to ``base``.

    The same files and recipe give the same bytes for any number of workers.

    Args:
        data: the clips.
        features: the settings of the encoding.
        output: the file to write.
        base: the folder to which paths of the recipe are relative.
        workers: the number of processes of this machine.
        scheduler: the address of a Dask scheduler, or ``local:N``; its workers run the tasks instead.
        shards: the number of shards of the corpus, to which ``output`` is the index; by default it is one file.
        encoding: the encoding of a checkpoint, with which clips are encoded after retargeting to its skeleton; then
            ``features`` and the skeleton of ``data`` are not used.
    """
    features, output = encoding.spec if encoding else features, Path(output)
    skeleton = Path(base) / data.skeleton if data.skeleton else None
    sources = find_sources(data, Path(base))
    refuse_overwriting(output, [*(source.path for source in sources), skeleton])
    refuse_replacing(output)
    target = encoding.skeleton if encoding else None
    if skeleton and not encoding:
        target = read_motion(skeleton, pose_only=True).skeleton
    with Scratch.beside(output) as scratch, open_workers(scheduler, min(workers, len(sources))) as ready:
        run = _Run(data, Path(base) / data.root, sources, encoding, scratch, ready)
        yield from run.load(Loading(data, features, target, scratch))
        yield from run.unite()
        yield from run.trim(features)
        yield from run.encode()
        yield from run.write(output, shards)
        summary = Summary.of(run.corpus, run.dropped, read=run.read / 60, t_poses=run.t_poses / 60)
    yield replace(run.progress(str(output)), summary=summary)


class _Run:
    """The state of preprocessing: the kept and omitted files, and the progress."""

    corpus: Corpus

    def __init__(
        self,
        data: DataSpec,
        root: Path,
        sources: Sequence[Source],
        encoding: Encoding | None,
        scratch: Scratch,
        workers: Workers,
    ) -> None:
        self.data, self.root, self.sources, self.given = data, root, sources, encoding
        self.scratch, self.workers = scratch, workers
        self.skeletons: dict[str, Skeleton] = {}  # by clip
        self.kept: list[Kept] = []
        self.dropped: list[tuple[str, str]] = []
        self.moments: dict[tuple[str, int], list[Moment]] = {}
        self.read = self.t_poses = 0.0  # seconds
        self.done, self.total = 0, len(sources) + 1

    def progress(self, doing: str) -> Progress:
        self.done += 1
        return Progress(self.done, self.total, doing)

    def load(self, loading: Loading) -> Iterator[Progress]:
        """Reads the files and retargets them if there is a target skeleton."""
        known: dict[Skeleton, Skeleton] = {}  # one object for equal skeletons
        jobs = [(f"{number:06d}", source) for number, source in enumerate(self.sources)]
        found = self.workers.results(load, loading, jobs, lambda job: [job[1].path])
        for (name, source), loaded in zip(jobs, found, strict=True):
            self.read, self.t_poses = self.read + loaded.seconds, self.t_poses + loaded.t_poses
            if loaded.skeleton is None:
                self.dropped.append((source.name, loaded.reason))
            else:
                self.skeletons[name] = known.setdefault(loaded.skeleton, loaded.skeleton)
                self.kept.append(Kept(source, name, ((0, loaded.frames),)))
            yield self.progress(source.name)

    def unite(self) -> Iterator[Progress]:
        """Retargets all clips to the skeleton with the most frames, unless there is a target skeleton."""
        if not self.kept:
            return
        frames: Counter[Skeleton] = Counter()
        for kept in self.kept:
            frames[self.skeletons[kept.clip]] += kept.frames
        self.skeleton = frames.most_common(1)[0][0]
        same = {skeleton: same_bones(skeleton, self.skeleton) for skeleton in frames}
        alike = [kept for kept in self.kept if same[self.skeletons[kept.clip]]]
        others = [kept for kept in self.kept if not same[self.skeletons[kept.clip]]]
        self.total += len(others)
        # The motion shows how feet and elbows are turned, which may not be clear from the zero pose.
        longest = max(alike, key=lambda kept: kept.frames)
        like = longest.whole(self.scratch, self.skeleton)[:LIKE_FRAMES]
        jobs = [(each, f"{each.clip}.united", self.skeletons[each.clip]) for each in others]
        found = self.workers.results(unite, Uniting(self.skeleton, like, self.scratch), jobs, self._files)
        for each, (_, name, _), made in zip(others, jobs, found, strict=True):
            if isinstance(made, str):
                self.dropped.append((each.source.name, made))
            else:
                alike.append(Kept(each.source, name, ((0, made),)))
            self.scratch.remove(each.clip)
            yield self.progress(each.source.name)
        self.kept = sorted(alike, key=lambda kept: kept.source.name)

    def trim(self, features: FeatureSpec) -> Iterator[Progress]:
        """Fits the encoding and removes capture errors; fits it again if there were any."""
        self.total += len(self.kept)
        yield from self._fit(features)
        measures = []
        found = self.workers.results(measure, (self.encoding, self.scratch), self.kept, self._file)
        for kept, measured in zip(self.kept, found, strict=True):
            measures.append(measured)
            yield self.progress(f"looking for damage: {kept.source.name}")
        limits = {"outlier": self.data.outlier, "shortest": self.data.shortest}
        trimming = Trimming.of(self.encoding, measures, [kept.trains for kept in self.kept], **limits)
        damaged = [
            number
            for number, (kept, measured) in enumerate(zip(self.kept, measures, strict=True))
            if not trimming.is_whole(measured, kept.frames / self.data.fps)
        ]
        self.total += len(damaged)
        jobs = [self.kept[number] for number in damaged]
        lost = False
        cuts = self.workers.results(cut, (trimming, self.scratch), jobs, self._file)
        for number, kept, (pieces, damage) in zip(damaged, jobs, cuts, strict=True):
            self.kept[number] = replace(kept, pieces=pieces)
            if damage:
                self.dropped.append((kept.source.name, damage))
                lost = True
            yield self.progress(f"cutting: {kept.source.name}")
        self.kept = [kept for kept in self.kept if kept.pieces]
        if lost:
            yield from self._fit(features)

    def _fit(self, features: FeatureSpec) -> Iterator[Progress]:
        """Fits the encoding to the training clips; raises an error if there are none."""
        training = [kept for kept in self.kept if kept.trains]
        if not training:
            why = "; ".join(f"{name}: {reason}" for name, reason in self.dropped[:1]) or "all are held out"
            raise RecipeError(f"{self.root}: no clip to train on among {len(self.sources)} files ({why})")
        if self.given:
            self.encoding = self.given
            return
        self.total += len(training)
        stride = fit_stride(sum(kept.frames for kept in training))
        sampling, samples = Sampling(features, self.skeleton, stride, self.scratch), []
        found = self.workers.results(sample, sampling, training, self._file)
        for kept, sampled in zip(training, found, strict=True):
            samples += sampled
            yield self.progress(f"fitting: {kept.source.name}")
        self.encoding = features.fit_samples(samples)

    def encode(self) -> Iterator[Progress]:
        """Encodes the clips, and training clips again along smoother paths."""
        coding = Coding(self.encoding, self.data.smoother, self.scratch)
        self.total += len(self.kept)
        found = self.workers.results(encode, coding, self.kept, self._file)
        for kept, moments in zip(self.kept, found, strict=True):
            for way, each in enumerate(moments):
                self.moments[kept.clip, way] = each
            self.scratch.remove(kept.clip)
            yield self.progress(f"encoding: {kept.source.name}")

    def write(self, output: Path, count: int | None) -> Iterator[Progress]:
        """Writes the corpus as one file, or as a number of shards and their index."""
        ways = [(kept, 0) for kept in self.kept]
        ways += [(k, way + 1) for way in range(len(self.data.smoother)) for k in self.kept if k.trains]
        pieces = [(kept, way, stop - start) for kept, way in ways for start, stop in kept.pieces]
        labels = [Label(s.name, s.style, s.split, s.performer) for s in (kept.source for kept, *_ in pieces)]
        again = sum(way > 0 for _, way, _ in pieces)
        stretches = in_turn(labels, [frames for *_, frames in pieces], again=again)
        blocks = [Block(kept.features, way, kept.frames) for kept, way in ways]
        frames = sum(block.frames for block in blocks)
        folder = folder_of(output) if count else self.scratch.folder
        folder.mkdir(exist_ok=True)
        jobs = list(enumerate(grouped(blocks, count or -(-frames // SHARD_FRAMES))))
        sharding, shards = Sharding(folder, len(self.encoding), self.scratch), []
        self.total += len(jobs)
        for shard in self.workers.results(write_blocks, sharding, jobs, self._block_files):
            shards.append(shard)
            yield self.progress(f"writing: {shard.file}")
        arrays = [read_shard(folder / shard.file, shard, output) for shard in shards]
        moments = [each for kept, way in ways if kept.trains for each in self.moments[kept.clip, way]]
        corpus = Corpus.of_stretches(
            self.encoding,
            Rows([each["pose"] for each in arrays]),
            Rows([each["control"] for each in arrays]),
            stretches,
            fps=self.data.fps,
            notices=self.data.notices,
            moments=moments,
        )
        corpus = with_starts(spliced(corpus, self.data.splices), self.data.starts)
        self.corpus = with_long_sides(corpus, self.data.sides)
        if count:
            self.corpus.write_index(output, [*shards, *_more(self.corpus, folder, shards)])
        else:
            self.corpus.write(output)
            remove_shards(output)

    def _file(self, kept: Kept) -> list[Path]:
        return [self.scratch.place(kept.clip)]

    def _files(self, job: tuple[Kept, str, Skeleton]) -> list[Path]:
        return self._file(job[0])

    def _block_files(self, job: tuple[int, Sequence[Block]]) -> list[Path]:
        return [self.scratch.place(name) for name in {block.features for block in job[1]}]


def _more(corpus: Corpus, folder: Path, shards: Sequence[Shard]) -> list[Shard]:
    """Writes the frames of a corpus that are not in its shards, which are those of splices."""
    parts = zip(parts_of(corpus.pose)[len(shards) :], parts_of(corpus.control)[len(shards) :], strict=True)
    return [write_shard(folder, len(shards) + k, pose, control) for k, (pose, control) in enumerate(parts)]


def grouped(blocks: Sequence[Block], count: int) -> list[tuple[Block, ...]]:
    """Returns at most ``count`` groups of neighbouring blocks with about the same number of frames.

    >>> [len(group) for group in grouped([Block("a", 0, 10)] * 5, 2)]
    [3, 2]
    """
    total, before, numbers = sum(block.frames for block in blocks), 0, []
    for block in blocks:
        numbers.append(before * count // total)
        before += block.frames
    pairs = zip(numbers, blocks, strict=True)
    return [tuple(block for _, block in group) for _, group in groupby(pairs, key=lambda pair: pair[0])]


def same_bones(one: Skeleton, other: Skeleton) -> bool:
    """Returns whether two skeletons agree to a tenth of a millimetre, except for the arbitrary offset of the hips."""
    if (one.names, one.parents) != (other.names, other.parents):
        return False
    below = one.anatomy.roles.get("hips", 0) + 1
    return bool(abs(one.offsets[below:] - other.offsets[below:]).max(initial=0.0) < 1e-4)
