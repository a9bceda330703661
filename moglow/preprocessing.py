"""From folders of mocap to a corpus: read, resample, retarget, encode, split; in parallel over files. Floor 5.

A file that cannot be used is left out and named with the reason, it never stops the rest. The split is by source file
and made before anything else, so nothing of a held-out file reaches training, not even its mean.
"""

import hashlib
import json
import multiprocessing
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moglow.bvh_read import read_bvh
from moglow.cleaning import despike
from moglow.clip import Clip
from moglow.contacts import runs
from moglow.corpus import Corpus
from moglow.encodings.encoding import Encoding, FeatureSpec
from moglow.errors import MoglowError, RecipeError
from moglow.normalizer import Normalizer
from moglow.retarget import retarget
from moglow.rotations import Array
from moglow.skeleton import Skeleton

JUMP = 30.0
"""Radians (or metres) a second: a channel that changes faster has jumped; a runner's foot reaches 20."""

STRANGE = 5.0
"""Deviations: half of the frames between two jumps have a channel beyond this only if the jump turned a joint over."""


@dataclass(frozen=True)
class SourceSpec:
    """One folder of clips."""

    folder: str = "."
    """Below the data root."""
    pattern: str = "**/*.bvh"
    """Which files of it."""
    style: str = ""
    """The label of all its clips; else the group of `style_from`; else the name of the sub-folder."""
    style_from: str = ""
    """A regular expression with a group (?P<style>…), searched in each file's name."""
    licence: str = ""
    """Named in the corpus and in every model that learns from it."""


@dataclass(frozen=True)
class DataSpec:
    """Which clips become a corpus; the recipe's ``[data]``. Paths are relative to the recipe."""

    sources: tuple[SourceSpec, ...] = (SourceSpec(),)
    root: str = "."
    """Where the folders lie; the command line's --data replaces it."""
    skeleton: str = ""
    """A BVH file onto whose skeleton all clips are retargeted; empty: the skeleton that most clips have."""
    splits: str = "splits.json"
    """Below the root: {folder: {"train": [file, …], "val": [file, …]}}; may be absent."""
    held_out: float = 0.1
    """Share of the files that are kept for validation where no split is given."""
    fps: float = 30.0
    """Enough for feet, and half the work of 60."""
    despike: bool = True
    """Mends rotations that jump away and back within a tenth of a second, before resampling smears them."""
    shortest: float = 1.0
    """Seconds; less teaches a model with a history nothing."""
    outlier: float = 15.0
    """Deviations: frames beyond are faults of the capture and are cut; sound ones stay below 12, runs included."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources is empty; list at least one folder")
        if not self.fps > 0:
            raise ValueError(f"fps is {self.fps}; give a positive rate")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out is {self.held_out}; give a share from 0 to below 1")
        if not self.outlier > 3:
            raise ValueError(f"outlier is {self.outlier}; below 3 deviations sound motion would go too")

    def at(self, root: str | Path | None) -> "DataSpec":
        """The same with its folders below another root, which is relative to the working directory."""
        return self if root is None else replace(self, root=str(Path(root).absolute()))


@dataclass(frozen=True)
class Source:
    """One file to read, with what its place and name say about it."""

    path: Path
    name: str
    style: str
    split: str


@dataclass(frozen=True)
class Summary:
    """What became a corpus and what did not."""

    clips: dict[str, int]  # by split
    minutes: dict[str, float]  # by split
    styles: dict[str, float]  # minutes by style
    speed: tuple[float, float]  # m/s: median and 95th percentile of training
    turn: float  # rad/s: 95th percentile
    channels: int
    joints: int
    dropped: tuple[tuple[str, str], ...]  # name, reason
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps, and what is being done; the last one carries the summary."""

    done: int
    total: int
    doing: str
    summary: Summary | None = None


def preprocess(
    data: DataSpec, features: FeatureSpec, output: str | Path, *, base: str | Path = ".", workers: int = 1
) -> Iterator[Progress]:
    """Builds the corpus file ``output``, step by step; ``base`` is the folder that the recipe's paths start from.

    The same files and recipe give the same bytes, whatever the number of ``workers`` (processes).
    """
    base = Path(base)
    sources = find_sources(data, base)
    total = len(sources) + 2
    target = read_bvh(base / data.skeleton).skeleton if data.skeleton else None
    skeletons: dict[
        Skeleton, Skeleton
    ] = {}  # one object for equal ones: what is found about it is found once
    clips: list[tuple[Source, Clip]] = []
    dropped: list[tuple[str, str]] = []
    for done, (source, clip) in enumerate(_load_all(sources, target, data, workers), start=1):
        if isinstance(clip, Clip):
            skeleton = skeletons.setdefault(clip.skeleton, clip.skeleton)
            clips.append((source, replace(clip, skeleton=skeleton)))
        else:
            dropped.append((source.name, clip))
        yield Progress(done, total, source.name)
    if target is None:
        clips, faults = _on_common_skeleton(clips)
        dropped += faults
    if not any(source.split == "train" for source, _ in clips):
        raise RecipeError(
            f"{base / data.root}: no clip for training among {len(sources)} files; {_first(dropped)}"
        )

    yield Progress(total - 2, total, "finding means and faults")
    pieces, faults = _without_faults(clips, features, data)
    dropped += faults
    yield Progress(total - 1, total, "encoding")
    training = [clip for source, clip in pieces if source.split == "train"]
    encoding = features.fit(training)
    encoded = [encoding.features(clip) for _, clip in pieces]
    labels = [(source.name, source.style, source.split) for source, _ in pieces]
    notices = sorted({source.licence for source in data.sources if source.licence})
    corpus = Corpus.build(encoding, encoded, labels, fps=data.fps, notices=notices)
    corpus.write(output)
    yield Progress(total, total, str(output), summarize(corpus, dropped))


