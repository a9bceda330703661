"""Edits of motion files: `between`, `redo` and `blend`, with a file for each take."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moglow.bvh.patch import patch_bvh
from moglow.errors import ControlError
from moglow.files.atomic import check_output, refuse_overwriting
from moglow.formats.export import check_options, export
from moglow.takes.directions import read_whole
from moglow.takes.editing import Edit, between, blend, redo
from moglow.takes.jobs import Job


def write_between(first: Path, second: Path, out: Path, *, takes: int, **options: Any) -> Iterator[str]:
    """Fills the gap between two motion files, and yields a line for each written file."""
    places = _places(out, takes, (first, second))
    yield from _written(between(first, second, takes=takes, **options), places)


def write_blend(first: Path, second: Path, out: Path, *, takes: int, **options: Any) -> Iterator[str]:
    """Joins two motion files with a transition, and yields a line for each written file."""
    places = _places(out, takes, (first, second))
    yield from _written(blend(first, second, takes=takes, **options), places)


def write_redo(source: Path, frames: str, out: Path, *, takes: int, **options: Any) -> Iterator[str]:
    """Replaces frames of a motion file by new motion, and yields a line for each written file.

    If both files are BVH, all other lines, and the values of all other joints, are kept to the byte.
    """
    places, (start, stop) = _places(out, takes, (source,)), frames_of(frames)
    clip = read_whole(source)
    start, stop = start or 0, len(clip) if stop is None else stop
    edits = redo(source, start, stop, takes=takes, **options)
    layout = clip.skeleton.layout
    if out.suffix.lower() != ".bvh" or layout is None or not layout.channels:
        yield from _written(edits, places)
        return
    for edit, place in zip(edits, places, strict=True):
        made = edit.clip
        differs = (made.rotations != clip.rotations).any(-1) | (made.positions != clip.positions).any(-1)
        patch_bvh(source, made, place, frames=np.arange(len(made)), changed=differs)
        yield _line(edit, place, len(edits))


def frames_of(text: str) -> tuple[int | None, int | None]:
    """Returns the range of ``START:STOP``, either of which may be omitted.

    >>> frames_of("90:150"), frames_of("90:")
    ((90, 150), (90, None))
    """
    found = re.fullmatch(r"\s*(\d{1,9})?\s*:\s*(\d{1,9})?\s*", text)
    if not found:
        raise ControlError(f"frames {text}: expected START:STOP, such as 90:150")
    start, stop = (int(each) if each else None for each in found.groups())
    return start, stop


def _places(out: Path, takes: int, inputs: Sequence[Path]) -> list[Path]:
    check_output(out)
    check_options(out, [])
    job = Job("", out, tuple(range(takes)), takes)
    places = [job.place(number) for number in range(takes)]
    refuse_overwriting(places, inputs)
    return places


def _written(edits: Sequence[Edit], places: Sequence[Path]) -> Iterator[str]:
    for edit, place in zip(edits, places, strict=True):
        export(edit.clip, place)
        yield _line(edit, place, len(edits))


def _line(edit: Edit, place: Path, takes: int) -> str:
    return f"{place}: {edit.summary}" + (f", score {edit.score:.2f}" if takes > 1 else "")
