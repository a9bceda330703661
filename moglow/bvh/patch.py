"""Rewrites some frames of a BVH file and copies all other lines byte for byte."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moglow.bvh.columns import Columns, find_columns
from moglow.bvh.header import read_header
from moglow.bvh.write import decimals_of, obstacle_to, spell_frames
from moglow.errors import BvhError
from moglow.files.atomic import replacing
from moglow.files.reading import open_input
from moglow.maths.rotations import Array
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip


def patch_bvh(
    source: str | Path, clip: Clip, path: str | Path, *, frames: NDArray[np.intp], changed: Flags
) -> None:
    """Writes the file ``source`` to ``path`` with the changed joints of a clip that was read from ``source``.

    Args:
        source: the original file.
        clip: the new motion; its skeleton has the layout of the file.
        path: the new file; an existing file is replaced once the new one is complete.
        frames: for each frame of the clip, the index ``(T,)`` of its frame in the file; −1 for a new frame.
        changed: a mask ``(T, J)`` of the joints to rewrite; the numbers of the other joints are copied as text.
    """
    head, rows, tail = _read_rows(Path(source))
    layout = clip.skeleton.layout
    assert layout, "a clip that was read from a file has its layout"
    columns = find_columns(layout.channels)
    owner = np.repeat(np.arange(len(clip.skeleton)), [len(channels) for channels in layout.channels])
    decimals = decimals_of(layout)
    lines = [rows[frame] if frame >= 0 else b"" for frame in frames]
    for start, stop in runs(np.asarray(changed.any(1))):
        block = clip[start:stop]
        obstacle = obstacle_to(clip.skeleton, layout, block.positions, block.rotations)
        if obstacle:
            raise BvhError(f"{path}: {obstacle}; export the file as portable first")
        before = _angles(lines[start - 1], columns) if start else {}
        table, _ = spell_frames(block.positions, block.rotations, layout, columns, before)
        for frame, numbers in zip(range(start, stop), table, strict=True):
            words = lines[frame].split() or [b""] * len(numbers)
            for column in np.flatnonzero(changed[frame][owner]):
                words[column] = _word(numbers[column], decimals)
            lines[frame] = b" ".join(words) + ending_of(head)
    with replacing(path) as file:
        file.write(_rewritten_head(head, len(lines), clip.fps))
        file.writelines([*lines, tail])


def _read_rows(source: Path) -> tuple[bytes, list[bytes], bytes]:
    """Returns the text above the frames, one line for each frame, and the text below."""
    with open_input(source, BvhError) as file:
        text = file.read()
    header, motion = read_header(opened := BytesIO(text), source.name)
    motion += opened.read()
    above = text[: len(text) - len(motion)] if text.endswith(motion) else text[: len(text) + 1 - len(motion)]
    first, *lines = motion.splitlines(keepends=True)
    while lines and not lines[0].strip():
        first += lines.pop(0)
    tail = b""
    while lines and not lines[-1].strip():
        tail = lines.pop() + tail
    if len(lines) != header.frames:  # lines are wrapped, or blank lines lie between them
        words = motion.split()
        starts = range(0, len(words), header.width)
        lines = [b" ".join(words[k : k + header.width]) + ending_of(first) for k in starts]
    return above + first, lines, tail


def ending_of(line: bytes) -> bytes:
    """Returns the line ending of a line."""
    return b"\r\n" if line.endswith(b"\r\n") else b"\n"


def _angles(line: bytes, columns: Columns) -> dict[str, Array]:
    """Returns the angles of a frame by order of axes, in radians, as `spell_frames` takes them for ``last``."""
    numbers = np.radians(np.array([float(word) for word in line.split()]))
    return {order: numbers[place][None] for order, (_, place) in columns.rotations.items()}


def _word(number: float, decimals: int) -> bytes:
    return f"{number + 0.0:.{decimals}f}".encode()


def _rewritten_head(head: bytes, frames: int, fps: float) -> bytes:
    """Returns the header with a new number of frames and rate; values that do not change keep their bytes."""
    at = head.upper().rindex(b"MOTION")

    def count(found: re.Match[bytes]) -> bytes:
        return found[0] if int(found[2]) == frames else found[1] + str(frames).encode()

    def time(found: re.Match[bytes]) -> bytes:
        same = abs(float(found[2]) * fps - 1) < 1e-3  # files hold rounded frame times
        return found[0] if same else found[1] + repr(1.0 / fps).encode()

    motion = re.sub(rb"(?i)(frames[ \t]*:[ \t]*)(\d+)", count, head[at:])
    return head[:at] + re.sub(rb"(?i)(frame[ \t]+time[ \t]*:[ \t]*)(\S+)", time, motion)
