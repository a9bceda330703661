"""Motion files of every format that is read, behind one function; the suffix and the first bytes choose the format.

Adding a format is a function that returns `Bones` and a line in `FORMATS`. Libraries that a format needs are imported
inside its functions, so that the other formats work without them.
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
_HEAD = 64  # bytes that tell formats apart


def _single(path: Path) -> tuple[str, ...]:
    """A file of one clip, which needs no name."""
    return ("",)


@dataclass(frozen=True)
class Format:
    """How files of one format are recognised and read."""

    suffixes: tuple[str, ...]
    read: Callable[[Path, str | None], Bones]
    """Reads the clip of this name, or the only one."""
    clips: Callable[[Path], tuple[str, ...]] = _single
    """Returns the names of the clips in a file."""
    starts: tuple[bytes, ...] = ()
    """How files of the format begin."""


FORMATS: tuple[Format, ...] = (
    Format((".glb", ".gltf", ".vrm", ".vrma"), read_gltf, gltf_clips, (b"glTF",)),
    Format((".fbx",), read_fbx, fbx_clips, (b"Kaydara FBX Binary", b"; FBX")),
    Format((".usd", ".usda", ".usdc", ".usdz"), read_usd, usd_clips, (b"#usda", b"PXR-USDC")),
    Format((".amc",), read_amc),
    Format((".asf",), read_asf),
)
SUFFIXES = (".bvh", *(suffix for each in FORMATS for suffix in each.suffixes))
"""Of files that `read_motion` reads."""
MOTIONS = tuple(suffix for suffix in SUFFIXES if suffix != ".asf")
"""Of files that contain motion; an .asf is only the skeleton of an .amc."""


def read_motion(
    path: str | Path,
    *,
    unit: str | float | None = None,
    up: str | None = None,
    overrides: Mapping[str, str] = _NONE,
    pose_only: bool = False,
) -> Clip:
    """Reads a motion file of any format.

    A file with several clips is read with the name of one behind ``#``: ``pack.glb#Walk``. ``unit``, ``up`` and
    ``overrides`` are those of `read_bvh`; other formats declare unit and axes. With ``pose_only`` a file serves for its
    skeleton: any of its clips will do, and it need not have one.
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
        from moglow.bvh.read import open_bvh  # takes a tenth of a second to import

        return open_bvh(path, unit=unit, up=up, overrides=overrides)
    try:
        with np.errstate(invalid="raise", over="raise", divide="raise"):
            return _read(form, file, chosen, pose_only).clip(
                chosen or file.stem, unit=unit, up=up, overrides=overrides
            )
    except FloatingPointError as error:
        raise MotionFileError(
            f"{file}: a value is not finite or too large; get or export it again"
        ) from error


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

    A file that cannot be read counts as one clip: reading it raises the error.
    """
    form = format_of(path)
    if form is None:
        return [path]
    try:
        names = form.clips(path)
    except MotionFileError:
        return [path]
    return [path.with_name(f"{path.name}#{name}") for name in names] if len(names) > 1 else [path]


def split_name(path: str | Path) -> tuple[Path, str | None]:
    """Returns the file and the name of the clip in ``pack.glb#Walk``; a file whose own name has a # stays whole.

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
    """Returns the format of a file by its first bytes, else by its suffix; None stands for BVH."""
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
