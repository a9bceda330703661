"""A corpus: encoded clips with their splits, and the data for decoding, in one memory-mapped file. Needs numpy alone.

Only the originals are stored. Mirror images and reversed time are linear maps of poses and controls (see `Encoding`),
and windows are cut when they are used, so the size of a corpus is that of its motion: 29 MB for 64 minutes at 30 frames
a second with 60 channels.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.normalizer import Floats, Normalizer
from moglow.encodings.encoding import Encoding, Features
from moglow.errors import CorpusError, FileFormatError, MoglowError
from moglow.files.descriptions import parse_json
from moglow.files.tables import from_table, to_table
from moglow.files.tensors import check_tensors, read_tensors, write_tensors
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange

FORMAT = "moglow-corpus"
VERSION = "1"


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
    pose: Floats
    control: Floats
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

    def features(self, stretch: Stretch) -> Features:
        """Returns the poses and controls of a stretch, without copying."""
        return Features(self.pose[stretch.frames], self.control[stretch.frames])

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
        ends = np.cumsum([len(each.pose) for each in features]).tolist()
        starts = [0, *ends[:-1]]
        stretches = tuple(
            Stretch(name, style, split, start, stop, number >= len(features) - again, performer)
            for number, ((name, style, split, performer), start, stop) in enumerate(
                zip((Label(*label) for label in labels), starts, ends, strict=True)
            )
        )
        train = [stretch.frames for stretch in stretches if stretch.split == "train"]
        if not train:
            raise CorpusError("corpus: no clip is left for training; look at what was dropped and why")
        pose = np.concatenate([each.pose for each in features]).astype(np.float32)
        control = np.concatenate([each.control for each in features]).astype(np.float32)
        poses, controls = (np.concatenate([values[frames] for frames in train]) for values in (pose, control))
        return cls(
            encoding=encoding,
            pose=pose,
            control=control,
            stretches=stretches,
            pose_normalizer=Normalizer.fit(poses, encoding.mirror_signs),
            control_normalizer=Normalizer.fit_rates(controls),
            control_range=ControlRange.of(controls),
            fps=fps,
            notices=tuple(notices),
        )

    def write(self, path: str | Path) -> None:
        """Writes the corpus; the same corpus gives the same bytes."""
        about = {
            "encoding": self.encoding.to_json(),
            "stretches": to_table(self.stretches),
            "pose_normalizer": self.pose_normalizer.to_json(),
            "control_normalizer": self.control_normalizer.to_json(),
            "control_range": to_table(self.control_range),
            "fps": self.fps,
            "notices": list(self.notices),
        }
        text = json.dumps(about, sort_keys=True, separators=(",", ":"))
        arrays = {"pose": self.pose, "control": self.control}
        write_tensors(path, arrays, {"format": FORMAT, "version": VERSION, "corpus": text})

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Returns the corpus of a file; poses are read from the disk when they are used."""
        try:
            arrays, metadata = read_tensors(path)
        except FileFormatError as error:
            raise CorpusError(str(error)) from error
        if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
            found = f"{metadata.get('format', 'another kind of file')} {metadata.get('version', '')}".strip()
            raise CorpusError(
                f"{path}: expected {FORMAT} {VERSION}, found {found}; run moglow preprocess again"
            )
        try:
            return cls._from_parts(arrays, parse_json(metadata.get("corpus", ""), "corpus"))
        except MoglowError as error:
            raise CorpusError(
                f"{path}: its description is damaged: {error}; run moglow preprocess again"
            ) from error

    @classmethod
    def _from_parts(cls, arrays: Mapping[str, NDArray[Any]], about: object) -> Self:
        table = from_table(_Table, about, "corpus", CorpusError)
        encoding = Encoding.from_json(table.encoding, "encoding")
        frames = len(arrays.get("pose", ()))
        shapes = {"pose": (frames, len(encoding)), "control": (frames, 3)}
        check_tensors(
            arrays, {name: (shape, np.float32) for name, shape in shapes.items()}, "arrays", CorpusError
        )
        for number, stretch in enumerate(table.stretches):
            if not 0 <= stretch.start < stretch.stop <= frames:
                raise CorpusError(f"stretches[{number}] lies outside its {frames} frames")
        if not any(stretch.split == "train" for stretch in table.stretches):
            raise CorpusError("stretches has none for training")
        return cls(
            encoding=encoding,
            pose=arrays["pose"],
            control=arrays["control"],
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
