"""The source files of a corpus: folders, patterns, labels, and the split by file. Needs numpy alone."""

import hashlib
import json
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path, PurePath

from moglow.corpus.long_sides import SideSpec
from moglow.corpus.splicing import SpliceSpec
from moglow.corpus.starts import StartSpec
from moglow.errors import RecipeError
from moglow.files.descriptions import read_json
from moglow.files.tables import from_table
from moglow.formats.read import MOTIONS, clips_in

LONGEST_PATTERN = 1000


@dataclass(frozen=True)
class SourceSpec:
    """One folder of clips."""

    folder: str = "."
    """Path relative to the data root."""
    pattern: str = "**/*"
    """Pattern of the motion files; other files are ignored."""
    skip: tuple[str, ...] = ()
    """Patterns of the names of files to skip."""
    style: str = ""
    """The style of all clips. By default, the group of `style_from`, or else the name of the sub-folder.

    A clip without any of these has no label.
    """
    styles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Patterns of file names for each style, which take priority over `style`; the first style that matches is used."""
    style_from: str = ""
    """A regular expression with a group (?P<style>…) that is searched in the name of each file."""
    performer: str = ""
    """The performer of all clips; empty if unknown."""
    performers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Patterns of file names for each performer. The first match is used; it takes priority over `performer`."""
    licence: str = ""
    """The licence, which is listed in the corpus and in models trained on it."""

    def __post_init__(self) -> None:
        if "\0" in self.folder + self.pattern or ".." in Path(self.folder).parts:
            raise ValueError(f"folder is {self.folder!r}; name a folder below the data root")
        if problem := _problem_of(self.pattern):
            raise ValueError(f"pattern is {self.pattern!r}; {problem}, such as **/*.bvh")
        if len(self.style_from) > LONGEST_PATTERN:
            raise ValueError(
                f"style_from has {len(self.style_from)} characters; give at most {LONGEST_PATTERN}"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # an expression that depends on the version of Python
                named = not self.style_from or "style" in re.compile(self.style_from).groupindex
        except (re.error, RecursionError, OverflowError, Warning) as error:
            raise ValueError(f"style_from is no regular expression ({error})") from error
        if not named:
            raise ValueError(f"style_from has no group (?P<style>…): {self.style_from}")


def _problem_of(pattern: str) -> str:
    """Returns an error message for a pattern of files in a folder; empty if the pattern is valid."""
    parts = PurePath(pattern).parts
    if not parts:
        return "give a pattern of file names"
    if PurePath(pattern).is_absolute() or ".." in parts:
        return "give a pattern below the folder"
    if any("**" in part and part != "**" for part in parts) or parts.count("**") > 2:
        return "write ** alone between slashes, at most twice"
    return ""


@dataclass(frozen=True)
class DataSpec:
    """The clips of a corpus; the recipe's ``[data]``. Paths are relative to the recipe."""

    sources: tuple[SourceSpec, ...] = (SourceSpec(),)
    root: str = "."
    """The folder of the data; another one can be given when the corpus is made."""
    skeleton: str = ""
    """A motion file to whose skeleton all clips are retargeted; by default the skeleton of most clips."""
    splits: str = "splits.json"
    """A file below the root: {folder: {"train": [file, …], "val": [file, …]}}; it may be missing."""
    held_out: float = 0.1
    """The share of the other files that is used for validation."""
    fps: float = 30.0
    """The frame rate; 30 is sufficient for feet."""
    despike: bool = True
    """Whether to repair rotations that jump away and back within a tenth of a second, before resampling."""
    cut_t_poses: bool = True
    """Whether to remove T-poses at the beginning and end of takes."""
    level_floors: bool = True
    """Whether to level the plane on which the toes of a take stand."""
    steady_knees: bool = True
    """Whether to smooth the direction of knees of nearly straight legs where it turns faster than knees can."""
    limits: bool = True
    """Whether to limit heads, hands and toes to the angles that people reach."""
    smoother: tuple[float, ...] = ()
    """Times in seconds. Training clips are repeated with paths smoothed by these times. A recorded path sways with each
    step, and a model trained only on such paths performs poorly on smooth, ordered paths."""
    splices: SpliceSpec = field(default_factory=SpliceSpec)
    """Training clips that join recordings in two styles, so that a model learns to change the style within a motion."""
    starts: StartSpec = field(default_factory=StartSpec)
    """Recorded starts and stops that are repeated along paths without sway, so that steps begin and end in time."""
    sides: SideSpec = field(default_factory=SideSpec)
    """Recorded side-steps that are continued by repeating a cycle, so that a model can go sideways for long."""
    shortest: float = 1.0
    """The shortest clip in seconds."""
    outlier: float = 15.0
    """Frames with a larger deviation are removed as capture errors; correct frames, including runs, stay below 12."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources is empty; list at least one folder")
        if not 0 < self.fps <= 1000:
            raise ValueError(f"fps is {self.fps}; give a rate above 0 and up to 1000")
        if not 0 <= self.shortest <= 1e6:
            raise ValueError(f"shortest is {self.shortest}; give seconds from 0")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out is {self.held_out}; give a share from 0 to below 1")
        if not all(0 < seconds < 10 for seconds in self.smoother):
            raise ValueError(f"smoother is {list(self.smoother)}; give seconds above 0 and below 10")
        if not self.outlier > 3:
            raise ValueError(f"outlier is {self.outlier}; below 3 deviations sound motion would go too")

    def at(self, root: str | Path | None) -> "DataSpec":
        """Returns the data with another root, which is relative to the working directory."""
        return self if root is None else replace(self, root=str(Path(root).absolute()))

    @property
    def notices(self) -> tuple[str, ...]:
        """Returns the licences that must be listed."""
        return tuple(sorted({source.licence for source in self.sources if source.licence}))


@dataclass(frozen=True)
class Source:
    """A file to read, with its labels and split; ``name`` is its path relative to the data root."""

    path: Path
    name: str
    style: str
    split: str
    performer: str = ""


def find_sources(data: DataSpec, base: Path) -> list[Source]:
    """Returns the files of a recipe in the folder ``base``, sorted by name, with their labels and splits."""
    root = base / data.root
    found: dict[str, tuple[Path, str, str]] = {}
    for spec in data.sources:
        folder = root / spec.folder
        if not Path(os.path.normpath(folder)).is_relative_to(os.path.normpath(root)):
            raise RecipeError(
                f"{folder}: is not below the data root {root}; name a folder in it, or another root",
                setting="data",
            )
        if not folder.is_dir():
            raise RecipeError(f"{folder}: no such folder; get the data, or name their folder", setting="data")
        motions = (
            path for path in folder.glob(spec.pattern) if path.suffix.lower() in MOTIONS and path.is_file()
        )
        paths = [
            path
            for path in (clip for file in motions for clip in clips_in(file))
            if not any(fnmatch(path.name, skipped) for skipped in spec.skip)
        ]
        searched = _search(spec.style_from, sorted({path.name for path in paths})) if spec.style_from else {}
        for path in paths:
            performer = _first_match(spec.performers, path.name) or spec.performer
            style = _style(spec, path, folder, searched)
            found.setdefault(path.relative_to(root).as_posix(), (path, style, performer))
    if not found:
        patterns = ", ".join(f"{spec.folder}/{spec.pattern}" for spec in data.sources)
        raise RecipeError(f"{root}: no file matches {patterns}; put motion files there or change the recipe")
    splits = read_splits(root / data.splits)
    styles = {name: style for name, (_, style, _) in found.items() if name not in splits}
    splits |= random_splits(styles, data.held_out)
    return [
        Source(path, name, style, splits[name], performer)
        for name, (path, style, performer) in sorted(found.items())
    ]


def _first_match(patterns: Mapping[str, tuple[str, ...]], name: str) -> str:
    """Returns the first label with a pattern that matches the name of a file; empty if there is none."""
    matching = (label for label, globs in patterns.items() if any(fnmatch(name, glob) for glob in globs))
    return next(matching, "")


def _search(pattern: str, names: Sequence[str]) -> dict[str, str]:
    """Returns the group ``style`` of a regular expression in each name; empty where the expression does not match.

    Some expressions take exponential time, so they are searched in a separate process with a time limit.
    """
    command = [sys.executable, "-I", "-S", "-c", _SEARCH]
    given = json.dumps([pattern, list(names)]).encode()
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=SEARCH_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        raise RecipeError(
            f"style_from {pattern!r}: takes more than {SEARCH_SECONDS:g} s in {len(names)} names; "
            "repeat nothing that is itself repeated"
        ) from None
    except (OSError, subprocess.CalledProcessError) as error:
        raise RecipeError(f"style_from {pattern!r}: cannot be searched ({error})") from error
    return dict(zip(names, json.loads(done.stdout), strict=True))


SEARCH_SECONDS = 10.0
_SEARCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
found = [re.search(pattern, name) for name in names]
json.dump([match and match["style"] or "" for match in found], sys.stdout)
"""


def _style(spec: SourceSpec, path: Path, folder: Path, searched: Mapping[str, str]) -> str:
    if style := _first_match(spec.styles, path.name) or spec.style:
        return style
    if spec.style_from:
        return searched[path.name]
    return "/".join(path.parent.relative_to(folder).parts)


def read_splits(path: Path) -> dict[str, str]:
    """Returns the split by file from ``{folder: {"train": [file, …], "val": […]}}``; empty if the file is missing."""
    if not path.is_file():
        return {}
    table = read_json(path, RecipeError)
    if not isinstance(table, Mapping):
        raise RecipeError(f'{path}: expected {{folder: {{"train": [file, …], "val": [file, …]}}}}')
    rows: dict[str, str] = {}
    for folder, lists in table.items():
        splits = from_table(_Splits, lists, f"{path}: {folder!r}")
        rows |= {f"{folder}/{file}": "train" for file in splits.train}
        rows |= {f"{folder}/{file}": "val" for file in splits.val}
    return rows


@dataclass(frozen=True)
class _Splits:
    """The files of a folder by split."""

    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()


def random_splits(styles: Mapping[str, str], held_out: float) -> dict[str, str]:
    """Selects the share ``held_out`` of files for validation by a hash of their names, at least one of several.

    ``styles`` contains the style of each file. A file that is the only one with its style is used for training.

    >>> sorted(random_splits({"a.bvh": "", "b.bvh": "", "c.bvh": ""}, 0.1).values())
    ['train', 'train', 'val']
    """
    ordered = sorted(styles, key=lambda name: hashlib.sha256(name.encode()).digest())
    count = max(round(held_out * len(ordered)), 1 if held_out > 0 and len(ordered) > 1 else 0)
    left, splits = Counter(styles.values()), dict.fromkeys(ordered, "train")
    for name in ordered:
        if count and left[styles[name]] > 1:
            splits[name] = "val"
            count, left[styles[name]] = count - 1, left[styles[name]] - 1
    return splits
