"""Left and right limbs exchanged for some frames."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Self

import numpy as np

from moglow.cleaning.damage import Damage, Fill
from moglow.cleaning.limbs import DamagedJoints, limb_names, limb_pairs
from moglow.maths.rotations import Array, quat_multiply, quat_rotate
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.mirror import find_mirror
from moglow.motion.skeleton import descendants


def exchanged(clip: Clip, joints: Sequence[int], frames: Flags) -> Clip:
    """Returns the clip with the joints' rotations in flagged frames ``(T,)`` replaced by the mirrored ones of partners.

    ``joints`` must contain their partners and descendants; then a second call restores the clip.
    """
    mirror = find_mirror(clip.skeleton, clip.world()[1], clip.headings())
    rotations, places = clip.rotations.copy(), np.ix_(frames, np.array(joints))
    rotations[places] = mirror.rotations(clip.rotations if frames.all() else clip.rotations[frames], joints)
    return replace(clip, rotations=rotations)


SWITCH = 0.1
"""Cost in metres of third differences of a change between swapped and not swapped."""


def find_swaps(clip: Clip) -> list[DamagedJoints]:
    """Returns stretches in which a pair of limbs moves smoothly only if left and right are exchanged.

    A Viterbi path over the states of adjacent frames minimises the limbs' jerk plus `SWITCH` for each change. The state
    of more than half of the clip is taken as sound.
    """
    found = []
    for joints in limb_pairs(clip.skeleton).values():
        swapped = _smoothest(clip, joints)
        if swapped.mean() > 0.5:
            swapped = ~swapped
        found += [DamagedJoints(start, stop, joints) for start, stop in runs(swapped)]
    return found


def _smoothest(clip: Clip, joints: tuple[int, ...], price: float = SWITCH) -> Flags:
    """Returns whether each frame ``(T,)`` is exchanged on the smoothest path."""
    if len(clip) < 3:
        return np.zeros(len(clip), bool)
    roles = set(clip.skeleton.anatomy.roles.values())
    moving = [joint for joint in joints if joint in roles]
    uppers = [joint for joint in moving if clip.skeleton.parents[joint] not in joints]
    root = [
        next(upper for upper in uppers if joint in (upper, *descendants(clip.skeleton, upper)))
        for joint in moving
    ]
    both = (clip, exchanged(clip, joints, np.ones(len(clip), bool)))
    ways = [np.ascontiguousarray(_ways(each, clip, joints, moving, root).T) for each in both]  # (3, N, T)
    jerks = np.empty((len(clip) - 2, 2, 2, 2))
    for a, b in product((0, 1), repeat=2):
        before = ways[a][..., :-2] - 2 * ways[b][..., 1:-1]
        for c in (0, 1):
            x, y, z = before + ways[c][..., 2:]
            jerks[:, a, b, c] = np.sqrt(x * x + y * y + z * z).sum(0) + price * (b != c)
    return cheapest_path(jerks, np.array([[0.0, price], [price, 0.0]]))


def _ways(
    clip: Clip, around: Clip, joints: Sequence[int], moving: Sequence[int], root: Sequence[int]
) -> Array:
    """Returns the joints' positions ``(T, N, 3)`` relative to the roots of their limbs, with the rest of ``around``."""
    positions, rotations = around.world()
    if clip is around:
        return positions[:, moving] - positions[:, root]
    places: dict[int, Array] = {}
    turns: dict[int, Array] = {}
    for joint in sorted(joints):
        parent = clip.skeleton.parents[joint]
        place, turn = places.get(parent, positions[:, parent]), turns.get(parent, rotations[:, parent])
        places[joint] = place + quat_rotate(turn, clip.positions[:, joint])
        turns[joint] = quat_multiply(turn, clip.rotations[:, joint])
    ways: Array = np.stack([places[j] - places[upper] for j, upper in zip(moving, root, strict=True)], axis=1)
    return ways


def cheapest_path(costs: Array, begin: Array) -> Flags:
    """Returns the cheapest sequence ``(T + 2,)`` of two states, by Viterbi's algorithm on blocks in parallel.

    Args:
        costs: ``(T, 2, 2, 2)`` of the states of each frame and of the two frames after it.
        begin: ``(2, 2)`` of the first two states.

    >>> costs = np.zeros((3, 2, 2, 2))
    >>> costs[:, 0] = 1.0
    >>> cheapest_path(costs, np.zeros((2, 2))).tolist()
    [True, True, True, False, False]
    """
    length = int(np.ceil(np.sqrt(len(costs))))
    blocks = -(-len(costs) // length)
    padded = np.zeros((blocks * length, 2, 2, 2))
    padded[: len(costs)] = costs
    steps = padded.reshape(blocks, length, 1, 2, 2, 2)
    # From each pair of states before a block (axis 1) to the last two states so far.
    totals = np.where(np.eye(4, dtype=bool), 0.0, np.inf).reshape(1, 4, 2, 2).repeat(blocks, axis=0)
    back = np.empty((length, blocks, 4, 2, 2), bool)
    for k in range(length):
        ways = totals[..., None] + steps[:, k]
        back[k] = ways[:, :, 1] < ways[:, :, 0]
        totals = ways.min(2)
    cost: Array = begin.reshape(4)
    before = np.empty((blocks, 4), int)
    for k, block in enumerate(totals.reshape(blocks, 4, 4)):
        sums = cost[:, None] + block
        before[k], cost = sums.argmin(0), sums.min(0)
    last = int(cost.argmin())
    starts, ends = np.empty(blocks, int), np.empty(blocks, int)
    for k in reversed(range(blocks)):
        ends[k], starts[k] = last, before[k, last]
        last = int(starts[k])
    path, at = np.empty((blocks, length), bool), np.arange(blocks)
    older, newer = np.divmod(ends, 2)
    for k in reversed(range(length)):
        path[:, k] = newer
        older, newer = back[k][at, starts, older, newer].astype(int), older
    return np.concatenate([np.array(divmod(last, 2), bool), path.reshape(-1)[: len(costs)]])


class Swapped(Damage):
    kind, remedy = "swap", "left and right exchanged back"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        found = [(each, limb_names(clip.skeleton, each.joints)) for each in find_swaps(clip)]
        return [cls(each.start, each.stop, each.joints, f"{names} are swapped") for each, names in found]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        frames = np.zeros(len(clip), bool)
        frames[self.start : self.stop] = True
        return exchanged(clip, self.joints, frames)
