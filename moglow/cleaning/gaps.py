"""Gaps in the motion of joints, filled between the good frames at their ends.

Nothing here is done unasked, and what is sound comes back exactly as it was.
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
    """Fills the frames ``(T,)``, or joints in frames ``(T, J)``, that are marked as missing.

    A smooth curve leads from the frames before to those after with their speeds; at the clip's ends, the nearest frame
    is held. Gaps longer than ``longest`` seconds are refused: a curve is no motion.
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
                    f"{clip.name or 'clip'}: {name} misses frames {start} to {stop - 1}, "
                    f"{(stop - start) / clip.fps:.2f} s; gaps up to {longest} s can be filled, cut the clip there"
                )
            sound_after = stop + 1 < len(clip) and not missing[stop + 1, joint]
            _fill(positions[:, joint], rotations[:, joint], start, stop, stop + sound_after)
    return replace(clip, positions=positions, rotations=rotations)


def _fill(positions: Array, rotations: Array, start: int, stop: int, later: int) -> None:
    """Fills ``start`` to ``stop`` of one joint's ``(T, 3)`` and ``(T, 4)`` in place; ``later`` is as in `_way`."""
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
    """Rotations for the frames between two sound ones of ``(T, 4)``."""

    def turn(a: int, b: int) -> Array:
        return quat_to_expmap(quat_multiply(quat_conjugate(rotations[a]), rotations[b]))

    return quat_multiply(rotations[before], expmap_to_quat(_way(turn, before, after, later)))


def _way(change: Callable[[int, int], Array], before: int, after: int, later: int) -> Array:
    """The way from ``before``, for each frame up to ``after``: Hermite's cubic with the speeds outside.

    ``change`` gives the way from one frame to another; ``later`` is the frame next to ``after``, or itself if there is
    no sound one.
    """
    share: Array = (np.arange(before + 1, after) - before)[:, None] / (after - before)
    leave = change(max(before - 1, 0), before) * (after - before)
    arrive = change(after, later) * (after - before)
    way: Array = leave * share * (1 - share) ** 2 + arrive * share**2 * (share - 1)
    return way + change(before, after) * share**2 * (3 - 2 * share)
