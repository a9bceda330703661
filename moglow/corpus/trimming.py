"""Trims clips where features jump or lie too far from the mean because of capture errors. Needs numpy alone."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from moglow.corpus.normalizer import Normalizer
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
    moving = slice(0, len(encoding.reduction.kept))  # contacts may jump
    poses = [encoding.features(clip).pose[:, moving] for clip in clips]
    jumps = [_jumps(pose, clip.fps) for pose, clip in zip(poses, clips, strict=True)]
    chosen = [pose for pose, flag in zip(poses, training, strict=True) if flag]
    sound = [pose for pose, flag, jump in zip(poses, training, jumps, strict=True) if flag and not jump.any()]
    usual = Normalizer.fit(np.concatenate(sound or chosen), _first(encoding.mirror_signs, moving))
    trimmed = []
    for clip, pose, jump in zip(clips, poses, jumps, strict=True):
        off = np.abs(usual.normalize(pose))
        pieces = [
            clip[start:stop]
            for start, stop in _sound_stretches(off.max(1) <= outlier, np.asarray(jump.any(1)))
            if stop - start >= shortest * clip.fps and not _turned_over(off, jump, start, stop)
        ]
        lost = len(clip) - sum(map(len, pieces))
        damage = f"{lost / clip.fps:.1f} s of {len(clip) / clip.fps:.1f} s: {_damage(encoding, pose, off, clip.fps)}"
        trimmed.append((pieces, damage if lost else ""))
    return trimmed


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
