"""Writes a clip to a file in the format of its suffix. Needs numpy alone.

To add a format, write a function, whose keywords are the options, and add a line to `EXPORTERS`.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined


def export(clip: Clip, path: str | PathLike[str], **options: object) -> None:
    """Writes `clip` to `path` in the format of its suffix; ``options`` are the keywords of that format's writer.

    >>> from moglow.motion.skeleton import Skeleton
    >>> clip = Clip.at_rest(Skeleton(("Hips",), (-1,), [[0.0, 0.9, 0.0]]))
    >>> export(clip, "walk.fbx")
    Traceback (most recent call last):
    moglow.errors.ExportError: walk.fbx: no format for the suffix '.fbx'; use one of .bvh, .csv, .glb, .npz, ...
    """
    check_options(path, options)
    writer_for(path)(clip, path, **options)


def export_blocks(blocks: Iterable[Clip], path: str | PathLike[str], **options: object) -> None:
    """Writes a clip in blocks: one after another if the format permits it, otherwise joined at the end."""
    check_options(path, options)
    at_once = BLOCKWISE.get(Path(path).suffix.lower())
    if at_once:
        _found(at_once)(blocks, path, **options)
    else:
        export(joined(blocks), path, **options)


def export_pack(clips: Sequence[Clip], path: str | Path) -> tuple[str, ...]:
    """Writes clips of one skeleton as the animations of one file and returns their names."""
    suffix = Path(path).suffix.lower()
    if suffix not in PACKS:
        raise ExportError(f"{path}: a {suffix} file holds one clip; use {', '.join(PACKS)} for several")
    names: tuple[str, ...] = _found(PACKS[suffix])(clips, path)
    return names


def export_crowd(figures: Iterable[tuple[str, float, Clip]], path: str | Path) -> int:
    """Writes figures as one file and returns their number: their names, the seconds in which they begin, and clips."""
    count: int = _found(CROWDS[Path(path).suffix.lower()])(figures, path)
    return count


def check_options(path: str | PathLike[str], options: Iterable[str]) -> None:
    """Raises an ExportError for a suffix without a format, or an option that the format does not have."""
    writer = writer_for(path)
    for option in options:
        if option not in signature(writer).parameters:
            kind = Path(path).suffix.lower()
            raise ExportError(f"{path}: a {kind} file has no option {option!r}; leave it out")


def root_options(path: str | PathLike[str], root_motion: bool) -> dict[str, Any]:
    """Returns the options with which a format keeps a root bone above the hips."""
    return (
        {"keep_root": True} if root_motion and "keep_root" in signature(writer_for(path)).parameters else {}
    )


def writer_for(path: str | PathLike[str]) -> Callable[..., None]:
    """Returns the writer of a file's format; raises an ExportError with the known formats if there is none."""
    suffix = Path(path).suffix.lower()
    if suffix not in EXPORTERS:
        known = ", ".join(sorted(EXPORTERS))
        by_blender = "; moglow blender writes it from a .bvh file" if suffix in (".fbx", ".blend") else ""
        raise ExportError(f"{path}: no format for the suffix {suffix!r}; use one of {known}{by_blender}")
    return _found(EXPORTERS[suffix])


def _found(writer: str) -> Callable[..., Any]:
    """Returns the function with a full name; its module is imported on first use, since most runs need one format."""
    module, name = writer.rsplit(".", 1)
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def write_npz(clip: Clip, path: str | Path) -> None:
    """Writes local ``positions`` and ``rotations`` (w first), ``fps`` and the skeleton, for `numpy.load`."""
    arrays: Mapping[str, object] = {
        "positions": clip.positions,
        "rotations": clip.rotations,
        "fps": clip.fps,
        "names": np.array(clip.skeleton.names),
        "parents": np.array(clip.skeleton.parents),
        "offsets": clip.skeleton.offsets,
    }
    with replacing(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def write_csv(clip: Clip, path: str | Path) -> None:
    """Writes one row per frame: the time in seconds, then each joint's world position in metres."""
    header = io.StringIO()
    columns = [f"{name}_{axis}" for name in clip.skeleton.names for axis in "xyz"]
    csv.writer(header, lineterminator="\n").writerow(["time", *columns])
    rows = np.column_stack([clip.times, clip.world()[0].reshape(len(clip), -1)])
    with replacing(path) as file:
        file.write(header.getvalue().encode("utf-8", "surrogateescape"))
        np.savetxt(file, rows, fmt="%.6f", delimiter=",")


EXPORTERS: dict[str, str] = {
    ".bvh": "moglow.bvh.write.write_bvh",
    ".csv": "moglow.formats.export.write_csv",
    ".glb": "moglow.formats.glb.write_glb",
    ".npz": "moglow.formats.export.write_npz",
    ".usda": "moglow.formats.usd.write_usd",
    ".usdc": "moglow.formats.usd.write_usd",
    ".usdz": "moglow.formats.usd.write_usd",
    ".vrma": "moglow.formats.vrma.write_vrma",
}
"""The writers: functions of a clip and a path."""
BLOCKWISE: dict[str, str] = {".bvh": "moglow.bvh.write.write_bvh_blocks"}
"""Formats that are written in blocks, with the same options: functions of an iterable of clips and a path."""
PACKS: dict[str, str] = {".glb": "moglow.formats.glb.write_glb_pack"}
"""Formats with several clips in one file: functions of clips and a path, which return the names of the clips."""
CROWDS: dict[str, str] = {
    ".glb": "moglow.formats.glb.write_glb_crowd",
    ".usda": "moglow.formats.usd.write_usd_crowd",
    ".usdc": "moglow.formats.usd.write_usd_crowd",
    ".usdz": "moglow.formats.usd.write_usd_crowd",
}
"""Formats with several figures in one file: functions of figures and a path, which return their number."""
