"""The sidecar of each motion, ``walk.bvh.json`` beside ``walk.bvh``, with its settings and figures.

A sidecar contains the SHA-256 of its motion and is ignored beside another motion. Only sidecars of moglow are replaced
or removed. Those of earlier versions, named ``walk.json``, are read too.
"""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moglow.errors import ExportError, FileFormatError
from moglow.files.atomic import Output, file_digest, replacing

Figures = dict[str, Any]

LARGEST = 1 << 28
"""Largest size in bytes; the sidecar of an hour of motion has 1 MB."""
PREVIOUS = "previous"
"""Key of the description of the previous motion in a sidecar, while it is replaced."""


def sidecar_of(motion: Path) -> Path:
    """Returns the file of a motion's sidecar.

    >>> sidecar_of(Path("takes/walk.bvh")).as_posix()
    'takes/walk.bvh.json'
    """
    return motion.with_name(f"{motion.name}.json")


def sidecars_of(motion: Path) -> tuple[Path, Path]:
    """Returns the possible files of a motion's sidecar: the current name, then that of earlier versions."""
    return sidecar_of(motion), motion.with_suffix(".json")


def read_sidecar(motion: str | Path) -> Figures:
    """Returns the sidecar of a motion file; empty without a sidecar of moglow for the current content of the file."""
    motion = Path(motion)
    if not motion.is_file():
        return {}
    new, old = sidecars_of(motion)
    if found := _read(new):
        digest = file_digest(motion)
        entries: list[Any] = [found, found.get(PREVIOUS)]
        return next((_alone(each) for each in entries if _is_ours(each) and each.get("sha256") == digest), {})
    try:
        found = _read(old)
    except FileFormatError:  # of another program
        return {}
    return found if "sha256" not in found and found.get("bytes") == motion.stat().st_size else {}


def write_motion(
    motion: Path, write: Callable[[os.PathLike[str]], None], figures: Callable[[], Mapping[str, Any]]
) -> Figures:
    """Writes a motion and its sidecar, and returns the content of the sidecar.

    At any time, the file is complete, with the old or the new motion, and the sidecar describes it: before the motion
    is replaced, descriptions of both are written, and afterwards the old one is removed.

    Args:
        motion: the file.
        write: writes the motion to a path.
        figures: returns the figures of the motion; called after it is complete.
    """
    return start_motion(motion, write, figures)()


def start_motion(
    motion: Path, write: Callable[[os.PathLike[str]], None], figures: Callable[[], Mapping[str, Any]]
) -> Callable[[], Figures]:
    """Writes a motion to a partial file, and returns the function that does the rest of `write_motion`.

    It may be called in another thread.
    """
    before, found = _before(motion), Figures()
    finishes: list[Callable[[], None]] = []

    def describe_both(complete: Path) -> None:
        found.update(figures())
        found.update(bytes=complete.stat().st_size, sha256=file_digest(complete))
        write_sidecar(motion, found, previous=before)

    def finished() -> Figures:
        for finish in finishes:
            finish()
        _forget(before, motion, found)
        return found

    write(Output(motion, describe_both, finishes.append))
    return finished


def move_motion(motion: Path, to: Path, figures: Mapping[str, Any]) -> None:
    """Renames a motion and sets the figures of its sidecar; an existing motion with the new name is replaced.

    As in `write_motion`, the sidecar of each motion describes it at any time.
    """
    if motion == to:
        write_sidecar(to, figures)
        return
    before, figures = _before(to), {**figures, "sha256": file_digest(motion)}
    write_sidecar(to, figures, previous=before)
    motion.replace(to)
    _forget(before, to, figures)
    remove_lone_sidecar(motion)
    _remove_old(motion.with_suffix(".json"), figures)


def write_sidecar(
    motion: Path, figures: Mapping[str, Any], previous: Mapping[str, Any] | None = None
) -> None:
    """Writes the sidecar of a motion, with one line for each entry."""
    entries = {**figures, **({PREVIOUS: dict(previous)} if previous else {})}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items())
    with replacing(sidecar_of(motion)) as written:
        written.write(f"{{\n{lines}\n}}\n".encode())


