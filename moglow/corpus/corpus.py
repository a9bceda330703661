"""A corpus: encoded clips with their splits, and the data for decoding, memory-mapped. Needs numpy alone.

It is one file, or an index and many shards.

Only the originals are stored. Mirror images and reversed time are linear maps of poses and controls (see `Encoding`),
and windows are cut when they are used, so the size of a corpus is that of its motion: 29 MB for 64 minutes at 30 frames
a second with 60 channels.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.normalizer import Floats, Moments, Normalizer
from moglow.corpus.rows import Rows, together
from moglow.corpus.shards import FORMAT, INDEX, Shard, read_shards, write_index
from moglow.encodings.encoding import Encoding, Features
from moglow.errors import CorpusError, FileFormatError, MoglowError
from moglow.files.descriptions import parse_json
from moglow.files.tables import from_table, to_table
from moglow.files.tensors import check_tensors, read_tensors, write_tensors
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange

VERSION = "1"
CHUNK = 100_000
"""Number of frames that are read at once for a statistic of all."""


class Label(NamedTuple):
    """The labels of a clip; empty where unknown."""

    name: str
    style: str
    split: str
    performer: str = ""


@dataclass(frozen=True)
class Stretch:
    """Frames ``start`` to ``stop`` of a corpus: one source file, or a part of it without capture errors."""

    name: str
    style: str
    split: str
    start: int
    stop: int
    again: bool = False
    """Whether it repeats a recording with a smoother path."""
    performer: str = ""
    """The performer; empty if unknown."""
    before: str = ""
    """The style of the first ``change`` frames, if it joins recordings in two styles."""
    change: int = 0

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def frames(self) -> slice:
        return slice(self.start, self.stop)


@dataclass(frozen=True, eq=False)
class Corpus:
    """``pose`` ``(N, D)`` and ``control`` ``(N, 3)`` as float32 in metres and radians, and their stretches.

    The normalizers are fitted to the training stretches and their mirror images. ``notices`` are the licences to list.
    """

    encoding: Encoding
    pose: Floats | Rows
    control: Floats | Rows
    stretches: tuple[Stretch, ...]
    pose_normalizer: Normalizer
    control_normalizer: Normalizer
    control_range: ControlRange
    fps: float
    notices: tuple[str, ...] = ()

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """The style labels, sorted."""
        return tuple(sorted({stretch.style for stretch in self.stretches if stretch.style}))

    @cached_property
    def performers(self) -> tuple[str, ...]:
        """The performers' names, sorted."""
        return tuple(sorted({stretch.performer for stretch in self.stretches if stretch.performer}))

    def labelled(self, split: str, share: float, *, seed: int) -> frozenset[str]:
        """Returns the names of a share of the labelled clips of a split: the same share of each style, at least one."""
        names: set[str] = set()
        for style in self.styles:
            clips = sorted({stretch.name for stretch in self.split(split) if stretch.style == style})
            ordered = sorted(clips, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
            names.update(ordered[: max(1, round(share * len(clips)))])
        return frozenset(names)

    def split(self, name: str) -> tuple[Stretch, ...]:
        """Returns the stretches of ``"train"`` or ``"val"``."""
        return tuple(stretch for stretch in self.stretches if stretch.split == name)

    @property
    def training_controls(self) -> Iterator[Floats]:
        """Yields the controls ``(N, 3)`` of the training stretches, in arrays of limited size."""
        yield from chunks(self.control, self.split("train"))

    def features(self, stretch: Stretch) -> Features:
        """Returns the poses and controls of a stretch, without copying."""
        return self.part(stretch.start, stretch.stop)

    def part(self, start: int, stop: int) -> Features:
        """Returns the poses and controls of frames ``start`` to ``stop``, without copying."""
        return Features(self.pose[start:stop], self.control[start:stop])

    def path(self, stretch: Stretch) -> ControlPath:
        """Returns the path of a stretch, starting at the origin and facing +Z."""
        return ControlPath.from_velocities(self.control[stretch.frames].astype(float), self.fps)

    def clip(self, stretch: Stretch) -> Clip:
        """Returns the motion of a stretch, starting at the origin and facing +Z."""
        return self.encoding.decode(self.pose[stretch.frames], self.path(stretch), stretch.name)

    @classmethod
    def build(
        cls,
        encoding: Encoding,
        features: Sequence[Features],
        labels: Sequence[tuple[str, str, str] | tuple[str, str, str, str]],
        *,
        fps: float,
        notices: Sequence[str] = (),
        again: int = 0,
    ) -> Self:
        """Returns the corpus of encoded clips, each with its `Label`, normalised by the clips of the split "train".

        The last ``again`` of the clips repeat recordings with smoother paths.
        """
        names = [Label(*label) for label in labels]
        stretches = in_turn(names, [len(each.pose) for each in features], again=again)
        return cls.of_stretches(
            encoding,
            np.concatenate([each.pose for each in features]).astype(np.float32),
            np.concatenate([each.control for each in features]).astype(np.float32),
            stretches,
            fps=fps,
            notices=notices,
        )

    @classmethod
    def of_stretches(
        cls,
        encoding: Encoding,
        pose: Floats | Rows,
        control: Floats | Rows,
        stretches: Sequence[Stretch],
        *,
        fps: float,
        notices: Sequence[str] = (),
        moments: Sequence[tuple[Moments, Moments]] | None = None,
    ) -> Self:
        """Returns the corpus of stretches of float32 frames, normalised by those of the split "train".

        ``moments`` are those of the poses and controls of each training stretch, if they are known.
        """
        train = [stretch for stretch in stretches if stretch.split == "train"]
        if not train:
            raise CorpusError("corpus: no clip is left for training; look at what was dropped and why")
        if moments is None:
            moments = [(Moments.of(pose[each.frames]), Moments.of(control[each.frames])) for each in train]
        poses, controls = zip(*moments, strict=True)
        return cls(
            encoding=encoding,
            pose=pose,
            control=control,
            stretches=tuple(stretches),
            pose_normalizer=Normalizer.of(Moments.total(poses), encoding.mirror_signs),
            control_normalizer=Normalizer.of_rates(Moments.total(controls)),
            control_range=ControlRange.of_chunks(lambda: chunks(control, train)),
            fps=fps,
            notices=tuple(notices),
        )

    def write(self, path: str | Path) -> None:
        """Writes the corpus as one file; the same corpus gives the same bytes."""
        arrays: dict[str, Floats | Rows] = {"pose": self.pose, "control": self.control}
        write_tensors(path, arrays, {"format": FORMAT, "version": VERSION, "corpus": self._description})

    def write_index(self, path: str | Path, shards: Sequence[Shard]) -> None:
        """Writes the index of a corpus whose frames are in shards beside it, and removes shards of an earlier index."""
        write_index(path, shards, self._description)

    @property
    def _description(self) -> str:
        """Returns everything but the frames, as JSON."""
        about = {
            "encoding": self.encoding.to_json(),
            "stretches": to_table(self.stretches),
            "pose_normalizer": self.pose_normalizer.to_json(),
            "control_normalizer": self.control_normalizer.to_json(),
            "control_range": to_table(self.control_range),
            "fps": self.fps,
            "notices": list(self.notices),
        }
        return json.dumps(about, sort_keys=True, separators=(",", ":"))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Returns the corpus of a file, or of an index and its shards; poses are read when they are used."""
        try:
            arrays, metadata = read_tensors(path)
        except FileFormatError as error:
            raise CorpusError(str(error)) from error
        found = (metadata.get("format"), metadata.get("version"))
        if found not in ((FORMAT, VERSION), (INDEX, VERSION)):
            kind = f"{found[0] or 'another kind of file'} {found[1] or ''}".strip()
            raise CorpusError(
                f"{path}: expected {FORMAT} {VERSION}, found {kind}; run moglow preprocess again"
            )
        parts = [arrays]
        if found[0] == INDEX:
            parts = read_shards(Path(path), metadata.get("shards", ""))
        try:
            return cls._from_parts(parts, parse_json(metadata.get("corpus", ""), "corpus"))
        except MoglowError as error:
            raise CorpusError(
                f"{path}: its description is damaged: {error}; run moglow preprocess again"
            ) from error

    @classmethod
    def _from_parts(cls, parts: Sequence[Mapping[str, NDArray[Any]]], about: object) -> Self:
        table = from_table(_Table, about, "corpus", CorpusError)
        encoding = Encoding.from_json(table.encoding, "encoding")
        for arrays in parts:
            count = len(arrays.get("pose", ()))
            shapes = {"pose": (count, len(encoding)), "control": (count, 3)}
            check_tensors(
                arrays, {name: (shape, np.float32) for name, shape in shapes.items()}, "arrays", CorpusError
            )
        pose, control = (together([arrays[name] for arrays in parts]) for name in ("pose", "control"))
        frames = len(pose)
        for number, stretch in enumerate(table.stretches):
            if not 0 <= stretch.start < stretch.stop <= frames:
                raise CorpusError(f"stretches[{number}] lies outside its {frames} frames")
        if not any(stretch.split == "train" for stretch in table.stretches):
            raise CorpusError("stretches has none for training")
        return cls(
            encoding=encoding,
            pose=pose,
            control=control,
            stretches=table.stretches,
            pose_normalizer=Normalizer.from_json(table.pose_normalizer, len(encoding), "pose_normalizer"),
            control_normalizer=Normalizer.from_json(table.control_normalizer, 3, "control_normalizer"),
            control_range=table.control_range,
            fps=table.fps,
            notices=table.notices,
        )


@dataclass(frozen=True)
class _Table:
    """The JSON form of a corpus."""

    encoding: Mapping[str, Any]
    stretches: tuple[Stretch, ...]
    pose_normalizer: Mapping[str, Any]
    control_normalizer: Mapping[str, Any]
    control_range: ControlRange
    fps: float
    notices: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 10_000:
            raise ValueError(f"fps is {self.fps}; expected a rate above 0 and up to 10000")


def in_turn(labels: Sequence[Label], frames: Sequence[int], *, again: int = 0) -> list[Stretch]:
    """Returns stretches of so many frames, one after the other; the last ``again`` repeat recordings.

    >>> [(each.start, each.stop) for each in in_turn([Label("a", "", "train"), Label("b", "", "val")], [3, 2])]
    [(0, 3), (3, 5)]
    """
    ends = np.cumsum(frames).tolist()
    return [
        Stretch(name, style, split, start, stop, number >= len(labels) - again, performer)
        for number, ((name, style, split, performer), start, stop) in enumerate(
            zip(labels, [0, *ends[:-1]], ends, strict=True)
        )
    ]


def chunks(values: Floats | Rows, stretches: Sequence[Stretch]) -> Iterator[Floats]:
    """Yields the rows of stretches in arrays of about `CHUNK` rows."""
    held: list[Floats] = []
    for stretch in stretches:
        held.append(values[stretch.frames])
        if sum(map(len, held)) >= CHUNK:
            yield np.concatenate(held)
            held = []
    yield from [np.concatenate(held)] if held else []
