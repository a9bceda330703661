"""Reads motion files of all formats with one function; suffix and first bytes determine the format.

To add a format, write a function that returns `Bones` and add a line to `FORMATS`. Libraries of a format are imported
inside its functions, so that other formats work without them.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from moglow.errors import MotionFileError
from moglow.formats.acclaim import read_amc, read_asf
from moglow.formats.bones import Bones
from moglow.formats.fbx_motion import fbx_clips, read_fbx
from moglow.formats.gltf_motion import gltf_clips, read_gltf
from moglow.formats.usd_motion import read_usd, usd_clips
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import Frames

_NONE: Mapping[str, str] = MappingProxyType({})
FARTHEST = 1e7
"""Metres from its parent, or from the origin, beyond which no joint is."""
_HEAD = 64  # bytes that distinguish the formats


def _single(path: Path) -> tuple[str, ...]:
    """Returns the names of the clips in a file of one clip, which needs no name."""
    return ("",)


@dataclass(frozen=True)
class Format:
    """The functions that recognise and read the files of a format."""

    suffixes: tuple[str, ...]
    read: Callable[[Path, str | None], Bones]
    """Reads the clip with this name, or the only one."""
    clips: Callable[[Path], tuple[str, ...]] = _single
    """Returns the names of the clips in a file."""
    starts: tuple[bytes, ...] = ()
    """The first bytes of the format's files."""


FORMATS: tuple[Format, ...] = (
    Format((".glb", ".gltf", ".vrm", ".vrma"), read_gltf, gltf_clips, (b"glTF",)),
    Format((".fbx",), read_fbx, fbx_clips, (b"Kaydara FBX Binary", b"; FBX")),
    Format((".usd", ".usda", ".usdc", ".usdz"), read_usd, usd_clips, (b"#usda", b"PXR-USDC")),
    Format((".amc",), read_amc),
    Format((".asf",), read_asf),
)
SUFFIXES = (".bvh", *(suffix for each in FORMATS for suffix in each.suffixes))
"""Suffixes of the files that `read_motion` reads."""
MOTIONS = tuple(suffix for suffix in SUFFIXES if suffix != ".asf")
"""Suffixes of files with motion; .asf files have only the skeleton of an .amc."""


def read_motion(
    path: str | Path,
    *,
    unit: str | float | None = None,
    up: str | None = None,
    overrides: Mapping[str, str] = _NONE,
    pose_only: bool = False,
) -> Clip:
    """Reads a motion file of any format.

    In a file with several clips, ``#`` selects one by name, as in ``pack.glb#Walk``. ``unit``, ``up`` and ``overrides``
    are those of `read_bvh`; other formats declare unit and axes. With ``pose_only`` only the skeleton is needed: any
    clip of the file is read, and a file without clips is accepted.
    """
    motion = open_motion(path, unit=unit, up=up, overrides=overrides, pose_only=pose_only)
    return motion if isinstance(motion, Clip) else motion[:]


def open_motion(
    path: str | Path,
    *,
    unit: str | float | None = None,
    up: str | None = None,
    overrides: Mapping[str, str] = _NONE,
    pose_only: bool = False,
) -> Frames:
    """Reads a motion file as `read_motion` does, for clips of parts of it: of a long BVH file all needs much memory."""
    file, chosen = split_name(path)
    form = format_of(file)
    if form is None:
        from moglow.bvh.read import open_bvh  # the import takes 0.1 s

        return open_bvh(path, unit=unit, up=up, overrides=overrides)
    try:
        with np.errstate(invalid="raise", over="raise", divide="raise"):
            clip = _read(form, file, chosen, pose_only).clip(
                chosen or file.stem, unit=unit, up=up, overrides=overrides
            )
    except FloatingPointError as error:
        raise MotionFileError(
            f"{file}: a value is not finite or too large; get or export it again"
        ) from error
    farthest = float(max(np.abs(clip.positions).max(initial=0), np.abs(clip.skeleton.offsets).max(initial=0)))
    if farthest > FARTHEST:
        raise MotionFileError(
            f"{file}: a joint is {farthest:.3g} m away, expected at most {FARTHEST:g} m; get or export it again"
        )
    return clip


def _read(form: Format, file: Path, chosen: str | None, pose_only: bool) -> Bones:
    names = form.clips(file)
    if chosen is None and pose_only and names:
        chosen = names[0] or None
    if not names and not pose_only:
        raise MotionFileError(
            f"{file}: has no animation, only a skeleton for motion to be put on; export it with one"
        )
    return form.read(file, chosen)


def clips_in(path: Path) -> list[Path]:
    """Returns a file, or ``file#name`` for each of its clips if it has several.

    A file that cannot be read is returned as one clip; `read_motion` raises the error.
    """
    form = format_of(path)
    if form is None:
        return [path]
    try:
        names = form.clips(path)
    except MotionFileError:
        return [path]
    return [path.with_name(f"{path.name}#{name}") for name in names] if len(names) > 1 else [path]


def files_of(path: Path) -> tuple[Path]:
    """Returns the file of ``pack.glb#Walk``, which a task on it reads."""
    return (split_name(path)[0],)


def split_name(path: str | Path) -> tuple[Path, str | None]:
    """Returns the file and the name of the clip in ``pack.glb#Walk``; an existing file may contain # in its name.

    >>> file, name = split_name("pack.glb#Walk")
    >>> file.name, name
    ('pack.glb', 'Walk')
    """
    whole = Path(path)
    name, sign, chosen = whole.name.partition("#")
    if not sign or whole.exists() or Path(name).suffix.lower() not in SUFFIXES:
        return whole, None
    return whole.with_name(name), chosen


def format_of(path: Path) -> Format | None:
    """Returns the format of a file, by its first bytes or its suffix; None is BVH."""
    head = b""
    if path.is_file():  # looking into a pipe would take its beginning away, or wait for ever
        with contextlib.suppress(OSError), open(path, "rb") as file:
            head = file.read(_HEAD)
    if head.lstrip()[:9].upper() == b"HIERARCHY":
        return None
    for form in FORMATS:
        if head.startswith(form.starts):
            return form
    suffix = path.suffix.lower()
    return next((form for form in FORMATS if suffix in form.suffixes), None)
