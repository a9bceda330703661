"""Trims clips where features jump or lie too far from the mean because of capture errors. Needs numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.normalizer import Moments, Normalizer
from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array
from moglow.maths.signals import runs
from moglow.motion.clip import Clip

JUMP = 30.0
"""Rate in radians or metres a second above which a channel counts as jumping; the foot of a runner reaches 20."""

FLIPPED = 5.0
"""Deviations from the mean; a channel beyond them in half of the frames between two jumps counts as flipped."""


def trim(
    encoding: Encoding, clips: Sequence[Clip], training: Sequence[bool], *, outlier: float, shortest: float
) -> list[tuple[list[Clip], str]]:
    """Returns the usable stretches of each clip and a description of what was removed, empty if nothing was.

    Args:
        encoding: the encoding of the clips.
        clips: the motion.
        training: which clips define the mean and deviation; those with jumps are excluded.
        outlier: deviations above which a frame is removed.
        shortest: duration in seconds of the shortest stretch that is kept.
    """
    found = [clip_statistics(encoding, clip) for clip in clips]
    trimming = Trimming.of(encoding, found, training, outlier=outlier, shortest=shortest)
    trimmed = []
    for clip in clips:
        pieces, damage = trimming.pieces(clip)
        trimmed.append(([clip[start:stop] for start, stop in pieces], damage))
    return trimmed


@dataclass(frozen=True)
class ClipStatistics:
    """Statistics of the channels of a clip: moments, smallest and largest values ``(D,)``, and whether any jumps."""

    moments: Moments
    low: Array
    high: Array
    jumps: bool


def clip_statistics(encoding: Encoding, clip: Clip) -> ClipStatistics:
    """Returns the statistics of a clip."""
    pose = _pose(encoding, clip)
    return ClipStatistics(Moments.of(pose), pose.min(0), pose.max(0), bool(_jumps(pose, clip.fps).any()))


@dataclass(frozen=True)
class Trimming:
    """Where clips are trimmed: the usual range of each channel, and the settings of `trim`."""

    encoding: Encoding
    usual: Normalizer
    outlier: float
    shortest: float

    @classmethod
    def of(
        cls,
        encoding: Encoding,
        found: Sequence[ClipStatistics],
        training: Sequence[bool],
        *,
        outlier: float,
        shortest: float,
    ) -> Self:
        """Returns the trimming of clips with these statistics; the arguments are those of `trim`."""
        chosen = [each for each, flag in zip(found, training, strict=True) if flag]
        sound = [each for each in chosen if not each.jumps]
        moments = Moments.total(each.moments for each in sound or chosen)
        mirror = _first(encoding.mirror_signs, _moving(encoding))
        return cls(encoding, Normalizer.of(moments, mirror), outlier, shortest)

    def is_whole(self, found: ClipStatistics, seconds: float) -> bool:
        """Returns whether nothing is cut from a clip with these statistics that lasts so many seconds."""
        off = np.abs(self.usual.normalize(np.stack([found.low, found.high]))).max()
        return bool(not found.jumps and off <= self.outlier and seconds >= self.shortest)

    def pieces(self, clip: Clip) -> tuple[tuple[tuple[int, int], ...], str]:
        """Returns the usable stretches of a clip and a description of what was removed, empty if nothing was."""
        pose = _pose(self.encoding, clip)
        jump, off = _jumps(pose, clip.fps), np.abs(self.usual.normalize(pose))
        pieces = tuple(
            (start, stop)
            for start, stop in _sound_stretches(off.max(1) <= self.outlier, np.asarray(jump.any(1)))
            if stop - start >= self.shortest * clip.fps and not _turned_over(off, jump, start, stop)
        )
        lost = len(clip) - sum(stop - start for start, stop in pieces)
        if not lost:
            return pieces, ""
        damage = _damage(self.encoding, pose, off, clip.fps)
        return pieces, f"{lost / clip.fps:.1f} s of {len(clip) / clip.fps:.1f} s: {damage}"


def _moving(encoding: Encoding) -> slice:
    """Returns the channels that must not jump: all but contacts."""
    return slice(0, len(encoding.reduction.kept))


def _pose(encoding: Encoding, clip: Clip) -> Array:
    return encoding.features(clip).pose[:, _moving(encoding)]


def _first(mirror: tuple[NDArray[np.intp], Array], channels: slice) -> tuple[NDArray[np.intp], Array]:
    """Returns the mirror map of the first channels, which contain their own mirror partners."""
    return mirror[0][channels], mirror[1][channels]


def _damage(encoding: Encoding, pose: Array, off: Array, fps: float) -> str:
    """Returns a description of the worst damage."""
    speed = np.abs(np.diff(pose, axis=0)) * fps
    if speed.max(initial=0.0) > JUMP:
        frame, channel = np.unravel_index(speed.argmax(), speed.shape)
        return f"{encoding.names[channel]} jumps at frame {frame + 1}"
    frame, channel = np.unravel_index(off.argmax(), off.shape)
    return f"{encoding.names[channel]} is {off.max():.0f} deviations off at frame {frame}"


def _jumps(pose: Array, fps: float) -> NDArray[np.bool_]:
    """Returns which channels jump from frame t to t + 1, ``(T − 1, D)``."""
    return np.asarray(np.abs(np.diff(pose, axis=0)) * fps > JUMP)


def _turned_over(off: Array, jump: NDArray[np.bool_], start: int, stop: int) -> bool:
    """Returns whether a channel is far from its mean in frames ``start`` to ``stop`` and jumps before or after them."""
    edges = [edge for edge in (start - 1, stop - 1) if 0 <= edge < len(jump)]
    jumped = jump[edges].any(0)
    return bool(jumped.any() and (np.median(off[start:stop, jumped], axis=0) > FLIPPED).any())


def _sound_stretches(sound: NDArray[np.bool_], jump: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns the stretches of usable frames ``(T,)``, which are split where frame t jumps to t + 1 ``(T − 1,)``.

    >>> _sound_stretches(np.array([True] * 5 + [False, True]), np.array([False, True, False, False, False, False]))
    [(0, 2), (2, 5), (6, 7)]
    """
    edges = np.flatnonzero(jump) + 1
    stretches: list[tuple[int, int]] = []
    for start, stop in runs(sound):
        stretches += pairwise([start, *edges[(edges > start) & (edges < stop)].tolist(), stop])
    return stretches
