"""Cleaning that is asked for by name: spikes, gaps, a false frame rate. Floor 3; numpy alone.

Nothing here is done unasked, and what is sound comes back exactly as it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from moglow.clip import Clip
from moglow.contacts import Flags, runs
from moglow.errors import ClipError
from moglow.faults import JUMP, JumpSpec, find_jumps, likely_fps, turn_steps
from moglow.mirroring import find_mirror
from moglow.rotations import (
    Array,
    expmap_to_quat,
    quat_angle,
    quat_conjugate,
    quat_multiply,
    quat_to_expmap,
)
from moglow.skeleton import Skeleton, descendants


def despike(clip: Clip, *, longest: float = 0.1, spec: JumpSpec = JUMP) -> Clip:
    """Replaces rotations that jump away and come back within ``longest`` seconds, each joint by itself.

    The frames between the two jumps are filled as by `fill_gaps`; at the clip's ends, where there is only one side,
    they repeat it. A jump that stays is a fault of another kind and is left.
    """
    rotations, steps = clip.rotations.copy(), turn_steps(clip)
    most = max(1, round(longest * clip.fps))
    jumps: dict[int, list[int]] = {}
    for jump in find_jumps(clip, spec):
        if jump.angle:
            jumps.setdefault(jump.joint, []).append(jump.frame - 1)
    for joint, at in jumps.items():
        turns = rotations[:, joint]
        for start, stop in _excursions(turns, steps[:, joint], at, most):
            turns[start + 1 : stop] = _turns_between(turns, start, stop, min(stop + 1, len(clip) - 1))
            at = [step for step in at if not start <= step < stop]
        edge = max(1, most // 3)  # one sound side is half the evidence
        if at and at[0] < edge:
            turns[: at[0] + 1] = turns[at[0] + 1]
        if at and len(clip) - 1 - at[-1] <= edge:
            turns[at[-1] + 1 :] = turns[at[-1]]
    return replace(clip, rotations=rotations)


def _excursions(turns: Array, steps: Array, jumps: list[int], most: int) -> list[tuple[int, int]]:
    """The sound frames (last before, first after) around each excursion of at most ``most`` frames.

    It begins and ends with a jump, and its ends are nearer to each other than either jump is long.
    """
    found: list[tuple[int, int]] = []
    for start in jumps:
        if found and start < found[-1][1]:
            continue
        returns = [stop + 1 for stop in jumps if start < stop <= start + most]
        if not returns:
            continue
        away = quat_angle(turns[start], turns[returns])
        stop = returns[int(away.argmin())]
        if away.min() < min(steps[start], steps[stop - 1]):
            found.append((start, stop))
    return found


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


def unmislabel_fps(clip: Clip, fps: float | None = None) -> Clip:
    """The same frames at another rate: for a file whose frame time is false. Nothing is resampled.

    Without a rate, the one at which the feet swing as feet do (`faults.likely_fps`).
    """
    if fps is None:
        fps = likely_fps(clip)
        if fps is None:
            raise ClipError(f"{clip.name or 'clip'}: too few steps to tell the frame rate from; give it")
    return replace(clip, fps=float(fps))


def exchanged(clip: Clip, joints: Sequence[int], frames: Flags) -> Clip:
    """Gives joints, in some frames ``(T,)``, the mirrored turns of their partners: limbs that were swapped, put back.

    Done to both sides alike it undoes itself; what hangs on the joints is to be among them.
    """
    mirror = find_mirror(clip.skeleton, clip.world()[1], clip.headings())
    rotations, places = clip.rotations.copy(), np.ix_(frames, np.array(joints))
    rotations[places] = mirror.rotations(clip.rotations[frames])[:, joints]
    return replace(clip, rotations=rotations)


def limbs(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """The joints of each arm and leg, by the name of the limb: the upper one and all that hangs on it.

    >>> names = ("Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot")
    >>> offsets = [[0, 0.9, 0], *([x, y, 0] for x in (0.1, -0.1) for y in (0.0, -0.4, -0.4))]
    >>> limbs(Skeleton(names, (-1, 0, 1, 2, 0, 4, 5), np.array(offsets) * [[1, 1, 1]]))
    {'left leg': (1, 2, 3), 'right leg': (4, 5, 6)}
    """
    parts = {"leg": "thigh", "arm": "upper_arm", "fore leg": "front_thigh"}
    roles = skeleton.anatomy.roles
    uppers = {
        f"{side} {limb}": roles[f"{side}_{upper}"]
        for limb, upper in parts.items()
        for side in ("left", "right")
        if f"{side}_{upper}" in roles
    }
    return {name: (joint, *descendants(skeleton, joint)) for name, joint in uppers.items()}
