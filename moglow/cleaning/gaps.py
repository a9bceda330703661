"""Fills gaps in the motion of joints between the sound frames at their ends.

Sound frames do not change by a bit.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from moglow.errors import ClipError
from moglow.maths.rotations import (
    Array,
    expmap_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_to_expmap,
)
from moglow.maths.signals import runs
from moglow.motion.clip import Clip


def fill_gaps(clip: Clip, missing: ArrayLike, *, longest: float = 0.25) -> Clip:
    """Returns the clip with missing frames ``(T,)``, or missing joints in frames ``(T, J)``, interpolated.

    A cubic leads from the frames before to those after, with their velocities; at the clip's ends the nearest frame is
    repeated. Gaps longer than ``longest`` seconds raise a ClipError, since a cubic is not realistic motion.
    """
    missing = np.asarray(missing, bool)
    if missing.shape not in ((len(clip),), (len(clip), len(clip.skeleton))):
        raise ClipError(
            f"{clip.name or 'clip'}: missing frames {missing.shape}; expected (T,) or (T, J) of {len(clip)}"
        )
    missing = np.broadcast_to(missing.reshape(len(clip), -1), (len(clip), len(clip.skeleton)))
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    for joint, name in enumerate(clip.skeleton.names):
        for start, stop in runs(missing[:, joint]):
            if stop - start > longest * clip.fps or stop - start == len(clip):
                raise ClipError(
                    f"{clip.name or 'clip'}: {name} lacks frames {start} to {stop - 1}, "
                    f"{(stop - start) / clip.fps:.2f} s; gaps up to {longest} s can be filled, cut the clip there"
                )
            sound_after = stop + 1 < len(clip) and not missing[stop + 1, joint]
            _fill(positions[:, joint], rotations[:, joint], start, stop, stop + sound_after)
    return replace(clip, positions=positions, rotations=rotations)


def _fill(positions: Array, rotations: Array, start: int, stop: int, later: int) -> None:
    """Fills one joint's ``(T, 3)`` and ``(T, 4)`` from ``start`` to before ``stop``; ``later`` is as in `_way`."""
    if start == 0 or stop == len(rotations):
        held = stop if start == 0 else start - 1
        positions[start:stop], rotations[start:stop] = positions[held], rotations[held]
        return

    def move(a: int, b: int) -> Array:
        way: Array = positions[b] - positions[a]
        return way

    positions[start:stop] = positions[start - 1] + _way(move, start - 1, stop, later)
    rotations[start:stop] = _turns_between(rotations, start - 1, stop, later)


def _turns_between(rotations: Array, before: int, after: int, later: int) -> Array:
    """Returns the rotations for the frames between two sound ones of ``(T, 4)``."""

    def turn(a: int, b: int) -> Array:
        return quat_to_expmap(quat_multiply(quat_conjugate(rotations[a]), rotations[b]))

    return quat_multiply(rotations[before], expmap_to_quat(_way(turn, before, after, later)))


def _way(change: Callable[[int, int], Array], before: int, after: int, later: int) -> Array:
    """Returns the change from frame ``before`` for each frame to ``after``, as a Hermite cubic.

    ``change`` returns the change between two frames; ``later`` is the frame next to ``after``, or ``after`` itself if
    that is not sound.
    """
    share: Array = (np.arange(before + 1, after) - before)[:, None] / (after - before)
    leave = change(max(before - 1, 0), before) * (after - before)
    arrive = change(after, later) * (after - before)
    way: Array = leave * share * (1 - share) ** 2 + arrive * share**2 * (share - 1)
    return way + change(before, after) * share**2 * (3 - 2 * share)
