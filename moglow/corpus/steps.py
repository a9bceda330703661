"""The steps of preprocessing, each a task on one source file. Needs numpy alone.

A task reads and writes its files in the scratch folder and returns what the command needs to go on, which is small.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.cleaning.joint_limits import within_limits
from moglow.cleaning.knees import steady_knees
from moglow.cleaning.levelling import level_floor
from moglow.cleaning.spike import despike
from moglow.cleaning.t_poses import without_t_poses
from moglow.corpus.normalizer import Moments
from moglow.corpus.scratch import Scratch
from moglow.corpus.shards import Shard, write_shard
from moglow.corpus.sources import DataSpec, Source
from moglow.corpus.trimming import ClipStatistics, Trimming, clip_statistics
from moglow.encodings.encoding import Encoding, FeatureSpec
from moglow.errors import MoglowError
from moglow.formats.read import read_motion
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath


@dataclass(frozen=True)
class Kept:
    """A source file, the name of its clip in the scratch folder, and the pieces ``(start, stop)`` that are used."""

    source: Source
    clip: str
    pieces: tuple[tuple[int, int], ...]

    @property
    def frames(self) -> int:
        return sum(stop - start for start, stop in self.pieces)

    @property
    def trains(self) -> bool:
        return self.source.split == "train"

    @property
    def features(self) -> str:
        """The name of the features in the scratch folder."""
        return f"{self.clip}.features"

    def whole(self, scratch: Scratch, skeleton: Skeleton) -> Clip:
        """Returns the clip."""
        return scratch.read_clip(self.clip, skeleton, self.source.name)

    def read(self, scratch: Scratch, skeleton: Skeleton) -> Iterator[Clip]:
        """Yields the pieces."""
        clip = self.whole(scratch, skeleton)
        yield from (clip[start:stop] for start, stop in self.pieces)


@dataclass(frozen=True)
class Loading:
    """What reading a source file depends on; ``target`` is the skeleton of all clips, if there is one."""

    data: DataSpec
    features: FeatureSpec
    target: Skeleton | None
    scratch: Scratch


@dataclass(frozen=True)
class Loaded:
    """A source file that was read: its frames and skeleton, or the reason for its omission."""

    frames: int = 0
    skeleton: Skeleton | None = None
    reason: str = ""
    seconds: float = 0.0
    """Seconds of the file."""
    t_poses: float = 0.0
    """Seconds that were removed as T-poses."""


def load(loading: Loading, job: tuple[str, Source]) -> Loaded:
    """Reads a source file, corrects it, and retargets it if there is a target skeleton."""
    name, source = job
    data, target = loading.data, loading.target
    seconds = t_poses = 0.0
    try:
        clip = replace(read_motion(source.path), name=source.name)
        seconds = clip.duration
        if seconds < data.shortest:
            return Loaded(reason=f"only {seconds:.1f} s long", seconds=seconds)
        clip = (despike(clip) if data.despike else clip).resample(data.fps)
        moving = without_t_poses(clip) if data.cut_t_poses else clip
        t_poses = clip.duration - moving.duration
        clip = level_floor(moving) if data.level_floors else moving
        # A retarget puts the toes on the floor; the lowest point of a clip may be an end site with a bad marker.
        clip = clip.on_floor() if target is None else retarget(clip, target)
        clip = steady_knees(clip) if data.steady_knees else clip
        clip = loading.features.posed(within_limits(clip) if data.limits else clip)
    except MoglowError as error:
        return Loaded(reason=str(error), seconds=seconds, t_poses=t_poses)
    loading.scratch.write_clip(name, clip)
    return Loaded(len(clip), clip.skeleton, seconds=seconds, t_poses=t_poses)


@dataclass(frozen=True)
class Uniting:
    """The skeleton of all clips, and motion on it that shows how feet and elbows are turned."""

    skeleton: Skeleton
    like: Clip
    scratch: Scratch


def unite(uniting: Uniting, job: tuple[Kept, str, Skeleton]) -> int | str:
    """Retargets a clip with a skeleton of its own, under another name; returns its frames, or why it cannot be."""
    kept, united, skeleton = job
    try:
        clip = retarget(kept.whole(uniting.scratch, skeleton), uniting.skeleton, like=uniting.like)
    except MoglowError as error:
        return str(error)
    uniting.scratch.write_clip(united, clip)
    return len(clip)


@dataclass(frozen=True)
class Sampling:
    """The settings of an encoding to fit, the skeleton, and the stride between the frames to fit it to."""

    features: FeatureSpec
    skeleton: Skeleton
    stride: int
    scratch: Scratch


def sample(sampling: Sampling, kept: Kept) -> list[tuple[Clip, ControlPath]]:
    """Returns every n-th frame of the pieces of a clip and of their paths."""
    pieces = kept.read(sampling.scratch, sampling.skeleton)
    return [sampling.features.sample(piece, sampling.stride) for piece in pieces]


def measure(job: tuple[Encoding, Scratch], kept: Kept) -> ClipStatistics:
    """Returns the statistics of a clip from which its damage is recognised."""
    encoding, scratch = job
    return clip_statistics(encoding, kept.whole(scratch, encoding.skeleton))


def cut(job: tuple[Trimming, Scratch], kept: Kept) -> tuple[tuple[tuple[int, int], ...], str]:
    """Returns the usable pieces of a clip and a description of what was removed."""
    trimming, scratch = job
    return trimming.pieces(kept.whole(scratch, trimming.encoding.skeleton))


@dataclass(frozen=True)
class Coding:
    """An encoding, and the seconds by which the paths of repeated training clips are smoothed."""

    encoding: Encoding
    smoother: tuple[float, ...]
    scratch: Scratch


def encode(coding: Coding, kept: Kept) -> list[list[tuple[Moments, Moments]]]:
    """Encodes the pieces of a clip, and again for each smoothing if it is for training.

    Returns the moments of poses and controls of each piece, for each way of smoothing.
    """
    pieces = list(kept.read(coding.scratch, coding.encoding.skeleton))
    arrays: dict[str, NDArray[Any]] = {}
    moments = []
    for way, smoothing in enumerate((None, *(coding.smoother if kept.trains else ()))):
        made = [coding.encoding.features(piece, smoothing=smoothing) for piece in pieces]
        poses = [each.pose.astype(np.float32) for each in made]
        controls = [each.control.astype(np.float32) for each in made]
        arrays[f"pose{way}"], arrays[f"control{way}"] = np.concatenate(poses), np.concatenate(controls)
        moments.append([(Moments.of(p), Moments.of(c)) for p, c in zip(poses, controls, strict=True)])
    coding.scratch.write(kept.features, **arrays)
    return moments


@dataclass(frozen=True)
class Block:
    """The features of a clip with one way of smoothing: neighbouring frames of the corpus."""

    features: str
    way: int
    frames: int


@dataclass(frozen=True)
class Sharding:
    """The folder of the shards and the number of channels of a pose."""

    folder: Path
    channels: int
    scratch: Scratch


def write_blocks(sharding: Sharding, job: tuple[int, tuple[Block, ...]]) -> Shard:
    """Writes blocks as the shard with this number; one block at a time is in memory."""
    number, blocks = job
    scratch = sharding.scratch
    pose = _Blocks(blocks, "pose", sharding.channels, scratch)
    return write_shard(sharding.folder, number, pose, _Blocks(blocks, "control", 3, scratch))


@dataclass(frozen=True)
class _Blocks:
    """The arrays of one kind of all blocks, as one array in pieces."""

    blocks: Sequence[Block]
    kind: str
    channels: int
    scratch: Scratch

    @property
    def shape(self) -> tuple[int, int]:
        return sum(block.frames for block in self.blocks), self.channels

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    def pieces(self) -> Iterator[NDArray[Any]]:
        for block in self.blocks:
            yield from self.scratch.read(block.features, f"{self.kind}{block.way}")