def remove_lone_sidecar(motion: Path) -> None:
    """Removes the sidecar of a motion that does not exist, if it is a sidecar of moglow."""
    with contextlib.suppress(FileFormatError):
        if not motion.exists() and _read(sidecar_of(motion)):
            sidecar_of(motion).unlink(missing_ok=True)


def refuse_foreign(motion: Path, *, overwrite: bool) -> Figures:
    """Returns the sidecar of an existing motion that is to be replaced.

    Raises `ExportError` if the file with the sidecar's name is not a sidecar or, without ``overwrite``, if the motion
    was not made by moglow or was changed since.
    """
    place = sidecar_of(motion)
    try:
        ours = bool(_read(place))
    except FileFormatError:
        ours = False
    if not ours and os.path.lexists(place):
        raise ExportError(
            f"{place}: is no sidecar of moglow generate, which would replace it; rename it, or give another name"
        )
    known = read_sidecar(motion)
    if not (known or overwrite) and motion.is_file() and motion.stat().st_size:
        why = "was changed after moglow generate made it" if ours else "was not made by moglow generate"
        raise ExportError(f"{motion}: {why}; give another name, or replace it", setting="overwrite")
    return known


def agrees(figures: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Returns whether a motion with these figures was made with these settings.

    >>> agrees({"seed": 1, "frames": 30}, {"seed": 1})
    True
    """
    return all(figures.get(key) == value for key, value in settings.items())


def describe(target: Path, figures: Mapping[str, Any]) -> str:
    """Returns a line about a written motion."""
    slide, nats = figures["foot_slide_m_s"], figures["log_likelihood_nats"]["mean"]
    return (
        f"{target}: {(figures['frames'] - 1) / figures['fps']:.1f} s at {figures['fps']:g} fps, "
        f"path error {100 * figures['path_error_m']['mean']:.1f} cm, foot slide "
        f"{100 * slide['written']['mean']:.1f} cm/s ({100 * slide['sampled']['mean']:.1f} before the foot lock)"
        + (f", {nats:.0f} nats a frame" if nats is not None else "")
    )


def _read(place: Path) -> Figures:
    """Returns the content of a sidecar; empty if there is none, or a file of another program."""
    if not place.is_file():
        return {}
    try:
        if place.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        read = json.loads(place.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(
            f"{place}: is no JSON ({error}); it should be what moglow generate writes, remove or rename it"
        ) from error
    return read if _is_ours(read) else {}


def _is_ours(read: Any) -> bool:
    """Returns whether an object of a JSON file is the content of a sidecar of moglow."""
    try:
        describe(Path(), read)
        texts, numbers = ("moglow", "model_sha256", "control_sha256"), ("take", "bytes")
        return all(isinstance(read[key], str) for key in texts) and all(
            type(read[key]) is int for key in numbers
        )
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return False


def _alone(figures: Mapping[str, Any]) -> Figures:
    return {key: value for key, value in figures.items() if key != PREVIOUS}


def _before(motion: Path) -> Figures:
    """Returns the description of the motion that is about to be replaced, with its digest."""
    before = read_sidecar(motion)
    return {**before, "sha256": file_digest(motion)} if before else {}


def _forget(before: Mapping[str, Any], motion: Path, figures: Mapping[str, Any]) -> None:
    """Removes the description of the replaced motion from the sidecar."""
    if before:
        with contextlib.suppress(ExportError):  # a full disk: the old description remains
            write_sidecar(motion, figures)
        _remove_old(motion.with_suffix(".json"), before)


def _remove_old(sidecar: Path, figures: Mapping[str, Any]) -> None:
    """Removes a sidecar with the old name if it describes the motion with these figures."""
    keys = ("model_sha256", "control_sha256", "take", "bytes")
    with contextlib.suppress(FileFormatError):
        if agrees(_read(sidecar), {key: figures[key] for key in keys}):
            sidecar.unlink(missing_ok=True)