def find_sources(data: DataSpec, base: Path) -> list[Source]:
    """The files of a recipe, sorted by name, each with its style and split."""
    root = base / data.root
    splits = _read_splits(root / data.splits)
    found: dict[str, Source] = {}
    for spec in data.sources:
        folder = root / spec.folder
        if not folder.is_dir():
            raise RecipeError(f"{folder}: no such folder; get the data or point --data to where they lie")
        for path in folder.glob(spec.pattern):
            name = path.relative_to(root).as_posix()
            found.setdefault(
                name, Source(path, name, _style(spec, path, folder), _split(name, splits, data.held_out))
            )
    if not found:
        patterns = ", ".join(f"{spec.folder}/{spec.pattern}" for spec in data.sources)
        raise RecipeError(f"{root}: no file matches {patterns}; put BVH files there or change the recipe")
    return [found[name] for name in sorted(found)]


def _style(spec: SourceSpec, path: Path, folder: Path) -> str:
    if spec.style:
        return spec.style
    if spec.style_from:
        match = re.search(spec.style_from, path.name)
        return match["style"] if match else ""
    return path.parent.relative_to(folder).as_posix().replace(".", "")


def _read_splits(path: Path) -> dict[str, str]:
    """Split by name relative to the root, from ``{folder: {"train": [file, …], "val": […]}}``."""
    if not path.is_file():
        return {}
    try:
        table = json.loads(path.read_text("utf-8"))
        return {
            f"{folder}/{file}": split
            for folder, lists in table.items()
            for split, files in lists.items()
            for file in files
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise RecipeError(
            f'{path}: expected {{folder: {{"train": [file, …], "val": […]}}}} ({error})'
        ) from error


def _split(name: str, splits: dict[str, str], held_out: float) -> str:
    """The split of a file; unlisted ones are drawn by a hash of their name, so adding files moves no other."""
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return splits.get(name, "val" if draw < held_out else "train")


def _load_all(
    sources: Sequence[Source], target: Skeleton | None, data: DataSpec, workers: int
) -> Iterator[tuple[Source, Clip | str]]:
    """Each source with its clip, or with the reason why there is none; in order."""
    jobs = [(source, target, data) for source in sources]
    if workers <= 1:
        yield from zip(sources, map(_load, jobs), strict=True)
        return
    # Fresh processes rather than forked ones: a fork of a program with threads may hang.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from zip(sources, pool.map(_load, jobs, chunksize=4), strict=True)


def _load(job: tuple[Source, Skeleton | None, DataSpec]) -> Clip | str:
    source, target, data = job
    try:
        clip = replace(read_bvh(source.path), name=source.name)
        if clip.duration < data.shortest:
            return f"only {clip.duration:.1f} s long"
        clip = (despike(clip) if data.despike else clip).resample(data.fps)
        clip = (clip if target is None else retarget(clip, target)).on_floor()
        return replace(clip)  # without what it derived on the way, which would travel between processes
    except MoglowError as error:
        return str(error)


def _on_common_skeleton(
    clips: list[tuple[Source, Clip]],
) -> tuple[list[tuple[Source, Clip]], list[tuple[str, str]]]:
    """All clips on the skeleton that most frames have; those of another one are retargeted, or dropped."""
    frames: Counter[Skeleton] = Counter()
    for _, clip in clips:
        frames[clip.skeleton] += len(clip)
    if not frames:
        return [], []
    common = frames.most_common(1)[0][0]
    kept, dropped = [], []
    for source, clip in clips:
        try:
            same = _same_bones(clip.skeleton, common)
            clip = replace(clip, skeleton=common) if same else retarget(clip, common).on_floor()
            kept.append((source, clip))
        except MoglowError as error:
            dropped.append((source.name, str(error)))
    return kept, dropped


def _same_bones(one: Skeleton, other: Skeleton) -> bool:
    """Whether two skeletons agree to a tenth of a millimetre, the place of the hips apart: files leave anything there."""
    if (one.names, one.parents) != (other.names, other.parents):
        return False
    below = one.anatomy.roles.get("hips", 0) + 1
    return bool(np.allclose(one.offsets[below:], other.offsets[below:], atol=1e-4))


def _without_faults(
    clips: list[tuple[Source, Clip]], features: FeatureSpec, data: DataSpec
) -> tuple[list[tuple[Source, Clip]], list[tuple[str, str]]]:
    """Clips cut where a channel jumps or lies too far off, as capture errors do; and what was cut away."""
    encoding = features.fit([clip for source, clip in clips if source.split == "train"])
    poses = [encoding.features(clip).pose[:, : len(encoding.reduction.kept)] for _, clip in clips]
    jumps = [np.abs(np.diff(pose, axis=0)).max(1) * data.fps > JUMP for pose in poses]
    training = [i for i, (source, _) in enumerate(clips) if source.split == "train"]
    sound = [poses[i] for i in training if not jumps[i].any()] or [poses[i] for i in training]
    normalizer = Normalizer.fit(np.concatenate(sound), encoding.mirror_signs)
    kept, dropped = [], []
    for (source, clip), pose, jump in zip(clips, poses, jumps, strict=True):
        off = np.abs(normalizer.normalize(pose))
        pieces = []
        for start, stop in _sound_stretches(off.max(1) <= data.outlier, jump):
            strange = jump.any() and np.median(off[start:stop].max(1)) > STRANGE
            if stop - start >= data.shortest * data.fps and not strange:
                pieces.append((start, stop))
        kept += [(source, clip[start:stop]) for start, stop in pieces]
        lost = len(clip) - sum(stop - start for start, stop in pieces)
        if lost:
            fault = _worst(encoding, off, np.abs(np.diff(pose, axis=0)) * data.fps)
            dropped.append((source.name, f"{lost / data.fps:.1f} s of {len(clip) / data.fps:.1f} s: {fault}"))
    return kept, dropped


def _worst(encoding: Encoding, off: Array, speed: Array) -> str:
    """The largest fault in words: how far ``off`` ``(T, D)`` a pose is, or a jump by its ``speed`` ``(T − 1, D)``."""
    if speed.max() > JUMP:
        frame, channel = np.unravel_index(speed.argmax(), speed.shape)
        return f"{encoding.names[channel]} jumps at frame {frame + 1}"
    frame, channel = np.unravel_index(off.argmax(), off.shape)
    return f"{encoding.names[channel]} is {off.max():.0f} deviations off at frame {frame}"


def _sound_stretches(sound: NDArray[np.bool_], jump: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of sound frames ``(T,)``, parted also where frame t jumps to t + 1 ``(T − 1,)``.

    >>> _sound_stretches(np.array([True] * 5 + [False, True]), np.array([False, True, False, False, False, False]))
    [(0, 2), (2, 5), (6, 7)]
    """
    edges = np.flatnonzero(jump) + 1
    stretches = []
    for start, stop in runs(sound):
        cuts = [start, *edges[(edges > start) & (edges < stop)].tolist(), stop]
        stretches += list(pairwise(cuts))
    return stretches


def summarize(corpus: Corpus, dropped: Sequence[tuple[str, str]]) -> Summary:
    """What is in a corpus, in minutes and metres a second."""
    clips: dict[str, int] = {}
    minutes: dict[str, float] = {}
    styles: dict[str, float] = dict.fromkeys(corpus.styles, 0.0)
    for split in ("train", "val"):
        clips[split] = len({stretch.name for stretch in corpus.split(split)})
        minutes[split] = sum(len(stretch) for stretch in corpus.split(split)) / corpus.fps / 60
    for stretch in corpus.stretches:
        styles[stretch.style] += len(stretch) / corpus.fps / 60
    train = np.concatenate([corpus.control[stretch.frames] for stretch in corpus.split("train")])
    median, fast = np.quantile(np.linalg.norm(train[:, :2], axis=1), [0.5, 0.95])
    return Summary(
        clips=clips,
        minutes={split: round(minutes[split], 2) for split in clips},
        styles={style: round(styles[style], 2) for style in sorted(styles)},
        speed=(round(float(median), 3), round(float(fast), 3)),
        turn=round(float(np.quantile(np.abs(train[:, 2]), 0.95)), 3),
        channels=len(corpus.encoding),
        joints=len(corpus.encoding.skeleton),
        dropped=tuple(dropped),
        notices=corpus.notices,
    )


def describe(summary: Summary) -> str:
    """A summary in words, a fact a line."""
    lines = [
        f"{summary.clips['train']} clips, {summary.minutes['train']:.1f} min to train on; "
        f"{summary.clips['val']} clips, {summary.minutes['val']:.1f} min held out",
        f"{summary.channels} channels for {summary.joints} joints",
        f"speed {summary.speed[0]:.2f} m/s (median), {summary.speed[1]:.2f} (95 %); "
        f"turning {np.degrees(summary.turn):.0f} deg/s (95 %)",
        "styles "
        + ", ".join(f"{style or '(none)'} {minutes:.1f} min" for style, minutes in summary.styles.items()),
    ]
    lines += [f"dropped {name}: {reason}" for name, reason in summary.dropped]
    return "\n".join(lines)


def _first(dropped: Sequence[tuple[str, str]]) -> str:
    return f"the first one: {dropped[0][0]}: {dropped[0][1]}" if dropped else "all of them are held out"
