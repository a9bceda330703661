"""Clips in blocks of frames, so that memory does not grow with the length of the motion."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Protocol

import numpy as np

from moglow.errors import ClipError
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton


class Frames(Protocol):
    """Motion of which parts are taken as clips: a `Clip`, or a file that was read."""

    @property
    def skeleton(self) -> Skeleton:
        """The figure."""

    @property
    def fps(self) -> float:
        """Frames a second."""

    @property
    def name(self) -> str:
        """The name of the motion."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Clip: ...


FASTEST = 10_000.0
"""Frames a second that motion is resampled to."""


def joined(blocks: Iterable[Clip], name: str | None = None) -> Clip:
    """Returns the blocks as one clip.

    >>> from moglow.motion.skeleton import Skeleton
    >>> clip = Clip.at_rest(Skeleton(("Hips",), (-1,), [[0, 0.9, 0]]), frames=5)
    >>> len(joined([clip[:2], clip[2:]]))
    5
    """
    first, *others = blocks
    whole = first.followed(*others)
    return whole if name is None else replace(whole, name=name)


def stretches(blocks: Iterable[Clip], margin: int) -> Iterator[tuple[Clip, slice]]:
    """Yields overlapping stretches and the slice of each that is its own; the slices cover all frames once, in order.

    A stretch has ``margin`` frames before and after its own, or fewer at the ends, for operations that need context.
    """
    kept: Clip | None = None
    done = 0  # frames of the buffer that were yielded
    for block in blocks:
        kept = block if kept is None else joined([kept, block])
        ready = len(kept) - margin
        if ready - done >= margin:  # otherwise most of the work would be on margins
            yield kept, slice(done, ready)
            cut = max(0, ready - margin)
            kept, done = kept[cut:], ready - cut
    if kept is not None and done < len(kept):
        yield kept, slice(done, len(kept))


def resampled(blocks: Iterable[Clip], fps: float) -> Iterator[Clip]:
    """Yields the blocks at another rate; joined, they equal `Clip.resample` of the joined blocks, up to rounding."""
    blocks = iter(blocks)
    first = next(blocks, None)
    if first is None:
        return
    if not 0 < fps <= FASTEST:
        raise ClipError(f"{first.name or 'clip'}: {fps:g} frames a second; give a rate up to {FASTEST:g}")
    step = first.fps / fps
    passed, written = 0, 0  # frames so far, at the original and the new rate
    for clip, own in stretches(chain([first], blocks), margin=int(np.ceil(4 * max(step, 1.0))) + 4):
        before = passed - own.start
        limit = own.stop - 1e-9 if own.stop < len(clip) else len(clip) - 1 + 1e-6 * step
        stop = int(np.floor((before + limit) / step)) + 1
        if stop > written:
            yield clip.sampled(np.arange(written, stop) * step - before, fps)
        passed, written = passed + own.stop - own.start, max(stop, written)
